// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Resources belong to the device, renderers hold a handle. An id is in the table exactly as long as
 * the renderer's resource lives; its backing lives in here, so a renderer that keeps a pointer to
 * the iovecs is told before they go. What a resource may cost is charged when it is made, before
 * anything is allocated, and given back when it is freed.
 */
#include "gpu/resource.h"

#include <errno.h>
#include <string.h>

#include "gpu/command.h"
#include "gpu/device_state.h"
#include "gpu/scanout.h"
#include "vhost/session.h"

/* All 2D formats have 32 bits for a pixel (VIRTIO 1.2, 5.7.6.8). */
#define BYTES_PER_PIXEL 4
#define PIPE_TEXTURE_2D 2

static bool is_2d_format(uint32_t format)
{
	switch (format) {
	case VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM:
	case VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM:
	case VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM:
	case VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM:
	case VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM:
	case VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM:
	case VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM:
	case VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM:
		return true;
	default:
		return false;
	}
}

struct resource *resource_find(struct gpu_device *device, uint32_t id)
{
	return g_hash_table_lookup(device->resources, GUINT_TO_POINTER(id));
}

static const struct guest_memory *memory_of(struct gpu_device *device)
{
	return vhost_session_memory(device->session);
}

static void detach(struct gpu_device *device, struct resource *resource)
{
	const struct renderer_ops *ops = device->renderer->ops;

	if (resource->backing.iov && ops->detach)
		ops->detach(device->renderer, resource->handle);
	backing_detach(&resource->backing);
}

static void resource_free(struct gpu_device *device, struct resource *resource)
{
	scanout_forget(device, resource);
	detach(device, resource);
	device->renderer->ops->resource_free(device->renderer, resource->handle);
	device->hostmem -= resource->hostmem;
	g_free(resource);
}

void resource_free_all(struct gpu_device *device)
{
	GHashTableIter iter;
	void *resource;

	g_hash_table_iter_init(&iter, device->resources);
	while (g_hash_table_iter_next(&iter, NULL, &resource)) {
		g_hash_table_iter_remove(&iter);
		resource_free(device, resource);
	}
}

static void attach_again(struct gpu_device *device, struct resource *resource)
{
	const struct renderer_ops *ops = device->renderer->ops;

	if (resource->backing.iov && ops->detach)
		ops->detach(device->renderer, resource->handle);
	backing_resolve(&resource->backing, memory_of(device));
	if (resource->backing.iov && ops->attach &&
	    ops->attach(device->renderer, resource->handle, resource->backing.iov,
			resource->backing.n_iov) != 0)
		g_clear_pointer(&resource->backing.iov, g_free);
}

void resource_memory_changed(struct gpu_device *device)
{
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, device->resources);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		struct resource *resource = value;

		if (backing_is_attached(&resource->backing))
			attach_again(device, resource);
	}
}

/* An id that may be given to a new resource, and room for @hostmem bytes more. */
static int check_room(struct gpu_device *device, uint32_t id, uint64_t hostmem)
{
	if (id == 0 || resource_find(device, id))
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (g_hash_table_size(device->resources) >= device->limits.max_resources ||
	    hostmem > device->limits.max_hostmem - device->hostmem)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	return 0;
}

static bool is_dimension(const struct gpu_device *device, uint32_t pixels)
{
	return pixels > 0 && pixels <= device->limits.max_dimension;
}

int resource_create_2d(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_create_2d *request = &command->request.create_2d;
	struct renderer_resource_args args = {
		.id = request->resource_id,
		.target = PIPE_TEXTURE_2D,
		.format = request->format,
		.width = request->width,
		.height = request->height,
		.depth = 1,
		.array_size = 1,
		.is_2d = true,
	};
	uint64_t hostmem = (uint64_t)args.width * args.height * BYTES_PER_PIXEL;
	struct renderer_resource *handle;

	if (!is_2d_format(args.format) || !is_dimension(device, args.width) ||
	    !is_dimension(device, args.height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	int r = check_room(device, args.id, hostmem);
	if (r == 0)
		r = device->renderer->ops->resource_create(device->renderer, &args, &handle);
	if (r != 0)
		return r;

	struct resource *resource = g_new(struct resource, 1);
	*resource = (struct resource){
		.id = args.id,
		.width = args.width,
		.height = args.height,
		.format = args.format,
		.hostmem = hostmem,
		.handle = handle,
	};
	device->hostmem += hostmem;
	g_hash_table_insert(device->resources, GUINT_TO_POINTER(args.id), resource);
	return 0;
}

int resource_unref(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = command->request.unref.resource_id;
	struct resource *resource = resource_find(device, id);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	g_hash_table_remove(device->resources, GUINT_TO_POINTER(id));
	resource_free(device, resource);
	return 0;
}

int resource_attach_backing(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_attach_backing *request = &command->request.attach_backing;
	const struct renderer_ops *ops = device->renderer->ops;
	struct resource *resource = resource_find(device, request->resource_id);
	uint32_t n = request->nr_entries;
	size_t size = (size_t)n * sizeof(struct virtio_gpu_mem_entry);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (backing_is_attached(&resource->backing))
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (n == 0 || n > device->limits.max_backing_entries ||
	    size > command->chain.out_size - sizeof(*request))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

	g_autofree struct virtio_gpu_mem_entry *entries = g_try_malloc(size);
	if (!entries)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	command_read(command, sizeof(*request), entries, size);
	int r = backing_attach(&resource->backing, memory_of(device), entries, n);
	if (r != 0)
		return r;
	g_steal_pointer(&entries);
	if (ops->attach)
		r = ops->attach(device->renderer, resource->handle, resource->backing.iov,
				resource->backing.n_iov);
	if (r != 0)
		backing_detach(&resource->backing);
	return r;
}

int resource_detach_backing(struct gpu_device *device, struct gpu_command *command)
{
	struct resource *resource =
		resource_find(device, command->request.detach_backing.resource_id);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!backing_is_attached(&resource->backing))
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	detach(device, resource);
	return 0;
}

static struct rect to_rect(const struct virtio_gpu_rect *r)
{
	return (struct rect){ r->x, r->y, r->width, r->height };
}

int resource_transfer_to_host_2d(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_transfer_to_host_2d *request = &command->request.transfer_2d;
	struct resource *resource = resource_find(device, request->resource_id);
	struct rect r = to_rect(&request->r);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!resource->backing.iov)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (rect_is_empty(&r) || !rect_is_within(&r, resource->width, resource->height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

	/* From the first byte of the box to its last one; the backing's rows are as wide as the
	 * resource. */
	uint64_t stride = (uint64_t)resource->width * BYTES_PER_PIXEL;
	uint64_t size = (r.height - 1) * stride + (uint64_t)r.width * BYTES_PER_PIXEL;
	if (request->offset > resource->backing.size ||
	    size > resource->backing.size - request->offset)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

	struct renderer_transfer transfer = {
		.offset = request->offset,
		.box = { .x = r.x, .y = r.y, .width = r.width, .height = r.height, .depth = 1 },
	};
	if (!device->renderer->ops->attach) {
		transfer.iov = resource->backing.iov;
		transfer.n_iov = resource->backing.n_iov;
	}
	command_charge(device, (uint64_t)r.width * r.height * BYTES_PER_PIXEL);
	return device->renderer->ops->transfer_to_host(device->renderer, resource->handle,
						       &transfer);
}

/* A random UUID, version 4 (RFC 4122), from GLib's text form of one. */
static void make_uuid(uint8_t uuid[16])
{
	g_autofree char *text = g_uuid_string_random();
	unsigned n = 0;

	for (const char *c = text; *c && n < 32; c++) {
		if (*c == '-')
			continue;
		uuid[n / 2] = (uint8_t)(uuid[n / 2] << 4 | g_ascii_xdigit_value(*c));
		n++;
	}
}

int resource_assign_uuid(struct gpu_device *device, struct gpu_command *command)
{
	struct resource *resource = resource_find(device, command->request.assign_uuid.resource_id);
	struct virtio_gpu_resp_resource_uuid response = { 0 };

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!resource->has_uuid)
		make_uuid(resource->uuid);
	resource->has_uuid = true;
	memcpy(response.uuid, resource->uuid, sizeof(response.uuid));
	return command_reply(command, VIRTIO_GPU_RESP_OK_RESOURCE_UUID, &response,
			     sizeof(response));
}
