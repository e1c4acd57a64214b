// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Pictures that a display shows, and that check how it reads them. */

#include <stdbool.h>
#include <stdint.h>

#include "base/rect.h"
#include "display/display.h"

#define PICTURE_SIDE 48   /* pixels */
#define PICTURE_WIDE 1400 /* of the one that takes more than one band */
#define PICTURE_TALL 60

struct picture {
	struct display_pixels base;
	uint32_t width, height;
	uint32_t *pixels; /* owned */
	struct rect prepared;
	uint32_t *copy; /* borrowed; NULL: prepared pixels are not copied */
	unsigned copies;
	uint32_t piece; /* pixels in one piece; 0: rows */
	bool fails;     /* to be prepared, or to give rows */
	bool is_shown;  /* on any scanout */
	bool is_dirty;  /* updates were lost because it failed */
};

/* Makes @picture (zeroed, or started before) black and of that size. Not freed: the next start
 * takes its memory. */
void picture_start(struct picture *picture, uint32_t width, uint32_t height);
/* From now on its pixels can be read only after they were prepared. */
void picture_wants_preparing(struct picture *picture);
/* The same, band by band. */
void picture_wants_bands(struct picture *picture);
/* The same, and they are read from a copy in one of three formats, which must be converted once;
 * the display leaves out those that its peer has. For one picture of at most PICTURE_SIDE x
 * PICTURE_SIDE, on one scanout at a time. */
void picture_wants_comparing(struct picture *picture);
/* Moves the pixels to other memory; a later read of the old memory is detected. */
void picture_move(struct picture *picture);
