// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Blobs (VIRTIO 1.2, 5.7.6.8). The host memory of a Venus context is made by its process in the
 * render server: rings and uploads are memfds, and the memory of a Vulkan device is a dma-buf if
 * its driver supports these. Other ("opaque") memory can be mapped by Vulkan alone. It is never
 * exported, whichever file backs it, because the file may begin with data of the driver.
 *
 * OpenGL contexts get no host memory. Streams that would make it are refused. Guests do not ask for
 * it: started with VIRGL_RENDERER_USE_EXTERNAL_BLOB, the library offers it to them
 * (VIRGL_CAP_ARB_BUFFER_STORAGE) only if it was built to allocate with minigbm.
 */
#include <errno.h>
#include <linux/virtio_gpu.h>

#include "base/fd.h"
#include "render/virgl/rings_private.h"

int virgl_resource_create_blob(struct renderer *renderer, const struct renderer_blob_args *args,
			       struct renderer_resource **ret)
{
	const struct virgl_renderer_resource_create_blob_args create = {
		.res_handle = args->id,
		.ctx_id = args->ctx_id,
		.blob_mem = args->blob_mem,
		.blob_flags = args->blob_flags,
		.blob_id = args->blob_id,
		.size = args->size,
		.iovecs = args->iov,
		.num_iovs = (uint32_t)args->n_iov,
	};
	struct virgl *virgl = virgl_of(renderer);
	const bool is_of_host = args->blob_mem != VIRTIO_GPU_BLOB_MEM_GUEST;

	if (is_of_host && !virgl_rings_find(virgl, args->ctx_id))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	int r = renderer_response(virgl_renderer_resource_create_blob(&create));

	if (r != 0)
		return is_of_host ? VIRTIO_GPU_RESP_ERR_UNSPEC : r;
	*ret = virgl_resource_add(virgl, &(struct renderer_resource_args){ .id = args->id }, 0);
	virgl_resource_of(*ret)->iov = args->iov;
	virgl_resource_of(*ret)->n_iov = args->n_iov;
	virgl_resource_of(*ret)->is_host_blob = is_of_host;
	return 0;
}

int virgl_resource_export_blob(struct renderer *renderer, struct renderer_resource *handle,
			       struct renderer_blob_export *ret)
{
	const struct virgl_resource *resource = virgl_resource_of(handle);
	uint32_t type, map_info;
	int exported = -1;

	(void)renderer;
	if (!resource->is_host_blob)
		return -ENOTSUP;
	if (virgl_renderer_resource_get_map_info(resource->args.id, &map_info) != 0 ||
	    virgl_renderer_resource_export_blob(resource->args.id, &type, &exported) != 0)
		return -ENOTSUP;
	auto_fd fd = exported;

	if (type != VIRGL_RENDERER_BLOB_FD_TYPE_SHM && type != VIRGL_RENDERER_BLOB_FD_TYPE_DMABUF)
		return -ENOTSUP;
	ret->fd = fd_steal(&fd);
	ret->map_info = map_info & VIRGL_RENDERER_MAP_CACHE_MASK;
	return 0;
}
