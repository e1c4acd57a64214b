// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gpu_device;
struct renderer_blob_export;
struct resource;

/* Bytes. Host blobs are charged and mapped in units of this. If the guest negotiated
 * VIRTIO_GPU_F_BLOB_ALIGNMENT, the size of each blob must be a multiple of it. */
#define BLOB_PAGE UINT64_C(4096)

/* Bytes of the whole pages that a blob of @size bytes (at most INT64_MAX) takes. */
static inline uint64_t blob_memory_size(uint64_t size)
{
	return (size + BLOB_PAGE - 1) / BLOB_PAGE * BLOB_PAGE;
}

/* Exports the host blob @resource as a memfd or a dma-buf that is at least as large as the blob.
 * The caller owns ret->fd. Returns 0, VIRTIO_GPU_RESP_ERR_UNSPEC if its memory is neither or too
 * small, or -errno. */
int blob_memory_export(struct gpu_device *device, const struct resource *resource,
		       struct renderer_blob_export *ret);

/* Whether @fd, which blob_memory_export() returned, is a dma-buf; if not, it is a memfd. */
bool blob_memory_is_dmabuf(int fd);
