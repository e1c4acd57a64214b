// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* SIGUSR1: logs what the daemon is doing, at level info. */

#include "base/loop.h"

struct display;
struct gpu_device;
struct vhost_server;

/* Pointers are borrowed and must outlive it. */
struct statistics {
	struct loop_source source;
	int fd; /* owned; a signalfd */
	const struct vhost_server *server;
	const struct gpu_device *device;
	struct display *display;
};

/* Begins to handle SIGUSR1, which the caller has blocked, in @loop. 0 or -errno. */
int statistics_start(struct statistics *statistics, struct loop *loop);
void statistics_stop(struct statistics *statistics);
