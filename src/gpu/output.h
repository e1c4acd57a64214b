// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct gpu_command;
struct gpu_device;

/* Resets the display information to that of a display that never answers. */
void output_init(struct gpu_device *device);

/* Command handlers (VIRTIO 1.2, 5.7.6.8). */
int output_get_display_info(struct gpu_device *device, struct gpu_command *command);
int output_get_edid(struct gpu_device *device, struct gpu_command *command);
