// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The device owns the resources; a renderer has a handle for each. An id is in the table from the
 * creation of the resource until it is freed or begins to die (see below). The backing is kept
 * here, and a renderer that keeps a pointer to the iovecs is told before they are freed. Before
 * anything is allocated, the limit must have room for the estimated memory of a resource. That
 * memory is charged when the resource is added to the table, and released when it is freed.
 *
 * When guest memory changes, iovecs that a renderer keeps are replaced at once. All other iovecs
 * are only marked as old: looking them all up may take half a second.
 *
 * Returning memory to the kernel takes long too. A large resource, and all resources at a reset,
 * are removed from the table at once and then freed in parts, some in each turn ("dying"). Until
 * then they are still charged and no queue is served, so the guest's next command finds all of the
 * freed memory available.
 */
#include "gpu/resource.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/container.h"
#include "base/fd.h"
#include "gpu/blob_map.h"
#include "gpu/command.h"
#include "gpu/device_private.h"
#include "gpu/scanout.h"
#include "vhost/session.h"

/* Making the iovecs of one entry takes as long as copying this many bytes. */
#define BYTES_PER_ENTRY 512

/* Copying one byte takes as long as freeing this many. */
#define BYTES_PER_FREED 4

/* A resource that takes more than this is not freed in one turn. */
#define DYING_MIN_BYTES (2 * 1024 * 1024)
#define REAP_US         1000

/* The memory of a resource besides its pixels: the struct, the allocator's overhead, and its slots
 * in the table (which is half empty after it has grown, and exists twice while it grows). */
#define RESOURCE_BYTES (sizeof(struct resource) + 16 + 6 * sizeof(struct id_slot))

struct resource *resource_find(struct gpu_device *device, uint32_t id)
{
	return id_table_find(&device->resources, id);
}

static const struct guest_memory *memory_of(struct gpu_device *device)
{
	return vhost_session_memory(device->session);
}

static uint64_t backing_cost(uint32_t n_entries)
{
	return n_entries * (uint64_t)(sizeof(struct virtio_gpu_mem_entry) + sizeof(struct iovec));
}

void resource_forget_backing(struct gpu_device *device, struct backing *backing)
{
	hostmem_release(&device->hostmem, backing_cost(backing->n_entries));
	backing_detach(backing);
}

/* Makes a renderer that keeps the backing's iovecs give them up. */
static void detach_from_renderer(struct gpu_device *device, struct resource *resource)
{
	const struct renderer_ops *ops = device->renderer->ops;

	if (resource->backing.iov && resource->handle && ops->resource_detach)
		renderer_call_void(device->renderer, resource_detach, resource->handle);
}

static void detach_backing(struct gpu_device *device, struct resource *resource)
{
	scanout_memory_changes(device, resource);
	detach_from_renderer(device, resource);
	if (resource_is_in_guest_memory(resource))
		resource_forget_dmabuf(device, resource);
	resource_forget_backing(device, &resource->backing);
	scanout_show_again(device, resource);
}

void resource_forget_dmabuf(struct gpu_device *device, struct resource *resource)
{
	if (!resource->has_dmabuf)
		return;
	fd_close(&resource->dmabuf.fd);
	resource->has_dmabuf = false;
	device->n_dmabufs--;
	hostmem_release(&device->hostmem, resource->dmabuf_charge);
	resource->dmabuf_charge = 0;
}

/* Frees the rest of a resource that nothing refers to. */
static void finish_resource(struct gpu_device *device, struct resource *resource)
{
	if (resource->handle)
		renderer_call_void(device->renderer, resource_free, resource->handle);
	resource_forget_backing(device, &resource->backing);
	hostmem_release(&device->hostmem, resource->hostmem);
	g_free(resource);
}

/* Frees a part of the dying resources. */
static void reap_some(struct gpu_device *device)
{
	struct resource *resource = device->dying.head->data;

	if (resource->handle && renderer_call(device->renderer, resource_shrink, resource->handle))
		return;
	g_queue_unlink(&device->dying, &resource->link);
	finish_resource(device, resource);
}

static int on_reap(struct loop_task *task)
{
	struct gpu_device *device = container_of(task, struct gpu_device, reap);
	int64_t end = g_get_monotonic_time() + REAP_US;

	while (!g_queue_is_empty(&device->dying) && g_get_monotonic_time() < end)
		reap_some(device);
	if (!g_queue_is_empty(&device->dying))
		loop_queue(device->loop, task, on_reap);
	return 0;
}

void resource_reap_all(struct gpu_device *device)
{
	while (!g_queue_is_empty(&device->dying))
		reap_some(device);
	loop_unqueue(&device->reap);
}

/* Takes a resource out of use and frees it: at once if it takes @at_once bytes or fewer, or if the
 * renderer cannot free it in parts; otherwise in parts. */
static void resource_free(struct gpu_device *device, struct resource *resource, uint64_t at_once)
{
	uint64_t size = resource->hostmem + backing_cost(resource->backing.n_entries);

	scanout_forget(device, resource);
	blob_map_forget(device, resource);
	resource_forget_dmabuf(device, resource);
	detach_from_renderer(device, resource);
	if (size <= at_once || !device->renderer->ops->resource_shrink) {
		finish_resource(device, resource);
		return;
	}
	resource->link.data = resource;
	g_queue_push_tail_link(&device->dying, &resource->link);
	loop_queue(device->loop, &device->reap, on_reap);
}

void resource_free_all(struct gpu_device *device)
{
	uint32_t cursor = 0;
	struct resource *resource;

	while ((resource = id_table_take_next(&device->resources, &cursor)))
		resource_free(device, resource, 0);
}

static void resolve_backing(struct gpu_device *device, struct resource *resource)
{
	backing_resolve(&resource->backing, memory_of(device));
	resource->backing.version = device->memory_version;
}

bool resource_find_memory(struct gpu_device *device, struct resource *resource)
{
	if (resource->backing.version != device->memory_version) {
		command_charge(device, resource->backing.n_entries * (uint64_t)BYTES_PER_ENTRY);
		resolve_backing(device, resource);
	}
	return resource->backing.iov;
}

static void reattach_backing(struct gpu_device *device, struct resource *resource)
{
	detach_from_renderer(device, resource);
	resolve_backing(device, resource);
	if (resource->backing.iov &&
	    renderer_call(device->renderer, resource_attach, resource->handle,
			  resource->backing.iov, resource->backing.n_iov) != 0)
		g_clear_pointer(&resource->backing.iov, g_free);
}

/* Closes the dma-bufs made of guest memory, whose pages may no longer belong to the guest, and
 * shows their scanouts again. */
static void renew_dmabufs(struct gpu_device *device)
{
	uint32_t cursor = 0;
	struct resource *resource;

	while ((resource = id_table_next(&device->resources, &cursor)))
		if (resource_is_in_guest_memory(resource))
			resource_forget_dmabuf(device, resource);
	scanout_show_again(device, NULL);
}

void resource_memory_changed(struct gpu_device *device)
{
	uint32_t cursor = 0;
	struct resource *resource;

	scanout_memory_changes(device, NULL);
	device->memory_version++;
	if (device->udmabuf > 0)
		renew_dmabufs(device);
	if (!device->renderer->ops->resource_attach)
		return;
	while ((resource = id_table_next(&device->resources, &cursor)))
		if (resource->handle && backing_is_attached(&resource->backing))
			reattach_backing(device, resource);
}

int resource_new(struct gpu_device *device, uint32_t id, uint64_t hostmem, struct resource **ret)
{
	uint64_t charge = hostmem + RESOURCE_BYTES;

	if (id == 0 || resource_find(device, id))
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (device->resources.n >= device->limits.max_resources ||
	    !hostmem_has(&device->hostmem, charge) || !id_table_reserve(&device->resources))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	*ret = g_try_new0(struct resource, 1);
	if (!*ret)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	(*ret)->id = id;
	(*ret)->hostmem = charge;
	return 0;
}

void resource_add(struct gpu_device *device, struct resource *resource)
{
	hostmem_charge_anyway(&device->hostmem, resource->hostmem);
	id_table_add(&device->resources, resource->id, resource);
}

int resource_unref(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = command->request.unref.resource_id;
	struct resource *resource = resource_find(device, id);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (blob_map_end(device, resource, command))
		return COMMAND_HELD;
	id_table_remove(&device->resources, id);
	command_charge(device, resource->hostmem / BYTES_PER_FREED);
	resource_free(device, resource, DYING_MIN_BYTES);
	return 0;
}

int resource_read_backing(struct gpu_device *device, const struct gpu_command *command,
			  size_t offset, uint32_t n_entries, struct backing *backing)
{
	const size_t entry = sizeof(struct virtio_gpu_mem_entry);
	const size_t size = n_entries * entry; /* may wrap on 32 bits; then it is not used */

	if (n_entries == 0 || n_entries > device->limits.max_backing_entries ||
	    n_entries > (command->chain.out_size - offset) / entry)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (!hostmem_has(&device->hostmem, backing_cost(n_entries)))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;

	g_autofree struct virtio_gpu_mem_entry *entries = g_try_malloc(size);
	if (!entries)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	command_read(command, offset, entries, size);
	command_charge(device, n_entries * (uint64_t)BYTES_PER_ENTRY);
	int r = backing_attach(backing, memory_of(device), entries, n_entries);
	if (r != 0)
		return r;
	g_steal_pointer(&entries);
	backing->version = device->memory_version;
	(void)hostmem_charge(&device->hostmem, backing_cost(n_entries));
	return 0;
}

int resource_attach_backing(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_attach_backing *request = &command->request.attach_backing;
	const struct renderer_ops *ops = device->renderer->ops;
	struct resource *resource = resource_find(device, request->resource_id);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (backing_is_attached(&resource->backing))
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	int r = resource_read_backing(device, command, sizeof(*request), request->nr_entries,
				      &resource->backing);
	if (r != 0)
		return r;
	if (resource_is_in_guest_memory(resource) && resource->backing.size < resource->blob_size)
		r = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	else if (ops->resource_attach && resource->handle)
		r = renderer_call(device->renderer, resource_attach, resource->handle,
				  resource->backing.iov, resource->backing.n_iov);
	if (r != 0)
		resource_forget_backing(device, &resource->backing);
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
	detach_backing(device, resource);
	return 0;
}

/* A random UUID, version 4 (RFC 4122). 0 or -errno. */
static int make_uuid(uint8_t uuid[16])
{
	if (getrandom(uuid, 16, GRND_NONBLOCK) != 16)
		return -errno;
	uuid[6] = (uuid[6] & 0x0f) | 0x40;
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	return 0;
}

int resource_assign_uuid(struct gpu_device *device, struct gpu_command *command)
{
	struct resource *resource = resource_find(device, command->request.assign_uuid.resource_id);
	struct virtio_gpu_resp_resource_uuid response = { 0 };

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	int r = resource->has_uuid ? 0 : make_uuid(resource->uuid);
	if (r < 0)
		return r;
	resource->has_uuid = true;
	memcpy(response.uuid, resource->uuid, sizeof(response.uuid));
	return command_reply(command, VIRTIO_GPU_RESP_OK_RESOURCE_UUID, &response,
			     sizeof(response));
}
