// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>

struct gpu_command;
struct gpu_device;
struct renderer_fence;

/* Whether the guest asked for a fence on this command (VIRTIO_GPU_FLAG_FENCE). */
bool fence_is_wanted(const struct gpu_command *command);

/* Gives the command back when the renderer has done all work so far, perhaps at once. 0, or the
 * error that the command is to be answered with: it is still the caller's then. */
int fence_wait(struct gpu_command *command);

/* The renderer passed a fence: renderer_fence_fn with the device as data. */
void fence_passed(void *data, const struct renderer_fence *fence);

/* Forgets all timelines; the commands in them are dropped. */
void fence_drop_all(struct gpu_device *device);
