// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The device in tests of the socket display: its requests and their results. */

#include "socket_rig.h"

struct socket_ask {
	struct display_request request;
	unsigned calls;
	int error;
	struct display_info info;
	struct display_edid edid;
	uint32_t asks_edid; /* whether the request is for an EDID, not for the display info */
	struct socket_ask *then_cancels, *then_asks;
};

/* The callback (display_request::fn) that socket_ask_init() sets. */
void socket_ask_on_reply(struct display_request *request, int error, const void *reply);
void socket_ask_init(struct socket_ask *ask);
void socket_ask_info(struct socket_ask *ask);
void socket_ask_edid(struct socket_ask *ask, unsigned scanout);
void socket_ask_flush(struct socket_ask *ask, unsigned scanout, uint32_t x, uint32_t y,
		      uint32_t width, uint32_t height);

/* Asserts that the callback was called once, with the error @wanted. */
#define socket_ask_assert_ended(ask, wanted)                                                       \
	do {                                                                                       \
		assert_int_equal((ask)->calls, 1);                                                 \
		assert_int_equal((ask)->error, (wanted));                                          \
	} while (0)

/* The front-end's part. */
void socket_ask_expect_info(void);
void socket_ask_reply_info(uint32_t width);
void socket_ask_reply_edid(uint32_t size, uint8_t last);

/* Shows a dma-buf on @scanout and reads the message that announces it. */
void socket_ask_show_dmabuf(unsigned scanout);
