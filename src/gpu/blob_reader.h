// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpu_device;
struct resource;

/* The memory of a host blob, open for reading. */
struct blob_reader {
	int fd;
	const uint8_t *data; /* the mapping of a dma-buf; NULL: fd is a memfd */
	size_t size;         /* bytes of the mapping */
};

/* Rows of pixels in a blob. */
struct blob_rows {
	uint64_t offset, stride; /* bytes: of the first row, and from row to row */
	uint32_t size, count;    /* bytes of a row, at most @stride; rows */
};

/* Opens the host blob @resource. Returns 0, VIRTIO_GPU_RESP_ERR_UNSPEC if the CPU cannot read its
 * memory, or -errno. */
int blob_reader_open(struct gpu_device *device, const struct resource *resource,
		     struct blob_reader *reader);

/* Copies @rows, which lie in the blob, to @data, without gaps between them. For a dma-buf it waits,
 * without the state lock, until the GPU has drawn. Returns false on an error, or if the memfd was
 * truncated before the end of the rows. */
bool blob_reader_copy(struct gpu_device *device, const struct blob_reader *reader,
		      const struct blob_rows *rows, void *data);

void blob_reader_close(struct blob_reader *reader);
