// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What is read back from textures: by the guest (TRANSFER_FROM_HOST) and for the display. No byte
 * leaves that OpenGL did not write for this request.
 *
 * The library reads many textures into a buffer from malloc() and copies that to where it belongs,
 * whether or not OpenGL wrote to it: OpenGL reads back no texture with samples, and no other that
 * it holds to be incomplete, but for an error that the library does not look at. So what the guest
 * is to get is read into memory of ours first, in one piece, one layer at a time, for the library
 * reads only one; and it is copied to the guest if OpenGL had nothing to say against it. That
 * memory is kept from one transfer to the next, for new pages cost more than the copy, but not from
 * one guest to the next. It is zeroed each time, but for plain pictures, which OpenGL has to read
 * back.
 *
 * Plain pictures in one piece of memory are read to where they belong. There the library hands that
 * memory to OpenGL, which writes to it or does not.
 */
#include <limits.h>
#include <linux/virtio_gpu.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>

#include "base/iov.h"
#include "base/pixel.h"
#include "render/block.h"
#include "render/pixels.h"
#include "render/virgl/virgl_private.h"

#define BIND_STAGING (1u << 19)

/* Bytes: what is kept at most, and how it grows. */
#define MAX_SCRATCH  (64u << 20)
#define SCRATCH_STEP (1u << 20)

/* How a transfer lies in the guest's memory; bytes, but for what is said. */
struct layout {
	struct block block;
	uint64_t row, stride, layer_stride;
	uint64_t rows;  /* of blocks, in a layer of the box */
	uint64_t level; /* all layers of the level, tight */
};

static bool is_texture(const struct virgl_resource *resource)
{
	return resource->args.width > 0 && resource->args.target != RENDERER_TARGET_BUFFER;
}

/* A staging buffer has the guest's memory alone. Some versions of the library take one that has not
 * even that for a texture. */
static bool is_without_memory(const struct virgl_resource *resource)
{
	return resource->args.target == RENDERER_TARGET_BUFFER &&
	       resource->args.bind == BIND_STAGING && !resource->iov;
}

/* Whether OpenGL itself writes to the memory that the library is given, if that is one piece. */
static bool is_plain(const struct virgl *virgl, const struct virgl_resource *resource)
{
	return !virgl->is_gles && resource->args.nr_samples == 0 && resource->args.flags == 0 &&
	       resource->args.target == RENDERER_TARGET_2D && pixels_has_format(resource->format);
}

static int read_once(const struct virgl_resource *resource, const struct renderer_transfer *t)
{
	struct virgl_box_words box = virgl_box_words(&t->box);

	return virgl_renderer_transfer_read_iov(resource->args.id, t->ctx_id, t->level, t->stride,
						t->layer_stride, (struct virgl_box *)&box,
						t->offset, (struct iovec *)t->iov, t->n_iov);
}

/* Reads, and looks whether OpenGL did. 0 or the guest's error. An error may be one of before, in
 * whatever the guest drew: then it is read again, in a context that has none. */
static int read_checked(const struct virgl_resource *resource, const struct renderer_transfer *t)
{
	int r = read_once(resource, t);

	if (r == 0 && virgl_gl_had_error()) {
		r = read_once(resource, t);
		if (r == 0 && virgl_gl_had_error())
			return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	return virgl_response(r);
}

static uint64_t divide_up(uint64_t n, uint32_t by)
{
	return (n + by - 1) / by;
}

static bool is_span(uint32_t first, uint32_t count, uint32_t size)
{
	return count > 0 && first < size && count <= size - first;
}

/* The device has looked already, but not into streams. */
static bool is_box_within(const struct virgl_resource *resource, const struct renderer_transfer *t)
{
	struct renderer_box all = virgl_resource_level(resource, t->level);

	return t->level <= resource->args.last_level &&
	       is_span(t->box.x, t->box.width, all.width) &&
	       is_span(t->box.y, t->box.height, all.height) &&
	       is_span(t->box.z, t->box.depth, all.depth);
}

/* False if the format is not known, or the strides are too small for it. */
static bool lay_out(const struct virgl_resource *resource, const struct renderer_transfer *t,
		    struct layout *ret)
{
	struct renderer_box all = virgl_resource_level(resource, t->level);
	struct layout l;

	if (!block_of_format(resource->format, &l.block))
		return false;
	uint64_t level_row = divide_up(all.width, l.block.width) * l.block.size;
	uint64_t level_rows = divide_up(all.height, l.block.height);

	l.row = divide_up(t->box.width, l.block.width) * l.block.size;
	l.rows = divide_up(t->box.height, l.block.height);
	l.stride = t->stride ? t->stride : level_row;
	l.layer_stride = t->layer_stride ? t->layer_stride : l.stride * level_rows;
	l.level = level_row * level_rows * all.depth;
	*ret = l;
	return l.stride >= l.row && l.layer_stride >= l.stride * l.rows &&
	       l.row * l.rows <= INT_MAX;
}

/* Whether layers and rows end within @size bytes. */
static bool is_within(const struct layout *l, const struct renderer_transfer *t, uint64_t size)
{
	uint64_t layers = t->box.depth;
	uint64_t span = (layers - 1) * l->layer_stride + (l->rows - 1) * l->stride + l->row;

	return t->offset <= size && span <= size - t->offset;
}

static uint64_t iov_size(const struct iovec *iov, int n_iov)
{
	uint64_t size = 0;

	for (int i = 0; i < n_iov; i++)
		size += iov[i].iov_len;
	return size;
}

/* Layer @n of the box, read to @buffer, in tight rows. */
static int read_layer(const struct virgl_resource *resource, const struct renderer_transfer *t,
		      const struct layout *l, uint32_t n, const struct iovec *buffer)
{
	struct renderer_transfer layer = {
		.ctx_id = t->ctx_id,
		.level = t->level,
		.stride = (uint32_t)l->row,
		.box = t->box,
		.iov = buffer,
		.n_iov = 1,
	};

	layer.box.z += n;
	layer.box.depth = 1;
	return read_checked(resource, &layer);
}

static void copy_layer(const struct layout *l, const uint8_t *rows, const struct iovec *iov,
		       int n_iov, uint64_t offset)
{
	uint64_t n = l->stride == l->row ? 1 : l->rows;
	uint64_t size = l->row * l->rows / n;

	for (uint64_t y = 0; y < n; y++)
		iov_write(iov, n_iov, offset + y * l->stride, rows + y * size, size);
}

void virgl_readback_forget(struct virgl *virgl)
{
	if (virgl->scratch_size > 0)
		munmap(virgl->scratch, virgl->scratch_size);
	virgl->scratch = NULL;
	virgl->scratch_size = 0;
}

/* At least @size bytes, kept for the next time; NULL if there is no memory. What nobody touches of
 * it costs nothing. */
static void *get_scratch(struct virgl *virgl, size_t size)
{
	if (size > virgl->scratch_size) {
		virgl_readback_forget(virgl);
		size = (size + SCRATCH_STEP - 1) / SCRATCH_STEP * SCRATCH_STEP;
		void *scratch = mmap(NULL, size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (scratch == MAP_FAILED)
			return NULL;
		virgl->scratch = scratch;
		virgl->scratch_size = size;
	}
	return virgl->scratch;
}

/* Only in case that a driver writes nothing and says nothing: while this is on, what malloc() gives
 * is zeroed, but for small blocks that this thread has freed lately. It is on for those textures
 * alone that the library may need a block for, and takes no longer than they do: a threshold from
 * which on all blocks are new pages would cost every upload more. */
static void zero_new_blocks(bool is_on)
{
#ifdef M_PERTURB
	mallopt(M_PERTURB, is_on ? 0xff : 0);
#else
	(void)is_on;
#endif
}

static int read_layer_zeroed(const struct virgl_resource *resource,
			     const struct renderer_transfer *t, const struct layout *l, uint32_t n,
			     const struct iovec *buffer)
{
	memset(buffer->iov_base, 0, l->row * l->rows);
	zero_new_blocks(true);
	int r = read_layer(resource, t, l, n, buffer);
	zero_new_blocks(false);
	return r;
}

static int read_by_copy(struct virgl *virgl, const struct virgl_resource *resource,
			const struct renderer_transfer *t, const struct layout *l)
{
	/* Some versions of the library want room for the whole level, and use what the box needs.
	 */
	struct iovec buffer = { .iov_len = MIN(MAX(l->level, l->row * l->rows), INT_MAX) };
	int r = 0;

	if (l->row * l->rows > MAX_SCRATCH && !hostmem_has(virgl->base.hostmem, l->row * l->rows))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	buffer.iov_base = get_scratch(virgl, buffer.iov_len);
	if (!buffer.iov_base)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	for (uint32_t n = 0; n < t->box.depth && r == 0; n++) {
		r = is_plain(virgl, resource) ? read_layer(resource, t, l, n, &buffer)
					      : read_layer_zeroed(resource, t, l, n, &buffer);
		if (r == 0)
			copy_layer(l, buffer.iov_base, t->iov, t->n_iov,
				   t->offset + n * l->layer_stride);
	}
	if (virgl->scratch_size > MAX_SCRATCH)
		virgl_readback_forget(virgl);
	return r;
}

static int read_texture(struct virgl *virgl, const struct virgl_resource *resource,
			const struct renderer_transfer *t)
{
	struct layout layout;

	if (resource->is_incomplete)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (!is_box_within(resource, t) || !lay_out(resource, t, &layout) ||
	    !is_within(&layout, t, iov_size(t->iov, t->n_iov)))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (t->n_iov == 1 && is_plain(virgl, resource))
		return read_checked(resource, t);
	return read_by_copy(virgl, resource, t, &layout);
}

int virgl_readback_transfer(struct renderer *renderer, struct renderer_resource *handle,
			    const struct renderer_transfer *transfer)
{
	struct virgl_resource *resource = virgl_resource_of(handle);
	struct renderer_transfer t = *transfer;
	int r = virgl_resource_check_transfer(resource, transfer);

	if (r != 0)
		return r;
	if (is_without_memory(resource))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (!is_texture(resource))
		return virgl_response(read_once(resource, transfer));
	if (!t.iov) {
		t.iov = resource->iov;
		t.n_iov = resource->n_iov;
	}
	return read_texture(virgl_of(renderer), resource, &t);
}

/* This memory is ours and in one piece, so it needs no other before it. */
int virgl_readback_pixels(struct renderer *renderer, struct renderer_resource *handle,
			  const struct rect *r, void *data, uint32_t stride)
{
	const struct virgl_resource *resource = virgl_resource_of(handle);
	size_t size = (size_t)stride * (r->height - 1) + r->width * PIXEL_BYTES;
	const struct iovec iov = { data, size };
	const struct renderer_transfer transfer = {
		.stride = stride,
		.box = { r->x, r->y, 0, r->width, r->height, 1 },
		.iov = &iov,
		.n_iov = 1,
	};

	(void)renderer;
	if (!is_texture(resource) || !pixels_has_format(resource->args.format))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	int error = read_checked(resource, &transfer);
	if (error == 0)
		pixels_to_display(resource->args.format, data, r->width, r->height, stride);
	else
		memset(data, 0, size);
	return error;
}
