// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Blob resources (VIRTIO 1.2, 5.7.6.8: RESOURCE_CREATE_BLOB). A blob of guest memory needs no host
 * memory: its bytes are in its backing, and the display reads them from there. Only a renderer with
 * a hook for blobs makes a resource for such a blob; otherwise the blob's handle is NULL.
 *
 * A host blob is memory of the renderer: made in a context, or identified by a blob id that the
 * guest and the context agreed upon. Its size, rounded up to whole pages, is counted against the
 * device's limit on host memory, however much memory the renderer takes for it. It is also an open
 * file of this process, so its creation fails when few descriptors are left: without one the
 * front-end's next request that has a descriptor would end the session.
 */
#include "gpu/blob.h"

#include "base/fd.h"
#include "gpu/blob_memory.h"
#include "gpu/command.h"
#include "gpu/context.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"

#define KNOWN_FLAGS                                                                                \
	(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE | VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE |                  \
	 VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE)

/* Descriptors that host blobs leave for the front-end's requests, the display, contexts, and maps
 * that wait. */
#define SPARE_FDS 2048

/* Makes the renderer's resource, if the renderer has a hook for blobs. Returns 0, RESP_ERR_* or
 * -errno. */
static int create_handle(struct gpu_device *device,
			 const struct virtio_gpu_resource_create_blob *request,
			 struct resource *resource)
{
	const struct renderer_ops *ops = device->renderer->ops;
	const struct renderer_blob_args args = {
		.id = resource->id,
		.ctx_id = request->hdr.ctx_id,
		.blob_mem = request->blob_mem,
		.blob_flags = request->blob_flags,
		.blob_id = request->blob_id,
		.size = request->size,
		.iov = resource->backing.iov,
		.n_iov = resource->backing.n_iov,
	};

	if (!ops->resource_create_blob)
		return 0;
	return renderer_call(device->renderer, resource_create_blob, &args, &resource->handle);
}

/* Reads the guest's list of memory entries, and makes the renderer's resource. */
static int create_parts(struct gpu_device *device, struct gpu_command *command,
			struct resource *resource)
{
	const struct virtio_gpu_resource_create_blob *request = &command->request.create_blob;
	const bool has_backing = request->blob_mem != VIRTIO_GPU_BLOB_MEM_HOST3D;
	int r = 0;

	if (has_backing)
		r = resource_read_backing(device, command, sizeof(*request), request->nr_entries,
					  &resource->backing);
	if (r != 0)
		return r;
	if (has_backing && request->size > resource->backing.size)
		r = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	else
		r = create_handle(device, request, resource);
	if (r != 0)
		resource_forget_backing(device, &resource->backing);
	return r;
}

/* Returns 0 or RESP_ERR_*. */
static int check_guest_blob(const struct virtio_gpu_resource_create_blob *request)
{
	return request->blob_mem == VIRTIO_GPU_BLOB_MEM_GUEST
		       ? 0
		       : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

static int check_host_blob(struct gpu_device *device,
			   const struct virtio_gpu_resource_create_blob *request)
{
	bool has_backing = request->blob_mem == VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST;

	if (!has_backing && request->nr_entries != 0)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (!context_find(device, request->hdr.ctx_id))
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (request->size > device->limits.max_hostmem || !device_may_allocate(device) ||
	    !fd_has_spare(SPARE_FDS))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	return 0;
}

static bool is_host_blob(const struct gpu_device *device,
			 const struct virtio_gpu_resource_create_blob *request)
{
	return device->renderer->can_export_blobs &&
	       (request->blob_mem == VIRTIO_GPU_BLOB_MEM_HOST3D ||
		request->blob_mem == VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST);
}

/* Whether @size meets the alignment that VIRTIO_GPU_F_BLOB_ALIGNMENT demands, if it is
 * negotiated. */
static bool is_aligned(const struct gpu_device *device, uint64_t size)
{
	return !device_has_feature(device, GPU_F_BLOB_ALIGNMENT) || size % BLOB_PAGE == 0;
}

int blob_create(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_create_blob *request = &command->request.create_blob;
	const bool is_host = is_host_blob(device, request);
	g_autofree struct resource *resource = NULL;

	if (request->blob_flags & ~KNOWN_FLAGS || request->size == 0 ||
	    !is_aligned(device, request->size))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	int r = is_host ? check_host_blob(device, request) : check_guest_blob(request);
	if (r == 0)
		r = resource_new(device, request->resource_id,
				 is_host ? blob_memory_size(request->size) : 0, &resource);
	if (r != 0)
		return r;
	resource->kind = is_host ? RESOURCE_BLOB_HOST : RESOURCE_BLOB_GUEST;
	resource->blob_size = request->size;
	resource->is_mappable = is_host && request->blob_flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE;
	r = create_parts(device, command, resource);
	if (r != 0)
		return r; /* NOLINT(clang-analyzer-unix.Malloc): the cleanup attribute frees it */
	resource_add(device, g_steal_pointer(&resource));
	return 0;
}
