// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Loaded into the daemon with LD_PRELOAD: replaces the C library's system calls and allocator, and
 * counts their calls. The counts are in a file that the test maps too, so the test reads them
 * without a request to the daemon, which would be counted. System calls are made by number, and
 * memory comes from glibc's other names for its allocator, because looking up the next function
 * would allocate.
 */
#include "counts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static struct counts none, *counts = &none;

/* The offset of mmap2() is in units of 4096 bytes, whatever the page size. */
static void *map(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
#ifdef SYS_mmap2
	return (void *)syscall(SYS_mmap2, address, size, protection, flags, fd,
			       (unsigned long)(offset >> 12));
#elif defined(__s390x__)
	const unsigned long arguments[] = {
		(unsigned long)address,    size,
		(unsigned long)protection, (unsigned long)flags,
		(unsigned long)fd,         (unsigned long)offset,
	};

	return (void *)syscall(SYS_mmap, arguments);
#else
	return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
#endif
}

__attribute__((constructor)) static void map_counts(void)
{
	const char *path = getenv(COUNTS_ENV);
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *shared = MAP_FAILED;

	if (fd >= 0) {
		shared = map(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		syscall(SYS_close, fd);
	}
	if (shared != MAP_FAILED)
		counts = shared;
}

void *malloc(size_t size)
{
	counts->allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	counts->allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	counts->allocations++;
	return __libc_realloc(old, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	counts->allocations++;
	*ret = __libc_memalign(alignment, size);
	return *ret ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size)
{
	counts->allocations++;
	return __libc_memalign(alignment, size);
}

/* Not by memcpy(), which is this function; bcopy() is another name for memmove(). */
static void *copy(void *to, const void *from, size_t n)
{
	if (n >= COUNTS_MIN_COPY)
		counts->bytes_copied += n;
	bcopy(from, to, n);
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	return copy(to, from, n);
}

void *memmove(void *to, const void *from, size_t n)
{
	return copy(to, from, n);
}

/* With FORTIFY_SOURCE these are called if the compiler knows the size of the destination, but not
 * that the copy fits into it. */
void *__memcpy_chk(void *restrict to, const void *restrict from, size_t n, size_t room);
void *__memmove_chk(void *to, const void *from, size_t n, size_t room);
ssize_t __read_chk(int fd, void *buf, size_t size, size_t room);

void *__memcpy_chk(void *restrict to, const void *restrict from, size_t n, size_t room)
{
	return n <= room ? copy(to, from, n) : (abort(), NULL);
}

void *__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
	return n <= room ? copy(to, from, n) : (abort(), NULL);
}

int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	counts->epoll_wait++;
	counts->is_in_epoll_wait = 1;
#ifdef SYS_epoll_wait
	long n = syscall(SYS_epoll_wait, epfd, events, max, timeout);
#else
	long n = syscall(SYS_epoll_pwait, epfd, events, max, timeout, NULL, 8);
#endif
	counts->is_in_epoll_wait = 0;
	return (int)n;
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	counts->epoll_ctl++;
	return (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}

ssize_t read(int fd, void *buf, size_t size)
{
	counts->read++;
	return syscall(SYS_read, fd, buf, size);
}

ssize_t __read_chk(int fd, void *buf, size_t size, size_t room)
{
	return size <= room ? read(fd, buf, size) : (abort(), 0);
}

ssize_t write(int fd, const void *buf, size_t size)
{
	counts->write++;
	return syscall(SYS_write, fd, buf, size);
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	counts->recvmsg++;
	return syscall(SYS_recvmsg, fd, msg, flags);
}

static ssize_t sent(ssize_t n)
{
	if (n > 0)
		counts->bytes_sent += (uint64_t)n;
	return n;
}

ssize_t send(int fd, const void *buf, size_t size, int flags)
{
	counts->send++;
	return sent(syscall(SYS_sendto, fd, buf, size, flags, NULL, 0));
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	counts->sendmsg++;
	return sent(syscall(SYS_sendmsg, fd, msg, flags));
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	counts->other++;
	return map(address, size, protection, flags, fd, offset);
}

int munmap(void *address, size_t size)
{
	counts->other++;
	return (int)syscall(SYS_munmap, address, size);
}

int madvise(void *address, size_t size, int advice)
{
	counts->other++;
	return (int)syscall(SYS_madvise, address, size, advice);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
	counts->other++;
	return (int)syscall(SYS_timerfd_settime, fd, flags, value, old);
}

int fcntl(int fd, int command, ...)
{
	va_list args;

	va_start(args, command);
	long argument = va_arg(args, long);
	va_end(args);
	counts->other++;
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

int close(int fd)
{
	counts->other++;
	return (int)syscall(SYS_close, fd);
}
