// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The front-end's end of the vhost-user-gpu socket: a model of QEMU. It reads what the display
 * sends and checks for everything that would make QEMU crash, leak, or lose its place in the
 * stream. It can also be slow, break the protocol, or close the socket.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "display/socket/socket_private.h"
#include "input.h"

#define QEMU_DISPLAY_MAX_ASKED 64
#define QEMU_DISPLAY_MAX_FDS   64

/* Of one UPDATE; more than the fuzzers' screens have. */
#define QEMU_DISPLAY_MAX_PIXELS (512 * 512)

struct qemu_screen {
	bool is_live; /* SCANOUT, not of 0x0, came over this socket */
	bool is_used; /* and an UPDATE after it */
	uint32_t width, height;
	size_t room;        /* pixels that @pixels has memory for; it stays allocated */
	uint32_t *pixels;   /* of the surface; NULL if pixels are not kept */
	bool has_dmabuf;    /* came over this socket */
	unsigned n_flushes; /* DMABUF_UPDATE that are not answered */
	uint32_t cursor_x, cursor_y;
	bool cursor_is_known, cursor_is_visible;
};

struct qemu_request {
	uint32_t request, scanout;
};

struct qemu_display {
	int fd;             /* -1: none */
	bool keeps_pixels;  /* constant */
	uint32_t n_outputs; /* GET_EDID of others is never answered */
	uint64_t offered, accepted;
	bool has_accepted;        /* SET_PROTOCOL_FEATURES came */
	bool was_asked;           /* GET_PROTOCOL_FEATURES came */
	bool has_broken_protocol; /* sent an invalid reply; checks that need valid ones are off */
	bool is_hung_up;          /* the display ended the connection */
	struct qemu_request asked[QEMU_DISPLAY_MAX_ASKED];
	unsigned n_asked;
	int fds[QEMU_DISPLAY_MAX_FDS]; /* owned; their messages are not read yet */
	unsigned n_fds;
	struct qemu_screen screens[DISPLAY_MAX_SCANOUTS];
	size_t len; /* bytes in buffer */
	_Alignas(8) uint8_t buffer[SOCKET_HEADER_BYTES + QEMU_DISPLAY_MAX_PIXELS * 4];
};

/* Closes the socket and resets the model; the memory of the surfaces stays allocated. */
void qemu_display_reset(struct qemu_display *qemu);

/* Opens a new socket, as QEMU does at every start of the device. What is unread on the old one is
 * lost. @buffer: send buffer of the display's end, in bytes; 0: the default. Returns the display's
 * end, which the caller owns. */
int qemu_display_connect(struct qemu_display *qemu, int buffer);
void qemu_display_hang_up(struct qemu_display *qemu);

/* Reads up to @max bytes, as far as they are there, and checks the messages in them. False if there
 * were none. */
bool qemu_display_read(struct qemu_display *qemu, size_t max);
/* Answers the oldest request as QEMU would. False if there is none. */
bool qemu_display_answer(struct qemu_display *qemu, struct input *in);
/* Sends what @in says: an answer that is wrong, cut off or to no request, or arbitrary bytes. */
void qemu_display_send_invalid(struct qemu_display *qemu, struct input *in);

/* From now on a frame that follows another one on its scanout waits for the next call of
 * qemu_display_end_intervals(). To be called again after a reply with an EDID, which may set
 * another interval. */
void qemu_display_stretch_intervals(struct socket_display *sd);
void qemu_display_end_intervals(struct socket_display *sd);

/* Brings @sd, which was reset and has no socket, to the state of a new one, for the next input: to
 * free it and make another costs more than most inputs. */
void qemu_display_renew(struct socket_display *sd);
