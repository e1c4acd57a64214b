// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The front-end's end of the back-end channel, and its window. It checks each request, carries it
 * out as QEMU 11.1 does (a map is in place when the next request is taken), and replies when and
 * how the input says.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "input.h"

#define WINDOW_FRONT_END_MAPS 32

struct window_front_end {
	int fd;        /* -1: hung up */
	uint64_t size; /* of the window, in bytes */
	struct window_front_end_map {
		uint64_t offset, size;
		ino_t inode;
	} maps[WINDOW_FRONT_END_MAPS];
	unsigned n_maps;
	bool is_last_in_place;
	uint8_t reply[20]; /* of which reply_left bytes are not sent yet */
	size_t reply_left;
	bool is_stopped;    /* it stopped the rings */
	size_t before_stop; /* bytes of requests that were sent before */
	bool was_reset;     /* it has dropped its maps at least once */
	bool is_liar;       /* it has sent an invalid reply */
	bool has_kept;      /* it did not carry out an unmap */
};

/* Creates a channel; returns the daemon's end, which the caller owns. Maps stay. */
int window_front_end_connect(struct window_front_end *front_end);
void window_front_end_hang_up(struct window_front_end *front_end);

/* Takes a request if there is one and the last one is answered. @in decides the reply: at once,
 * later, a refusal, the first bytes only. False if there was none. */
bool window_front_end_serve(struct window_front_end *front_end, struct input *in);
/* Sends at most @max bytes of the pending reply. */
void window_front_end_answer(struct window_front_end *front_end, size_t max);
/* Any bytes. */
void window_front_end_lie(struct window_front_end *front_end, struct input *in);

/* From now on no map or unmap may be sent, until this is called with false. */
void window_front_end_stop(struct window_front_end *front_end, bool is_stopped);

/* Drops all maps, as in a reset. */
void window_front_end_drop(struct window_front_end *front_end);

/* Whether the file @inode is in place at @offset. */
bool window_front_end_has(const struct window_front_end *front_end, uint64_t offset, uint64_t size,
			  ino_t inode);
