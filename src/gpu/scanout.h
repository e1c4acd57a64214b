// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

struct gpu_command;
struct gpu_device;
struct resource;

void scanout_init_all(struct gpu_device *device);
/* @resource is about to be freed: turns off every scanout that shows it. */
void scanout_forget(struct gpu_device *device, struct resource *resource);
/* To be called before the memory behind @resource (NULL: all guest memory) changes: the display
 * forgets the addresses of that memory. */
void scanout_memory_changes(struct gpu_device *device, const struct resource *resource);
/* To be called after the memory behind @resource has changed and the dma-bufs of it were closed:
 * each scanout that showed one shows a new dma-buf, or copied pixels if none can be made. */
void scanout_show_again(struct gpu_device *device, const struct resource *resource);

/* Command handlers (VIRTIO 1.2, 5.7.6.8). */
int scanout_set(struct gpu_device *device, struct gpu_command *command);
int scanout_set_blob(struct gpu_device *device, struct gpu_command *command);
int scanout_flush(struct gpu_device *device, struct gpu_command *command);
