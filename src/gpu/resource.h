// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "gpu/backing.h"

struct gpu_command;
struct gpu_device;
struct renderer_resource;

/* An image or buffer of the guest's. */
struct resource {
	uint32_t id, width, height, format;
	uint64_t hostmem; /* bytes charged to the device */
	bool has_uuid;
	uint8_t uuid[16];
	uint16_t scanouts;		  /* bit i: shown on scanout i */
	struct backing backing;		  /* the guest memory behind it */
	struct renderer_resource *handle; /* the renderer's */
};

/* NULL if there is none with this id. */
struct resource *resource_find(struct gpu_device *device, uint32_t id);

/* Frees all, their scanouts go off. */
void resource_free_all(struct gpu_device *device);
/* Looks every backing up again after guest memory changed. */
void resource_memory_changed(struct gpu_device *device);

/* Command handlers (VIRTIO 1.2, 5.7.6.8). */
int resource_create_2d(struct gpu_device *device, struct gpu_command *command);
int resource_unref(struct gpu_device *device, struct gpu_command *command);
int resource_attach_backing(struct gpu_device *device, struct gpu_command *command);
int resource_detach_backing(struct gpu_device *device, struct gpu_command *command);
int resource_transfer_to_host_2d(struct gpu_device *device, struct gpu_command *command);
int resource_assign_uuid(struct gpu_device *device, struct gpu_command *command);
