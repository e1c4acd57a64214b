// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Copies between a resource and its backing in guest memory. A box is refused here if it exceeds
 * the resource at its mipmap level, or begins past the end of the backing. A 2D box is refused also
 * if it ends past the end of the backing. The size of a 3D box in bytes depends on the format of
 * the resource, so the renderer checks where a 3D box ends. A blob has no width and height to
 * compare a box with, so for a blob only the offset is checked.
 *
 * If the renderer can copy single rows, a large 2D box is copied over several turns of the event
 * loop, some rows in each. Everything is checked again in each turn, because the guest may have
 * freed the resource and made another one with the same id.
 */
#include "base/iov.h"
#include "base/pixel.h"
#include "gpu/command.h"
#include "gpu/context.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"

/* Copies the rows of @r, which was checked, from row command->progress on, until the turn's budget
 * is spent. command->progress is then the number of rows that are done. */
static int copy_rows(struct gpu_device *device, struct gpu_command *command,
		     const struct resource *resource, const struct rect *r)
{
	uint64_t offset = command->request.transfer_2d.offset;
	uint64_t stride = (uint64_t)resource->width * PIXEL_BYTES;
	uint32_t row = r->width * PIXEL_BYTES, at_once = MAX(COMMAND_PIECE_BYTES / row, 1);
	struct iov_cursor cursor = { resource->backing.iov, resource->backing.n_iov, 0 };

	(void)iov_cursor_skip(&cursor, offset + command->progress * stride);
	while (command->progress < r->height) {
		uint32_t n_rows = MIN(at_once, r->height - command->progress);
		const struct renderer_transfer transfer = {
			.offset = cursor.skipped,
			.box = { r->x, r->y + command->progress, 0, r->width, n_rows, 1 },
			.iov = cursor.iov,
			.n_iov = cursor.n_iov,
		};

		if (command_has_to_pause(device))
			return COMMAND_UNFINISHED;
		int error = renderer_call(device->renderer, transfer_to_host, resource->handle,
					  &transfer);
		if (error != 0)
			return error;
		(void)iov_cursor_skip(&cursor, n_rows * stride);
		command->progress += n_rows;
		command_charge(device, (uint64_t)n_rows * row);
	}
	return 0;
}

static void charge_box(struct gpu_device *device, const struct resource *resource, uint32_t width,
		       uint32_t height)
{
	if (device->renderer->ops->moves_whole_images) {
		width = resource->width;
		height = resource->height;
	}
	command_charge(device, (uint64_t)width * height * PIXEL_BYTES);
}

/* Copies the box in one call, for renderers that cannot copy single rows. */
static int copy_box(struct gpu_device *device, struct gpu_command *command,
		    const struct resource *resource, const struct rect *r)
{
	const struct renderer_transfer transfer = {
		.offset = command->request.transfer_2d.offset,
		.box = { r->x, r->y, 0, r->width, r->height, 1 },
	};

	charge_box(device, resource, r->width, r->height);
	return renderer_call(device->renderer, transfer_to_host, resource->handle, &transfer);
}

/* Whether the backing contains the whole box, whose first byte is at @offset. Rows in the backing
 * are as wide as the resource. */
static bool backing_holds(const struct resource *resource, uint64_t offset, const struct rect *r)
{
	uint64_t stride = (uint64_t)resource->width * PIXEL_BYTES;
	uint64_t size = (r->height - 1) * stride + (uint64_t)r->width * PIXEL_BYTES;

	return offset <= resource->backing.size && size <= resource->backing.size - offset;
}

int resource_transfer_to_host_2d(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_transfer_to_host_2d *request = &command->request.transfer_2d;
	struct resource *resource = resource_find(device, request->resource_id);
	struct rect r = { request->r.x, request->r.y, request->r.width, request->r.height };

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (resource_is_in_guest_memory(resource)) /* the display reads it there */
		return 0;
	if (!resource_find_memory(device, resource))
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (!rect_is_within(&r, resource->width, resource->height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (rect_is_empty(&r)) /* valid, but there is nothing to copy */
		return 0;
	if (!backing_holds(resource, request->offset, &r))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	return device->renderer->ops->splits_transfers ? copy_rows(device, command, resource, &r)
						       : copy_box(device, command, resource, &r);
}

/* Whether [@first, @first + @count) lies within [0, @size). */
static bool is_span(uint32_t first, uint32_t count, uint32_t size)
{
	return count > 0 && first < size && count <= size - first;
}

static uint32_t minify_size(uint32_t size, uint32_t level)
{
	return MAX(size >> level, 1);
}

static bool is_box_within(const struct resource *resource, const struct virtio_gpu_box *box,
			  uint32_t level)
{
	if (level >
	    resource->last_level) /* last_level is far below 32, so sizes can be shifted by it */
		return false;

	uint32_t layers = resource->target == RENDERER_TARGET_3D
				  ? minify_size(resource->depth, level)
				  : resource->array_size;

	return is_span(box->x, box->w, minify_size(resource->width, level)) &&
	       is_span(box->y, box->h, minify_size(resource->height, level)) &&
	       is_span(box->z, box->d, layers);
}

/* Checks a 3D transfer and converts it into the renderer's struct. */
static int check_3d(struct gpu_device *device, struct gpu_command *command,
		    struct resource **ret_resource, struct renderer_transfer *ret)
{
	const struct virtio_gpu_transfer_host_3d *request = &command->request.transfer_3d;
	const struct virtio_gpu_box *box = &request->box;
	struct resource *resource = resource_find(device, request->resource_id);

	if (request->hdr.ctx_id != 0 && !context_find(device, request->hdr.ctx_id))
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (!resource || !resource->handle)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!resource_find_memory(device, resource))
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if ((!resource_is_blob(resource) && !is_box_within(resource, box, request->level)) ||
	    request->offset >= resource->backing.size)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	*ret_resource = resource;
	*ret = (struct renderer_transfer){
		.ctx_id = request->hdr.ctx_id,
		.level = request->level,
		.stride = request->stride,
		.layer_stride = request->layer_stride,
		.offset = request->offset,
		.box = { box->x, box->y, box->z, box->w, box->h, box->d },
	};
	charge_box(device, resource, box->w, box->h);
	return 0;
}

int resource_transfer_to_host_3d(struct gpu_device *device, struct gpu_command *command)
{
	struct resource *resource;
	struct renderer_transfer transfer;
	int r = check_3d(device, command, &resource, &transfer);

	if (r != 0)
		return r;
	return renderer_call(device->renderer, transfer_to_host, resource->handle, &transfer);
}

int resource_transfer_from_host_3d(struct gpu_device *device, struct gpu_command *command)
{
	const struct renderer_ops *ops = device->renderer->ops;
	struct resource *resource;
	struct renderer_transfer transfer;
	int r = check_3d(device, command, &resource, &transfer);

	if (r != 0)
		return r;
	if (!ops->transfer_from_host) /* a guest may use 3D although it was not offered */
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	return renderer_call(device->renderer, transfer_from_host, resource->handle, &transfer);
}
