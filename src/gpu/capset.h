// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct gpu_command;
struct gpu_device;

/* Asks the renderer which capsets the guest may see. */
void capset_init(struct gpu_device *device);

/* Command handlers (VIRTIO 1.2, 5.7.6.9). */
int capset_get_info(struct gpu_device *device, struct gpu_command *command);
int capset_get(struct gpu_device *device, struct gpu_command *command);
