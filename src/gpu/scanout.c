// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A scanout shows a part of a resource. Each resource records the scanouts that show it, because
 * there may be several, and all of them are turned off when the resource is freed. An invalid
 * command leaves the scanout as it was; a valid one that fails (no memory) turns it off.
 *
 * A resource on the GPU is shown as a dma-buf if it can be exported and the display accepts it. A
 * host blob must also have its image at offset 0, because the display's messages have no field for
 * an offset. Pictures in memory can be dma-bufs too (blob_dmabuf.c). If the guest or a GPU draws
 * into the dma-buf, a RESOURCE_FLUSH is answered when the display has shown it; if several scanouts
 * show it, they are flushed one after the other, without a wait after the first one that is late.
 * In all other cases the flush marks damage, which the display reads when it can, and is answered
 * at once.
 */
#include "gpu/scanout.h"

#include <errno.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/pixel.h"
#include "base/udmabuf.h"
#include "gpu/blob_dmabuf.h"
#include "gpu/blob_memory.h"
#include "gpu/command.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"
#include "gpu/scanout_pixels.h"
#include "render/pixels.h"

/* Dma-bufs that stay open for the next time that their resources are shown. A guest normally cycles
 * through a few pictures; one that shows more must not use up the process's descriptors. */
#define MAX_DMABUFS 64

void scanout_init_all(struct gpu_device *device)
{
	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++)
		device->scanouts[i] = (struct scanout){ .device = device };
}

static void trim_dmabufs(struct gpu_device *device, struct resource *resource)
{
	if (!resource->scanouts && device->n_dmabufs >= MAX_DMABUFS)
		resource_forget_dmabuf(device, resource);
}

/* Called when the display no longer uses the resource on scanout @i: ends the link between the two.
 * @next: the resource that the scanout gets, or NULL. */
static void leave_resource(struct gpu_device *device, unsigned i, const struct resource *next)
{
	struct scanout *scanout = &device->scanouts[i];
	struct resource *resource = scanout->resource;

	scanout_pixels_finish(device, scanout);
	if (resource) {
		resource->scanouts &= (uint16_t) ~(1u << i);
		if (resource != next)
			trim_dmabufs(device, resource);
	}
	*scanout = (struct scanout){ .device = device };
}

static void turn_off(struct gpu_device *device, unsigned i)
{
	if (!device->scanouts[i].resource)
		return;
	display_scanout_pixels(device->display, i, 0, 0, NULL);
	leave_resource(device, i, NULL);
	report_scanout(device, i);
}

void scanout_forget(struct gpu_device *device, struct resource *resource)
{
	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS && resource->scanouts; i++)
		if (resource->scanouts >> i & 1)
			turn_off(device, i);
}

void scanout_memory_changes(struct gpu_device *device, const struct resource *resource)
{
	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
		struct scanout *scanout = &device->scanouts[i];

		if (scanout->resource && (!resource || scanout->resource == resource) &&
		    resource_is_in_guest_memory(scanout->resource))
			display_pixels_changed(device->display, &scanout->pixels);
	}
}

static bool export_image(struct gpu_device *device, struct resource *resource)
{
	struct dmabuf *dmabuf = &resource->dmabuf;

	if (!resource->handle || !device->renderer->ops->export_dmabuf ||
	    renderer_call(device->renderer, export_dmabuf, resource->handle, dmabuf) != 0)
		return false;
	if (dmabuf->is_in_memory) /* the kernel writes zeros to the pages that were never written */
		command_charge(device, (uint64_t)dmabuf->stride[0] * dmabuf->height);
	return true;
}

static bool export_blob(struct gpu_device *device, struct resource *resource)
{
	struct renderer_blob_export memory;

	if (blob_memory_export(device, resource, &memory) != 0)
		return false;
	auto_fd fd = memory.fd;

	if (!blob_memory_is_dmabuf(fd))
		return false;
	resource->dmabuf = (struct dmabuf){ .fd = fd_steal(&fd), .n_planes = 1 };
	return true;
}

/* Exports the resource's dma-buf the first time, and keeps the descriptor. */
static bool has_dmabuf(struct gpu_device *device, struct resource *resource)
{
	if (resource->has_dmabuf)
		return true;
	if (resource_is_in_guest_memory(resource))
		resource->has_dmabuf = blob_dmabuf_new(device, resource);
	else if (resource->kind == RESOURCE_BLOB_HOST)
		resource->has_dmabuf = export_blob(device, resource);
	else
		resource->has_dmabuf = export_image(device, resource);
	device->n_dmabufs += resource->has_dmabuf;
	return resource->has_dmabuf;
}

/* Each SET_SCANOUT_BLOB may describe another image in the same blob. */
static void describe_blob(const struct scanout *scanout, struct dmabuf *dmabuf)
{
	dmabuf->width = scanout->width;
	dmabuf->height = scanout->height;
	dmabuf->stride[0] = scanout->stride;
	if (dmabuf->is_in_memory)
		(void)pixels_describe_memory(scanout->format, dmabuf);
	else
		pixels_describe_dmabuf(scanout->format, dmabuf);
}

static bool show_dmabuf(struct gpu_device *device, unsigned i, const struct scanout *next)
{
	struct resource *resource = next->resource;
	struct dmabuf *dmabuf = &resource->dmabuf;

	if (device->scanout_mode == GPU_SCANOUT_PIXELS || next->offset != 0 ||
	    (resource_is_in_guest_memory(resource) && !blob_dmabuf_fits(next)) ||
	    !display_shows_dmabufs(device->display) || !has_dmabuf(device, resource))
		return false;
	if (resource_is_blob(resource))
		describe_blob(next, dmabuf);
	/* DMABUF_SCANOUT has one plane and no field for an offset. */
	return dmabuf->n_planes == 1 && dmabuf->offset[0] == 0 &&
	       display_scanout_dmabuf(device->display, i, dmabuf, &next->rect) == 0;
}

/* Prepares @next to be shown as pixels. Returns 0 or RESP_ERR_*. */
static int prepare_pixels(struct gpu_device *device, struct scanout *next,
			  const struct scanout *scanout)
{
	const struct renderer_ops *ops = device->renderer->ops;
	bool is_on_gpu = next->resource->kind == RESOURCE_BLOB_HOST ||
			 (ops->export_dmabuf && !ops->pixels &&
			  !resource_is_in_guest_memory(next->resource));

	if (device->scanout_mode == GPU_SCANOUT_DMABUF && is_on_gpu)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	return scanout_pixels_init(device, next, scanout);
}

/* Shows the resource of @next, whose rectangle and (for a blob) layout were checked. On failure the
 * scanout is off. */
static int show_scanout(struct gpu_device *device, unsigned i, struct scanout *next)
{
	struct scanout *scanout = &device->scanouts[i];

	next->device = device;
	next->is_dmabuf = show_dmabuf(device, i, next);
	int r = next->is_dmabuf ? 0 : prepare_pixels(device, next, scanout);
	if (r != 0) {
		turn_off(device, i);
		trim_dmabufs(device, next->resource);
		return r;
	}
	/* The display must forget the addresses of the old pixels before their source is replaced.
	 * If the old and the new pixels are both read back from the GPU and have the same size, the
	 * shadow is kept, and the display goes on sending from it. */
	if (!scanout_pixels_take_over(next, scanout))
		display_pixels_changed(device->display, &scanout->pixels);
	leave_resource(device, i, next->resource);
	*scanout = *next;
	scanout->resource->scanouts |= (uint16_t)(1u << i);
	if (!scanout->is_dmabuf)
		display_scanout_pixels(device->display, i, scanout->rect.width,
				       scanout->rect.height,
				       scanout->pixels.ops ? &scanout->pixels : NULL);
	report_scanout(device, i);
	return 0;
}

void scanout_show_again(struct gpu_device *device, const struct resource *resource)
{
	for (unsigned i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
		struct scanout next = device->scanouts[i];

		if (next.is_dmabuf && (!resource || next.resource == resource) &&
		    resource_is_in_guest_memory(next.resource))
			(void)show_scanout(device, i, &next);
	}
}

/* Finds the resource that the scanout shall show. For resource id 0 turns the scanout off, and
 * *@ret is NULL. Returns 0 or RESP_ERR_*. */
static int find_shown(struct gpu_device *device, uint32_t scanout_id, uint32_t resource_id,
		      struct resource **ret)
{
	if (scanout_id >= VIRTIO_GPU_MAX_SCANOUTS)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	*ret = resource_find(device, resource_id); /* no resource has id 0 */
	if (resource_id == 0)
		turn_off(device, scanout_id);
	else if (!*ret)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	return 0;
}

int scanout_set(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_set_scanout *request = &command->request.set_scanout;
	struct scanout next = {
		.rect = { request->r.x, request->r.y, request->r.width, request->r.height },
	};

	int r = find_shown(device, request->scanout_id, request->resource_id, &next.resource);
	if (r != 0 || !next.resource)
		return r;
	/* A buffer can be wider than any picture; no display can show such a width. */
	if (rect_is_empty(&next.rect) || next.rect.width > device->limits.max_dimension ||
	    !rect_is_within(&next.rect, next.resource->width, next.resource->height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	return show_scanout(device, request->scanout_id, &next);
}

int scanout_set_blob(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_set_scanout_blob *request = &command->request.set_scanout_blob;
	struct scanout next = {
		.rect = { request->r.x, request->r.y, request->r.width, request->r.height },
		.format = request->format,
		.width = request->width,
		.height = request->height,
		.stride = request->strides[0],
		.offset = request->offsets[0],
	};

	int r = find_shown(device, request->scanout_id, request->resource_id, &next.resource);
	if (r != 0 || !next.resource)
		return r;
	if (!resource_is_blob(next.resource))
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;

	/* The last row ends with its last pixel, not with its stride. */
	uint64_t width = (uint64_t)request->width * PIXEL_BYTES;
	if (!pixels_has_format(next.format) || rect_is_empty(&next.rect) ||
	    !rect_is_within(&next.rect, request->width, request->height) ||
	    request->width > device->limits.max_dimension ||
	    request->height > device->limits.max_dimension || next.stride < width ||
	    next.offset + (uint64_t)(request->height - 1) * next.stride + width >
		    next.resource->blob_size)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	return show_scanout(device, request->scanout_id, &next);
}

/* Clips @r (in the resource's coordinates) to the visible part; the result is in the scanout's
 * coordinates. */
static struct rect clip_damage(const struct scanout *scanout, const struct rect *r)
{
	struct rect damage = rect_intersect(r, &scanout->rect);

	if (!rect_is_empty(&damage)) {
		damage.x -= scanout->rect.x;
		damage.y -= scanout->rect.y;
	}
	return damage;
}

/* Makes what CPUs wrote visible to the device that reads the dma-buf of @scanout. */
static void write_back(const struct scanout *scanout)
{
	const struct resource *resource = scanout->resource;

	if (scanout->is_dmabuf && resource->has_dmabuf && resource->dmabuf.is_in_memory)
		udmabuf_flush(resource->dmabuf.fd);
}

/* Whether a flush is answered only when the display has shown it. This is so if the guest, or a GPU
 * for it, draws into the memory that the display reads. The host copy of a 2D resource is changed
 * only by a later transfer, so its flush is answered at once. */
static bool waits_for_display(const struct scanout *scanout)
{
	const struct resource *resource = scanout->resource;

	return scanout->is_dmabuf &&
	       (resource->kind != RESOURCE_2D || !resource->dmabuf.is_in_memory);
}

static int flush_next(struct gpu_device *device, struct gpu_command *command, bool may_wait);

static void on_flushed(struct display_request *request, int error, const void *reply)
{
	struct gpu_command *command = container_of(request, struct gpu_command, display_request);

	(void)reply;
	if (!command_resume(command))
		return;
	/* That a frame was not shown is not the guest's fault. */
	int r = flush_next(command->device, command, error != -ETIMEDOUT);
	if (r != COMMAND_HELD)
		command_complete(command, r);
}

/* Flushes the remaining scanouts one after the other, up to the first whose flush must wait for the
 * display. Returns COMMAND_HELD then, else 0. Without @may_wait all are flushed: a display that was
 * late once must not delay the guest again for each scanout. */
static int flush_next(struct gpu_device *device, struct gpu_command *command, bool may_wait)
{
	const struct virtio_gpu_resource_flush *request = &command->request.flush;
	struct rect r = { request->r.x, request->r.y, request->r.width, request->r.height };

	for (unsigned i = 0; command->flush_left; i++) {
		struct scanout *scanout = &device->scanouts[i];
		struct rect damage;

		if (!(command->flush_left >> i & 1))
			continue;
		command->flush_left &= (uint16_t) ~(1u << i);
		damage = clip_damage(scanout, &r);
		if (rect_is_empty(&damage))
			continue;
		device->report.n_frames++;
		device->report.n_dmabuf_frames += scanout->is_dmabuf;
		write_back(scanout);
		if (!may_wait || !waits_for_display(scanout)) {
			display_damage(device->display, i, &damage);
			continue;
		}
		command->display_request.fn = on_flushed;
		if (display_flush_dmabuf(device->display, &command->display_request, i, &damage) ==
		    0) {
			command_hold(command);
			return COMMAND_HELD;
		}
	}
	return 0;
}

int scanout_flush(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_flush *request = &command->request.flush;
	struct rect r = { request->r.x, request->r.y, request->r.width, request->r.height };
	struct resource *resource = resource_find(device, request->resource_id);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!resource_is_blob(resource) && !rect_is_within(&r, resource->width, resource->height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	command->flush_left = resource->scanouts;
	return flush_next(device, command, true);
}
