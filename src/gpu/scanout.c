// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A scanout shows a part of a resource; a resource knows on which scanouts it is shown, so that it
 * can be shown on several, and leaves them all when it goes. The display reads the pixels in place,
 * when it has room for them: here they are neither copied nor kept.
 */
#include "gpu/scanout.h"

#include <errno.h>

#include "base/container.h"
#include "gpu/command.h"
#include "gpu/device_state.h"
#include "gpu/resource.h"

#define BYTES_PER_PIXEL 4

/* display_source_ops::rows for a renderer whose pixels the CPU can read where they lie. */
static int mapped_rows(struct display_source *source, const struct rect *r, struct iovec *iov,
		       int max)
{
	struct scanout *scanout = container_of(source, struct scanout, source);
	struct renderer *renderer = scanout->device->renderer;
	struct renderer_pixels pixels;

	if (!renderer->ops->pixels(renderer, scanout->resource->handle, &pixels))
		return -EIO;

	const uint8_t *row = pixels.data + (uint64_t)(scanout->rect.y + r->y) * pixels.stride +
			     (uint64_t)(scanout->rect.x + r->x) * BYTES_PER_PIXEL;
	size_t size = (size_t)r->width * BYTES_PER_PIXEL;

	if (size == pixels.stride) {
		iov[0] = (struct iovec){ (void *)row, size * r->height };
		return 1;
	}
	if (r->height > (uint32_t)max)
		return -E2BIG;
	for (uint32_t y = 0; y < r->height; y++, row += pixels.stride)
		iov[y] = (struct iovec){ (void *)row, size };
	return (int)r->height;
}

static const struct display_source_ops mapped_source = { .rows = mapped_rows };

void scanout_init_all(struct gpu_device *device)
{
	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
		device->scanouts[i] = (struct scanout){ .device = device };
}

static void turn_off(struct gpu_device *device, unsigned i)
{
	struct scanout *scanout = &device->scanouts[i];

	if (!scanout->resource)
		return;
	display_scanout_pixels(device->display, i, 0, 0, NULL);
	scanout->resource->scanouts &= (uint16_t) ~(1u << i);
	scanout->resource = NULL;
}

void scanout_forget(struct gpu_device *device, struct resource *resource)
{
	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS && resource->scanouts; i++)
		if (resource->scanouts >> i & 1)
			turn_off(device, i);
}

static void show(struct gpu_device *device, unsigned i, struct resource *resource,
		 const struct rect *r)
{
	struct scanout *scanout = &device->scanouts[i];
	struct renderer_pixels pixels;
	bool has_pixels =
		device->renderer->ops->pixels &&
		device->renderer->ops->pixels(device->renderer, resource->handle, &pixels);
	struct display_source fresh = { .ops = &mapped_source };

	if (!has_pixels) { /* the null renderer: there is nothing to be seen */
		turn_off(device, i);
	} else {
		/* The display finishes with the old pixels before the source becomes the new one.
		 */
		display_source_changed(device->display, &scanout->source);
	}
	if (scanout->resource)
		scanout->resource->scanouts &= (uint16_t) ~(1u << i);
	scanout->source = fresh;
	scanout->resource = resource;
	scanout->rect = *r;
	resource->scanouts |= (uint16_t)(1u << i);
	if (has_pixels)
		display_scanout_pixels(device->display, i, r->width, r->height, &scanout->source);
}

int scanout_set(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_set_scanout *request = &command->request.set_scanout;
	struct rect r = { request->r.x, request->r.y, request->r.width, request->r.height };
	struct resource *resource;

	if (request->scanout_id >= VIRTIO_GPU_MAX_SCANOUTS)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	if (request->resource_id == 0) {
		turn_off(device, request->scanout_id);
		return 0;
	}
	resource = resource_find(device, request->resource_id);
	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (rect_is_empty(&r) || !rect_is_within(&r, resource->width, resource->height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	show(device, request->scanout_id, resource, &r);
	return 0;
}

int scanout_flush(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_flush *request = &command->request.flush;
	struct rect r = { request->r.x, request->r.y, request->r.width, request->r.height };
	struct resource *resource = resource_find(device, request->resource_id);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!rect_is_within(&r, resource->width, resource->height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
		if (!(resource->scanouts >> i & 1))
			continue;

		const struct rect *shown = &device->scanouts[i].rect;
		struct rect damage = rect_intersect(&r, shown);

		if (rect_is_empty(&damage))
			continue;
		damage.x -= shown->x;
		damage.y -= shown->y;
		display_damage(device->display, i, &damage);
	}
	return 0;
}
