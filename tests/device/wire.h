// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What travels on the two sockets between a VMM and the daemon, written down a second time and
 * on purpose: the tests must not share a header with the code that they judge, or both would be
 * wrong together. Sources: the vhost-user and vhost-user-gpu protocol specifications.
 */
#pragma once

#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_ring.h>
#include <stdint.h>

#define BIT64(n) (UINT64_C(1) << (n))

/* vhost-user: every integer is in the byte order of the machine. */
enum vhost_request {
	VHOST_GET_FEATURES = 1,
	VHOST_SET_FEATURES = 2,
	VHOST_SET_OWNER = 3,
	VHOST_RESET_OWNER = 4,
	VHOST_SET_MEM_TABLE = 5,
	VHOST_SET_VRING_NUM = 8,
	VHOST_SET_VRING_ADDR = 9,
	VHOST_SET_VRING_BASE = 10,
	VHOST_GET_VRING_BASE = 11,
	VHOST_SET_VRING_KICK = 12,
	VHOST_SET_VRING_CALL = 13,
	VHOST_SET_VRING_ERR = 14,
	VHOST_GET_PROTOCOL_FEATURES = 15,
	VHOST_SET_PROTOCOL_FEATURES = 16,
	VHOST_GET_QUEUE_NUM = 17,
	VHOST_SET_VRING_ENABLE = 18,
	VHOST_SET_BACKEND_REQ_FD = 21,
	VHOST_GET_CONFIG = 24,
	VHOST_SET_CONFIG = 25,
	VHOST_GPU_SET_SOCKET = 33,
	VHOST_RESET_DEVICE = 34,
	VHOST_GET_MAX_MEM_SLOTS = 36,
	VHOST_ADD_MEM_REG = 37,
	VHOST_REM_MEM_REG = 38,
	VHOST_GET_SHMEM_CONFIG = 44,
};

#define VHOST_VERSION    0x1u
#define VHOST_REPLY      0x4u
#define VHOST_NEED_REPLY 0x8u
#define VHOST_NO_FD      0x100u /* in SET_VRING_KICK/CALL/ERR: no descriptor comes along */

#define VHOST_F_PROTOCOL_FEATURES 30
#define VHOST_F_RING_RESET        40

enum vhost_protocol_feature {
	VHOST_P_MQ = 0,
	VHOST_P_REPLY_ACK = 3,
	VHOST_P_BACKEND_REQ = 5,
	VHOST_P_CONFIG = 9,
	VHOST_P_BACKEND_SEND_FD = 10,
	VHOST_P_RESET_DEVICE = 13,
	VHOST_P_CONFIGURE_MEM_SLOTS = 15,
	VHOST_P_SHMEM = 22,
};

struct vhost_header {
	uint32_t request, flags, size;
};

struct vhost_vring_state {
	uint32_t index, num;
};

struct vhost_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct vhost_region {
	uint64_t gpa, size, user_addr, mmap_offset;
};

struct vhost_mem_table {
	uint32_t count, padding;
	struct vhost_region regions[16]; /* the specification stops at 8; tests go on */
};

struct vhost_mem_reg {
	uint64_t padding;
	struct vhost_region region;
};

#define VHOST_CONFIG_MAX 256
struct vhost_config {
	uint32_t offset, size, flags;
	uint8_t data[VHOST_CONFIG_MAX + 64]; /* tests ask for more than is allowed */
};

/* vhost-user-gpu: the daemon asks here. */
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

/* DMABUF_SCANOUT2 is the same and a modifier, 48 bytes without padding. */
struct display_dmabuf_scanout2 {
	struct display_dmabuf_scanout base;
	uint32_t modifier_lo, modifier_hi;
};
