// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The messages of the vhost-user-gpu socket, under the names of the specification
 * (docs/interop/vhost-user-gpu.rst in QEMU's tree). Native byte order, except for the virtio
 * structures in the replies, which are little-endian.
 */

#include <stdint.h>
#include <linux/virtio_gpu.h>

#include "base/bits.h"

#define VHOST_USER_GPU_GET_PROTOCOL_FEATURES 1u
#define VHOST_USER_GPU_SET_PROTOCOL_FEATURES 2u
#define VHOST_USER_GPU_GET_DISPLAY_INFO      3u
#define VHOST_USER_GPU_CURSOR_POS            4u
#define VHOST_USER_GPU_CURSOR_POS_HIDE       5u
#define VHOST_USER_GPU_CURSOR_UPDATE         6u
#define VHOST_USER_GPU_SCANOUT               7u
#define VHOST_USER_GPU_UPDATE                8u
#define VHOST_USER_GPU_DMABUF_SCANOUT        9u
#define VHOST_USER_GPU_DMABUF_UPDATE         10u
#define VHOST_USER_GPU_GET_EDID              11u
#define VHOST_USER_GPU_DMABUF_SCANOUT2       12u

#define VHOST_USER_GPU_MSG_FLAG_REPLY 4u

#define VHOST_USER_GPU_PROTOCOL_F_EDID    BIT64(0)
#define VHOST_USER_GPU_PROTOCOL_F_DMABUF2 BIT64(1)

#define VHOST_USER_GPU_CURSOR_PIXELS (64 * 64)

struct vhost_user_gpu_header {
	uint32_t request, flags;
	uint32_t size; /* bytes of the payload */
} __attribute__((packed));

struct vhost_user_gpu_cursor_pos {
	uint32_t scanout_id, x, y;
} __attribute__((packed));

struct vhost_user_gpu_cursor_update {
	struct vhost_user_gpu_cursor_pos pos;
	uint32_t hot_x, hot_y;
	uint32_t data[VHOST_USER_GPU_CURSOR_PIXELS];
} __attribute__((packed));

struct vhost_user_gpu_scanout {
	uint32_t scanout_id, width, height;
} __attribute__((packed));

/* In an UPDATE the pixels follow, in a DMABUF_UPDATE nothing. */
struct vhost_user_gpu_update {
	uint32_t scanout_id, x, y, width, height;
} __attribute__((packed));

struct vhost_user_gpu_dmabuf_scanout {
	uint32_t scanout_id, x, y, width, height;
	uint32_t fd_width, fd_height, fd_stride, fd_flags;
	int32_t fd_drm_fourcc;
} __attribute__((packed));

struct vhost_user_gpu_dmabuf_scanout2 {
	struct vhost_user_gpu_dmabuf_scanout scanout;
	uint64_t modifier;
} __attribute__((packed));

struct vhost_user_gpu_edid_request {
	uint32_t scanout_id;
} __attribute__((packed));

_Static_assert(sizeof(struct virtio_gpu_resp_display_info) == 408, "as on the wire");
_Static_assert(sizeof(struct virtio_gpu_resp_edid) == 1056, "as on the wire");
_Static_assert(sizeof(struct vhost_user_gpu_cursor_update) == 16404, "as on the wire");
_Static_assert(sizeof(struct vhost_user_gpu_dmabuf_scanout2) == 48, "as on the wire");
