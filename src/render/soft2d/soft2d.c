// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * 2D resources on the CPU. Each has one host copy, always B, G, R, A (or X) in memory, for all
 * formats of the guest. The display's messages and cursors have the same layout, so that damaged
 * rows are sent from the copy itself.
 *
 * A transfer gathers the guest's bytes from the pieces of its backing right into the host copy, and
 * other formats are converted there. It does not matter how rows and pixels straddle pieces, and
 * nothing is allocated for the two formats that are B, G, R already. A box as wide as its resource
 * is one copy per piece of the backing, if neither side has gaps between its rows.
 *
 * The device has checked boxes and backing sizes. They are checked here again because memory safety
 * depends on it: a box never leaves the host copy, and a gather stops where the pieces end.
 */
#include "render/soft2d.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>

#include "base/container.h"
#include "base/dmabuf.h"
#include "base/iov.h"
#include "base/pixel.h"
#include "render/pixels.h"
#include "render/renderer.h"
#include "render/soft2d/memory_private.h"

/* Limit on the resources that exist at the same time and whose pictures the display may get as
 * dma-bufs; each has a descriptor. */
#define MAX_SHARED 64

struct soft2d {
	struct renderer base;
	int udmabuf; /* borrowed; 0: no picture is a dma-buf */
	unsigned n_shared;
};

struct soft2d_resource {
	struct renderer_resource base;
	uint32_t format;
	uint32_t width, height, stride;
	struct soft2d_memory memory;
};

const struct renderer_kind soft2d_renderer_kind = { .needs = 0 };

static const struct renderer_ops soft2d_ops;

static struct soft2d_resource *to_soft2d(struct renderer_resource *resource)
{
	assert(resource->renderer->ops == &soft2d_ops);
	return container_of(resource, struct soft2d_resource, base);
}

static struct soft2d *soft2d_of(struct renderer *renderer)
{
	assert(renderer->ops == &soft2d_ops);
	return container_of(renderer, struct soft2d, base);
}

static void soft2d_free(struct renderer *renderer)
{
	g_free(soft2d_of(renderer));
}

/* Bytes from row to row. */
static uint64_t row_bytes(const struct soft2d *soft2d, uint32_t width)
{
	uint64_t alignment = soft2d->udmabuf > 0 ? DMABUF_ROW_ALIGNMENT : PIXEL_BYTES;

	return ((uint64_t)width * PIXEL_BYTES + alignment - 1) / alignment * alignment;
}

/* The copy, in whole pages if it has its own mapping, the struct, and the overhead of malloc() for
 * both. */
static uint64_t soft2d_resource_cost(struct renderer *renderer,
				     const struct renderer_resource_args *args)
{
	uint64_t size = row_bytes(soft2d_of(renderer), args->width) * args->height;

	return soft2d_memory_cost(size) + sizeof(struct soft2d_resource) + 32;
}

static bool may_be_shared(const struct soft2d *soft2d, size_t size)
{
	return soft2d->udmabuf > 0 && soft2d->n_shared < MAX_SHARED &&
	       soft2d_memory_may_be_shared(size);
}

static int soft2d_resource_create(struct renderer *renderer,
				  const struct renderer_resource_args *args,
				  struct renderer_resource **ret)
{
	struct soft2d *soft2d = soft2d_of(renderer);
	uint64_t stride = row_bytes(soft2d, args->width);

	if (!args->is_2d || !pixels_has_format(args->format) || args->width == 0 ||
	    args->height == 0)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (stride > UINT32_MAX || args->height > SIZE_MAX / stride)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;

	size_t size = (size_t)stride * args->height;
	struct soft2d_resource *resource = g_try_new(struct soft2d_resource, 1);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	*resource = (struct soft2d_resource){
		.base = { renderer },
		.format = args->format,
		.width = args->width,
		.height = args->height,
		.stride = (uint32_t)stride,
	};
	if (!soft2d_memory_init(&resource->memory, size, may_be_shared(soft2d, size))) {
		g_free(resource);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	soft2d->n_shared += resource->memory.memfd >= 0;
	*ret = &resource->base;
	return 0;
}

static void soft2d_resource_free(struct renderer *renderer, struct renderer_resource *handle)
{
	struct soft2d_resource *resource = to_soft2d(handle);

	soft2d_of(renderer)->n_shared -= resource->memory.memfd >= 0;
	soft2d_memory_finish(&resource->memory);
	g_free(resource);
}

/* The height becomes 0, so that no later access can reach the rows that are unmapped. */
static bool soft2d_resource_shrink(struct renderer *renderer, struct renderer_resource *handle)
{
	struct soft2d_resource *resource = to_soft2d(handle);

	(void)renderer;
	resource->height = 0;
	return soft2d_memory_shrink(&resource->memory);
}

static int soft2d_transfer_to_host(struct renderer *renderer, struct renderer_resource *handle,
				   const struct renderer_transfer *transfer)
{
	const struct soft2d_resource *resource = to_soft2d(handle);
	const struct rect box = { transfer->box.x, transfer->box.y, transfer->box.width,
				  transfer->box.height };
	struct iov_cursor cursor = { .iov = transfer->iov, .n_iov = transfer->n_iov };
	uint32_t row_size = resource->width * PIXEL_BYTES;
	uint32_t stride = transfer->stride ? transfer->stride : row_size;

	(void)renderer;
	if (!rect_is_within(&box, resource->width, resource->height) ||
	    stride < box.width * PIXEL_BYTES || !transfer->iov)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (rect_is_empty(&box))
		return 0;

	uint8_t *first = resource->memory.data + (size_t)box.y * resource->stride +
			 (size_t)box.x * PIXEL_BYTES;
	uint8_t *dst = first;
	size_t len = (size_t)box.width * PIXEL_BYTES;
	uint32_t n_rows = box.height;

	if (len == resource->stride && stride == resource->stride) {
		len *= n_rows;
		n_rows = 1;
	}
	if (!iov_cursor_skip(&cursor, transfer->offset))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	for (uint32_t row = 0; row < n_rows; row++, dst += resource->stride) {
		if (row > 0 && !iov_cursor_skip(&cursor, stride - len))
			return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

		if (iov_cursor_read(&cursor, dst, len) < len)
			return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	pixels_to_display(resource->format, first, box.width, box.height, resource->stride);
	return 0;
}

static bool soft2d_pixels(struct renderer *renderer, struct renderer_resource *handle,
			  struct renderer_pixels *ret)
{
	const struct soft2d_resource *resource = to_soft2d(handle);

	(void)renderer;
	*ret = (struct renderer_pixels){
		.data = resource->memory.data,
		.width = resource->width,
		.height = resource->height,
		.stride = resource->stride,
	};
	return true;
}

static int soft2d_export_dmabuf(struct renderer *renderer, struct renderer_resource *handle,
				struct dmabuf *ret)
{
	const struct soft2d_resource *resource = to_soft2d(handle);

	*ret = (struct dmabuf){
		.width = resource->width,
		.height = resource->height,
		.n_planes = 1,
		.stride = { resource->stride },
		.is_in_memory = true,
	};
	if (!pixels_describe_memory(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, ret))
		return -ENOTSUP;
	ret->fd = soft2d_memory_export(&resource->memory, soft2d_of(renderer)->udmabuf);
	return ret->fd < 0 ? ret->fd : 0;
}

static const struct renderer_ops soft2d_ops = {
	.name = "2d",
	.free = soft2d_free,
	.resource_cost = soft2d_resource_cost,
	.resource_create = soft2d_resource_create,
	.resource_free = soft2d_resource_free,
	.resource_shrink = soft2d_resource_shrink,
	.transfer_to_host = soft2d_transfer_to_host,
	.splits_transfers = true,
	.pixels = soft2d_pixels,
	.export_dmabuf = soft2d_export_dmabuf,
};

struct renderer *soft2d_renderer_new(int udmabuf)
{
	struct soft2d *soft2d = g_new0(struct soft2d, 1);

	renderer_init(&soft2d->base, &soft2d_ops);
	soft2d->udmabuf = udmabuf;
	return &soft2d->base;
}
