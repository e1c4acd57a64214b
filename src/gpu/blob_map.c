// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Maps host blobs into the front-end's window. A map command is checked, the blob is exported, the
 * front-end is asked to map it, and the command is held until the map is in place.
 *
 * A blob has at most one map. While a map or unmap request is in flight, other commands that
 * concern the map are held, and run again from their start when the front-end answers. One example
 * is RESOURCE_UNREF. Another is an unmap command that comes before the map command was answered: a
 * guest sends this when its client is killed. RESOURCE_UNREF frees the resource only after the blob
 * is unmapped, because Linux reuses that part of the window as soon as RESOURCE_UNREF is answered.
 *
 * If the front-end answers while the queue is stopped, the command runs again too. A map then finds
 * its blob mapped at the offset that it asks for, and an unmap finds no map; both succeed. Linux
 * also unmaps blobs whose map command failed.
 *
 * Destroying a context removes no map: the front-end has mapped a file descriptor of the memory, so
 * the memory outlives the context, and another client of the guest may use it too.
 */
#include "gpu/blob_map.h"

#include <errno.h>
#include <glib.h>

#include "base/container.h"
#include "base/fd.h"
#include "gpu/blob_memory.h"
#include "gpu/command.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"
#include "vhost/session.h"

#define LOG_MODULE "blob"
#include "base/log.h"

struct blob_map {
	struct vhost_mapping mapping;
	struct gpu_device *device; /* borrowed */
	struct resource *resource; /* borrowed */
	uint32_t map_info;
	bool is_busy;               /* a map or unmap request is in flight */
	struct gpu_command *mapper; /* borrowed; the map command, while it is held */
};

static int reply_mapped(struct gpu_command *command, const struct blob_map *map)
{
	struct virtio_gpu_resp_map_info response = { .map_info = map->map_info };

	return command_reply(command, VIRTIO_GPU_RESP_OK_MAP_INFO, &response, sizeof(response));
}

static void free_map(struct blob_map *map)
{
	map->resource->map = NULL;
	g_free(map);
}

static int wait_for(struct blob_map *map, struct gpu_command *command)
{
	command->waits_for = map;
	command_hold(command);
	return COMMAND_HELD;
}

/* The front-end has answered: queues the commands that wait for @map to run again. */
static void wake_waiting(struct gpu_device *device, const struct blob_map *map)
{
	for (GList *link = device->held.head, *next; link; link = next) {
		struct gpu_command *command = link->data;

		next = link->next;
		if (command->waits_for != map)
			continue;
		command->waits_for = NULL;
		command_run_again(command);
	}
}

static void on_mapped(struct vhost_mapping *mapping, int error)
{
	struct blob_map *map = container_of(mapping, struct blob_map, mapping);
	struct gpu_command *command = map->mapper;

	map->is_busy = false;
	map->mapper = NULL;
	command->waits_for = NULL;
	/* If the queue is stopped, this queues the map command. It came before those that wait for
	 * it, so it is queued before them. */
	const bool is_resumed = command_resume(command);

	wake_waiting(map->device, map);
	if (is_resumed)
		command_complete(command,
				 error ? VIRTIO_GPU_RESP_ERR_UNSPEC : reply_mapped(command, map));
	if (error)
		free_map(map);
}

static void on_unmapped(struct vhost_mapping *mapping, int error)
{
	struct blob_map *map = container_of(mapping, struct blob_map, mapping);

	(void)error; /* the session logged it, and maps nothing else at this place */
	wake_waiting(map->device, map);
	free_map(map);
}

/* Asks the front-end to map @fd (takes). Returns 0 or RESP_ERR_*. */
static int ask_map(struct gpu_device *device, struct blob_map *map, int fd)
{
	map->mapping.fn = on_mapped;
	switch (vhost_session_map(device->session, &map->mapping, fd)) {
	case 0:
		return 0;
	case -EINVAL:
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	case -ENOSPC:
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	default:
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
}

static int map_resource(struct gpu_device *device, struct gpu_command *command,
			struct resource *resource)
{
	struct renderer_blob_export memory;
	int r = blob_memory_export(device, resource, &memory);

	if (r != 0)
		return r;
	auto_fd fd = memory.fd;
	g_autofree struct blob_map *map = g_try_new(struct blob_map, 1);

	if (!map)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	*map = (struct blob_map){
		.mapping = { .offset = command->request.map_blob.offset,
			     .size = blob_memory_size(resource->blob_size) },
		.device = device,
		.resource = resource,
		.map_info = memory.map_info,
		.is_busy = true,
		.mapper = command,
	};
	r = ask_map(device, map, fd_steal(&fd));
	if (r != 0)
		return r;
	resource->map = g_steal_pointer(&map);
	return wait_for(resource->map, command);
}

/* The checks that need no export. Returns 0 or RESP_ERR_*. */
static int check_map(const struct gpu_device *device, const struct resource *resource,
		     uint64_t offset)
{
	uint64_t window = vhost_session_window(device->session);
	uint64_t size = blob_memory_size(resource->blob_size);

	if (resource->kind != RESOURCE_BLOB_HOST || !resource->is_mappable || window == 0)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (offset % BLOB_PAGE != 0 || size > window || offset > window - size)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	return 0;
}

int blob_map_start(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_map_blob *request = &command->request.map_blob;
	struct resource *resource = resource_find(device, request->resource_id);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	struct blob_map *map = resource->map;

	if (map && map->is_busy)
		return wait_for(map, command);
	if (map)
		return map->mapping.offset == request->offset
			       ? reply_mapped(command, map)
			       : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	int r = check_map(device, resource, request->offset);

	return r == 0 ? map_resource(device, command, resource) : r;
}

bool blob_map_end(struct gpu_device *device, struct resource *resource, struct gpu_command *command)
{
	struct blob_map *map = resource->map;

	if (!map)
		return false;
	if (!map->is_busy) {
		map->mapping.fn = on_unmapped;
		if (vhost_session_unmap(device->session, &map->mapping) < 0) {
			free_map(map);
			return false;
		}
		map->is_busy = true;
	}
	wait_for(map, command);
	return true;
}

int blob_map_stop(struct gpu_device *device, struct gpu_command *command)
{
	struct resource *resource = resource_find(device, command->request.unmap_blob.resource_id);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (resource->kind != RESOURCE_BLOB_HOST)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	return blob_map_end(device, resource, command) ? COMMAND_HELD : 0;
}

void blob_map_forget(struct gpu_device *device, struct resource *resource)
{
	if (!resource->map)
		return;
	vhost_session_forget(device->session, &resource->map->mapping);
	free_map(resource->map);
}
