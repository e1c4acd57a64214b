// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct gpu_command;
struct gpu_device;

/* Command handlers (VIRTIO 1.2, 5.7.6.10). */
int cursor_update(struct gpu_device *device, struct gpu_command *command);
int cursor_move(struct gpu_device *device, struct gpu_command *command);
