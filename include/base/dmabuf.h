// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* An image in a dma-buf: in memory of the host's GPU, or in pages of memfds. Renderer, device and
 * display describe it to each other by this struct. */

#include <stdbool.h>
#include <stdint.h>

#define DMABUF_MAX_PLANES 4

/* Bytes: a GPU can read an image in plain memory if each row begins at a multiple of this. */
#define DMABUF_ROW_ALIGNMENT 256

struct dmabuf {
	int fd; /* of all planes; each function says whether it is borrowed or taken */
	uint32_t width, height; /* of the whole image, in pixels */
	uint32_t fourcc;        /* DRM_FORMAT_* */
	uint64_t modifier;      /* DRM_FORMAT_MOD_*; DRM_FORMAT_MOD_INVALID: not known */
	unsigned n_planes;      /* 1 to DMABUF_MAX_PLANES */
	uint32_t stride[DMABUF_MAX_PLANES], offset[DMABUF_MAX_PLANES]; /* bytes */
	bool is_in_memory; /* CPUs write it: udmabuf_flush() before a device reads it */
	bool is_y_0_top;   /* VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP: the first row is the top one */
};
