// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include "vhost/socket_file.h"

#include <stdbool.h>

struct vhost_socket_file {
	char *path;
	const char *name;   /* in its directory: the end of path */
	char temporary[24]; /* name until the daemon listens; empty: it has the other */
	int directory;      /* locked, until the file has its name; else -1 */
	bool has_group;
	gid_t group;
	int listen_fd; /* not listening yet; -1 once handed over */
	int keeper;    /* the socket pair's end of this process; -1: there is no keeper */
	bool is_made;
	int inode; /* O_PATH of the file, in the process that made it; else -1 */
};

/* In the process that makes the file, in this order. A sentence is freed with g_free(). */

/* Under its temporary name, bound to file->listen_fd; the directory is locked. NULL, or a sentence,
 * and then there is no file. */
char *socket_name_make(struct vhost_socket_file *file);
/* When file->listen_fd listens: under its own name. NULL, or a sentence, and then there is no file.
 */
char *socket_name_publish(struct vhost_socket_file *file);
/* Whatever name it has. 0, also if it is not there any more, or an errno. After _publish it takes
 * fstat, lstat and unlink, and allocates nothing. */
int socket_name_remove(const struct vhost_socket_file *file);
