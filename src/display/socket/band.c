// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Chooses the rows for the next UPDATE: the first rows of a damaged rectangle, as many as fit into
 * one message. A rectangle is taken out of the damage when its first message is built, and it is
 * prepared once. If a row is too wide for a message, the right half becomes damage again. If the
 * source prepares bands, the rows below the first message become damage again.
 */
#include <errno.h>

#include "display/socket/socket_private.h"
#include "base/pixel.h"

/* Whether another scanout with the same source as @s is part-way through a prepared rectangle:
 * preparing another rectangle now would overwrite that one. */
static bool pixels_are_busy(struct socket_display *sd, const struct socket_scanout *s)
{
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		const struct socket_scanout *other = &sd->scanouts[i];

		if (other != s && other->pixels == s->pixels && !rect_is_empty(&other->sending))
			return true;
	}
	return false;
}

/* Cuts @r to the rows that fit into one message; the rows below become damage again. */
static void keep_first_band(struct socket_scanout *s, struct rect *r)
{
	uint32_t rows = DISPLAY_BAND_BYTES / PIXEL_BYTES / r->width;
	struct rect rest = *r;

	rows = rows > 0 ? rows : 1;
	if (r->height <= rows)
		return;
	r->height = rows;
	rest.y += rows;
	rest.height -= rows;
	damage_put_back(&s->damage, &rest);
}

/* Takes the next damaged rectangle to send, and prepares it. */
static bool begin_rect(struct socket_display *sd, struct socket_scanout *s)
{
	const struct display_pixels_ops *ops = s->pixels->ops;
	struct rect r;

	if (ops->prepare && pixels_are_busy(sd, s))
		return false;
	do {
		while (damage_take(&s->damage, &r)) {
			if (ops->prepares_bands)
				keep_first_band(s, &r);
			if (!ops->prepare || ops->prepare(s->pixels, &r) == 0) {
				s->sending = r;
				return true;
			}
		}
	} while (socket_pace_begin_frame(sd, s));
	return false;
}

/* Halves the width of s->sending; the right half becomes damage again. */
static void narrow_rect(struct socket_scanout *s)
{
	struct rect right = s->sending;

	s->sending.width /= 2;
	right.x += s->sending.width;
	right.width -= s->sending.width;
	damage_add(&s->damage, &right);
}

/* Finds the first rows of s->sending that fit into one message. Returns the number of pieces, or
 * -errno. */
static int find_band(struct socket_display *sd, struct socket_scanout *s, struct rect *band)
{
	size_t room = sizeof(sd->output.buffer) - SOCKET_HEADER_BYTES - sd->output.committed;

	while (s->sending.width > room / PIXEL_BYTES)
		narrow_rect(s);
	for (;;) {
		uint32_t rows = (uint32_t)(room / (s->sending.width * PIXEL_BYTES));
		int n;

		*band = s->sending;
		if (rows > SOCKET_BAND_PIECES)
			rows = SOCKET_BAND_PIECES;
		if (band->height > rows)
			band->height = rows;
		for (;;) {
			n = s->pixels->ops->rows(s->pixels, band, &sd->output.iov[1],
						 SOCKET_BAND_PIECES);
			if (n != -E2BIG || band->height == 1)
				break;
			band->height /= 2;
		}
		if (n != -E2BIG || s->sending.width == 1)
			return n;
		narrow_rect(s);
	}
}

int socket_band_next(struct socket_display *sd, struct socket_scanout *s)
{
	for (;;) {
		if (rect_is_empty(&s->sending) && !begin_rect(sd, s))
			return 0;
		int n = find_band(sd, s, &sd->output.band);
		if (n >= 0)
			return n;
		s->sending = (struct rect){ 0 }; /* unreadable: nothing to show */
		socket_wake(sd, SOCKET_EVERYTHING);
	}
}
