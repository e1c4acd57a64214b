// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The memory of a host blob, as a descriptor. The renderer exports it, and this file checks its
 * kind and size: the front-end maps it into the guest, so it must be a memfd or a dma-buf (not a
 * file or a device of the host), and at least as large as the blob.
 */
#include "gpu/blob_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"

#define LOG_MODULE "blob"
#include "base/log.h"

#ifndef DMA_BUF_MAGIC
#define DMA_BUF_MAGIC 0x444d4142
#endif

static bool is_memfd(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0;
}

bool blob_memory_is_dmabuf(int fd)
{
	struct statfs st;

	return !is_memfd(fd) && fstatfs(fd, &st) == 0 && st.f_type == DMA_BUF_MAGIC;
}

static bool is_long_enough(int fd, uint64_t size)
{
	off_t end = lseek(fd, 0, SEEK_END); /* fstat() does not know the size of a dma-buf */

	return end >= 0 && (uint64_t)end >= size;
}

int blob_memory_export(struct gpu_device *device, const struct resource *resource,
		       struct renderer_blob_export *ret)
{
	struct renderer *renderer = device->renderer;
	struct renderer_blob_export export = { .fd = -1 };

	if (!renderer->ops->blob_export || !resource->handle)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	int r = renderer_call(renderer, blob_export, resource->handle, &export);
	auto_fd fd = export.fd;

	if (r != 0) {
		log_debug("resource %u: its memory cannot be mapped (%d)", resource->id, r);
		return r == -ENOTSUP ? VIRTIO_GPU_RESP_ERR_UNSPEC : r;
	}
	if (!(is_memfd(fd) || blob_memory_is_dmabuf(fd)) ||
	    !is_long_enough(fd, blob_memory_size(resource->blob_size))) {
		log_debug("resource %u: its memory is not a memfd or dma-buf of at least its size",
			  resource->id);
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	export.fd = fd_steal(&fd);
	*ret = export;
	return 0;
}
