// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpu_device;
struct renderer_blob_export;
struct resource;

/* Host blobs are charged, mapped and, by guests that ask, sized in such pieces. */
#define BLOB_PAGE UINT64_C(4096)

/* Bytes of the whole pages that a blob of @size bytes (at most INT64_MAX) takes. */
static inline uint64_t blob_memory_size(uint64_t size)
{
	return (size + BLOB_PAGE - 1) / BLOB_PAGE * BLOB_PAGE;
}

/* Exports the host blob @resource: a memfd, or else a dma-buf, of at least so many bytes.
 * *@ret->fd is the caller's. 0; VIRTIO_GPU_RESP_ERR_UNSPEC if there is no such memory behind it;
 * -errno. */
int blob_memory_export(struct gpu_device *device, const struct resource *resource,
		       struct renderer_blob_export *ret);

/* Whether @fd is a dma-buf; what was exported is a memfd otherwise. */
bool blob_memory_is_dmabuf(int fd);

/* Copies @size bytes from @offset of a memfd, which may be cut short: false then, or if there is
 * nothing to be read. */
bool blob_memory_read(int fd, uint64_t offset, void *buf, size_t size);
