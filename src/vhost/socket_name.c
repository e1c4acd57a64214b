// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Makes the socket file. The invariant: a connection to the file is never refused, not even right
 * after the file appears; and if several daemons start with the same path, exactly one gets it.
 *
 * The file is made with a temporary name, ".gpu-PID" in the same directory (ss(8) shows this name
 * for ever). It is renamed when the daemon listens. The directory is locked (flock) from the check
 * of the path to the renaming. A directory that cannot be read cannot be locked: there two daemons
 * may both replace a stale file, and the later one gets the path.
 *
 * An existing file is replaced only if it is a socket and a connection to it is refused, because
 * then its owner is dead. Any other file is an error. The permissions of the file follow the umask
 * (0755 in most places), or are 0660 if a group is given. Connecting needs write permission, so by
 * default only the daemon's own user can connect.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "vhost/socket_file_private.h"

/* A daemon that starts holds the lock for milliseconds. */
#define LOCK_TRIES  2000
#define LOCK_TRY_US 1000

/* Sets *@ret to whether a stale socket is at the path; false if nothing is there. Returns NULL, or
 * an error message (one sentence) if the file there must not be replaced. */
static char *look_at_path(const char *path, bool *ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;

	*ret = false;
	if (lstat(path, &st) < 0)
		return errno == ENOENT
			       ? NULL
			       : g_strdup_printf("cannot look at %s: %s", path, g_strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return g_strdup_printf("%s exists and is not a socket", path);

	/* Connecting with SOCK_DGRAM fails with EPROTOTYPE if somebody listens. A stream connection
	 * would start a session, and could end a daemon with --once. */
	auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return g_strdup_printf("cannot create a socket: %s", g_strerror(errno));
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EPROTOTYPE)
		return g_strdup_printf("%s is in use by another process", path);
	if (errno != ECONNREFUSED)
		return g_strdup_printf("%s exists, and a connection to it failed: %s", path,
				       g_strerror(errno));
	*ret = true;
	return NULL;
}

/* NULL, or a sentence. */
static char *lock_directory(struct vhost_socket_file *file)
{
	const size_t len = (size_t)(file->name - file->path);
	g_autofree char *path = len > 0 ? g_strndup(file->path, len) : g_strdup(".");
	const int flags = O_DIRECTORY | O_CLOEXEC;

	file->directory = open(path, flags | O_RDONLY);
	if (file->directory < 0 && errno == EACCES)
		file->directory = open(path, flags | O_PATH);
	if (file->directory < 0)
		return g_strdup_printf("cannot bind to %s: %s", file->path, g_strerror(errno));
	for (unsigned i = 0; i < LOCK_TRIES; i++) {
		/* Another error: the file system has no locks, or the directory cannot be read
		 * (O_PATH). Continue without a lock. */
		if (flock(file->directory, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
			return NULL;
		g_usleep(LOCK_TRY_US);
	}
	return g_strdup_printf("cannot bind to %s: another process has locked its directory",
			       file->path);
}

int socket_name_remove(const struct vhost_socket_file *file)
{
	struct stat mine, there;

	if (file->temporary[0])
		return unlinkat(file->directory, file->temporary, 0) < 0 ? errno : 0;
	if (file->inode < 0 || fstat(file->inode, &mine) < 0 || lstat(file->path, &there) < 0 ||
	    mine.st_dev != there.st_dev || mine.st_ino != there.st_ino)
		return 0;
	return unlink(file->path) < 0 ? errno : 0;
}

/* Binds to @name in the directory, through /proc/self/fd if the path is too long. 0, or -1 with
 * errno set. */
static int bind_temporary(const struct vhost_socket_file *file, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int len = (int)(file->name - file->path);
	const size_t size = sizeof(address.sun_path);

	if ((size_t)snprintf(address.sun_path, size, "%.*s%s", len, file->path, name) >= size)
		snprintf(address.sun_path, size, "/proc/self/fd/%d/%s", file->directory, name);
	unlinkat(file->directory, name, 0); /* left by a killed process with the same pid */
	return bind(file->listen_fd, (struct sockaddr *)&address, sizeof(address));
}

/* The group can be set after the mode, because nobody can connect before listen(). NULL, or a
 * sentence. */
static char *bind_file(struct vhost_socket_file *file)
{
	char name[sizeof(file->temporary)];

	snprintf(name, sizeof(name), ".gpu-%d", (int)getpid());

	mode_t umask_before = file->has_group ? umask(0117) : 0;
	int r = bind_temporary(file, name);
	int error = errno;

	if (file->has_group)
		umask(umask_before);
	if (r < 0)
		return g_strdup_printf("cannot bind to %s: %s", file->path, g_strerror(error));
	memcpy(file->temporary, name, sizeof(name));
	file->inode = openat(file->directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (file->inode < 0)
		return g_strdup_printf("cannot look at %s: %s", file->path, g_strerror(errno));
	if (file->has_group &&
	    fchownat(file->directory, name, (uid_t)-1, file->group, AT_SYMLINK_NOFOLLOW) < 0)
		return g_strdup_printf("cannot give %s to group %u: %s", file->path, file->group,
				       g_strerror(errno));
	return NULL;
}

char *socket_name_make(struct vhost_socket_file *file)
{
	bool is_stale;
	char *sentence = lock_directory(file);

	if (!sentence)
		sentence = look_at_path(file->path, &is_stale);
	if (!sentence)
		sentence = bind_file(file);
	if (sentence) {
		socket_name_remove(file);
		file->temporary[0] = '\0';
	}
	return sentence;
}

/* Renames the temporary file to its final name. Fails if a file has that name, unless the file
 * system has no RENAME_NOREPLACE: then that file is replaced. 0 or an errno. */
static int rename_file(const struct vhost_socket_file *file)
{
	const int directory = file->directory;

	if (renameat2(directory, file->temporary, directory, file->name, RENAME_NOREPLACE) == 0)
		return 0;
	/* Some file systems do not support this flag. */
	if ((errno != EINVAL && errno != ENOSYS) ||
	    renameat(directory, file->temporary, directory, file->name) < 0)
		return errno;
	return 0;
}

char *socket_name_publish(struct vhost_socket_file *file)
{
	bool is_stale;
	char *sentence = look_at_path(file->path, &is_stale);

	if (!sentence && is_stale && unlinkat(file->directory, file->name, 0) < 0)
		sentence = g_strdup_printf("cannot remove the stale socket %s: %s", file->path,
					   g_strerror(errno));
	int error = sentence ? 0 : rename_file(file);

	if (error)
		sentence = g_strdup_printf("cannot bind to %s: %s", file->path, g_strerror(error));
	if (sentence)
		socket_name_remove(file);
	file->temporary[0] = '\0';
	fd_close(&file->directory);
	return sentence;
}
