// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include "vhost/socket_file.h"

#include <stdbool.h>

struct vhost_socket_file {
	char *path;
	const char *name;   /* the last component of path */
	char temporary[24]; /* the name until the daemon listens; empty: the file has its final name
			     */
	int directory;      /* locked, until the file has its final name; else -1 */
	bool has_group;
	gid_t group;
	int listen_fd; /* not listening yet; -1 once handed over */
	int keeper;    /* this process's end of the socket pair; -1: there is no keeper */
	bool is_made;
	int inode; /* an O_PATH descriptor of the file, in the process that made it; else -1 */
};

/* Called in this order, in the process that makes the file. The first two return NULL, or an error
 * message that is freed with g_free(). */

/* Binds file->listen_fd to a temporary name and locks the directory. After an error there is no
 * file. */
char *socket_name_make(struct vhost_socket_file *file);
/* Renames the file to its final name; file->listen_fd must listen. After an error there is no file.
 */
char *socket_name_publish(struct vhost_socket_file *file);
/* Removes the file under its present name. 0, or an errno (ENOENT if a temporary name is gone; 0 if
 * the final name is gone or another file has it). After socket_name_publish() it needs only fstat,
 * lstat and unlink, and allocates nothing. */
int socket_name_remove(const struct vhost_socket_file *file);
