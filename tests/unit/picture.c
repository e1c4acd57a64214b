// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"

static int picture_prepare(struct display_pixels *source, const struct rect *r)
{
	struct picture *picture = container_of(source, struct picture, base);

	assert_true(!source->ops->prepares_bands || r->height == 1 ||
		    (uint64_t)r->width * r->height * 4 <= DISPLAY_BAND_BYTES);
	picture->prepares++;
	picture->prepared = *r;
	return picture->error;
}

int picture_rows(struct display_pixels *source, const struct rect *r, struct iovec *iov, int max)
{
	struct picture *picture = container_of(source, struct picture, base);
	bool is_whole = r->width == picture->stride && !picture->piece_limit;
	uint32_t rows = is_whole ? 1 : r->height;
	uint32_t width = is_whole ? r->width * r->height : r->width;
	uint32_t piece = picture->piece_limit ? (uint32_t)picture->piece_limit : width;
	int n = 0;

	assert_true(rect_is_within(r, picture->width, picture->height));
	if (picture->rows_error)
		return picture->rows_error;
	if (source->ops->prepare) { /* only the rectangle that was prepared last is readable */
		struct rect readable = rect_intersect(r, &picture->prepared);
		assert_true(rect_is_equal(&readable, r));
	}
	for (uint32_t y = 0; y < rows; y++) {
		uint32_t *row = picture->pixels + (size_t)(r->y + y) * picture->stride + r->x;

		for (uint32_t x = 0; x < width; x += piece) {
			uint32_t pixels = width - x < piece ? width - x : piece;

			if (n == max)
				return -E2BIG;
			iov[n++] = (struct iovec){ row + x, (size_t)pixels * 4 };
		}
	}
	return n;
}

static const struct display_pixels_ops picture_ops = { .rows = picture_rows };
const struct display_pixels_ops picture_prepared_ops = {
	.prepare = picture_prepare,
	.rows = picture_rows,
};

const struct display_pixels_ops picture_banded_ops = {
	.prepare = picture_prepare,
	.prepares_bands = true,
	.rows = picture_rows,
};

void picture_fill(struct picture *picture, uint32_t seed)
{
	for (size_t i = 0; i < (size_t)picture->stride * picture->height; i++)
		picture->pixels[i] = seed + (uint32_t)i * 2654435761u;
}

void picture_init(struct picture *picture, uint32_t width, uint32_t height, uint32_t seed)
{
	*picture = (struct picture){
		.base.ops = &picture_ops, .width = width, .height = height, .stride = width
	};
	picture->pixels = malloc((size_t)width * height * 4);
	picture_fill(picture, seed);
}

void picture_finish(struct picture *picture)
{
	memset(picture->pixels, 0xee, (size_t)picture->stride * picture->height * 4);
	free(picture->pixels);
	picture->pixels = NULL;
}
