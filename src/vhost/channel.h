// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The bytes of a vhost-user connection: whole messages in, one message at a time out, never
 * waiting. The main socket brings requests, which are replied to; the socket of SET_BACKEND_REQ_FD
 * takes requests of ours, one at a time, and brings their replies.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vhost/vhost_user.h"

#define VHOST_MAX_FDS     VHOST_USER_MAX_MEM_TABLE
#define VHOST_MAX_PAYLOAD 4096 /* the largest known today is 1.2 KiB, for another device */

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
		uint8_t payload[sizeof(struct vhost_user_shmem_config)]; /* the longest of ours */
	} out;
	size_t out_size, out_sent; /* equal: there is nothing to send */
	int out_fd;                /* owned; goes with the first byte; -1: none */
	bool awaits_reply;         /* to the request in @out; its header is not in yet */
	uint32_t forgotten;        /* a request whose reply may still come; 0: none */
};

/* Takes @fd. */
void vhost_channel_init(struct vhost_channel *channel, int fd);
/* Closes it, and the descriptors of the messages that are in and to be sent. */
void vhost_channel_finish(struct vhost_channel *channel);

/*
 * Goes on reading. 1: a message is in, until vhost_channel_done(): the reply if one is awaited,
 * else a request; 0: not yet; -ECONNRESET: the front-end hung up between two messages; -EPROTO: it
 * sent what is no message, or a reply that is not the awaited one, or a request instead of it;
 * other -errno.
 */
int vhost_channel_receive(struct vhost_channel *channel);
/* Reads the header of the message that comes next, and leaves it there. False if it is not in. */
bool vhost_channel_peek(const struct vhost_channel *channel, struct vhost_user_header *ret);
/* Closes the descriptors that no handler took, and makes room for the next message. */
void vhost_channel_done(struct vhost_channel *channel);

/* Puts a reply to the request that is in into the buffer, which must be empty. */
void vhost_channel_reply(struct vhost_channel *channel, const void *payload, size_t size);
/* Puts a request that needs a reply into the buffer, which must be empty, and awaits the reply;
 * none may be awaited yet. Takes @fd, which goes with it; -1: none. */
void vhost_channel_request(struct vhost_channel *channel, enum vhost_user_backend_request request,
			   const void *payload, size_t size, int fd);
/* Awaits the reply no longer. It may still come, at any time, and is let in then; the request must
 * not be sent again. If its header is in already, the rest of it is awaited all the same. */
void vhost_channel_forget_reply(struct vhost_channel *channel);
/* 0: all is sent; -EAGAIN: the socket is full; -ECONNRESET: the front-end hung up; other -errno. */
int vhost_channel_flush(struct vhost_channel *channel);
