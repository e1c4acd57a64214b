// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * A session; the test has the front-end's end of its socket pair. The back-end records its calls as
 * words in a line: "start0 kick0 stop0". Every test ends with a check that no descriptor leaked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>
#include <linux/virtio_config.h>
#include <stdbool.h>

#include "base/bits.h"
#include "base/loop.h"
#include "vhost/session.h"
#include "vhost/vhost_user.h"

#define V1         VHOST_USER_VERSION
#define REPLY      (VHOST_USER_VERSION | VHOST_USER_REPLY)
#define NEED_REPLY (VHOST_USER_VERSION | VHOST_USER_NEED_REPLY)
#define OFFERED                                                                                    \
	(BIT64(VHOST_USER_PROTOCOL_F_MQ) | BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK) |                \
	 BIT64(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | BIT64(VHOST_USER_PROTOCOL_F_CONFIG) |          \
	 BIT64(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) |                                            \
	 BIT64(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |                                               \
	 BIT64(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS))

#define GPA      UINT64_C(0x100000)
#define USER     UINT64_C(0x7f0000000000)
#define MEM_SIZE 0x20000u

/* The rig of the running test. */
extern struct session_rig {
	struct loop loop;
	struct vhost_session *session; /* NULL after the session has ended */
	int front_end;                 /* the front-end's end of the socket */
	int ended_error;
	GString *told; /* the recorded calls */
	uint64_t features;
	int gpu_fd;
	uint8_t config[256];
	int n_descriptors; /* before the test */
} session_rig;

int session_rig_setup(void **state);
int session_rig_teardown(void **state);
void session_rig_open(void); /* Starts a new session after the last one has ended. */
void session_rig_turn(void);

/* Asserts that the back-end got exactly these calls since the last check. */
void session_rig_assert_told(const char *want);
void session_rig_assert_ended(int error);

/* Sends raw bytes with descriptors, without turning the loop. */
void session_rig_send_bytes(const void *bytes, size_t size, const int *fds, unsigned n_fds);
void session_rig_send(uint32_t request, uint32_t flags, const void *payload, uint32_t size,
		      const int *fds, unsigned n_fds);

bool session_rig_has_reply(void);
/* Reads one reply and returns the size of its payload. */
uint32_t session_rig_receive(uint32_t request, void *payload, size_t room);
uint64_t session_rig_receive_u64(uint32_t request);

/* The functions below turn the loop. */
uint64_t session_rig_get_u64(uint32_t request);
void session_rig_set_u64(uint32_t request, uint64_t value);
/* The result of a request with NEED_REPLY: 0 or 1. */
uint64_t session_rig_ask(uint32_t request, const void *payload, uint32_t size, int fd);
void session_rig_agree(void); /* on all features */
void session_rig_set_state(uint32_t request, uint32_t index, uint32_t num);
void session_rig_set_queue_fd(uint32_t request, uint64_t index, int fd);
void session_rig_set_addresses(uint32_t index, uint64_t desc);
uint32_t session_rig_get_base(uint32_t index);
/* Shares one region that is large enough for the rings; these tests do not read it. */
void session_rig_add_memory(void);
/* Sends every message that sets up a ring, except SET_VRING_ENABLE. Returns the kick
 * descriptor. */
int session_rig_set_up_ring(uint32_t index, uint32_t base);
void session_rig_kick(int fd);
