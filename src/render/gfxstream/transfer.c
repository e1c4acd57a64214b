// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Copies between guest memory, our copy of an image, and the library's image. The library also has
 * a copy of its own. A write copies the box from our copy to the library's as one span, from its
 * first byte to its last, including the gaps between rows, and then the library's whole copy to the
 * image. A read copies the whole image to the library's copy, and then the span to ours. Both
 * ignore the guest's offset and stride. So this file copies the rows of the box to the place in our
 * copy where the library expects them, or from there.
 *
 * A write also writes the gaps, with the bytes of our copy. If the guest's Vulkan may have drawn
 * into the image, the copy is stale, so the image is read first.
 *
 * All bounds are checked here, in 64 bits: for 2D the device has checked them already; for 3D only
 * the renderer can compare the box with the end of the backing.
 */
#include <linux/virtio_gpu.h>
#include <string.h>

#include "base/iov.h"
#include "base/pixel.h"
#include "render/gfxstream/gfxstream_private.h"
#include "render/pixels.h"

/* A box of an image, in bytes. */
struct rows {
	uint64_t row, n;         /* of the box */
	uint64_t at, copy_step;  /* in our copy */
	uint64_t offset, stride; /* in the backing */
};

static struct gfxstream_box box_words(const struct renderer_box *b)
{
	return (struct gfxstream_box){ b->x, b->y, b->z, b->width, b->height, b->depth };
}

static bool is_box_within(const struct gfxstream_resource *resource, const struct renderer_box *b)
{
	return b->z == 0 && b->depth == 1 && b->width > 0 && b->height > 0 &&
	       b->width <= resource->width && b->x <= resource->width - b->width &&
	       b->height <= resource->height && b->y <= resource->height - b->height;
}

static bool lay_out(const struct gfxstream_resource *resource, const struct renderer_transfer *t,
		    struct rows *ret)
{
	const struct renderer_box *b = &t->box;

	if (t->level != 0 || !is_box_within(resource, b))
		return false;
	ret->copy_step = (uint64_t)resource->width * resource->pixel_bytes;
	ret->row = (uint64_t)b->width * resource->pixel_bytes;
	ret->n = b->height;
	ret->at = b->y * ret->copy_step + (uint64_t)b->x * resource->pixel_bytes;
	ret->offset = t->offset;
	ret->stride = t->stride ? t->stride : ret->copy_step;
	return ret->n == 1 || ret->stride >= ret->row;
}

static uint64_t size_of_memory(const struct iovec *iov, int n_iov)
{
	uint64_t size = 0;

	for (int i = 0; i < n_iov; i++)
		size += iov[i].iov_len;
	return size;
}

/* Whether the backing holds the box from its first byte to its last one. */
static bool is_in_memory(const struct rows *rows, uint64_t size)
{
	/* Both factors are below 2^32, so the product is below 2^64. */
	uint64_t span = (rows->n - 1) * rows->stride + rows->row;

	return rows->offset <= size && span <= size - rows->offset;
}

/* Returns 0 or RESP_ERR_*. */
static int check_transfer(struct gfxstream_resource *resource, const struct renderer_transfer *t,
			  struct rows *ret)
{
	const struct iovec *iov = t->iov ? t->iov : resource->iov;
	int n_iov = t->iov ? t->n_iov : resource->n_iov;

	if (resource->kind != GFXSTREAM_IMAGE)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (!iov)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (!lay_out(resource, t, ret) || !is_in_memory(ret, size_of_memory(iov, n_iov)))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	return 0;
}

static void gather_rows(const struct gfxstream_resource *resource,
			const struct renderer_transfer *t, const struct rows *rows)
{
	struct iov_cursor cursor = {
		.iov = t->iov ? t->iov : resource->iov,
		.n_iov = t->iov ? t->n_iov : resource->n_iov,
	};
	uint8_t *dst = resource->copy + rows->at;

	(void)iov_cursor_skip(&cursor, rows->offset);
	for (uint64_t y = 0; y < rows->n; y++, dst += rows->copy_step) {
		(void)iov_cursor_read(&cursor, dst, rows->row);
		(void)iov_cursor_skip(&cursor, rows->stride - rows->row);
	}
}

static void scatter_rows(const struct gfxstream_resource *resource,
			 const struct renderer_transfer *t, const struct rows *rows)
{
	const struct iovec *iov = t->iov ? t->iov : resource->iov;
	int n_iov = t->iov ? t->n_iov : resource->n_iov;
	const uint8_t *src = resource->copy + rows->at;

	for (uint64_t y = 0; y < rows->n; y++, src += rows->copy_step)
		(void)iov_write(iov, n_iov, rows->offset + y * rows->stride, src, rows->row);
}

static int write_box(struct gfxstream *gfxstream, const struct gfxstream_resource *resource,
		     const struct renderer_box *b)
{
	const struct gfxstream_box box = box_words(b);

	return gfxstream->library.transfer_write_iov(resource->id, 0, 0, 0, 0, &box, 0, NULL, 0);
}

static int read_box(struct gfxstream *gfxstream, const struct gfxstream_resource *resource,
		    const struct renderer_box *b)
{
	const struct gfxstream_box box = box_words(b);

	return gfxstream->library.transfer_read_iov(resource->id, 0, 0, 0, 0, &box, 0, NULL, 0);
}

static struct renderer_box whole_box(const struct gfxstream_resource *resource)
{
	return (struct renderer_box){ 0, 0, 0, resource->width, resource->height, 1 };
}

int gfxstream_transfer_whole(struct gfxstream *gfxstream, struct gfxstream_resource *resource)
{
	const struct renderer_box whole = whole_box(resource);

	return write_box(gfxstream, resource, &whole);
}

/* If the box is only a part of the image, reads the image, so that the write leaves the rest as it
 * is. */
static int read_around(struct gfxstream *gfxstream, const struct gfxstream_resource *resource,
		       const struct renderer_box *b)
{
	const struct renderer_box whole = whole_box(resource);

	if (!resource->may_be_drawn ||
	    (b->width == resource->width && b->height == resource->height))
		return 0;
	return read_box(gfxstream, resource, &whole);
}

int gfxstream_transfer_to_host(struct renderer *renderer, struct renderer_resource *handle,
			       const struct renderer_transfer *transfer)
{
	struct gfxstream_resource *resource = gfxstream_resource_of(handle);
	struct gfxstream *gfxstream = gfxstream_of(renderer);
	struct rows rows;
	int r = check_transfer(resource, transfer, &rows);

	if (r != 0)
		return r;
	r = read_around(gfxstream, resource, &transfer->box);
	if (r != 0)
		return renderer_response(r);
	gather_rows(resource, transfer, &rows);
	return renderer_response(write_box(gfxstream, resource, &transfer->box));
}

int gfxstream_transfer_from_host(struct renderer *renderer, struct renderer_resource *handle,
				 const struct renderer_transfer *transfer)
{
	struct gfxstream_resource *resource = gfxstream_resource_of(handle);
	struct rows rows;
	int r = check_transfer(resource, transfer, &rows);

	if (r != 0)
		return r;
	r = read_box(gfxstream_of(renderer), resource, &transfer->box);
	if (r == 0)
		scatter_rows(resource, transfer, &rows);
	return renderer_response(r);
}

int gfxstream_read_pixels(struct renderer *renderer, struct renderer_resource *handle,
			  const struct rect *r, void *data, uint32_t stride, bool as_stored,
			  uint32_t *ret_format)
{
	const struct gfxstream_resource *resource = gfxstream_resource_of(handle);
	const struct renderer_box box = { r->x, r->y, 0, r->width, r->height, 1 };
	size_t row = (size_t)r->width * PIXEL_BYTES;
	uint8_t *dst = data;

	(void)as_stored;
	if (resource->kind != GFXSTREAM_IMAGE || !pixels_has_format(resource->format) ||
	    !is_box_within(resource, &box))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	int error = read_box(gfxstream_of(renderer), resource, &box);

	if (error != 0)
		return renderer_response(error);
	const size_t step = (size_t)resource->width * PIXEL_BYTES;
	const uint8_t *src = resource->copy + r->y * step + (size_t)r->x * PIXEL_BYTES;

	for (uint32_t y = 0; y < r->height; y++, src += step, dst += stride)
		memcpy(dst, src, row);
	*ret_format = resource->format;
	return 0;
}
