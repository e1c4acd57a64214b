// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Loaded into the daemon with LD_PRELOAD: the memfds of the null renderer's host blobs pass for
 * dma-bufs, because few hosts can make real ones. pread() fails, as with a real one. What is mapped
 * can be read between the two calls of DMA_BUF_IOCTL_SYNC only; elsewhere the read ends the
 * process. With $VMM_DMABUF_IS_UNMAPPABLE, mmap() fails too.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef DMA_BUF_MAGIC
#define DMA_BUF_MAGIC 0x444d4142
#endif
#ifdef SYS_fcntl64
#define SYS_FCNTL SYS_fcntl64
#else
#define SYS_FCNTL SYS_fcntl
#endif
#define MAX_BLOBS    8
#define MAX_MAPPINGS 8

static ino_t blobs[MAX_BLOBS];
static struct mapping {
	ino_t blob;
	void *at; /* NULL: a free place */
	size_t size;
} mappings[MAX_MAPPINGS];

/* The number of the blob that @fd is open on; 0: another file. */
static ino_t find_blob(int fd)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	for (unsigned i = 0; i < MAX_BLOBS; i++)
		if (blobs[i] == st.st_ino)
			return st.st_ino;
	return 0;
}

static struct mapping *find_mapping(const void *at)
{
	for (unsigned i = 0; i < MAX_MAPPINGS; i++)
		if (mappings[i].at == at)
			return &mappings[i];
	return NULL;
}

/* In the place of the C library's, as are all that follow. */
int memfd_create(const char *name, unsigned flags)
{
	static unsigned n_blobs;
	int fd = (int)syscall(SYS_memfd_create, name, flags);
	struct stat st;

	if (fd >= 0 && strcmp(name, "blob") == 0 && n_blobs < MAX_BLOBS && fstat(fd, &st) == 0)
		blobs[n_blobs++] = st.st_ino;
	return fd;
}

int fcntl(int fd, int command, ...)
{
	va_list args;

	va_start(args, command);
	void *arg = va_arg(args, void *);
	va_end(args);
	if (command != F_GET_SEALS || !find_blob(fd))
		return (int)syscall(SYS_FCNTL, fd, command, arg);
	errno = EINVAL;
	return -1;
}

int fstatfs(int fd, struct statfs *st)
{
	int (*next)(int, struct statfs *) = dlsym(RTLD_NEXT, "fstatfs64");

	if (!find_blob(fd))
		return next(fd, st);
	memset(st, 0, sizeof(*st));
	st->f_type = DMA_BUF_MAGIC;
	return 0;
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
	const struct iovec iov = { data, size };

	if (!find_blob(fd))
		return preadv(fd, &iov, 1, offset);
	errno = EINVAL;
	return -1;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	void *(*next)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, "mmap64");
	struct mapping *place = find_mapping(NULL);
	ino_t blob = find_blob(fd);

	if (!blob)
		return next(at, size, protection, flags, fd, offset);
	if (protection != PROT_READ || !place)
		abort();
	errno = ENODEV;
	if (getenv("VMM_DMABUF_IS_UNMAPPABLE"))
		return MAP_FAILED;
	*place = (struct mapping){ blob, next(at, size, PROT_NONE, flags, fd, offset), size };
	return place->at;
}

int munmap(void *at, size_t size)
{
	struct mapping *mapping = find_mapping(at);

	if (mapping)
		mapping->at = NULL;
	return (int)syscall(SYS_munmap, at, size);
}

static int sync_blob(ino_t blob, const struct dma_buf_sync *sync)
{
	int protection = sync->flags & DMA_BUF_SYNC_END ? PROT_NONE : PROT_READ;

	if (!(sync->flags & DMA_BUF_SYNC_READ))
		abort();
	for (unsigned i = 0; i < MAX_MAPPINGS; i++)
		if (mappings[i].at && mappings[i].blob == blob)
			mprotect(mappings[i].at, mappings[i].size, protection);
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	ino_t blob = find_blob(fd);
	va_list args;

	va_start(args, request);
	void *arg = va_arg(args, void *);
	va_end(args);
	return request == DMA_BUF_IOCTL_SYNC && blob ? sync_blob(blob, arg)
						     : (int)syscall(SYS_ioctl, fd, request, arg);
}
