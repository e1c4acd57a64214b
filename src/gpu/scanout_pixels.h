// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>

struct gpu_device;
struct scanout;

/* Makes scanout->pixels for the resource, rectangle and layout that stand in @scanout; its ops stay
 * NULL if the renderer has nothing to show. 0 or VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY. */
int scanout_pixels_init(struct gpu_device *device, struct scanout *scanout);
/* If both are read back, and have the same size: @next gets what was read back for @scanout, which
 * the display may be sending, and @scanout what @next had for it. */
bool scanout_pixels_take_over(struct scanout *next, struct scanout *scanout);
/* Frees what scanout_pixels_init() made; does nothing to a scanout that has none. */
void scanout_pixels_finish(struct gpu_device *device, struct scanout *scanout);
