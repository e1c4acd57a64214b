// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Accepts front-ends, one session at a time: on a listening socket, own or inherited, or on one
 * inherited connection. */

#include <stdbool.h>

struct loop;
struct vhost_backend;
struct vhost_peer;
struct vhost_server;
struct vhost_socket_file;
struct vhost_watchdog;

struct vhost_server_options {
	struct vhost_socket_file *socket_file; /* borrowed; outlives the server; NULL with @fd */
	int fd;       /* listening or connected, taken also on failure; -1 with @socket_file */
	bool is_once; /* quit the loop when the first session has ended */
	struct vhost_watchdog *watchdog; /* borrowed; outlives the server; NULL: none */
	/* Optional. Called with the front-end (borrowed) when a session begins, and with NULL when
	 * it has ended. vhost_server_new() may call it too. */
	void (*on_session)(void *data, const struct vhost_peer *peer);
	void *data; /* borrowed */
};

/* Checks @fd (borrowed) before it is used as vhost_server_options::fd. Returns NULL, or an error
 * message (the caller frees it with g_free()). */
char *vhost_server_check_fd(int fd);

/*
 * Listens on the socket file or on @fd. If @fd is connected, starts a session on it instead, and
 * ends the loop with LOOP_QUIT when that session has ended. On failure returns NULL with an error
 * message in *@ret_message (the caller frees it with g_free()): for example, another process
 * listens there, the directory does not exist, or @fd is not a stream socket.
 */
struct vhost_server *vhost_server_new(struct loop *loop, const struct vhost_server_options *options,
				      struct vhost_backend *backend, char **ret_message);

/* Logs at level info which front-end it serves, and the state of the session. */
void vhost_server_log_state(const struct vhost_server *server);

/* Ends the session. NULL is fine. */
void vhost_server_free(struct vhost_server *server);
