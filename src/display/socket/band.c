// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Supplies the pixels of an UPDATE. An UPDATE has the whole of a damaged rectangle (at most
 * SOCKET_UPDATE_BYTES), without the edges that the peer already has: QEMU may draw its window, or
 * take a screenshot, between any two messages, and would show a rectangle half old and half new if
 * it came in several. The pixels are supplied band by band, each right before it is sent: as many
 * rows, or as much of a row, as fit into one sendmsg().
 *
 * The invariant: an UPDATE that was begun is completed, because the peer would take the next
 * message for its pixels. The bytes that are left are counted (socket_output::left), and no address
 * is kept for them. So if the source is replaced meanwhile, or its memory moves, the rest comes
 * from the new memory, without a copy. If there is no source any more, zeros are sent: a SCANOUT,
 * or another UPDATE of these rows, follows.
 *
 * A rectangle is taken out of the damage, and prepared as a whole, before its first band. Preparing
 * a large one takes a while, so it is compared and sent in the next turn of the loop, after the
 * commands that the guest sent meanwhile. If the source prepares bands, each band is prepared by
 * itself.
 */
#include <assert.h>
#include <errno.h>

#include "display/socket/socket_private.h"
#include "base/pixel.h"

/* Bytes in one sendmsg() at most. The kernel takes as many as the socket has room for. */
#define CALL_BYTES (1024 * 1024)

static const uint8_t zeros[64 * 1024];

/* Whether a rectangle is prepared as a whole. */
static bool prepares_rects(const struct display_pixels_ops *ops)
{
	return ops->prepare && !ops->prepares_bands;
}

/* Whether another scanout with the same source as @s has a prepared rectangle: preparing another
 * rectangle now would overwrite that one. */
static bool pixels_are_busy(struct socket_display *sd, const struct socket_scanout *s)
{
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		const struct socket_scanout *other = &sd->scanouts[i];

		if (other != s && other->pixels == s->pixels && !rect_is_empty(&other->sending))
			return true;
	}
	return false;
}

/* Cuts @r to the rows that fit into one UPDATE; the rows below become damage again. */
static void keep_first_rows(struct socket_scanout *s, struct rect *r)
{
	uint32_t rows = SOCKET_UPDATE_BYTES / PIXEL_BYTES / r->width;
	struct rect rest = *r;

	rows = rows > 0 ? rows : 1;
	if (r->height <= rows)
		return;
	r->height = rows;
	rest.y += rows;
	rest.height -= rows;
	damage_put_back(&s->damage, &rest);
}

/* Returns false if @r cannot be read. */
static bool prepare_rect(struct socket_display *sd, struct socket_scanout *s, const struct rect *r)
{
	s->is_uncut = prepares_rects(s->pixels->ops);
	s->is_kept = false;
	s->finished_rows = 0;
	if (!s->is_uncut)
		return true;
	sd->prepared += socket_band_bytes(r);
	s->pixels->is_compared = s->uncompared == 0;
	return s->pixels->ops->prepare(s->pixels, r) == 0;
}

/* Takes the next damaged rectangle to send, and prepares it. */
static bool begin_rect(struct socket_display *sd, struct socket_scanout *s)
{
	const struct display_pixels_ops *ops = s->pixels->ops;
	struct rect r;

	if (ops->prepare && pixels_are_busy(sd, s))
		return false;
	do {
		while (sd->prepared < SOCKET_TURN_BYTES && damage_take(&s->damage, &r)) {
			keep_first_rows(s, &r);
			if (prepare_rect(sd, s, &r)) {
				s->sending = r;
				return true;
			}
		}
	} while (s->damage.count == 0 && socket_pace_begin_frame(sd, s));
	return false;
}

/* Cuts what was prepared to the pixels that the peer lacks; there may be none. Returns false if
 * that is left to the next turn. */
static bool cut_rect(struct socket_display *sd, struct socket_scanout *s)
{
	if (!s->is_uncut)
		return true;
	if (sd->prepared >= SOCKET_TURN_BYTES)
		return false;
	s->is_uncut = false;
	socket_unchanged_cut(s);
	return true;
}

/* Makes sure that there is a rectangle to send. False if there is none in this turn. */
static bool find_rect(struct socket_display *sd, struct socket_scanout *s)
{
	do {
		if (rect_is_empty(&s->sending) && !begin_rect(sd, s))
			return false;
		if (!cut_rect(sd, s))
			return false;
	} while (rect_is_empty(&s->sending));
	return true;
}

/* The rows with the pixels that are not in iov yet. *@ret_skip: bytes of the first of these rows
 * that were in iov. */
static struct rect rows_left(const struct socket_output *out, size_t *ret_skip)
{
	size_t row = (size_t)out->update.width * PIXEL_BYTES;
	uint32_t rows = (uint32_t)((out->left + row - 1) / row);
	struct rect r = out->update;

	r.y += r.height - rows;
	r.height = rows;
	*ret_skip = rows * row - out->left;
	return r;
}

/* Returns the next band: whole rows, or a part of one row. *@ret_skip: bytes of its first pixel
 * that were in iov already. */
static struct rect choose_band(const struct socket_output *out, size_t max_bytes, size_t *ret_skip)
{
	struct rect r = rows_left(out, ret_skip);
	uint32_t skipped = (uint32_t)(*ret_skip / PIXEL_BYTES);
	size_t rows = max_bytes / PIXEL_BYTES / r.width;

	if (skipped > 0 || rows <= 1)
		r.height = 1;
	else if (r.height > rows)
		r.height = (uint32_t)rows;
	r.x += skipped;
	r.width -= skipped;
	if (r.width > max_bytes / PIXEL_BYTES)
		r.width = max_bytes / PIXEL_BYTES;
	*ret_skip %= PIXEL_BYTES;
	return r;
}

/* Finds the pieces of *@r, which is made smaller if there are too many. Returns their number, or
 * -errno. */
static int find_pieces(struct socket_output *out, struct rect *r)
{
	const struct display_pixels_ops *ops = out->source->ops;
	int n;

	if (ops->prepares_bands && ops->prepare(out->source, r) != 0)
		return -EIO;
	while ((n = ops->rows(out->source, r, &out->iov[1], SOCKET_BAND_PIECES)) == -E2BIG) {
		if (r->height > 1)
			r->height /= 2;
		else if (r->width > 1)
			r->width /= 2;
		else
			break;
	}
	return n;
}

/* Removes the first @skip bytes of the pieces; they may span several pieces. */
static void skip_bytes(struct iovec *iov, size_t skip)
{
	for (; skip >= iov->iov_len; iov++) {
		skip -= iov->iov_len;
		iov->iov_len = 0;
	}
	iov->iov_base = (char *)iov->iov_base + skip;
	iov->iov_len -= skip;
}

/* Keeps the rows of the UPDATE above row @end for the next comparison, and converts them in place.
 * A row may be loaded several times, because what the socket does not take is loaded again. */
static void finish_rows(const struct socket_output *out, struct socket_scanout *s, uint32_t end)
{
	struct rect r = out->update;

	r.y += s->finished_rows;
	if (r.y >= end)
		return;
	r.height = end - r.y;
	s->finished_rows += r.height;
	socket_unchanged_keep(s, &r);
	if (out->source->ops->convert)
		out->source->ops->convert(out->source, &r);
}

/* Puts the next band into iov, from index 1 on. 0, or -errno if it is unreadable. */
static int load_band(struct socket_output *out, struct socket_scanout *s)
{
	bool prepares_bands = out->source->ops->prepares_bands;
	size_t skip, bytes = 0;
	struct rect r = choose_band(out, prepares_bands ? DISPLAY_BAND_BYTES : CALL_BYTES, &skip);
	int n = find_pieces(out, &r);

	if (n < 0)
		return n;
	finish_rows(out, s, r.y + r.height);
	for (int i = 1; i <= n; i++)
		bytes += out->iov[i].iov_len;
	assert(bytes == socket_band_bytes(&r)); /* or the peer would misread what follows */
	skip_bytes(&out->iov[1], skip);
	out->left -= bytes - skip;
	out->count = 1 + n;
	out->uses_source = true;
	return 0;
}

static void load_zeros(struct socket_output *out)
{
	out->count = 1;
	while (out->left > 0 && out->count <= CALL_BYTES / (int)sizeof(zeros)) {
		size_t n = out->left < sizeof(zeros) ? out->left : sizeof(zeros);

		out->iov[out->count++] = (struct iovec){ (void *)zeros, n };
		out->left -= n;
	}
	out->uses_source = false;
}

bool socket_band_begin(struct socket_display *sd, struct socket_scanout *s)
{
	struct socket_output *out = &sd->output;

	for (;;) {
		if (!find_rect(sd, s))
			return false;
		out->update = s->sending;
		out->left = socket_band_bytes(&s->sending);
		out->source = s->pixels;
		out->is_prepared = true;
		if (load_band(out, s) == 0)
			return true;
		out->left = 0;
		socket_unchanged_forget(s);
		s->sending = (struct rect){ 0 }; /* unreadable: nothing to show */
		socket_wake(sd, SOCKET_EVERYTHING);
	}
}

/* Whether the source has lost what it had prepared for the current UPDATE. */
static bool is_lost(const struct socket_output *out)
{
	return out->source && prepares_rects(out->source->ops) && !out->is_prepared;
}

void socket_band_lose_source(struct socket_display *sd)
{
	struct socket_output *out = &sd->output;
	size_t skip;
	struct rect r = rows_left(out, &skip);

	damage_add(&sd->scanouts[out->scanout].damage, &r);
	socket_wake(sd, SOCKET_EVERYTHING);
	out->source = NULL;
}

void socket_band_next(struct socket_display *sd)
{
	struct socket_output *out = &sd->output;
	struct socket_scanout *s = &sd->scanouts[out->scanout];

	out->iov[0] = (struct iovec){ out->buffer, 0 };
	out->first = 1;
	if (is_lost(out))
		socket_band_lose_source(sd);
	if (out->source && load_band(out, s) == 0)
		return;
	socket_unchanged_forget(s);
	load_zeros(out);
}
