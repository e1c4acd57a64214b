// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct gpu_command;
struct gpu_device;

/* Command handler (VIRTIO 1.2, 5.7.6.8). */
int blob_create(struct gpu_device *device, struct gpu_command *command);
