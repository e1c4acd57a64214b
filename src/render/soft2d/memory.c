// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Large pictures have a mapping of their own, small ones are allocated. A picture that the display
 * may get as a dma-buf is in a memfd from the start: to move it there when it is first shown would
 * copy all of it in one turn of the loop.
 */
#include "render/soft2d/memory_private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/udmabuf.h"

/* Pictures of at least this size have their own mapping: pages that no transfer touches take no
 * memory. */
#define MAP_MIN_SIZE (128 * 1024)
/* Pictures between these sizes are most likely screens and may have huge pages: our copy into them
 * and the kernel's copy out of them then need far fewer TLB entries. With larger pictures the
 * device would wait more often while the kernel clears a huge page, which takes 10 ms in a virtual
 * machine. */
#define HUGE_MIN_SIZE (4 * 1024 * 1024)
#define HUGE_MAX_SIZE (64 * 1024 * 1024)
/* Bytes to unmap in one call when a picture is freed: the call takes some 100 microseconds, more
 * with small pages. */
#define UNMAP_SIZE (2 * 1024 * 1024)

/* @size in whole pages. */
static uint64_t round_up(uint64_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

uint64_t soft2d_memory_cost(uint64_t size)
{
	return size >= MAP_MIN_SIZE ? round_up(size) : size;
}

bool soft2d_memory_may_be_shared(size_t size)
{
	return size >= MAP_MIN_SIZE && round_up(size) <= UDMABUF_MAX_BYTES;
}

/* A memfd that cannot be made shorter; -1: the host has none to give. */
static int new_memfd(size_t size)
{
	auto_fd fd = memfd_create("picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)round_up(size)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -1;
	return fd_steal(&fd);
}

static uint8_t *map_data(size_t size, int memfd)
{
	const int flags = memfd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, memfd, 0);

	if (data == MAP_FAILED)
		return NULL;
	if (size >= HUGE_MIN_SIZE && size <= HUGE_MAX_SIZE)
		(void)madvise(data, size, MADV_HUGEPAGE);
	return data;
}

bool soft2d_memory_init(struct soft2d_memory *memory, size_t size, bool is_shared)
{
	*memory = (struct soft2d_memory){ .size = size, .memfd = is_shared ? new_memfd(size) : -1 };
	memory->data = size < MAP_MIN_SIZE ? g_try_malloc0(size) : map_data(size, memory->memfd);
	if (!memory->data)
		fd_close(&memory->memfd);
	return memory->data;
}

bool soft2d_memory_shrink(struct soft2d_memory *memory)
{
	if (memory->size <= UNMAP_SIZE)
		return false;

	size_t left = (memory->size - 1) / UNMAP_SIZE * UNMAP_SIZE;
	size_t released = memory->size - left;

	if (memory->memfd >= 0)
		(void)madvise(memory->data + left, released, MADV_REMOVE); /* frees the pages */
	munmap(memory->data + left, released);
	memory->size = left;
	return true;
}

void soft2d_memory_finish(struct soft2d_memory *memory)
{
	if (memory->size < MAP_MIN_SIZE)
		g_free(memory->data);
	else
		munmap(memory->data, memory->size);
	fd_close(&memory->memfd);
}

int soft2d_memory_export(const struct soft2d_memory *memory, int udmabuf)
{
	g_autofree struct udmabuf_list *list = NULL;

	if (memory->memfd < 0)
		return -ENOTSUP;
	list = g_try_new0(struct udmabuf_list, 1);
	if (!list)
		return -ENOMEM;
	int r = udmabuf_list_add(list, memory->memfd, 0, round_up(memory->size));

	return r < 0 ? r : udmabuf_new(udmabuf, list);
}
