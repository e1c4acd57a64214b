// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* What the service manager (systemd) passes to the daemon, and what it is told: sd_listen_fds(3)
 * and sd_notify(3), without libsystemd. */

/* The first descriptor of those that are passed. */
#define SERVICE_MANAGER_FIRST_FD 3

/* How many sockets were passed to this process; 0 if none, or if they are meant for another one.
 * The second call says 0: the first takes the variables from the environment. */
int service_manager_take_sockets(void);

struct service_manager {
	int notify_fd; /* -1: nobody wants to know */
};

/* Before the sandbox, which has no way to the socket. Takes its name from the environment. */
void service_manager_open(struct service_manager *manager);
void service_manager_close(struct service_manager *manager);

/* @state: lines of VARIABLE=VALUE. Without anybody to tell, nothing happens. It waits for nobody: a
 * service manager that does not read misses it. */
void service_manager_notify(const struct service_manager *manager, const char *state);
