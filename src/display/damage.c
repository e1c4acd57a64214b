// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: every pixel that was added and not taken lies in one of the rectangles, and there
 * are never more than DAMAGE_MAX_RECTS of them. This bounds the memory that damage takes when the
 * peer does not read.
 *
 * Two rectangles are merged if sending the pixels that their union adds costs no more than a
 * separate message; when the list is full, the pair whose union adds the fewest pixels is merged.
 * So a clock in one corner and a caret in another stay two small rectangles, and a screen drawn
 * line by line becomes one.
 */
#include "display/damage.h"

#include <assert.h>
#include <string.h>

/* One more UPDATE costs both sides a handful of system calls and an allocation: about as much as
 * moving 16 KiB. */
#define MESSAGE_COST_PIXELS 4096

static int64_t rect_area(const struct rect *r)
{
	return (int64_t)r->width * r->height;
}

/* Returns the number of additional pixels to send if @a and @b are merged; it may be less than 0 if
 * they overlap. Scanouts are far smaller than 2^31 pixels a side, so no sum here overflows. */
static int64_t cost_of_merging(const struct rect *a, const struct rect *b)
{
	struct rect both = rect_union(a, b);

	return rect_area(&both) - rect_area(a) - rect_area(b);
}

static void remove_rect(struct damage *damage, unsigned i)
{
	damage->count--;
	memmove(&damage->rects[i], &damage->rects[i + 1],
		(damage->count - i) * sizeof(damage->rects[0]));
}

/* Finds the pair that is cheapest to merge. @r takes part, with the index after the last
 * rectangle. */
static void find_cheapest_pair(const struct damage *damage, const struct rect *r, unsigned *ret_a,
			       unsigned *ret_b)
{
	int64_t best = INT64_MAX;

	for (unsigned a = 0; a < damage->count; a++) {
		for (unsigned b = a + 1; b <= damage->count; b++) {
			const struct rect *other = b == damage->count ? r : &damage->rects[b];
			int64_t cost = cost_of_merging(&damage->rects[a], other);

			if (cost < best) {
				best = cost;
				*ret_a = a;
				*ret_b = b;
			}
		}
	}
}

/* Merges @r with rectangles that are cheap to merge with it, until none is left; returns the union.
 * *@at becomes the index of the oldest of them. So a region that is drawn all the time keeps its
 * place in the list; otherwise each merge would move it to the end, and delay it again. */
static struct rect absorb_rect(struct damage *damage, struct rect r, unsigned *at)
{
	for (unsigned i = 0; i < damage->count;) {
		if (cost_of_merging(&damage->rects[i], &r) > MESSAGE_COST_PIXELS) {
			i++;
			continue;
		}
		r = rect_union(&damage->rects[i], &r);
		remove_rect(damage, i);
		*at = i < *at ? i : *at;
		i = 0;
	}
	return r;
}

void damage_add(struct damage *damage, const struct rect *r)
{
	unsigned at = damage->count, a = 0, b = 0;

	assert(!rect_is_empty(r));
	struct rect rest = absorb_rect(damage, *r, &at);

	if (damage->count == DAMAGE_MAX_RECTS) {
		find_cheapest_pair(damage, &rest, &a, &b);
		if (b == DAMAGE_MAX_RECTS) {
			damage->rects[a] = rect_union(&damage->rects[a], &rest);
			return;
		}
		damage->rects[a] = rect_union(&damage->rects[a], &damage->rects[b]);
		remove_rect(damage, b);
		at = damage->count;
	}
	memmove(&damage->rects[at + 1], &damage->rects[at],
		(damage->count - at) * sizeof(damage->rects[0]));
	damage->rects[at] = rest;
	damage->count++;
}

bool damage_take(struct damage *damage, struct rect *ret)
{
	if (damage->count == 0)
		return false;
	*ret = damage->rects[0];
	remove_rect(damage, 0);
	return true;
}

void damage_put_back(struct damage *damage, const struct rect *r)
{
	assert(damage->count < DAMAGE_MAX_RECTS);
	memmove(&damage->rects[1], &damage->rects[0], damage->count * sizeof(damage->rects[0]));
	damage->rects[0] = *r;
	damage->count++;
}
