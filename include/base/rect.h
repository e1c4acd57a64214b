// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A rectangle in pixels. It is empty when its width or its height is 0. */
struct rect {
	uint32_t x, y, width, height;
};

static inline bool rect_is_empty(const struct rect *r)
{
	return r->width == 0 || r->height == 0;
}

/* Whether @r lies wholly in a surface of @width x @height; nothing wraps. */
static inline bool rect_is_within(const struct rect *r, uint32_t width, uint32_t height)
{
	return r->x <= width && r->width <= width - r->x && r->y <= height &&
	       r->height <= height - r->y;
}

static inline bool rect_is_equal(const struct rect *a, const struct rect *b)
{
	return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

/* The pixels that are in both; an empty rectangle if there are none. */
struct rect rect_intersect(const struct rect *a, const struct rect *b);

/* The smallest rectangle that contains both; an empty one is ignored. */
struct rect rect_union(const struct rect *a, const struct rect *b);
