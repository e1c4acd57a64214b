// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Provides the pixels of a scanout, which the display reads when it has room for them. They come
 * from one of three places:
 *
 * - mapped: the renderer's own memory. Rows are sent from where they lie.
 *
 * - blob: guest memory. Rows are sent from the guest's pages.
 *
 * - shadow: a buffer of the scanout. Pixels are copied into it if they are on the GPU, in another
 *   format, or in a host blob (the guest or the renderer may draw into it at any time). Only the
 *   damaged box is copied, and only when the display begins to send it. The rows of the box are
 *   contiguous there, so a small box touches few pages and is sent as one piece. The box is read
 *   back from the GPU as a whole, because each read waits until the GPU is idle. Blobs are copied
 *   band by band, each right before it is sent.
 *
 * What is read back from the GPU is compared with what the display has (display_pixels::sent), for
 * which the scanout has a second buffer. Without memory for it, all that is read back is sent. Only
 * what is sent is converted to the display's format.
 */
#include "gpu/scanout_pixels.h"

#include <errno.h>

#include "base/container.h"
#include "base/iov.h"
#include "base/pixel.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"
#include "render/pixels.h"

static struct scanout *to_scanout(struct display_pixels *pixels)
{
	return container_of(pixels, struct scanout, pixels);
}

/* Describes the rows of @r as pieces; contiguous rows are joined. @data is the address of pixel (0,
 * 0). */
static int collect_rows(const uint8_t *data, uint64_t stride, const struct rect *r,
			struct iovec *iov, int max)
{
	size_t size = (size_t)r->width * PIXEL_BYTES;

	data += r->y * stride + (uint64_t)r->x * PIXEL_BYTES;
	if (size == stride && max > 0) {
		iov[0] = (struct iovec){ (void *)data, size * r->height };
		return 1;
	}
	if (r->height > (uint32_t)max)
		return -E2BIG;
	for (uint32_t y = 0; y < r->height; y++, data += stride)
		iov[y] = (struct iovec){ (void *)data, size };
	return (int)r->height;
}

static int mapped_rows(struct display_pixels *pixels, const struct rect *r, struct iovec *iov,
		       int max)
{
	struct scanout *scanout = to_scanout(pixels);
	struct renderer *renderer = scanout->device->renderer;
	struct renderer_pixels mapped;

	if (!renderer->ops->pixels(renderer, scanout->resource->handle, &mapped))
		return -EIO;
	struct rect in_resource = { scanout->rect.x + r->x, scanout->rect.y + r->y, r->width,
				    r->height };
	return collect_rows(mapped.data, mapped.stride, &in_resource, iov, max);
}

/* The offset of @r in the blob. SET_SCANOUT_BLOB checked that the whole scanout lies in the
 * blob. */
static uint64_t blob_offset(const struct scanout *scanout, const struct rect *r)
{
	return scanout->offset + (uint64_t)(scanout->rect.y + r->y) * scanout->stride +
	       (uint64_t)(scanout->rect.x + r->x) * PIXEL_BYTES;
}

/* A cursor at the first byte of the backing. */
static struct iov_cursor read_backing(const struct backing *backing)
{
	return (struct iov_cursor){ .iov = backing->iov, .n_iov = backing->n_iov };
}

static int blob_rows(struct display_pixels *pixels, const struct rect *r, struct iovec *iov,
		     int max)
{
	struct scanout *scanout = to_scanout(pixels);
	const struct backing *backing = &scanout->resource->backing;
	size_t size = (size_t)r->width * PIXEL_BYTES;
	int n = 0;

	if (!resource_find_memory(scanout->device, scanout->resource))
		return -EFAULT; /* its guest memory is gone */
	struct iov_cursor cursor = read_backing(backing);

	if (size == scanout->stride)
		return iov_slice(backing->iov, backing->n_iov, blob_offset(scanout, r),
				 size * r->height, iov, max);
	(void)iov_cursor_skip(&cursor, blob_offset(scanout, r));
	for (uint32_t y = 0; y < r->height; y++) {
		int k = iov_slice(cursor.iov, cursor.n_iov, cursor.skipped, size, iov + n, max - n);

		if (k < 0)
			return k;
		n += k;
		(void)iov_cursor_skip(&cursor, scanout->stride);
	}
	return n;
}

/* Reserves the shadow for @r. Returns its address, and the bytes from row to row in
 * *@ret_stride. */
static uint8_t *hold_in_shadow(struct scanout *scanout, const struct rect *r, uint32_t *ret_stride)
{
	scanout->in_shadow = *r;
	*ret_stride = r->width * PIXEL_BYTES;
	return scanout->shadow;
}

static int shadow_rows(struct display_pixels *pixels, const struct rect *r, struct iovec *iov,
		       int max)
{
	struct scanout *scanout = to_scanout(pixels);
	const struct rect *held = &scanout->in_shadow;
	struct rect in_held = { r->x - held->x, r->y - held->y, r->width, r->height };

	return collect_rows(scanout->shadow, (uint64_t)held->width * PIXEL_BYTES, &in_held, iov,
			    max);
}

/* Makes the buffer of what the display has, if memory for another picture is left after that. None
 * is made for a picture of more than DISPLAY_UPDATE_BYTES: it is sent in several rectangles, which
 * the display does not compare. */
static void make_sent(struct gpu_device *device, struct scanout *scanout)
{
	if (scanout->pixels.sent || scanout->shadow_size > DISPLAY_UPDATE_BYTES ||
	    !hostmem_has(&device->hostmem, 2 * scanout->shadow_size))
		return;
	scanout->pixels.sent = g_try_malloc(scanout->shadow_size);
	if (scanout->pixels.sent)
		(void)hostmem_charge(&device->hostmem, scanout->shadow_size);
}

static void free_sent(struct gpu_device *device, struct scanout *scanout)
{
	if (scanout->pixels.sent)
		hostmem_release(&device->hostmem, scanout->shadow_size);
	g_clear_pointer(&scanout->pixels.sent, g_free);
}

static int prepare_from_renderer(struct display_pixels *pixels, const struct rect *r)
{
	struct scanout *scanout = to_scanout(pixels);
	struct renderer *renderer = scanout->device->renderer;
	struct rect in_resource = { scanout->rect.x + r->x, scanout->rect.y + r->y, r->width,
				    r->height };
	uint32_t stride;
	uint8_t *data = hold_in_shadow(scanout, r, &stride);

	make_sent(scanout->device, scanout);
	bool as_stored = pixels->is_compared && pixels->sent;

	return renderer_call(renderer, read_pixels, scanout->resource->handle, &in_resource, data,
			     stride, as_stored, &pixels->format) == 0
		       ? 0
		       : -EIO;
}

static void convert_shadow(struct display_pixels *pixels, const struct rect *r)
{
	struct scanout *scanout = to_scanout(pixels);
	const struct rect *held = &scanout->in_shadow;
	uint32_t stride = held->width * PIXEL_BYTES;
	uint8_t *data = scanout->shadow + (size_t)(r->y - held->y) * stride +
			(size_t)(r->x - held->x) * PIXEL_BYTES;

	pixels_to_display(pixels->format, data, r->width, r->height, stride);
}

static int prepare_from_blob(struct display_pixels *pixels, const struct rect *r)
{
	struct scanout *scanout = to_scanout(pixels);
	uint32_t stride;
	uint8_t *data = hold_in_shadow(scanout, r, &stride);

	if ((uint64_t)stride * r->height > scanout->shadow_size)
		return -E2BIG;
	if (!resource_find_memory(scanout->device, scanout->resource))
		return -EFAULT;
	struct iov_cursor cursor = read_backing(&scanout->resource->backing);

	(void)iov_cursor_skip(&cursor, blob_offset(scanout, r));
	for (uint32_t y = 0; y < r->height; y++) {
		(void)iov_cursor_read(&cursor, data + (size_t)y * stride, stride);
		(void)iov_cursor_skip(&cursor, scanout->stride - stride);
	}
	pixels_to_display(scanout->format, data, r->width, r->height, stride);
	return 0;
}

static int prepare_from_host_blob(struct display_pixels *pixels, const struct rect *r)
{
	struct scanout *scanout = to_scanout(pixels);
	uint32_t stride;
	uint8_t *data = hold_in_shadow(scanout, r, &stride);
	const struct blob_rows rows = {
		.offset = blob_offset(scanout, r),
		.stride = scanout->stride,
		.size = stride,
		.count = r->height,
	};

	if ((uint64_t)stride * r->height > scanout->shadow_size)
		return -E2BIG;
	if (!blob_reader_copy(scanout->device, &scanout->reader, &rows, data))
		return -EFAULT;
	pixels_to_display(scanout->format, data, r->width, r->height, stride);
	return 0;
}

static const struct display_pixels_ops mapped_ops = { .rows = mapped_rows };
static const struct display_pixels_ops blob_ops = { .rows = blob_rows };
static const struct display_pixels_ops converted_blob_ops = { .prepare = prepare_from_blob,
							      .prepares_bands = true,
							      .rows = shadow_rows };
static const struct display_pixels_ops host_blob_ops = { .prepare = prepare_from_host_blob,
							 .prepares_bands = true,
							 .releases_lock = true,
							 .rows = shadow_rows };
static const struct display_pixels_ops read_back_ops = { .prepare = prepare_from_renderer,
							 .convert = convert_shadow,
							 .rows = shadow_rows };

static int new_shadow(struct gpu_device *device, struct scanout *scanout)
{
	uint64_t row = (uint64_t)scanout->rect.width * PIXEL_BYTES;
	uint64_t size = row * scanout->rect.height;

	if (scanout->pixels.ops->prepares_bands)
		size = MIN(size, MAX(row, DISPLAY_BAND_BYTES));
	if (!hostmem_has(&device->hostmem, size))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	scanout->shadow = g_try_malloc0(size);
	if (!scanout->shadow)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	scanout->shadow_size = size;
	(void)hostmem_charge(&device->hostmem, size);
	return 0;
}

static bool is_in_display_order(uint32_t format)
{
	return format == VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
}

/* Some textures cannot be read back: those with several samples, and those that the driver failed
 * to make. One pixel is read as a test, the first time that a resource is shown. */
static int try_read_back(struct gpu_device *device, const struct scanout *scanout)
{
	struct renderer *renderer = device->renderer;
	struct resource *resource = scanout->resource;
	const struct rect first = { scanout->rect.x, scanout->rect.y, 1, 1 };
	uint8_t pixel[PIXEL_BYTES];
	uint32_t format;
	int r = 0;

	if (!resource->is_readable)
		r = renderer_call(renderer, read_pixels, resource->handle, &first, pixel,
				  sizeof(pixel), false, &format);
	resource->is_readable |= r == 0;
	return r;
}

/* Whether both are read back and have the same size. */
static bool can_take_over(const struct scanout *next, const struct scanout *scanout)
{
	return next->pixels.ops == &read_back_ops && scanout->pixels.ops == &read_back_ops &&
	       next->rect.width == scanout->rect.width && next->rect.height == scanout->rect.height;
}

static int init_read_back(struct gpu_device *device, struct scanout *next,
			  const struct scanout *scanout)
{
	next->pixels.ops = &read_back_ops;
	int r = try_read_back(device, next);

	return r != 0 || can_take_over(next, scanout) ? r : new_shadow(device, next);
}

static int init_host_blob(struct gpu_device *device, struct scanout *scanout)
{
	int r = blob_reader_open(device, scanout->resource, &scanout->reader);

	if (r != 0)
		return r;
	scanout->has_reader = true;
	scanout->pixels.ops = &host_blob_ops;
	r = new_shadow(device, scanout);
	if (r != 0)
		scanout_pixels_finish(device, scanout);
	return r;
}

int scanout_pixels_init(struct gpu_device *device, struct scanout *next,
			const struct scanout *scanout)
{
	struct renderer *renderer = device->renderer;
	struct resource *resource = next->resource;
	struct renderer_pixels pixels;

	if (resource_is_in_guest_memory(resource)) {
		if (is_in_display_order(next->format)) {
			next->pixels.ops = &blob_ops;
			return 0;
		}
		next->pixels.ops = &converted_blob_ops;
		return new_shadow(device, next);
	}
	if (resource->kind == RESOURCE_BLOB_HOST)
		return init_host_blob(device, next);
	if (renderer->ops->pixels && renderer->ops->pixels(renderer, resource->handle, &pixels)) {
		next->pixels.ops = &mapped_ops;
		return 0;
	}
	if (!renderer->ops->read_pixels)
		return 0; /* the null renderer has no pixels */
	return init_read_back(device, next, scanout);
}

bool scanout_pixels_take_over(struct scanout *next, struct scanout *scanout)
{
	if (!can_take_over(next, scanout))
		return false;
	next->shadow = g_steal_pointer(&scanout->shadow);
	next->in_shadow = scanout->in_shadow;
	next->shadow_size = scanout->shadow_size;
	next->pixels.sent = g_steal_pointer(&scanout->pixels.sent);
	next->pixels.format = scanout->pixels.format;
	scanout->shadow_size = 0;
	return true;
}

void scanout_pixels_finish(struct gpu_device *device, struct scanout *scanout)
{
	free_sent(device, scanout);
	hostmem_release(&device->hostmem, scanout->shadow_size);
	scanout->shadow_size = 0;
	g_clear_pointer(&scanout->shadow, g_free);
	if (scanout->has_reader)
		blob_reader_close(&scanout->reader);
	scanout->has_reader = false;
	scanout->pixels.ops = NULL;
}
