// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct gpu_command;
struct gpu_device;
struct loop;

/* Watches the renderer's fences. 0 or -errno. */
int fence_init(struct gpu_device *device);
void fence_finish(struct gpu_device *device);

/* Whether the guest asked for a fence on this command (VIRTIO_GPU_FLAG_FENCE). */
bool fence_is_wanted(const struct gpu_command *command);

/* Makes the command wait until the renderer has done all work so far. COMMAND_HELD: its timeline
 * holds it and gives it back; 0: the work is done already; else the error to answer with. With
 * these two the command stays the caller's. */
int fence_wait(struct gpu_command *command);

/* When what waits longest began to, in microseconds of g_get_monotonic_time(); INT64_MAX: nothing
 * waits. */
int64_t fence_oldest(const struct gpu_device *device);

/* Gives back all that waits in @timelines (timeline::link), and frees these. */
void fence_give_back_all(GQueue *timelines);

/* Forgets all that waits in the global timeline and in those of all contexts. */
void fence_drop_all(struct gpu_device *device);
