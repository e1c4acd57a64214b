// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/dmabuf.h"

/* The version of the pixman that is loaded; a static string. */
const char *pixels_library_version(void);

/* Whether @format is one of the eight formats of VIRTIO 1.2, 5.7.6.8. */
bool pixels_has_format(uint32_t format);
/* Sets the fourcc for @format, one of those eight. The modifier becomes "not known": VIRTIO has no
 * field for it. */
void pixels_describe_dmabuf(uint32_t format, struct dmabuf *dmabuf);

/* The same for rows of pixels in plain memory, whose modifier is known. False, with nothing set, if
 * not every driver imports the format. */
bool pixels_describe_memory(uint32_t format, struct dmabuf *dmabuf);

/* Bytes that a pixel of a 3D format, in virgl's numbering, takes on the host. At least 4, because
 * drivers may widen smaller formats; 4 for formats that are not known. */
uint32_t pixels_size(uint32_t format);

/* Turns @width x @height pixels of @format, in rows of @stride bytes (a multiple of 4), into
 * a8r8g8b8 in place. Does nothing if @format is a8r8g8b8 or x8r8g8b8 already. */
void pixels_to_display(uint32_t format, void *data, uint32_t width, uint32_t height,
		       uint32_t stride);
