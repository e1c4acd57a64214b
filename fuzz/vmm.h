// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The front-end's end of a vhost-user socket. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bits.h"
#include "vhost/vhost_user.h"

#define VMM_REPLY      (VHOST_USER_VERSION | VHOST_USER_REPLY)
#define VMM_NEED_REPLY (VHOST_USER_VERSION | VHOST_USER_NEED_REPLY)

#define VMM_MAX_FDS 16

/* The protocol features that the daemon offers without a window. */
#define VMM_PROTOCOL_FEATURES                                                                      \
	(BIT64(VHOST_USER_PROTOCOL_F_MQ) | BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK) |                \
	 BIT64(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | BIT64(VHOST_USER_PROTOCOL_F_CONFIG) |          \
	 BIT64(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) |                                            \
	 BIT64(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |                                               \
	 BIT64(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS))

/* Sends bytes, and @fds (borrowed) with them. False if the other end is closed, or the socket is
 * full. */
bool vmm_send(int fd, const void *bytes, size_t size, const int *fds, unsigned n_fds);
/* Reads what is there and checks that it is replies; @len bytes of an incomplete one are kept in
 * @buffer, of @room bytes. Returns the number of replies. */
unsigned vmm_read(int fd, uint8_t *buffer, size_t room, size_t *len);
