// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct gpu_command;
struct gpu_device;

/* 0 or -errno. */
int order_init(struct gpu_device *device);
void order_finish(struct gpu_device *device);

/* What the guest made available on the control queue before @command, which comes from the cursor
 * queue, comes first. 0: it may run; COMMAND_UNFINISHED: not yet. A command of the control queue
 * never waits. */
int order_wait(struct gpu_device *device, struct gpu_command *command);
/* Runs the cursor command that waits, if the control queue is now where it waits for. */
void order_run_due(struct gpu_device *device);

/* The control queue runs again, or no command waits any more. */
void order_restart(struct gpu_device *device);
