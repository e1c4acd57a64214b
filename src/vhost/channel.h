// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Receives and sends messages on a vhost-user connection without blocking, one message at a time in
 * each direction. On the main socket we receive requests and send replies. On the socket of
 * SET_BACKEND_REQ_FD we send requests, one at a time, and receive their replies.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vhost/vhost_user.h"

#define VHOST_MAX_FDS     VHOST_USER_MAX_MEM_TABLE
#define VHOST_MAX_PAYLOAD 4096 /* the largest request in the specification has 1.2 KiB */

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
	size_t out_size, out_sent; /* equal: nothing is to be sent */
	int out_fd;                /* owned; sent with the first byte; -1: none */
	bool awaits_reply;         /* to the request in @out; its header was not received yet */
	uint32_t forgotten;        /* a request whose reply may still come; 0: none */
};

/* Takes @fd. */
void vhost_channel_init(struct vhost_channel *channel, int fd);
/* Closes the socket, and the descriptors of the received message and of the one to be sent. */
void vhost_channel_finish(struct vhost_channel *channel);

/*
 * Continues to read. 1: channel->in is complete until vhost_channel_done(): the reply if one is
 * awaited, else a request. 0: not complete yet. -ECONNRESET: the front-end hung up between two
 * messages. -EPROTO: an invalid header, an unexpected reply, a request instead of the awaited
 * reply, too many descriptors or a cut-off message (channel->problem says which). Other -errno.
 */
int vhost_channel_receive(struct vhost_channel *channel);
/* Reads the header of the next message without consuming it. False if it is not complete yet. */
bool vhost_channel_peek(const struct vhost_channel *channel, struct vhost_user_header *ret);
/* Closes the descriptors that no handler took. The next message can then be received. */
void vhost_channel_done(struct vhost_channel *channel);

/* Puts a reply to the received request into the output buffer, which must be empty. */
void vhost_channel_reply(struct vhost_channel *channel, const void *payload, size_t size);
/* Puts a request that needs a reply into the output buffer, which must be empty, and awaits the
 * reply. No other reply may be awaited. Takes @fd, which is sent with the request; -1: none. */
void vhost_channel_request(struct vhost_channel *channel, enum vhost_user_backend_request request,
			   const void *payload, size_t size, int fd);
/* Stops awaiting the reply. A late reply is still accepted at any time. The same kind of request
 * must not be sent again. If the header of the reply has been read, the rest of it is still read.
 */
void vhost_channel_forget_reply(struct vhost_channel *channel);
/* 0: all is sent; -EAGAIN: the socket is full; -ECONNRESET: the front-end hung up; other -errno. */
int vhost_channel_flush(struct vhost_channel *channel);

/* Whether the output buffer is empty. */
static inline bool vhost_channel_has_sent_all(const struct vhost_channel *channel)
{
	return channel->out_sent == channel->out_size;
}
