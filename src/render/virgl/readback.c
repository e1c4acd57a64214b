// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Reads textures back: for the guest (TRANSFER_FROM_HOST) and for the display. The invariant: the
 * guest and the display get only bytes that OpenGL wrote for this request.
 *
 * For many textures the library reads into a buffer from malloc() and copies that to the
 * destination, even if OpenGL wrote nothing: OpenGL refuses to read multisampled and incomplete
 * textures, with an error that the library does not check. So the texture is first read into a
 * contiguous buffer of ours, one layer at a time, because the library reads only one, and copied to
 * the guest if OpenGL reported no error. The buffer is kept from one transfer to the next, because
 * new pages cost more than the copy, and freed when the guest is gone. It is zeroed before each
 * read, except for plain textures (2D, one sample, a format of VIRTIO 1.2, 5.7.6.8), which OpenGL
 * must be able to read.
 *
 * Plain textures whose destination is contiguous are read directly into it: the library passes that
 * memory to OpenGL, without a buffer in between.
 *
 * There is a faster way where the CPU draws, for a display that will use only a part of the pixels.
 * Mesa stores the guest's B, G, R, A as R, G, B, A, and swaps them back if the library reads them,
 * which takes longer than a copy. So OpenGL is asked for R, G, B, A.
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

/* Bytes: the largest buffer that is kept, and the step in which it grows. */
#define MAX_SCRATCH  (64u << 20)
#define SCRATCH_STEP (1u << 20)

/* The layout of a transfer in the guest's memory, in bytes unless noted. */
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

/* Whether this is a staging buffer without a backing, which is its only memory. Some versions of
 * the library treat such a buffer as a texture. */
static bool is_without_memory(const struct virgl_resource *resource)
{
	return resource->args.target == RENDERER_TARGET_BUFFER &&
	       resource->args.bind == BIND_STAGING && !resource->iov;
}

/* Whether OpenGL itself writes to the destination, if that is contiguous. */
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

/* Reads, and checks for an OpenGL error. The error may be an older one, caused by the guest's
 * drawing: so the read is repeated once, in a context without errors. Returns 0 or RESP_ERR_*. */
static int read_checked(const struct virgl_resource *resource, const struct renderer_transfer *t)
{
	int r = read_once(resource, t);

	if (r == 0 && virgl_gl_had_error()) {
		r = read_once(resource, t);
		if (r == 0 && virgl_gl_had_error())
			return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	return renderer_response(r);
}

static bool is_span(uint32_t first, uint32_t count, uint32_t size)
{
	return count > 0 && first < size && count <= size - first;
}

/* The device checks boxes of commands, but not those inside streams. */
static bool is_box_within(const struct virgl_resource *resource, const struct renderer_transfer *t)
{
	struct renderer_box all = virgl_resource_level(resource, t->level);

	return t->level <= resource->args.last_level &&
	       is_span(t->box.x, t->box.width, all.width) &&
	       is_span(t->box.y, t->box.height, all.height) &&
	       is_span(t->box.z, t->box.depth, all.depth);
}

/* Fills in the layout. Returns false if the format is not known, or the strides are too small for
 * it. */
static bool lay_out(const struct virgl_resource *resource, const struct renderer_transfer *t,
		    struct layout *ret)
{
	struct renderer_box all = virgl_resource_level(resource, t->level);
	struct layout l;

	if (!block_of_format(resource->format, &l.block))
		return false;
	uint64_t level_row = block_row_bytes(&l.block, all.width);
	uint64_t level_rows = block_count_rows(&l.block, all.height);

	l.row = block_row_bytes(&l.block, t->box.width);
	l.rows = block_count_rows(&l.block, t->box.height);
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

/* Reads layer @n of the box into @buffer, in tight rows. */
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

/* Returns the buffer, grown to at least @size bytes, or NULL if there is no memory. Pages of it
 * that are not touched take no memory. */
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

/* A precaution against a driver that writes nothing and reports no error: while this is on,
 * malloc() returns zeroed blocks, except small ones that this thread freed recently. It is on only
 * for textures for which the library may allocate a block, and only during the read. Setting
 * malloc()'s threshold so that all blocks are new pages would make every upload slower. */
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
	/* Some versions of the library demand room for the whole level, and use only the part for
	 * the box. */
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
		return renderer_response(read_once(resource, transfer));
	if (!t.iov) {
		t.iov = resource->iov;
		t.n_iov = resource->n_iov;
	}
	return read_texture(virgl_of(renderer), resource, &t);
}

/* Returns 0 if the library does not know the texture. It may report an error although it has filled
 * in the texture: that of its question whether the driver exports it. */
static uint32_t find_texture(struct virgl_resource *resource)
{
	struct virgl_renderer_resource_info info = { 0 };

	if (resource->texture == 0) {
		(void)virgl_renderer_resource_get_info((int)resource->args.id, &info);
		resource->texture = info.tex_id;
	}
	return resource->texture;
}

/* Whether the driver may store the guest's B, G, R as R, G, B. */
static bool may_be_stored_as_rgba(const struct virgl *virgl, const struct virgl_resource *resource)
{
	bool is_bgr = resource->format == VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM ||
		      resource->format == VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;

	return virgl->driver == VIRGL_DRIVER_CPU && is_bgr && is_plain(virgl, resource) &&
	       !resource->is_incomplete && !resource->is_disguised;
}

/* Reads R, G, B, A, if the driver stores that. Returns false if @t's memory has no such pixels. */
static bool read_as_rgba(const struct virgl *virgl, struct virgl_resource *resource,
			 const struct renderer_transfer *t, const struct rect *r)
{
	if (!may_be_stored_as_rgba(virgl, resource) || !is_box_within(resource, t))
		return false;
	virgl_renderer_force_ctx_0();
	return find_texture(resource) != 0 &&
	       virgl_gl_read_rgba(resource->texture, r, t->iov->iov_base, t->stride);
}

/* The destination is our own and contiguous, so no other buffer is needed. */
int virgl_readback_pixels(struct renderer *renderer, struct renderer_resource *handle,
			  const struct rect *r, void *data, uint32_t stride, bool as_stored,
			  uint32_t *ret_format)
{
	struct virgl_resource *resource = virgl_resource_of(handle);
	size_t size = (size_t)stride * (r->height - 1) + r->width * PIXEL_BYTES;
	const struct iovec iov = { data, size };
	const struct renderer_transfer transfer = {
		.stride = stride,
		.box = { r->x, r->y, 0, r->width, r->height, 1 },
		.iov = &iov,
		.n_iov = 1,
	};

	if (!is_texture(resource) || !pixels_has_format(resource->args.format))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	*ret_format = VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM;
	if (as_stored && read_as_rgba(virgl_of(renderer), resource, &transfer, r))
		return 0;
	*ret_format = resource->args.format;
	int error = read_checked(resource, &transfer);

	if (error != 0)
		memset(data, 0, size);
	return error;
}
