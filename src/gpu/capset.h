// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gpu_command;
struct gpu_device;
struct renderer_capset;

/* Asks the renderer which capsets the guest may see. */
void capset_init(struct gpu_device *device);

/* Returns NULL if the guest may not see the capset. */
const struct renderer_capset *capset_find(const struct gpu_device *device, uint32_t id);

/* Whether a capset that the guest may see needs mapped host blobs. */
bool capset_uses_window(const struct gpu_device *device);

/* Command handlers (VIRTIO 1.2, 5.7.6.9). */
int capset_get_info(struct gpu_device *device, struct gpu_command *command);
int capset_get(struct gpu_device *device, struct gpu_command *command);
