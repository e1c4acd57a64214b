// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Where sessions come from: a listening socket, or one inherited connection. One session at a time.
 */

#include <stdbool.h>

struct loop;
struct vhost_backend;
struct vhost_server;
struct vhost_socket_file;
struct vhost_watchdog;

struct vhost_server_options {
	struct vhost_socket_file *socket_file; /* borrowed; outlives the server; NULL with @fd */
	int fd;       /* a connected socket, taken also on failure; -1 with @socket_file */
	bool is_once; /* quit the loop when the first session has ended */
	struct vhost_watchdog *watchdog; /* borrowed; outlives the server; NULL: none */
};

/*
 * Listens, or starts the session of the inherited connection, which is the only one: the loop ends
 * with LOOP_QUIT after it. On failure returns NULL with one sentence in *@ret_message (the caller
 * frees it with g_free()): somebody listens there, no such directory, @fd is not a connected stream
 * socket, ...
 */
struct vhost_server *vhost_server_new(struct loop *loop, const struct vhost_server_options *options,
				      struct vhost_backend *backend, char **ret_message);

/* Ends the session. NULL is fine. */
void vhost_server_free(struct vhost_server *server);
