// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The file that a front-end connects to. A process of its own makes it and removes it: the keeper.
 * The daemon itself then needs no directory that it can write. */

#include <sys/types.h>

struct vhost_socket_file;

struct vhost_socket_file_options {
	const char *path;   /* borrowed */
	const gid_t *group; /* borrowed; may connect, besides the owner; NULL: the umask decides */
	/* Called in the keeper when the file is there: leaves it the system calls for what it has
	 * left to do, which are recvfrom, sendto, fstat, lstat, unlink and exit. NULL: none is
	 * taken. */
	void (*confine)(void);
};

/*
 * Starts the keeper, in a process without threads; nothing is at the path yet. If the host allows
 * no process the file is made at once and listened on, with a warning that it will stay. NULL with
 * one sentence in *@ret_message (freed with g_free()) if there can be no such file.
 */
struct vhost_socket_file *vhost_socket_file_new(const struct vhost_socket_file_options *options,
						char **ret_message);

/* Borrowed: the path as it was given. */
const char *vhost_socket_file_path(const struct vhost_socket_file *file);

/* Listens, then makes the file: *@ret_fd is the caller's. A socket file whose owner is dead is
 * replaced. NULL, or one sentence (freed with g_free()): somebody listens there, no such
 * directory, ... */
char *vhost_socket_file_listen(struct vhost_socket_file *file, int *ret_fd);

/* Removes the file, if it is still the one that was made. The keeper does so too when this process
 * ends in another way. NULL is fine. */
void vhost_socket_file_free(struct vhost_socket_file *file);
