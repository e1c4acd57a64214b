// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The cursor queue's commands (VIRTIO 1.2, 5.7.6.10). UPDATE_CURSOR copies the image from its
 * resource to the display, so the resource may be freed afterwards.
 *
 * The display's cursor is always 64x64. The spec wants resources of that size; a smaller one is
 * padded with transparent pixels to its right and below, which keeps its hot spot where the guest
 * put it. A blob has no size in pixels: its first bytes are the image, 64x64, without gaps. That is
 * how a Linux guest makes cursors if the device offers blobs.
 */
#include "gpu/cursor.h"

#include <string.h>

#include "base/iov.h"
#include "base/pixel.h"
#include "gpu/blob_reader.h"
#include "gpu/command.h"
#include "gpu/device_private.h"
#include "gpu/order.h"
#include "gpu/resource.h"
#include "render/pixels.h"

#define IMAGE_SIZE (DISPLAY_CURSOR_SIZE * DISPLAY_CURSOR_SIZE * PIXEL_BYTES)

static int read_blob(struct gpu_device *device, struct resource *blob, uint32_t *image)
{
	if (!resource_find_memory(device, blob))
		return VIRTIO_GPU_RESP_ERR_UNSPEC; /* its backing is not in guest memory */
	iov_read(blob->backing.iov, blob->backing.n_iov, 0, image, IMAGE_SIZE);
	return 0;
}

static int read_host_blob(struct gpu_device *device, const struct resource *blob, uint32_t *image)
{
	const struct blob_rows first = { .stride = IMAGE_SIZE, .size = IMAGE_SIZE, .count = 1 };
	struct blob_reader reader;
	int r = blob_reader_open(device, blob, &reader);

	if (r != 0)
		return r;
	if (!blob_reader_copy(device, &reader, &first, image))
		r = VIRTIO_GPU_RESP_ERR_UNSPEC;
	blob_reader_close(&reader);
	return r;
}

static bool is_image(const struct resource *resource)
{
	if (resource_is_blob(resource))
		return resource->blob_size >= IMAGE_SIZE;
	return resource->width <= DISPLAY_CURSOR_SIZE && resource->height <= DISPLAY_CURSOR_SIZE;
}

static int read_image(struct gpu_device *device, struct resource *resource,
		      uint32_t image[DISPLAY_CURSOR_SIZE * DISPLAY_CURSOR_SIZE])
{
	const struct renderer_ops *ops = device->renderer->ops;
	struct renderer_pixels pixels;

	if (resource_is_in_guest_memory(resource))
		return read_blob(device, resource, image);
	if (resource->kind == RESOURCE_BLOB_HOST)
		return read_host_blob(device, resource, image);
	memset(image, 0, IMAGE_SIZE);
	if (ops->read_pixels) {
		const struct rect all = { .width = resource->width, .height = resource->height };
		uint32_t format = 0;
		int r = renderer_call(device->renderer, read_pixels, resource->handle, &all, image,
				      DISPLAY_CURSOR_SIZE * PIXEL_BYTES, false, &format);

		if (r == 0)
			pixels_to_display(format, image, all.width, all.height,
					  DISPLAY_CURSOR_SIZE * PIXEL_BYTES);
		return r;
	}
	if (!ops->pixels || !ops->pixels(device->renderer, resource->handle, &pixels))
		return 0;
	for (uint32_t y = 0; y < pixels.height; y++)
		memcpy(&image[y * DISPLAY_CURSOR_SIZE], pixels.data + (size_t)y * pixels.stride,
		       (size_t)pixels.width * PIXEL_BYTES);
	return 0;
}

int cursor_update(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_update_cursor *request = &command->request.cursor;
	struct display_cursor cursor = {
		.x = request->pos.x,
		.y = request->pos.y,
		/* A hot spot outside the image is moved to its edge. */
		.hot_x = MIN(request->hot_x, DISPLAY_CURSOR_SIZE - 1),
		.hot_y = MIN(request->hot_y, DISPLAY_CURSOR_SIZE - 1),
	};
	struct resource *resource;

	if (request->pos.scanout_id >= VIRTIO_GPU_MAX_SCANOUTS)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	if (request->resource_id == 0) {
		display_cursor_move(device->display, request->pos.scanout_id, cursor.x, cursor.y,
				    false);
		return 0;
	}
	int r = order_wait(device, command);
	if (r != 0)
		return r;
	resource = resource_find(device, request->resource_id);
	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!is_image(resource))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	r = read_image(device, resource, cursor.pixels);
	if (r == 0)
		display_cursor_set(device->display, request->pos.scanout_id, &cursor);
	return r;
}

int cursor_move(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_update_cursor *request = &command->request.cursor;

	if (request->pos.scanout_id >= VIRTIO_GPU_MAX_SCANOUTS)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	display_cursor_move(device->display, request->pos.scanout_id, request->pos.x,
			    request->pos.y, request->resource_id != 0);
	return 0;
}
