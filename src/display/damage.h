// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The part of a scanout that has not been sent yet: a few rectangles, however often the guest
 * draws. */

#include <stdbool.h>

#include "base/rect.h"

#define DAMAGE_MAX_RECTS 16

/* Zeroed memory is no damage. */
struct damage {
	unsigned count;
	struct rect rects[DAMAGE_MAX_RECTS]; /* the oldest first; they may overlap */
};

/* Adds @r (not empty). Never loses a pixel; may add some between rectangles that it merges. */
void damage_add(struct damage *damage, const struct rect *r);
/* Takes the oldest rectangle out. False if there is none. */
bool damage_take(struct damage *damage, struct rect *ret);
/* Puts back a part of the rectangle that damage_take() returned last; it is taken next. */
void damage_put_back(struct damage *damage, const struct rect *r);
