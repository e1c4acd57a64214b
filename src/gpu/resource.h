// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "gpu/backing.h"
#include "render/renderer.h"

struct blob_map;
struct gpu_command;
struct gpu_device;

enum resource_kind {
	RESOURCE_2D,
	RESOURCE_3D,
	RESOURCE_BLOB_GUEST, /* VIRTIO_GPU_BLOB_MEM_GUEST: its bytes are its backing */
	RESOURCE_BLOB_HOST,  /* HOST3D, HOST3D_GUEST: its bytes are in memory of the renderer */
};

/* An image or buffer of the guest. */
struct resource {
	GList link; /* gpu_device::dying */
	uint32_t id;
	enum resource_kind kind;
	uint32_t target, width, height, depth, array_size, last_level; /* 0 for a blob */
	uint64_t blob_size;                                            /* bytes; 0 for an image */
	uint64_t hostmem; /* bytes charged to the device */
	bool has_uuid;
	uint8_t uuid[16];
	uint16_t scanouts;      /* bit i: shown on scanout i */
	bool is_readable;       /* the renderer was able to read its pixels for a scanout */
	struct backing backing; /* the guest memory behind it, see resource_find_memory() */
	struct renderer_resource
		*handle; /* the renderer's; NULL for a blob that it need not know */
	bool has_dmabuf;
	struct dmabuf dmabuf;   /* owned; set when it was exported */
	uint64_t dmabuf_charge; /* bytes charged for it */
	bool is_mappable;       /* a host blob created with VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE */
	struct blob_map *map;   /* owned; NULL: no part of the window holds it */
};

/* A blob has a size in bytes; width, height and format come with SET_SCANOUT_BLOB. */
static inline bool resource_is_blob(const struct resource *resource)
{
	return resource->kind == RESOURCE_BLOB_GUEST || resource->kind == RESOURCE_BLOB_HOST;
}

/* Its pixels are read from the guest memory behind it, not from the renderer. */
static inline bool resource_is_in_guest_memory(const struct resource *resource)
{
	return resource->kind == RESOURCE_BLOB_GUEST;
}

/* NULL if there is none with this id. */
struct resource *resource_find(struct gpu_device *device, uint32_t id);

/* Allocates *@ret with @id and @hostmem, all else zero; freed with g_free() if the resource cannot
 * be made. 0 or the guest's error. */
int resource_new(struct gpu_device *device, uint32_t id, uint64_t hostmem, struct resource **ret);
/* Puts @resource (takes), which the last resource_new() returned, into the table and charges it. */
void resource_add(struct gpu_device *device, struct resource *resource);
/* Copies the entries that follow the first @offset bytes of the request and attaches them to
 * @backing. 0 or the guest's error. */
int resource_read_backing(struct gpu_device *device, const struct gpu_command *command,
			  size_t offset, uint32_t n_entries, struct backing *backing);

/* Frees what @backing holds, and releases what was charged for it. */
void resource_forget_backing(struct gpu_device *device, struct backing *backing);

/* Closes its dma-buf, if it has one. */
void resource_forget_dmabuf(struct gpu_device *device, struct resource *resource);

/* Frees all resources and switches their scanouts off. Freeing the memory may take some turns. */
void resource_free_all(struct gpu_device *device);
/* Frees the memory of all dying resources before it returns, instead of in turns of the loop. */
void resource_reap_all(struct gpu_device *device);

/* Guest memory has changed: marks all iovecs as old, or replaces them. */
void resource_memory_changed(struct gpu_device *device);
/* Makes backing.iov valid for the present guest memory, until that changes again. False if a part
 * of the backing is not in guest memory. */
bool resource_find_memory(struct gpu_device *device, struct resource *resource);

/* Command handlers (VIRTIO 1.2, 5.7.6.8). */
int resource_create_2d(struct gpu_device *device, struct gpu_command *command);
int resource_create_3d(struct gpu_device *device, struct gpu_command *command);
int resource_unref(struct gpu_device *device, struct gpu_command *command);
int resource_attach_backing(struct gpu_device *device, struct gpu_command *command);
int resource_detach_backing(struct gpu_device *device, struct gpu_command *command);
int resource_transfer_to_host_2d(struct gpu_device *device, struct gpu_command *command);
int resource_transfer_to_host_3d(struct gpu_device *device, struct gpu_command *command);
int resource_transfer_from_host_3d(struct gpu_device *device, struct gpu_command *command);
int resource_assign_uuid(struct gpu_device *device, struct gpu_command *command);
