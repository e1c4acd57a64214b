// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <glib.h>
#include <stdint.h>

struct gpu_command;
struct gpu_device;

/* A rendering context of the guest. */
struct context {
	uint32_t id;
	GQueue timelines; /* timeline::link; of its rings */
};

/* NULL if there is none with this id. */
struct context *context_find(struct gpu_device *device, uint32_t id);
/* Frees all contexts; call command_drop_all() before. */
void context_free_all(struct gpu_device *device);

/* Command handlers (VIRTIO 1.2, 5.7.6.9). */
int context_create(struct gpu_device *device, struct gpu_command *command);
int context_destroy(struct gpu_device *device, struct gpu_command *command);
int context_attach_resource(struct gpu_device *device, struct gpu_command *command);
int context_detach_resource(struct gpu_device *device, struct gpu_command *command);
int context_submit(struct gpu_device *device, struct gpu_command *command);
