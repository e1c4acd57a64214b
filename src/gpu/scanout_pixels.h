// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>

struct gpu_device;
struct scanout;

/* Sets up scanout->pixels for the resource, rectangle and layout in @scanout; its ops stay NULL if
 * the renderer has no pixels. Returns 0; VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY; VIRTIO_GPU_RESP_ERR_*
 * if the pixels cannot be read; or -errno. */
int scanout_pixels_init(struct gpu_device *device, struct scanout *scanout);
/* If both scanouts are read back and have the same size, swaps their buffers: @next gets the shadow
 * of @scanout, from which the display may be sending, and the copy of the pixels that were sent. */
bool scanout_pixels_take_over(struct scanout *next, struct scanout *scanout);
/* Frees everything that scanout_pixels_init() made; does nothing to a scanout that has none. */
void scanout_pixels_finish(struct gpu_device *device, struct scanout *scanout);
