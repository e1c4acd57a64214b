// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Guest and front-end send rectangles with unsigned 32-bit members, so x + width may overflow 32
 * bits. Every sum here is computed in 64 bits. No result has a pixel outside the smallest rectangle
 * that contains both operands.
 */
#include "base/rect.h"

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

struct rect rect_intersect(const struct rect *a, const struct rect *b)
{
	uint64_t x0 = max64(a->x, b->x), y0 = max64(a->y, b->y);
	uint64_t x1 = min64((uint64_t)a->x + a->width, (uint64_t)b->x + b->width);
	uint64_t y1 = min64((uint64_t)a->y + a->height, (uint64_t)b->y + b->height);

	if (x1 <= x0 || y1 <= y0)
		return (struct rect){ 0 };
	return (struct rect){ (uint32_t)x0, (uint32_t)y0, (uint32_t)(x1 - x0),
			      (uint32_t)(y1 - y0) };
}

struct rect rect_union(const struct rect *a, const struct rect *b)
{
	if (rect_is_empty(a))
		return *b;
	if (rect_is_empty(b))
		return *a;

	uint64_t x0 = min64(a->x, b->x), y0 = min64(a->y, b->y);
	uint64_t x1 = max64((uint64_t)a->x + a->width, (uint64_t)b->x + b->width);
	uint64_t y1 = max64((uint64_t)a->y + a->height, (uint64_t)b->y + b->height);

	return (struct rect){ (uint32_t)x0, (uint32_t)y0, (uint32_t)min64(x1 - x0, UINT32_MAX),
			      (uint32_t)min64(y1 - y0, UINT32_MAX) };
}
