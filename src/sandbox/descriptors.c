// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Descriptors that the parent left open could be used by a guest that has taken over the daemon,
 * for example a directory whose ".." leads out of the file tree. Descriptors inherited through exec
 * have no FD_CLOEXEC. All that this process and its libraries open themselves have it.
 *
 * A file on which this process holds a lock, such as libvirt's pid file, must not be closed.
 * Closing any descriptor of it would release the lock, and libvirt would take the daemon for dead.
 * So locked files are recognised by device and inode, and never opened here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/sandbox_private.h"

#define LOG_MODULE "sandbox"
#include "base/log.h"

struct inode {
	dev_t device;
	ino_t number;
};

static bool holds_lock(int fd)
{
	char path[64], text[1024] = "";

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	auto_fd info = open(path, O_RDONLY | O_CLOEXEC);

	return info >= 0 && read(info, text, sizeof(text) - 1) > 0 && strstr(text, "\nlock:");
}

/* The files on which this process holds a lock through one of @fds. */
static GArray *list_locked(const GArray *fds)
{
	GArray *locked = g_array_new(false, false, sizeof(struct inode));
	struct stat st;

	for (unsigned i = 0; i < fds->len; i++) {
		int fd = g_array_index(fds, int, i);

		if (fstat(fd, &st) == 0 && holds_lock(fd)) {
			struct inode inode = { st.st_dev, st.st_ino };

			g_array_append_val(locked, inode);
		}
	}
	return locked;
}

static bool is_locked(const GArray *locked, const struct stat *st)
{
	for (unsigned i = 0; i < locked->len; i++) {
		const struct inode *inode = &g_array_index(locked, struct inode, i);

		if (inode->device == st->st_dev && inode->number == st->st_ino)
			return true;
	}
	return false;
}

static bool may_stay(int fd, int keep_fd, const GArray *locked)
{
	struct stat st;

	if (fd == keep_fd || fstat(fd, &st) < 0)
		return true;
	if (S_ISDIR(st.st_mode))
		return false;
	return fd <= STDERR_FILENO || is_locked(locked, &st) || (fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

int descriptors_close_inherited(int keep_fd)
{
	g_autoptr(GArray) fds = fd_list();

	if (!fds)
		return -errno;
	g_autoptr(GArray) locked = list_locked(fds);

	for (unsigned i = 0; i < fds->len; i++) {
		int fd = g_array_index(fds, int, i);

		if (may_stay(fd, keep_fd, locked))
			continue;
		log_debug("closed descriptor %d, which the parent left open", fd);
		close(fd);
	}
	fd_open_standard();
	return 0;
}

GArray *descriptors_find(const char *prefix)
{
	GArray *found = g_array_new(false, false, sizeof(int));
	g_autoptr(GArray) fds = fd_list();

	for (unsigned i = 0; fds && i < fds->len; i++) {
		int fd = g_array_index(fds, int, i);
		char link[64], target[256] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, target, sizeof(target) - 1) > 0 &&
		    g_str_has_prefix(target, prefix))
			g_array_append_val(found, fd);
	}
	return found;
}
