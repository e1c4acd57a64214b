// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The bytes of a vhost-user connection: whole messages in, one reply at a time out, never waiting.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vhost/vhost_user.h"

#define VHOST_MAX_FDS     VHOST_USER_MAX_MEM_TABLE
#define VHOST_MAX_PAYLOAD 4096 /* the largest known today is 1.2 KiB, for another device */
#define VHOST_MAX_REPLY   sizeof(struct vhost_user_config)

struct vhost_message {
	struct vhost_user_header header;
	uint8_t payload[VHOST_MAX_PAYLOAD];
	int fds[VHOST_MAX_FDS]; /* owned; a handler keeps one with fd_steal() */
	unsigned n_fds;
};

struct vhost_channel {
	int fd; /* owned */
	struct vhost_message in;
	size_t n_received;   /* bytes of header and payload */
	const char *problem; /* what was wrong, after -EPROTO */
	struct {
		struct vhost_user_header header;
		uint8_t payload[VHOST_MAX_REPLY];
	} out;
	size_t out_size, out_sent; /* equal: there is nothing to send */
};

/* Takes @fd. */
void vhost_channel_init(struct vhost_channel *channel, int fd);
/* Closes it, and the descriptors of a message that is in. */
void vhost_channel_finish(struct vhost_channel *channel);

/*
 * Goes on reading. 1: a message is in, until vhost_channel_done(); 0: not yet; -ECONNRESET: the
 * peer hung up between two messages; -EPROTO: it sent what is no message; other -errno.
 */
int vhost_channel_receive(struct vhost_channel *channel);
/* Closes the descriptors that no handler took, and makes room for the next message. */
void vhost_channel_done(struct vhost_channel *channel);

/* Puts a reply to the message that is in into the buffer, which must be empty. */
void vhost_channel_reply(struct vhost_channel *channel, const void *payload, size_t size);
/* 0: all is sent; -EAGAIN: the socket is full; -ECONNRESET: the peer hung up; other -errno. */
int vhost_channel_flush(struct vhost_channel *channel);
