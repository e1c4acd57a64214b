// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Transfers from textures to guest memory that are commands of a stream. If the library ran them,
 * the guest could get uninitialised memory, as readback.c explains, before we could check it. So a
 * stream is split at them: the library runs the part before, the transfer is done here, then the
 * library runs the rest. Splitting is safe because the library keeps all state between commands in
 * the context.
 *
 * A transfer that OpenGL refuses leaves the guest's memory as it is, and the stream goes on.
 */
#include <linux/virtio_gpu.h>

#include "render/virgl/virgl_private.h"

/* virgl's protocol: the header's low byte is the command, its upper 16 bits the number of words
 * that follow. */
#define COMMAND_TRANSFER3D      43
#define COMMAND_COPY_TRANSFER3D 45

/* Words of both commands; the header is word 0. */
#define WORD_RESOURCE     1
#define WORD_LEVEL        2
#define WORD_STRIDE       4
#define WORD_LAYER_STRIDE 5
#define WORD_BOX          6
/* Words of TRANSFER3D alone, and of COPY_TRANSFER3D. */
#define WORD_OFFSET           12
#define WORD_DIRECTION        13
#define WORD_OTHER            12
#define WORD_OTHER_OFFSET     13
#define WORD_FLAGS            14
#define DIRECTION_FROM_HOST   2
#define FLAG_READ_FROM_HOST   (1u << 1)
#define TRANSFER3D_WORDS      14 /* or more */
#define COPY_TRANSFER3D_WORDS 15

static size_t command_words(const uint32_t *command)
{
	return (size_t)(command[0] >> 16) + 1;
}

static struct virgl_resource *find_resource(struct virgl *virgl, uint32_t id)
{
	return g_hash_table_lookup(virgl->resources, GUINT_TO_POINTER(id));
}

/* Whether @command, which is complete, reads a resource back. */
static bool is_readback(const uint32_t *command)
{
	uint8_t op = (uint8_t)command[0];
	size_t n = command_words(command);

	if (op == COMMAND_TRANSFER3D)
		return n >= TRANSFER3D_WORDS && command[WORD_DIRECTION] == DIRECTION_FROM_HOST;
	return op == COMMAND_COPY_TRANSFER3D && n == COPY_TRANSFER3D_WORDS &&
	       command[WORD_FLAGS] & FLAG_READ_FROM_HOST;
}

/* Returns the index of the first command that reads back, or the length of the stream. */
static size_t find_readback(const uint32_t *stream, size_t n_words)
{
	size_t i = 0;

	while (i < n_words && command_words(stream + i) <= n_words - i) {
		if (is_readback(stream + i))
			return i;
		i += command_words(stream + i);
	}
	return n_words;
}

static struct renderer_transfer transfer_of(const uint32_t *command, uint32_t ctx_id)
{
	const uint32_t *box = command + WORD_BOX;
	bool is_copy = (uint8_t)command[0] == COMMAND_COPY_TRANSFER3D;

	return (struct renderer_transfer){
		.ctx_id = ctx_id,
		.level = command[WORD_LEVEL],
		.stride = command[WORD_STRIDE],
		.layer_stride = command[WORD_LAYER_STRIDE],
		.offset = command[is_copy ? WORD_OTHER_OFFSET : WORD_OFFSET],
		.box = { box[0], box[1], box[2], box[3], box[4], box[5] },
	};
}

/* Carries out the transfer. For COPY_TRANSFER3D the destination is the backing of another
 * resource. */
static int read_back(struct virgl *virgl, uint32_t ctx_id, const uint32_t *command)
{
	bool is_copy = (uint8_t)command[0] == COMMAND_COPY_TRANSFER3D;
	struct renderer_transfer transfer = transfer_of(command, ctx_id);
	struct virgl_resource *from = find_resource(virgl, command[WORD_RESOURCE]);
	struct virgl_resource *to = is_copy ? find_resource(virgl, command[WORD_OTHER]) : from;

	if (!from || !to || !to->iov)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	transfer.iov = to->iov;
	transfer.n_iov = to->n_iov;
	int r = virgl_readback_transfer(&virgl->base, &from->base, &transfer);
	return r == VIRTIO_GPU_RESP_ERR_UNSPEC ? 0 : r;
}

int virgl_readback_submit(struct virgl *virgl, uint32_t ctx_id, uint32_t *stream, size_t n_words)
{
	size_t n = find_readback(stream, n_words);
	int r = 0;

	/* Most streams have no such command. An empty stream is passed on too: the library decides
	 * about it. */
	if (n == n_words)
		return virgl_account_submit(virgl, ctx_id, stream, n_words);
	for (; n_words > 0 && r == 0; n = find_readback(stream, n_words)) {
		if (n > 0) {
			r = virgl_account_submit(virgl, ctx_id, stream, n);
		} else {
			r = read_back(virgl, ctx_id, stream);
			n = command_words(stream);
		}
		stream += n;
		n_words -= n;
	}
	return r;
}
