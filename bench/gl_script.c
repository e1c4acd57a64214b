// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The scripts. An empty stream is one word that makes the library do nothing: without any word the
 * daemon would not call it, and the call is what is measured. kmscube is a recorded guest
 * (fuzz/session_to_stream.py says how the file is laid out), without its scanouts and its end.
 * Everything up to its third frame is setup; the third and the fourth frame, which draw to two
 * pictures in turn, are repeated. Its backings were scattered pages and are one piece here, for the
 * daemon and for the limit; after the upload they are not read again.
 */
#include "gl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SURFACE 100
#define COLOUR  0x204060

static struct gl_script *script_new(void)
{
	struct gl_script *s = calloc(1, sizeof(*s));

	if (!s)
		vmm_fail("out of memory");
	return s;
}

static struct gl_step *add_setup(struct gl_script *s, uint32_t type)
{
	struct gl_step *step = &s->setup[s->n_setup++];

	if (s->n_setup > GL_MAX_SETUP)
		vmm_fail("the script is too long");
	step->hdr = (struct virtio_gpu_ctrl_hdr){ .type = type, .ctx_id = GL_CONTEXT };
	return step;
}

static void add_context(struct gl_script *s)
{
	struct gl_step *step = add_setup(s, VIRTIO_GPU_CMD_CTX_CREATE);

	step->ctx_create.nlen = 5;
	memcpy(step->ctx_create.debug_name, "bench", 5);
}

struct gl_script *gl_script_empty(void)
{
	static const uint32_t nothing[] = { 0 };
	struct gl_script *s = script_new();

	add_context(s);
	s->streams[s->n_streams++] = (struct gl_step){
		.submit = { { .type = VIRTIO_GPU_CMD_SUBMIT_3D,
			      .flags = VIRTIO_GPU_FLAG_FENCE,
			      .ctx_id = GL_CONTEXT },
			    sizeof(nothing),
			    0 },
		.data = nothing,
		.data_size = sizeof(nothing),
	};
	return s;
}

static struct stream *stream_new(void)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		vmm_fail("out of memory");
	return stream;
}

static void set_stream(struct gl_step *step, const struct stream *stream)
{
	step->data = stream->words;
	step->data_size = step->submit.size = stream->count * 4;
}

static void add_texture(struct gl_script *s, uint32_t id, uint32_t width, uint32_t height,
			uint32_t rgb)
{
	struct stream *stream = stream_new();
	struct gl_step *step = add_setup(s, VIRTIO_GPU_CMD_RESOURCE_CREATE_3D);

	step->create_3d = gpu_texture(id, width, height);
	step->hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_3D;
	step = add_setup(s, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE);
	step->ctx_resource.resource_id = id;
	stream_surface(stream, SURFACE + id, id);
	stream_framebuffer(stream, SURFACE + id);
	stream_clear(stream, rgb);
	set_stream(add_setup(s, VIRTIO_GPU_CMD_SUBMIT_3D), stream);
}

struct gl_script *gl_script_texture(uint32_t width, uint32_t height, struct virtio_gpu_rect damage)
{
	struct gl_script *s = script_new();

	add_context(s);
	add_texture(s, GL_TEXTURE, width, height, COLOUR);
	for (uint32_t k = 0; k < GL_MAX_STREAMS; k++) {
		uint32_t id = GL_TEXTURE + 1 + k;
		struct stream *stream = stream_new();
		struct gl_step *step = &s->streams[s->n_streams++];

		add_texture(s, id, damage.width, damage.height, COLOUR * (k + 2));
		stream_copy(stream, GL_TEXTURE, damage.x, damage.y, id,
			    gpu_rect(0, 0, damage.width, damage.height));
		step->hdr = (struct virtio_gpu_ctrl_hdr){ .type = VIRTIO_GPU_CMD_SUBMIT_3D,
							  .ctx_id = GL_CONTEXT };
		set_stream(step, stream);
	}
	return s;
}

/* ---- the recorded one ---- */

#define MAGIC     "VGPUSTRM\x01\0\0" /* with the version */
#define HEADER    16
#define STEADY    3 /* the first frame that equals all that follow */
#define MAX_BYTES (16u << 20)

enum { RECORD_COMMAND = 1, RECORD_MEMORY, RECORD_FRAME };

struct recording {
	uint8_t *bytes;
	size_t size;
	uint8_t *memory; /* the guest's memory, as it was when the program had started */
	uint32_t memory_size;
};

struct record {
	uint32_t kind, size;
	const uint8_t *content;
};

static uint32_t word(const uint8_t *p)
{
	uint32_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static bool recording_read(struct recording *rec, const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	rec->bytes = malloc(MAX_BYTES);
	rec->size = rec->bytes ? fread(rec->bytes, 1, MAX_BYTES, f) : 0;
	fclose(f);
	if (rec->size < HEADER || memcmp(rec->bytes, MAGIC, sizeof(MAGIC)) != 0)
		vmm_fail("%s is not a recorded stream", path);
	rec->memory_size = word(rec->bytes + 12);
	rec->memory = calloc(1, rec->memory_size);
	if (!rec->memory)
		vmm_fail("out of memory");
	return true;
}

static bool next(const struct recording *rec, size_t *offset, struct record *ret)
{
	const uint8_t *p = rec->bytes + *offset;

	if (rec->size - *offset < 8)
		return false;
	*ret = (struct record){ word(p), word(p + 4), p + 8 };
	if (ret->size > rec->size - *offset - 8)
		vmm_fail("the recorded stream is cut off");
	*offset += 8 + ret->size;
	return true;
}

static void fill_memory(struct recording *rec)
{
	size_t offset = HEADER;
	struct record r;

	while (next(rec, &offset, &r)) {
		if (r.kind == RECORD_MEMORY)
			memcpy(rec->memory + word(r.content), r.content + 8, word(r.content + 4));
	}
}

/* Its pieces are joined. */
static void add_backing(struct gl_script *s, const struct recording *rec,
			const struct virtio_gpu_resource_attach_backing *attach)
{
	const struct virtio_gpu_mem_entry *entries = (const void *)(attach + 1);
	struct gl_step *step = add_setup(s, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING);
	uint32_t n = 0;

	step->attach = *attach;
	for (uint32_t i = 0; i < attach->nr_entries; i++)
		step->data_size += entries[i].length;
	uint8_t *data = malloc(step->data_size);

	for (uint32_t i = 0; data && i < attach->nr_entries; n += entries[i++].length)
		memcpy(data + n, rec->memory + entries[i].addr, entries[i].length);
	step->data = data;
}

static void add_command(struct gl_script *s, const struct recording *rec, const void *request,
			size_t size, bool is_steady)
{
	const struct virtio_gpu_ctrl_hdr *hdr = request;
	struct gl_step *step;

	switch (hdr->type) {
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
		add_backing(s, rec, request);
		return;
	case VIRTIO_GPU_CMD_SUBMIT_3D:
		if (is_steady && s->n_streams == GL_MAX_STREAMS)
			vmm_fail("too many streams are recorded");
		step = is_steady ? &s->streams[s->n_streams++] : add_setup(s, hdr->type);
		memcpy(&step->submit, request, sizeof(step->submit));
		step->data = (const uint8_t *)request + sizeof(step->submit);
		step->data_size = step->submit.size;
		break;
	case VIRTIO_GPU_CMD_CTX_CREATE:
	case VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE:
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_3D:
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D:
		step = add_setup(s, hdr->type);
		memcpy(&step->hdr, request, size);
		break;
	default: /* the commands that show and end it */
		return;
	}
	step->hdr.flags = is_steady ? VIRTIO_GPU_FLAG_FENCE : 0;
}

const char *gl_kmscube_path = KMSCUBE_STREAM;

struct gl_script *gl_script_kmscube(void)
{
	struct gl_script *s = script_new();
	struct recording rec;
	size_t offset = HEADER;
	unsigned frame = 0;
	struct record r;

	if (!recording_read(&rec, gl_kmscube_path))
		return NULL;
	fill_memory(&rec);
	while (next(&rec, &offset, &r)) {
		if (r.kind == RECORD_FRAME)
			frame++;
		else if (r.kind == RECORD_COMMAND)
			add_command(s, &rec, r.content + 4, r.size - 4, frame >= STEADY);
	}
	return s;
}
