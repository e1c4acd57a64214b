// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * 2D resources on the CPU. Each has one host copy, always B, G, R, A (or X) in memory with rows of
 * exactly width * 4 bytes, for all formats of the guest. The display's messages and cursors have
 * the same layout, so that damaged rows are sent from the copy itself.
 *
 * A transfer gathers the guest's bytes from the pieces of its backing right into the host copy, and
 * other formats are converted there. It does not matter how rows and pixels straddle pieces, and
 * nothing is allocated for the two formats that are B, G, R already. A box as wide as its resource
 * is one copy per piece of the backing.
 *
 * The device has checked boxes and backing sizes. They are checked here again because memory
 * depends on it: a box never leaves the host copy, and a gather stops where the pieces end.
 */
#include "render/soft2d.h"

#include <assert.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/container.h"
#include "base/iov.h"
#include "base/pixel.h"
#include "render/pixels.h"
#include "render/renderer.h"

/* Copies of at least this size have their own mapping: pages that no transfer touches take no
 * memory. */
#define MAP_MIN_SIZE (128 * 1024)
/* Copies between these sizes are most likely screens and may have huge pages: our copy into them
 * and the kernel's copy out of them then need far fewer TLB entries. With larger ones the device
 * would wait more often while the kernel clears a huge page, which takes 10 ms in a virtual
 * machine. */
#define HUGE_MIN_SIZE (4 * 1024 * 1024)
#define HUGE_MAX_SIZE (64 * 1024 * 1024)
/* Bytes to unmap in one call when a copy is freed: it takes some 100 microseconds, more with small
 * pages. */
#define UNMAP_SIZE (2 * 1024 * 1024)

struct soft2d_resource {
	struct renderer_resource base;
	uint32_t format;
	uint32_t width, height, stride;
	uint8_t *data;
	size_t size;
};

const struct renderer_kind soft2d_renderer_kind = { .needs = 0 };

static const struct renderer_ops soft2d_ops;

static struct soft2d_resource *to_soft2d(struct renderer_resource *resource)
{
	assert(resource->renderer->ops == &soft2d_ops);
	return container_of(resource, struct soft2d_resource, base);
}

static int new_data(size_t size, uint8_t **ret)
{
	void *data;

	if (size < MAP_MIN_SIZE) {
		data = g_try_malloc0(size);
	} else {
		data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (data == MAP_FAILED)
			data = NULL;
		else if (size >= HUGE_MIN_SIZE && size <= HUGE_MAX_SIZE)
			(void)madvise(data, size, MADV_HUGEPAGE);
	}
	if (!data)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	*ret = data;
	return 0;
}

static void free_data(uint8_t *data, size_t size)
{
	if (size < MAP_MIN_SIZE)
		g_free(data);
	else
		munmap(data, size);
}

static void soft2d_free(struct renderer *renderer)
{
	assert(renderer->ops == &soft2d_ops);
	g_free(renderer);
}

/* The copy, in whole pages if it has its own mapping, the struct, and the overhead of malloc() for
 * both. */
static uint64_t soft2d_resource_cost(struct renderer *renderer,
				     const struct renderer_resource_args *args)
{
	uint64_t size = (uint64_t)args->width * args->height * PIXEL_BYTES;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	(void)renderer;
	if (size >= MAP_MIN_SIZE)
		size = (size + page - 1) / page * page;
	return size + sizeof(struct soft2d_resource) + 32;
}

static int soft2d_resource_create(struct renderer *renderer,
				  const struct renderer_resource_args *args,
				  struct renderer_resource **ret)
{
	if (!args->is_2d || !pixels_has_format(args->format) || args->width == 0 ||
	    args->height == 0)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (args->width > UINT32_MAX / PIXEL_BYTES)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;

	uint32_t stride = args->width * PIXEL_BYTES;
	if (args->height > SIZE_MAX / stride)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;

	size_t size = (size_t)stride * args->height;
	uint8_t *data;
	int r = new_data(size, &data);
	if (r != 0)
		return r;

	struct soft2d_resource *resource = g_try_new(struct soft2d_resource, 1);
	if (!resource) {
		free_data(data, size);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	*resource = (struct soft2d_resource){
		.base = { renderer },
		.format = args->format,
		.width = args->width,
		.height = args->height,
		.stride = stride,
		.data = data,
		.size = size,
	};
	*ret = &resource->base;
	return 0;
}

static void soft2d_resource_free(struct renderer *renderer, struct renderer_resource *handle)
{
	struct soft2d_resource *resource = to_soft2d(handle);

	(void)renderer;
	free_data(resource->data, resource->size);
	g_free(resource);
}

/* Unmaps from the end. The height becomes 0, so that no later access can reach the unmapped
 * rows. */
static bool soft2d_resource_shrink(struct renderer *renderer, struct renderer_resource *handle)
{
	struct soft2d_resource *resource = to_soft2d(handle);

	(void)renderer;
	resource->height = 0;
	if (resource->size <= UNMAP_SIZE)
		return false;

	size_t left = (resource->size - 1) / UNMAP_SIZE * UNMAP_SIZE;

	munmap(resource->data + left, resource->size - left);
	resource->size = left;
	return true;
}

static int soft2d_transfer_to_host(struct renderer *renderer, struct renderer_resource *handle,
				   const struct renderer_transfer *transfer)
{
	const struct soft2d_resource *resource = to_soft2d(handle);
	const struct rect box = { transfer->box.x, transfer->box.y, transfer->box.width,
				  transfer->box.height };
	struct iov_cursor cursor = { .iov = transfer->iov, .n_iov = transfer->n_iov };
	uint32_t stride = transfer->stride ? transfer->stride : resource->stride;

	(void)renderer;
	if (!rect_is_within(&box, resource->width, resource->height) ||
	    stride < box.width * PIXEL_BYTES || !transfer->iov)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (rect_is_empty(&box))
		return 0;

	uint8_t *first =
		resource->data + (size_t)box.y * resource->stride + (size_t)box.x * PIXEL_BYTES;
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
		.data = resource->data,
		.width = resource->width,
		.height = resource->height,
		.stride = resource->stride,
	};
	return true;
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
};

struct renderer *soft2d_renderer_new(void)
{
	struct renderer *renderer = g_new0(struct renderer, 1);

	renderer_init(renderer, &soft2d_ops);
	return renderer;
}
