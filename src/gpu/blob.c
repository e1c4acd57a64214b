// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Blob resources (VIRTIO 1.2, 5.7.6.8: RESOURCE_CREATE_BLOB). A blob of guest memory needs no host
 * memory: its bytes are its backing, and the display reads them there. The renderer is told of it
 * only if it has a hook for blobs, so its handle may be NULL.
 */
#include "gpu/blob.h"

#include "gpu/command.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"

#define KNOWN_FLAGS                                                                                \
	(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE | VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE |                  \
	 VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE)

/* Makes the renderer's resource, if it wants to know of blobs. 0 or the guest's error. */
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

	if (request->size > resource->backing.size)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (!ops->resource_create_blob)
		return 0;
	return renderer_call(device->renderer, resource_create_blob, &args, &resource->handle);
}

int blob_create(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_create_blob *request = &command->request.create_blob;
	g_autofree struct resource *resource = NULL;

	if (request->blob_mem != VIRTIO_GPU_BLOB_MEM_GUEST || request->blob_flags & ~KNOWN_FLAGS ||
	    request->size == 0)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	int r = resource_new(device, request->resource_id, 0, &resource);
	if (r != 0)
		return r;
	resource->kind = RESOURCE_BLOB_GUEST;
	resource->blob_size = request->size;
	r = resource_read_backing(device, command, sizeof(*request), request->nr_entries,
				  &resource->backing);
	if (r != 0)
		return r;
	r = create_handle(device, request, resource);
	if (r != 0) {
		resource_forget_backing(device, &resource->backing);
		return r;
	}
	resource_add(device, g_steal_pointer(&resource));
	return 0;
}
