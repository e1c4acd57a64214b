// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What a display may do with pixels: read rows that are inside the picture, and that were prepared
 * where that is needed, and keep pointers no longer than allowed. The last rule is checked by
 * moving the pixels and poisoning their old place.
 */
#include "picture.h"

#include <errno.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include "base/container.h"
#include "fuzz.h"

#define N_SLOTS 8 /* fixed places for the pixels of wide pictures */

/*
 * Memory of a picture. Mapping and unmapping the wide ones each time would cost more than
 * everything else here, so they have fixed places; a released place is poisoned until the others
 * have been used. Only one picture is wide at a time: two would collide.
 */
static uint32_t *pixels_new(size_t size)
{
	static uint32_t slots[N_SLOTS][PICTURE_WIDE * PICTURE_TALL];
	static unsigned next;
	uint32_t *pixels = size == sizeof(slots[0]) ? slots[next++ % N_SLOTS] : malloc(size);

	CHECK(pixels);
	ASAN_UNPOISON_MEMORY_REGION(pixels, size);
	return pixels;
}

static void pixels_free(uint32_t *pixels, size_t size)
{
	if (size == sizeof(uint32_t[PICTURE_WIDE * PICTURE_TALL]))
		ASAN_POISON_MEMORY_REGION(pixels, size);
	else
		free(pixels);
}

/* The copy of the picture that is compared, and which of its pixels are in the display's format. */
static uint32_t copy[PICTURE_SIDE * PICTURE_SIDE];
static bool is_converted[PICTURE_SIDE * PICTURE_SIDE];

static uint32_t raw_mask(uint32_t format)
{
	return format * 0x01020408;
}

/* The format is another one after each few copies. */
static void copy_raw(struct picture *picture, const struct rect *r)
{
	picture->base.format = ++picture->copies / 4 % 3;
	for (uint32_t y = r->y; y < r->y + r->height; y++)
		for (uint32_t x = r->x; x < r->x + r->width; x++) {
			size_t at = (size_t)y * picture->width + x;

			is_converted[at] = false;
			picture->copy[at] = picture->pixels[at] ^ raw_mask(picture->base.format);
		}
}

static int picture_prepare(struct display_pixels *source, const struct rect *r)
{
	struct picture *picture = container_of(source, struct picture, base);

	CHECK(rect_is_within(r, picture->width, picture->height) && !rect_is_empty(r));
	picture->prepared = *r;
	picture->is_dirty |= picture->fails;
	if (picture->copy)
		copy_raw(picture, r);
	return picture->fails ? -EIO : 0;
}

static void picture_convert(struct display_pixels *source, const struct rect *r)
{
	struct picture *picture = container_of(source, struct picture, base);
	struct rect prepared = rect_intersect(r, &picture->prepared);

	CHECK(rect_is_equal(&prepared, r) && !rect_is_empty(r));
	for (uint32_t y = r->y; y < r->y + r->height; y++)
		for (uint32_t x = r->x; x < r->x + r->width; x++) {
			size_t at = (size_t)y * picture->width + x;

			CHECK(!is_converted[at]);
			is_converted[at] = true;
			picture->copy[at] ^= raw_mask(source->format);
		}
}

static int picture_rows(struct display_pixels *source, const struct rect *r, struct iovec *iov,
			int max)
{
	struct picture *picture = container_of(source, struct picture, base);
	bool is_whole = r->width == picture->width && !picture->piece;
	uint32_t rows = is_whole ? 1 : r->height;
	uint32_t width = is_whole ? r->width * r->height : r->width;
	uint32_t piece = picture->piece ? picture->piece : width;
	uint32_t *pixels = picture->copy ? picture->copy : picture->pixels;
	int n = 0;

	CHECK(rect_is_within(r, picture->width, picture->height) && !rect_is_empty(r));
	if (source->ops->prepare) {
		struct rect readable = rect_intersect(r, &picture->prepared);

		CHECK(rect_is_equal(&readable, r));
	} else if (picture->fails) {
		picture->is_dirty = true;
		return -EFAULT;
	}
	for (uint32_t y = 0; y < rows; y++) {
		uint32_t *row = pixels + (size_t)(r->y + y) * picture->width + r->x;

		for (uint32_t x = 0; x < width; x += piece) {
			if (n == max)
				return -E2BIG;
			iov[n++] = (struct iovec){ row + x, MIN(piece, width - x) * sizeof(*row) };
		}
	}
	return n;
}

static const struct display_pixels_ops plain_ops = { .rows = picture_rows };
static const struct display_pixels_ops prepared_ops = { .prepare = picture_prepare,
							.rows = picture_rows };
static const struct display_pixels_ops band_ops = { .prepare = picture_prepare,
						    .rows = picture_rows,
						    .prepares_bands = true };

static const struct display_pixels_ops compared_ops = { .prepare = picture_prepare,
							.convert = picture_convert,
							.rows = picture_rows };

void picture_start(struct picture *picture, uint32_t width, uint32_t height)
{
	uint32_t *pixels = picture->pixels;

	if (picture->width != width || picture->height != height) {
		pixels_free(pixels, (size_t)picture->width * picture->height * sizeof(*pixels));
		pixels = pixels_new((size_t)width * height * sizeof(*pixels));
	}
	memset(pixels, 0, (size_t)width * height * sizeof(*pixels));
	*picture = (struct picture){
		.base.ops = &plain_ops, .width = width, .height = height, .pixels = pixels
	};
}

void picture_wants_preparing(struct picture *picture)
{
	picture->base.ops = &prepared_ops;
}

void picture_wants_bands(struct picture *picture)
{
	picture->base.ops = &band_ops;
}

void picture_wants_comparing(struct picture *picture)
{
	static uint32_t sent[PICTURE_SIDE * PICTURE_SIDE];

	CHECK((size_t)picture->width * picture->height <= PICTURE_SIDE * PICTURE_SIDE);
	picture->base.ops = &compared_ops;
	picture->copy = copy;
	picture->base.sent = sent;
}

void picture_move(struct picture *picture)
{
	size_t size = (size_t)picture->width * picture->height * sizeof(uint32_t);
	uint32_t *moved = pixels_new(size);

	memcpy(moved, picture->pixels, size);
	pixels_free(picture->pixels, size);
	picture->pixels = moved;
	picture->prepared = (struct rect){ 0 };
}
