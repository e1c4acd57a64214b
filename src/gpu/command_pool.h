// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>

struct gpu_command;
struct gpu_device;

/* False if the host has no memory. */
bool command_pool_init(struct gpu_device *device);
/* NULL if the maximum number of commands is in flight, or the host has no memory. */
struct gpu_command *command_pool_take(struct gpu_device *device);
/* @command must be in no list. */
void command_pool_put(struct gpu_command *command);
/* Frees all commands. Each must have been put back with command_pool_put(). */
void command_pool_finish(struct gpu_device *device);
