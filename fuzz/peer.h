// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The VMM's end of the vhost-user-gpu socket: a model of QEMU that reads what the display sends and
 * checks what QEMU would die of, leak by, or lose its place in the stream by. It may also be slow,
 * rude or gone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "display/socket/socket_private.h"
#include "input.h"

#define PEER_MAX_ASKED 64
#define PEER_MAX_FDS   64

struct peer_screen {
	bool is_live; /* SCANOUT, not of 0x0, came over this socket */
	bool is_used; /* and an UPDATE after it */
	uint32_t width, height;
	size_t room;        /* of pixels, which stay allocated; in pixels */
	uint32_t *pixels;   /* of the surface; NULL if pixels are not kept */
	bool has_dmabuf;    /* came over this socket */
	unsigned n_flushes; /* DMABUF_UPDATE that are not answered */
	uint32_t cursor_x, cursor_y;
	bool cursor_is_known, cursor_is_visible;
};

struct peer_question {
	uint32_t request, scanout;
};

struct peer {
	int fd;             /* -1: none */
	bool keeps_pixels;  /* constant */
	uint32_t n_outputs; /* GET_EDID of others is never answered */
	uint64_t offered, accepted;
	bool has_accepted; /* SET_PROTOCOL_FEATURES came */
	bool was_asked;    /* GET_PROTOCOL_FEATURES came */
	bool is_rude;      /* has sent what nobody asked for: what is in flight is unknown */
	bool is_hung_up;   /* the display ended the connection */
	struct peer_question asked[PEER_MAX_ASKED];
	unsigned n_asked;
	int fds[PEER_MAX_FDS]; /* owned; came, and their messages are not read yet */
	unsigned n_fds;
	struct peer_screen screens[DISPLAY_MAX_SCANOUTS];
	size_t len; /* bytes in the buffer, which stays last */
	_Alignas(8) uint8_t buffer[sizeof(struct vhost_user_gpu_header) +
				   sizeof(struct vhost_user_gpu_update) + SOCKET_BAND_BYTES];
};

/* Hangs up and forgets everything but the memory of the surfaces. */
void peer_reset(struct peer *peer);

/* A new socket, as QEMU opens at every start of the device; what the old one had in it is lost.
 * @buffer: of what the display sends, in bytes, 0 for the usual. Returns the display's end, the
 * caller's. */
int peer_connect(struct peer *peer, int buffer);
void peer_hang_up(struct peer *peer);

/* Reads up to @max bytes, as far as they are there, and checks the messages in them. False if there
 * were none. */
bool peer_read(struct peer *peer, size_t max);
/* Answers the oldest question as QEMU would. False if there is none. */
bool peer_answer(struct peer *peer, struct input *in);
/* Sends what @in says: an answer that is wrong, unasked or torn, or just bytes. */
void peer_babble(struct peer *peer, struct input *in);

/* Makes a display that was reset, and has no peer, as new: for the next input, since to free it and
 * make another costs more than most inputs. */
void peer_forget(struct socket_display *sd);
