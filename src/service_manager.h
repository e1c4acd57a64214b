// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Takes sockets from the service manager (systemd) and sends it states: sd_listen_fds(3) and
 * sd_notify(3), without libsystemd. */

/* The first descriptor that is passed. */
#define SERVICE_MANAGER_FIRST_FD 3

/* Returns the number of sockets that were passed to this process, and removes the variables from
 * the environment, so a second call returns 0. If the sockets are meant for another process,
 * returns 0 and leaves the variables. */
int service_manager_take_sockets(void);

struct service_manager {
	int notify_fd; /* owned; -1: no states are sent */
};

/* Connects to NOTIFY_SOCKET, if it is meant for this process, and removes it from the environment.
 * Called before the sandbox starts, which hides the socket. */
void service_manager_open(struct service_manager *manager);
void service_manager_close(struct service_manager *manager);

/* Sends @state, lines of VARIABLE=VALUE. It does nothing without a connection, and drops the state
 * if the socket is full. */
void service_manager_notify(const struct service_manager *manager, const char *state);
