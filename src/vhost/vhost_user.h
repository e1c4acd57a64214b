// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The vhost-user protocol as it is on the wire, in both directions, with the names of QEMU's
 * docs/interop/vhost-user.rst. All request numbers of the specification are here, so that logs and
 * tests can name each request. Only the structs that we use are here. All integers are in the byte
 * order of the host.
 *
 * The daemon, the unit and device tests and the fuzzers share this file, and scripts read it. The
 * tests with a real QEMU (tests/e2e) show that the numbers are right.
 */

#include <stdint.h>

/* What the front-end sends over the main socket. */
enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_RESET_OWNER = 4,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_LOG_BASE = 6,
	VHOST_USER_SET_LOG_FD = 7,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_SEND_RARP = 19,
	VHOST_USER_NET_SET_MTU = 20,
	VHOST_USER_SET_BACKEND_REQ_FD = 21,
	VHOST_USER_IOTLB_MSG = 22,
	VHOST_USER_SET_VRING_ENDIAN = 23,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_SET_CONFIG = 25,
	VHOST_USER_CREATE_CRYPTO_SESSION = 26,
	VHOST_USER_CLOSE_CRYPTO_SESSION = 27,
	VHOST_USER_POSTCOPY_ADVISE = 28,
	VHOST_USER_POSTCOPY_LISTEN = 29,
	VHOST_USER_POSTCOPY_END = 30,
	VHOST_USER_GET_INFLIGHT_FD = 31,
	VHOST_USER_SET_INFLIGHT_FD = 32,
	VHOST_USER_GPU_SET_SOCKET = 33,
	VHOST_USER_RESET_DEVICE = 34,
	VHOST_USER_VRING_KICK = 35,
	VHOST_USER_GET_MAX_MEM_SLOTS = 36,
	VHOST_USER_ADD_MEM_REG = 37,
	VHOST_USER_REM_MEM_REG = 38,
	VHOST_USER_SET_STATUS = 39,
	VHOST_USER_GET_STATUS = 40,
	VHOST_USER_GET_SHARED_OBJECT = 41,
	VHOST_USER_SET_DEVICE_STATE_FD = 42,
	VHOST_USER_CHECK_DEVICE_STATE = 43,
	VHOST_USER_GET_SHMEM_CONFIG = 44,
};

/* What the back-end sends over the socket of SET_BACKEND_REQ_FD. */
enum vhost_user_backend_request {
	VHOST_USER_BACKEND_IOTLB_MSG = 1,
	VHOST_USER_BACKEND_CONFIG_CHANGE_MSG = 2,
	VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG = 3,
	VHOST_USER_BACKEND_VRING_CALL = 4,
	VHOST_USER_BACKEND_VRING_ERR = 5,
	VHOST_USER_BACKEND_SHARED_OBJECT_ADD = 6,
	VHOST_USER_BACKEND_SHARED_OBJECT_REMOVE = 7,
	VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP = 8,
	VHOST_USER_BACKEND_SHMEM_MAP = 9,
	VHOST_USER_BACKEND_SHMEM_UNMAP = 10,
};

/* The device feature bit that vhost-user defines; VIRTIO defines the others. */
#define VHOST_USER_F_PROTOCOL_FEATURES 30

/* Bits of the protocol features. */
enum vhost_user_protocol_feature {
	VHOST_USER_PROTOCOL_F_MQ = 0,
	VHOST_USER_PROTOCOL_F_LOG_SHMFD = 1,
	VHOST_USER_PROTOCOL_F_RARP = 2,
	VHOST_USER_PROTOCOL_F_REPLY_ACK = 3,
	VHOST_USER_PROTOCOL_F_MTU = 4,
	VHOST_USER_PROTOCOL_F_BACKEND_REQ = 5,
	VHOST_USER_PROTOCOL_F_CROSS_ENDIAN = 6,
	VHOST_USER_PROTOCOL_F_CRYPTO_SESSION = 7,
	VHOST_USER_PROTOCOL_F_PAGEFAULT = 8,
	VHOST_USER_PROTOCOL_F_CONFIG = 9,
	VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD = 10,
	VHOST_USER_PROTOCOL_F_HOST_NOTIFIER = 11,
	VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD = 12,
	VHOST_USER_PROTOCOL_F_RESET_DEVICE = 13,
	VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS = 14,
	VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
	VHOST_USER_PROTOCOL_F_STATUS = 16,
	VHOST_USER_PROTOCOL_F_XEN_MMAP = 17,
	VHOST_USER_PROTOCOL_F_SHARED_OBJECT = 18,
	VHOST_USER_PROTOCOL_F_DEVICE_STATE = 19,
	VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT = 20,
	VHOST_USER_PROTOCOL_F_GPA_ADDRESSES = 21,
	VHOST_USER_PROTOCOL_F_SHMEM = 22,
};

/* The beginning of every message; the payload follows without padding. */
struct vhost_user_header {
	uint32_t request, flags, size; /* size: of the payload in bytes */
};

#define VHOST_USER_VERSION      0x1u /* in each message's flags */
#define VHOST_USER_VERSION_MASK 0x3u
#define VHOST_USER_REPLY        0x4u
#define VHOST_USER_NEED_REPLY   0x8u

/* SET_VRING_NUM, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_ENABLE. */
struct vhost_user_vring_state {
	uint32_t index, num;
};

/* SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR have an integer of 64 bits. */
#define VHOST_USER_VRING_INDEX_MASK 0xffu
#define VHOST_USER_VRING_NO_FD      0x100u

/* SET_VRING_ADDR. Rings lie in the front-end's address space, the log in the guest's. */
struct vhost_user_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct vhost_user_memory_region {
	uint64_t gpa; /* guest physical address of its first byte */
	uint64_t size;
	uint64_t user_addr;   /* front-end's address of its first byte; rings have such addresses */
	uint64_t mmap_offset; /* of its first byte in the file */
};

/* SET_MEM_TABLE, cut off after its last region. */
#define VHOST_USER_MAX_MEM_TABLE 8
struct vhost_user_mem_table {
	uint32_t n_regions, padding;
	struct vhost_user_memory_region regions[VHOST_USER_MAX_MEM_TABLE];
};

/* ADD_MEM_REG, REM_MEM_REG. */
struct vhost_user_mem_reg {
	uint64_t padding;
	struct vhost_user_memory_region region;
};

/* GET_CONFIG, SET_CONFIG, cut off after its last byte. */
#define VHOST_USER_MAX_CONFIG 256u
struct vhost_user_config {
	uint32_t offset, size, flags;
	uint8_t data[VHOST_USER_MAX_CONFIG];
};

/* GET_SHMEM_CONFIG's reply. */
#define VHOST_USER_MAX_SHMEM_REGIONS 256
struct vhost_user_shmem_config {
	uint32_t n_regions, padding;
	uint64_t sizes[VHOST_USER_MAX_SHMEM_REGIONS]; /* in bytes, by id; 0: no such region */
};

/* BACKEND_SHMEM_MAP (with the file's descriptor), BACKEND_SHMEM_UNMAP. */
struct vhost_user_shmem_map {
	uint8_t id; /* of the region */
	uint8_t padding[7];
	uint64_t fd_offset, shm_offset, size; /* in bytes */
	uint64_t flags;
};
#define VHOST_USER_SHMEM_MAP_WRITABLE 0x1u

_Static_assert(sizeof(struct vhost_user_header) == 12, "as specified");
_Static_assert(sizeof(struct vhost_user_vring_state) == 8, "as specified");
_Static_assert(sizeof(struct vhost_user_vring_addr) == 40, "as specified");
_Static_assert(sizeof(struct vhost_user_mem_table) == 8 + 8 * 32, "as specified");
_Static_assert(sizeof(struct vhost_user_mem_reg) == 40, "as specified");
_Static_assert(sizeof(struct vhost_user_config) == 12 + 256, "as specified");
_Static_assert(sizeof(struct vhost_user_shmem_config) == 8 + 256 * 8, "as specified");
_Static_assert(sizeof(struct vhost_user_shmem_map) == 40, "as specified");
