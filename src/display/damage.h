// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* What of a scanout is not shown yet: a few rectangles, however often it is drawn to. */

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
/* Gives back a part of what damage_take() took last, to be taken next. */
void damage_put_back(struct damage *damage, const struct rect *r);
