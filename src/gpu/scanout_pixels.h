// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>

struct gpu_device;
struct scanout;

/* Sets up next->pixels for the resource, rectangle and layout in @next; its ops stay NULL if the
 * renderer has no pixels. @next will replace @scanout: if both are read back and have the same
 * size, it has no memory before scanout_pixels_take_over(). Returns 0;
 * VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY; VIRTIO_GPU_RESP_ERR_* if the pixels cannot be read; or
 * -errno. */
int scanout_pixels_init(struct gpu_device *device, struct scanout *next,
			const struct scanout *scanout);
/* If both scanouts are read back and have the same size, moves the memory of @scanout to @next: the
 * pixels that were read back, which the display may be sending, and those that it sent. */
bool scanout_pixels_take_over(struct scanout *next, struct scanout *scanout);
/* Frees everything that scanout_pixels_init() made; does nothing to a scanout that has none. */
void scanout_pixels_finish(struct gpu_device *device, struct scanout *scanout);
