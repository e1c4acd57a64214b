// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The messages on the two sockets between a front-end and the daemon. The vhost-user half is the
 * header that the daemon also uses. The vhost-user-gpu half is written down a second time, from its
 * specification.
 */
#pragma once

#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_ring.h>
#include <stdint.h>

#include "base/bits.h"
#include "vhost/vhost_user.h"

/* vhost-user messages with room for more than is allowed. */
struct long_mem_table {
	uint32_t n_regions, padding;
	struct vhost_user_memory_region regions[2 * VHOST_USER_MAX_MEM_TABLE];
};

struct long_config {
	uint32_t offset, size, flags;
	uint8_t data[VHOST_USER_MAX_CONFIG + 64];
};

/* vhost-user-gpu: the daemon sends the requests. */
enum display_request {
	DISPLAY_GET_PROTOCOL_FEATURES = 1,
	DISPLAY_SET_PROTOCOL_FEATURES = 2,
	DISPLAY_GET_DISPLAY_INFO = 3,
	DISPLAY_CURSOR_POS = 4,
	DISPLAY_CURSOR_POS_HIDE = 5,
	DISPLAY_CURSOR_UPDATE = 6,
	DISPLAY_SCANOUT = 7,
	DISPLAY_UPDATE = 8,
	DISPLAY_DMABUF_SCANOUT = 9,
	DISPLAY_DMABUF_UPDATE = 10,
	DISPLAY_GET_EDID = 11,
	DISPLAY_DMABUF_SCANOUT2 = 12,
	DISPLAY_REQUESTS /* one past the last */
};

#define DISPLAY_REPLY     0x4u
#define DISPLAY_F_EDID    BIT64(0)
#define DISPLAY_F_DMABUF2 BIT64(1)

#define CURSOR_SIDE 64

struct display_cursor_pos {
	uint32_t scanout, x, y;
};

struct display_cursor_update {
	struct display_cursor_pos pos;
	uint32_t hot_x, hot_y;
	uint32_t data[CURSOR_SIDE * CURSOR_SIDE];
};

struct display_scanout {
	uint32_t scanout, width, height;
};

struct display_update {
	uint32_t scanout, x, y, width, height; /* then width * height pixels, x8r8g8b8 */
};

struct display_dmabuf_scanout {
	uint32_t scanout, x, y, width, height;
	uint32_t fd_width, fd_height, fd_stride, fd_flags;
	int32_t fd_drm_fourcc;
};

/* DMABUF_SCANOUT2 is the same with a modifier, 48 bytes without padding. */
struct display_dmabuf_scanout2 {
	struct display_dmabuf_scanout base;
	uint32_t modifier_lo, modifier_hi;
};
