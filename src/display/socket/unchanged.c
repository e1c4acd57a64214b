// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Leaves out of an UPDATE the pixels that the peer has already. A guest that flips pages marks its
 * whole screen as damaged, although most pictures differ little from the one before. A pixel that
 * is left out is copied neither into the socket nor out of it, nor drawn again by the peer.
 *
 * The pixels that the peer has are in a buffer of the source (display_pixels::sent). The invariant:
 * if sent_is_valid, the peer has exactly those pixels once it has read all messages that were
 * begun, and the UPDATE of s->sending. Whatever may break this makes the buffer invalid, and the
 * next UPDATE of the whole scanout makes it valid again.
 *
 * Where most of the picture changes each time, as in a video, a comparison saves nothing. After two
 * rectangles in a row of which less than a quarter was left out, the next ones are sent without a
 * comparison: first one, then three, and so on up to MAX_PAUSE. Only the last of them is copied to
 * the buffer (if it is the whole scanout), so that the one after it can be compared.
 */
#include <string.h>
#include <sys/param.h>

#include "base/pixel.h"
#include "display/socket/socket_private.h"

/* Rectangles without a comparison, at most: a second or two of a video. */
#define MAX_PAUSE 63

/* Columns are left out in groups of this many: comparing them one by one takes longer. */
#define COLUMNS 32

/* The pixels of a row that was prepared, or NULL if the source cannot supply them as one piece. */
static const uint32_t *find_row(const struct socket_scanout *s, uint32_t x, uint32_t y,
				uint32_t width)
{
	const struct rect row = { x, y, width, 1 };
	struct iovec iov;

	return s->pixels->ops->rows(s->pixels, &row, &iov, 1) == 1 ? iov.iov_base : NULL;
}

static uint32_t *find_sent_row(const struct socket_scanout *s, uint32_t x, uint32_t y)
{
	return s->pixels->sent + (size_t)y * s->width + x;
}

static bool is_same(const uint32_t *row, const uint32_t *sent, uint32_t width)
{
	return memcmp(row, sent, (size_t)width * PIXEL_BYTES) == 0;
}

static bool row_is_unchanged(const struct socket_scanout *s, const struct rect *r, uint32_t y)
{
	const uint32_t *row = find_row(s, r->x, y, r->width);

	return row && is_same(row, find_sent_row(s, r->x, y), r->width);
}

static void cut_rows(const struct socket_scanout *s, struct rect *r)
{
	while (r->height > 0 && row_is_unchanged(s, r, r->y + r->height - 1))
		r->height--;
	while (r->height > 0 && row_is_unchanged(s, r, r->y)) {
		r->y++;
		r->height--;
	}
}

/* The number of unchanged pixels at the left of a row, at most @max. */
static uint32_t count_left(const uint32_t *row, const uint32_t *sent, uint32_t max)
{
	uint32_t n = 0;

	if (is_same(row, sent, max)) /* as for most rows: one call instead of many */
		return max;
	while (n < max && is_same(row + n, sent + n, MIN(COLUMNS, max - n)))
		n += MIN(COLUMNS, max - n);
	return n;
}

/* The number of unchanged pixels at the right of a row, at most @max. Both pointers are to its
 * end. */
static uint32_t count_right(const uint32_t *row, const uint32_t *sent, uint32_t max)
{
	uint32_t n = 0, step;

	if (is_same(row - max, sent - max, max))
		return max;
	for (; n < max; n += step) {
		step = MIN(COLUMNS, max - n);
		if (!is_same(row - n - step, sent - n - step, step))
			break;
	}
	return n;
}

static void cut_columns(const struct socket_scanout *s, struct rect *r)
{
	uint32_t left = r->width, right = r->width;

	for (uint32_t y = r->y; y < r->y + r->height; y++) {
		const uint32_t *row = find_row(s, r->x, y, r->width);
		const uint32_t *sent = find_sent_row(s, r->x, y);

		left = row ? count_left(row, sent, left) : 0;
		right = row ? count_right(row + r->width, sent + r->width, right) : 0;
		if (left + right == 0)
			break;
	}
	if (r->height == 0)
		return;
	r->x += left;
	r->width -= left + right;
}

static uint64_t count_pixels(const struct rect *r)
{
	return (uint64_t)r->width * r->height;
}

/* Called after each comparison that left little out. From the second in a row on, the next
 * rectangles are sent without one. */
static void pause_comparing(struct socket_scanout *s)
{
	s->uncompared = s->pause;
	s->pause = MIN(2 * s->pause + 1, MAX_PAUSE);
	s->sent_is_valid = s->uncompared == 0;
}

static void compare_and_cut(struct socket_scanout *s, struct rect *r)
{
	uint64_t before = count_pixels(r);

	cut_rows(s, r);
	cut_columns(s, r);
	if (count_pixels(r) > before - before / 4)
		pause_comparing(s);
	else
		s->pause = 0;
}

static bool is_to_keep(const struct socket_scanout *s, const struct rect *r)
{
	bool is_whole = r->width == s->width && r->height == s->height;

	return s->pixels->sent && s->uncompared == 0 && (s->sent_is_valid || is_whole);
}

void socket_unchanged_cut(struct socket_scanout *s)
{
	s->sent_is_valid &= s->pixels->sent && s->pixels->format == s->sent_format;
	if (s->sent_is_valid)
		compare_and_cut(s, &s->sending);
	s->is_kept = is_to_keep(s, &s->sending);
	s->sent_format = s->pixels->format;
}

void socket_unchanged_keep(struct socket_scanout *s, const struct rect *band)
{
	for (uint32_t y = band->y; y < band->y + band->height && s->is_kept; y++) {
		const uint32_t *row = find_row(s, band->x, y, band->width);

		if (row)
			memcpy(find_sent_row(s, band->x, y), row,
			       (size_t)band->width * PIXEL_BYTES);
		else
			socket_unchanged_forget(s);
	}
}

void socket_unchanged_note_sent(struct socket_scanout *s)
{
	if (s->is_kept)
		s->sent_is_valid = true;
	else if (s->uncompared > 0)
		s->uncompared--;
}

void socket_unchanged_forget(struct socket_scanout *s)
{
	s->sent_is_valid = s->is_kept = false;
	s->uncompared = s->pause = 0;
}
