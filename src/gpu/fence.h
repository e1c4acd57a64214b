// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct gpu_command;
struct gpu_device;
struct loop;

/* Starts to receive the renderer's passed fences: from its poll descriptor, or else on a timer.
 * Returns 0 or -errno. */
int fence_init(struct gpu_device *device);
void fence_finish(struct gpu_device *device);

/* Whether the guest asked for a fence on this command (VIRTIO_GPU_FLAG_FENCE). */
bool fence_is_wanted(const struct gpu_command *command);

/* Makes the command wait until the renderer has done all earlier work. Returns COMMAND_HELD if the
 * command's timeline holds it and returns it to the guest later. Returns 0 if the work is already
 * done, or RESP_ERR_* or -errno for an error; in these cases the command remains the caller's. */
int fence_wait(struct gpu_command *command);

/* When the longest-waiting command began to wait for its fence, in microseconds of
 * g_get_monotonic_time(); INT64_MAX if none waits. */
int64_t fence_oldest(const struct gpu_device *device);

/* Returns to the guest all commands that wait in @timelines, and frees the timelines. @timelines is
 * a queue of struct timeline, linked by timeline::link. */
void fence_give_back_all(GQueue *timelines);

/* Frees all commands that wait in the global timeline and in those of contexts, without giving
 * their chains back. */
void fence_drop_all(struct gpu_device *device);
