// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct gpu_command;
struct gpu_device;

/* 0 or -errno. */
int order_init(struct gpu_device *device);
void order_finish(struct gpu_device *device);

/* Whether @command, if it is of the cursor queue, has to wait for descriptor chains that were
 * available on the control queue when @command was taken. Returns 0 if it may run, or
 * COMMAND_UNFINISHED if it has to wait. A command of the control queue never waits. */
int order_wait(struct gpu_device *device, struct gpu_command *command);
/* Runs the waiting cursor command, if the control queue has reached the available index that the
 * command waits for. */
void order_run_due(struct gpu_device *device);

/* To be called when the control queue runs again, or when no command waits any more: stops the
 * timer that limits the wait for a stopped control queue. */
void order_restart(struct gpu_device *device);
