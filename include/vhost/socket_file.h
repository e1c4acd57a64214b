// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The socket file that a front-end connects to. A separate process, the keeper, makes and removes
 * it, so the daemon itself needs no access to the directory. */

#include <sys/types.h>

struct vhost_socket_file;

struct vhost_socket_file_options {
	const char *path;   /* borrowed */
	const gid_t *group; /* borrowed; this group may connect too; NULL: as the umask says */
	/* Optional. Called in the keeper when it has made the file: may forbid every system call
	 * but recvfrom, sendto, fstat, lstat, unlink and exit. */
	void (*confine)(void);
};

/*
 * Starts the keeper; called in a process without threads. The file is not made yet. If the keeper
 * cannot be started, the file is made and listened on at once, with a warning that it may stay
 * after the daemon ends. On failure NULL, with one sentence in *@ret_message (freed with g_free()).
 */
struct vhost_socket_file *vhost_socket_file_new(const struct vhost_socket_file_options *options,
						char **ret_message);

/* Borrowed: the path as it was given. */
const char *vhost_socket_file_path(const struct vhost_socket_file *file);

/* Makes the socket file. When it appears, the socket, *@ret_fd (the caller's), listens already.
 * Without a keeper vhost_socket_file_new() has already made the file and called listen(). A socket
 * file whose owner is dead is replaced. NULL, or one sentence (freed with g_free()): another
 * process listens there, no such directory, ... */
char *vhost_socket_file_listen(struct vhost_socket_file *file, int *ret_fd);

/* Removes the file, if it is still the one that was made. If this process ends in another way, the
 * keeper removes it. NULL is fine. */
void vhost_socket_file_free(struct vhost_socket_file *file);
