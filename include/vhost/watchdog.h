// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * A thread that answers the front-end, and ends the process when it is told to, while a call of the
 * renderer's library keeps the main thread. It sleeps while nothing happens on the sockets.
 */

#include <stdint.h>

struct loop;
struct state_lock;
struct vhost_session;
struct vhost_watchdog;

/* The process exits this long after it was told to, in milliseconds, if a library does not return.
 */
#define VHOST_WATCHDOG_EXIT_MS 1500

struct vhost_watchdog_options {
	struct loop *loop;       /* borrowed: the main thread's */
	struct state_lock *lock; /* borrowed */
	int signal_fd;           /* borrowed: a signalfd that the loop watches too */
	uint32_t max_stall_ms;   /* how long a message may wait before its session ends */
};

/* Starts the thread, before a filter of system calls is installed. NULL with -errno in *@ret_error
 * if it cannot be started. */
struct vhost_watchdog *vhost_watchdog_new(const struct vhost_watchdog_options *options,
					  int *ret_error);

/* From now on the front-end is served at @fd (borrowed): by @session, or by accepting a connection
 * if that is NULL. @fd -1: there is none. @watchdog NULL is fine. */
void vhost_watchdog_watch(struct vhost_watchdog *watchdog, int fd, struct vhost_session *session);

/* The process is about to exit with @status: exits at once if that takes longer than
 * VHOST_WATCHDOG_EXIT_MS. @watchdog NULL is fine. */
void vhost_watchdog_expect_exit(struct vhost_watchdog *watchdog, int status);

/* Ends the thread. NULL is fine. */
void vhost_watchdog_free(struct vhost_watchdog *watchdog);
