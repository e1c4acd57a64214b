// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>

struct gpu_command;
struct gpu_device;
struct resource;

/* Unmaps the host blob @resource. Returns true if the front-end is asked to unmap it, or a map or
 * unmap request is in flight: then @command is held, and runs again when the front-end has
 * answered. Returns false if it is not mapped, or the front-end cannot be asked. */
bool blob_map_end(struct gpu_device *device, struct resource *resource,
		  struct gpu_command *command);
/* Frees the map of @resource, if it has one, and has it unmapped without waiting for the answer.
 * @resource is about to be freed, and no command waits for its map any more. */
void blob_map_forget(struct gpu_device *device, struct resource *resource);

/* Command handlers (VIRTIO 1.2, 5.7.6.8): RESOURCE_MAP_BLOB, RESOURCE_UNMAP_BLOB. */
int blob_map_start(struct gpu_device *device, struct gpu_command *command);
int blob_map_stop(struct gpu_device *device, struct gpu_command *command);
