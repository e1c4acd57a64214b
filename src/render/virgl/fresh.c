// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Fills new resources with zeros. A driver may reuse the memory of a freed resource for one of
 * another guest, and a guest can see old contents without a transfer, by drawing with the resource.
 * So zeros are written when a resource is made, and a resource to which they cannot be written is
 * refused.
 *
 * Zeros are not written if tests have shown that the driver itself zeroes new resources in all
 * cases: these are Mesa's drivers for the CPU. NVIDIA's driver (580, on an H100) zeroes new
 * textures too, but once a part of one is written, the rest reads as uninitialised memory from
 * malloc().
 *
 * The GPU clears textures: we submit a command stream in a context of our own, whose id the guest
 * does not use. Where that is not possible (compressed textures, OpenGL before 4.4, OpenGL ES) or
 * fails, zeros are uploaded like a guest's pixels. Multisampled textures cannot be uploaded to, so
 * they are refused then.
 */
#include <linux/virtio_gpu.h>
#include <string.h>

#include "render/block.h"
#include "render/virgl/virgl_private.h"

/* Gallium's bind flags, as in virgl's protocol. */
#define BIND_CUSTOM  (1u << 17) /* memory that the library allocates and zeroes itself */
#define BIND_STAGING (1u << 19) /* no host memory: only the guest's backing */

#define COMMAND_CLEAR_TEXTURE 47
#define CLEAR_TEXTURE_WORDS   12 /* after the header */
#define MAX_LEVELS            16

#define ZERO_BYTES (64 * 1024)
#define MAX_IOVS   256
#define MAX_COPY   (MAX_IOVS * (uint64_t)ZERO_BYTES)

/* Never written, so the kernel backs it with its page of zeros. */
static uint8_t zeros[ZERO_BYTES];

void virgl_fresh_init(struct virgl *virgl)
{
	const char *renderer = virgl_gl_renderer();
	bool is_cpu = strstr(renderer, "llvmpipe") || strstr(renderer, "softpipe");

	virgl->driver = is_cpu ? VIRGL_DRIVER_CPU : VIRGL_DRIVER_GPU;
}

static bool is_compressed(uint32_t format)
{
	struct block block;

	return block_of_format(format, &block) && block.width > 1;
}

static bool is_zero_already(const struct virgl *virgl, const struct virgl_resource *resource)
{
	const struct renderer_resource_args *args = &resource->args;

	if (virgl->driver == VIRGL_DRIVER_CPU)
		return true;
	return args->target == RENDERER_TARGET_BUFFER &&
	       (args->bind == BIND_CUSTOM || args->bind == BIND_STAGING);
}

static int write_once(const struct virgl_resource *resource, const struct renderer_transfer *t,
		      uint64_t size)
{
	struct virgl_box_words box = virgl_box_words(&t->box);
	struct iovec iov[MAX_IOVS];
	unsigned n = 0;

	for (; size > 0; size -= iov[n++].iov_len)
		iov[n] = (struct iovec){ zeros, MIN(size, ZERO_BYTES) };
	return virgl_renderer_transfer_write_iov(resource->args.id, 0, (int)t->level, t->stride,
						 t->layer_stride, (struct virgl_box *)&box, 0, iov,
						 n);
}

/* Uploads @size bytes of zeros, at most MAX_COPY, to the box. It tries twice, because the error
 * after the first try may be left over from an earlier OpenGL call. */
static bool write_zeros(const struct virgl_resource *resource, const struct renderer_transfer *t,
			uint64_t size)
{
	for (unsigned i = 0; i < 2; i++)
		if (write_once(resource, t, size) == 0 && !virgl_gl_had_error())
			return true;
	return false;
}

static bool write_to_buffer(const struct virgl_resource *resource)
{
	uint32_t width = resource->args.width, x, n;

	for (x = 0; x < width; x += n) {
		struct renderer_transfer t = { .box = { x, 0, 0, 0, 1, 1 } };

		n = (uint32_t)MIN(width - x, MAX_COPY);
		t.box.width = n;
		if (!write_zeros(resource, &t, n))
			return false;
	}
	return true;
}

/* Writes zeros to one layer of a level, a band of rows at a time. */
static bool write_to_layer(const struct virgl_resource *resource, const struct block *block,
			   uint32_t level, uint32_t z)
{
	struct renderer_box all = virgl_resource_level(resource, level);
	uint64_t row = block_row_bytes(block, all.width);
	uint32_t band = (uint32_t)MAX(MAX_COPY / row, 1) * block->height;

	for (uint32_t y = 0; y < all.height; y += band) {
		struct renderer_transfer t = {
			.level = level,
			.stride = (uint32_t)row,
			.box = { 0, y, z, all.width, MIN(band, all.height - y), 1 },
		};
		uint64_t rows = block_count_rows(block, t.box.height);

		if (!write_zeros(resource, &t, row * rows))
			return false;
	}
	return true;
}

static bool write_to_texture(const struct virgl_resource *resource)
{
	struct block block;

	if (resource->args.nr_samples > 0 || !block_of_format(resource->format, &block))
		return false;
	for (uint32_t level = 0; level <= resource->args.last_level; level++)
		for (uint32_t z = 0; z < virgl_resource_level(resource, level).depth; z++)
			if (!write_to_layer(resource, &block, level, z))
				return false;
	return true;
}

/* Adds the command that clears a level. Returns its number of words. */
static unsigned add_clear(uint32_t *words, const struct virgl_resource *resource, uint32_t level)
{
	struct renderer_box all = virgl_resource_level(resource, level);
	const uint32_t clear[CLEAR_TEXTURE_WORDS + 1] = {
		CLEAR_TEXTURE_WORDS << 16 | COMMAND_CLEAR_TEXTURE,
		resource->args.id,
		level,
		0,
		0,
		0,
		all.width,
		/* OpenGL counts the layers of a 1D array as rows. */
		resource->args.target == RENDERER_TARGET_1D_ARRAY ? all.depth : all.height,
		resource->args.target == RENDERER_TARGET_1D_ARRAY ? 1 : all.depth,
	};

	memcpy(words, clear, sizeof(clear));
	return CLEAR_TEXTURE_WORDS + 1;
}

void virgl_fresh_leave_context(struct virgl *virgl, uint32_t id)
{
	if (virgl->own_context == 0 || virgl->own_context != id)
		return;
	virgl_renderer_context_destroy(id);
	virgl->own_context = 0;
}

/* Makes our own context if there is none yet. Returns false on failure. */
static bool get_context(struct virgl *virgl)
{
	uint32_t id = UINT32_MAX;

	if (virgl->own_context != 0)
		return true;
	while (id_table_find(&virgl->contexts, id))
		id--;
	if (virgl_renderer_context_create(id, 0, "") != 0)
		return false;
	virgl->own_context = id;
	return true;
}

static bool clear_once(struct virgl *virgl, const struct virgl_resource *resource)
{
	uint32_t words[MAX_LEVELS * (CLEAR_TEXTURE_WORDS + 1)];
	int id = (int)resource->args.id;
	unsigned n = 0;

	for (uint32_t level = 0; level <= MIN(resource->args.last_level, MAX_LEVELS - 1); level++)
		n += add_clear(words + n, resource, level);
	if (!get_context(virgl))
		return false;
	virgl_renderer_ctx_attach_resource((int)virgl->own_context, id);
	int r = virgl_renderer_submit_cmd(words, (int)virgl->own_context, (int)n);
	virgl_renderer_ctx_detach_resource((int)virgl->own_context, id);
	if (r != 0) /* a broken context accepts no more streams */
		virgl_fresh_leave_context(virgl, virgl->own_context);
	return r == 0 && !virgl_gl_had_error();
}

static bool clear_texture(struct virgl *virgl, const struct virgl_resource *resource)
{
	return virgl_gl_can_clear() && (clear_once(virgl, resource) || clear_once(virgl, resource));
}

int virgl_fresh_fill(struct virgl *virgl, const struct virgl_resource *resource)
{
	bool is_done;

	if (is_zero_already(virgl, resource))
		return 0;
	if (resource->args.target == RENDERER_TARGET_BUFFER)
		is_done = write_to_buffer(resource);
	else
		is_done = (!is_compressed(resource->format) && clear_texture(virgl, resource)) ||
			  write_to_texture(resource);
	return is_done ? 0 : VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
}
