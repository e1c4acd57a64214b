// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct gpu_command;
struct gpu_device;

/* 0 or -errno. */
int order_init(struct gpu_device *device);
void order_finish(struct gpu_device *device);

/* Whether @command, if it is of the cursor queue, has to wait for chains that were available on the
 * control queue before it. 0: it may run; COMMAND_UNFINISHED: not yet. A command of the control
 * queue never waits. */
int order_wait(struct gpu_device *device, struct gpu_command *command);
/* Runs the waiting cursor command, if the control queue has reached its index. */
void order_run_due(struct gpu_device *device);

/* The control queue runs again, or no command waits any more. */
void order_restart(struct gpu_device *device);
