// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Reads the pixels of a host blob, for a display that cannot show it as a dma-buf. A memfd is read
 * with pread() and not through a mapping, because another process may truncate it. A dma-buf cannot
 * be read with pread(), and its size never changes: it is mapped, and read between two calls of
 * DMA_BUF_IOCTL_SYNC. Some drivers' dma-bufs cannot be mapped by the CPU.
 */
#include "gpu/blob_reader.h"

#include <errno.h>
#include <linux/dma-buf.h>
#include <linux/virtio_gpu.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "gpu/blob_memory.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"

#define LOG_MODULE "blob"
#include "base/log.h"

static const uint8_t *map_dmabuf(int fd, uint64_t size)
{
	if ((size_t)size != size)
		return NULL;
	void *data = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);

	if (data != MAP_FAILED)
		return data;
	log_debug("cannot map a dma-buf of %llu bytes: %s", (unsigned long long)size,
		  strerror(errno));
	return NULL;
}

int blob_reader_open(struct gpu_device *device, const struct resource *resource,
		     struct blob_reader *reader)
{
	const uint64_t size = blob_memory_size(resource->blob_size);
	struct renderer_blob_export memory;
	int r = blob_memory_export(device, resource, &memory);

	if (r != 0)
		return r;
	*reader = (struct blob_reader){ .fd = memory.fd };
	if (!blob_memory_is_dmabuf(memory.fd))
		return 0;
	reader->data = map_dmabuf(memory.fd, size);
	reader->size = (size_t)size;
	if (reader->data)
		return 0;
	blob_reader_close(reader);
	return VIRTIO_GPU_RESP_ERR_UNSPEC;
}

static bool read_memfd(int fd, uint64_t offset, uint8_t *data, size_t size)
{
	return pread(fd, data, size, (off_t)offset) == (ssize_t)size;
}

static bool copy_from_memfd(int fd, const struct blob_rows *rows, uint8_t *data)
{
	uint64_t offset = rows->offset;

	if (rows->stride == rows->size)
		return read_memfd(fd, offset, data, (size_t)rows->size * rows->count);
	for (uint32_t y = 0; y < rows->count; y++, offset += rows->stride, data += rows->size)
		if (!read_memfd(fd, offset, data, rows->size))
			return false;
	return true;
}

static bool sync_dmabuf(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags | DMA_BUF_SYNC_READ };
	int r;

	do
		r = ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
	while (r < 0 && (errno == EINTR || errno == EAGAIN));
	return r == 0;
}

static bool copy_from_dmabuf(const struct blob_reader *reader, const struct blob_rows *rows,
			     uint8_t *data)
{
	const uint8_t *from = reader->data + rows->offset;

	if (!sync_dmabuf(reader->fd, DMA_BUF_SYNC_START))
		return false;
	for (uint32_t y = 0; y < rows->count; y++, from += rows->stride, data += rows->size)
		memcpy(data, from, rows->size);
	return sync_dmabuf(reader->fd, DMA_BUF_SYNC_END);
}

bool blob_reader_copy(struct gpu_device *device, const struct blob_reader *reader,
		      const struct blob_rows *rows, void *data)
{
	struct state_lock *lock = device->renderer->lock;

	if (!reader->data)
		return copy_from_memfd(reader->fd, rows, data);
	state_lock_release(lock);
	bool is_copied = copy_from_dmabuf(reader, rows, data);
	state_lock_take(lock);
	return is_copied;
}

void blob_reader_close(struct blob_reader *reader)
{
	if (reader->data)
		munmap((void *)reader->data, reader->size);
	reader->data = NULL;
	fd_close(&reader->fd);
}
