// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The CPU writes the pages at any time, and a device that the display uses (a GPU) reads them. On
 * machines whose devices do not see the CPU's caches, udmabuf_flush() writes the caches back: the
 * ioctl that ends an access of the CPU (DMA_BUF_SYNC_END) does this. Each end should have a begin
 * (DMA_BUF_SYNC_START), but that ioctl waits until devices have read the buffer, and the daemon
 * must never wait for a display. So DMA_BUF_SYNC_START is called only once, when the dma-buf is
 * made and no device knows it, and DMA_BUF_SYNC_END at each flush.
 */
#include "base/udmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>

#include "base/fd.h"

_Static_assert(offsetof(struct udmabuf_list, items) == sizeof(struct udmabuf_create_list),
	       "struct udmabuf_list begins as the kernel's list does");

int udmabuf_open(void)
{
	int fd = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

bool udmabuf_accepts(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK) && !(seals & F_SEAL_WRITE);
}

int udmabuf_list_add(struct udmabuf_list *list, int fd, uint64_t offset, uint64_t size)
{
	struct udmabuf_create_item *last = list->count > 0 ? &list->items[list->count - 1] : NULL;

	if (size > UDMABUF_MAX_BYTES - list->size)
		return -E2BIG;
	if (last && last->memfd == (uint32_t)fd && last->offset + last->size == offset) {
		last->size += size;
	} else {
		if (list->count == UDMABUF_MAX_PIECES)
			return -E2BIG;
		list->items[list->count++] = (struct udmabuf_create_item){
			.memfd = (uint32_t)fd,
			.offset = offset,
			.size = size,
		};
	}
	list->size += size;
	return 0;
}

static int sync_cpu(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags | DMA_BUF_SYNC_WRITE };

	return ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) < 0 ? -errno : 0;
}

int udmabuf_new(int device, struct udmabuf_list *list)
{
	list->flags = UDMABUF_FLAGS_CLOEXEC;
	auto_fd fd = ioctl(device, UDMABUF_CREATE_LIST, list);

	if (fd < 0)
		return -errno;
	int r = sync_cpu(fd, DMA_BUF_SYNC_START);

	return r < 0 ? r : fd_steal(&fd);
}

void udmabuf_flush(int fd)
{
	(void)sync_cpu(fd, DMA_BUF_SYNC_END);
}
