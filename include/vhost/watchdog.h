// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * A thread that serves the front-end and the termination signals while the main thread is in a call
 * of the renderer's library. It sleeps while no event comes.
 */

#include <stdint.h>

struct loop;
struct state_lock;
struct vhost_session;
struct vhost_watchdog;

/* Milliseconds from a termination signal to the exit, if a library call does not return. */
#define VHOST_WATCHDOG_EXIT_MS 1500

struct vhost_watchdog_options {
	struct loop *loop;       /* borrowed: the main thread's */
	struct state_lock *lock; /* borrowed */
	int signal_fd;           /* borrowed: a signalfd that the loop watches too */
	uint32_t max_stall_ms;   /* how long a message may wait before its session ends */
};

/* Starts the thread; must be called before a seccomp filter is installed. NULL with -errno in
 * *@ret_error if it cannot be started. */
struct vhost_watchdog *vhost_watchdog_new(const struct vhost_watchdog_options *options,
					  int *ret_error);

/* From now on the front-end is served at @fd (borrowed): by @session, or by accepting a connection
 * if that is NULL. @fd -1: there is none. @watchdog NULL is fine. */
void vhost_watchdog_watch(struct vhost_watchdog *watchdog, int fd, struct vhost_session *session);

/* The process is about to exit with @status. If that takes longer than VHOST_WATCHDOG_EXIT_MS, the
 * watchdog exits with @status. @watchdog NULL is fine. */
void vhost_watchdog_expect_exit(struct vhost_watchdog *watchdog, int status);

/* Ends the thread. NULL is fine. */
void vhost_watchdog_free(struct vhost_watchdog *watchdog);
