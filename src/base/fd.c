// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Each file descriptor has one owner. An owning variable holds -1 when it owns none, so a
 * descriptor is never closed twice, or closed after it was handed over.
 */
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

void fd_open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	fd_close(&fd);
}

void fd_reserve(int fd)
{
	if (fcntl(fd, F_GETFD) >= 0)
		return;

	auto_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null == fd)
		fd_steal(&null);
	else if (null >= 0)
		dup3(null, fd, O_CLOEXEC);
}

GArray *fd_list(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	GArray *fds;

	if (!dir)
		return NULL;
	fds = g_array_new(false, false, sizeof(int));
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] != '.' && fd != dirfd(dir))
			g_array_append_val(fds, fd);
	}
	closedir(dir);
	return fds;
}

/* A new descriptor gets the lowest free number, so at least as many are open as that number says.
 */
bool fd_has_spare(unsigned n)
{
	auto_fd lowest = eventfd(0, EFD_CLOEXEC);
	struct rlimit limit;

	if (lowest < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	return (rlim_t)lowest < limit.rlim_cur - MIN(n, limit.rlim_cur / 2);
}

bool fd_is_listening(int fd)
{
	int is_listening = 0;
	socklen_t size = sizeof(is_listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) == 0 && is_listening;
}

bool fd_is_connected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
}
