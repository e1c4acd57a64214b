// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The VMM's end of a vhost-user socket, and the names of what it says (QEMU's
 * docs/interop/vhost-user.rst). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	VMM_GET_FEATURES = 1,
	VMM_SET_FEATURES = 2,
	VMM_SET_OWNER = 3,
	VMM_RESET_OWNER = 4,
	VMM_SET_MEM_TABLE = 5,
	VMM_SET_VRING_NUM = 8,
	VMM_SET_VRING_ADDR = 9,
	VMM_SET_VRING_BASE = 10,
	VMM_GET_VRING_BASE = 11,
	VMM_SET_VRING_KICK = 12,
	VMM_SET_VRING_CALL = 13,
	VMM_SET_VRING_ERR = 14,
	VMM_GET_PROTOCOL_FEATURES = 15,
	VMM_SET_PROTOCOL_FEATURES = 16,
	VMM_GET_QUEUE_NUM = 17,
	VMM_SET_VRING_ENABLE = 18,
	VMM_SET_BACKEND_REQ_FD = 21,
	VMM_GET_CONFIG = 24,
	VMM_SET_CONFIG = 25,
	VMM_GPU_SET_SOCKET = 33,
	VMM_RESET_DEVICE = 34,
	VMM_GET_MAX_MEM_SLOTS = 36,
	VMM_ADD_MEM_REG = 37,
	VMM_REM_MEM_REG = 38,
};

#define VMM_VERSION    1u
#define VMM_REPLY      5u
#define VMM_NEED_REPLY 9u

#define VMM_HEADER_SIZE 12
#define VMM_MAX_FDS     16

/* All that we offer. */
#define VMM_PROTOCOL_FEATURES UINT64_C(0xa629)
#define VMM_F_EVENT_IDX       (UINT64_C(1) << 29)
#define VMM_F_PROTOCOL        (UINT64_C(1) << 30)
#define VMM_F_VERSION_1       (UINT64_C(1) << 32)

/* Sends bytes, and @fds (borrowed) with them. False if nobody is there, or the socket is full. */
bool vmm_send(int fd, const void *bytes, size_t size, const int *fds, unsigned n_fds);
/* Reads what there is and checks that it is replies; @len bytes of one that is not whole are kept
 * in
 * @buffer, of @room bytes. Returns how many replies came. */
unsigned vmm_read(int fd, uint8_t *buffer, size_t room, size_t *len);
