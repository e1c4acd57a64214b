// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A picture in memory that a display shows, with rows at its stride. */

#include <stdint.h>

#include "base/rect.h"
#include "display/display.h"

struct picture {
	struct display_pixels base;
	uint32_t width, height, stride; /* pixels */
	uint32_t *pixels;
	struct rect prepared; /* the last */
	unsigned prepares;
	int error;       /* -errno of prepare */
	int piece_limit; /* pixels in a piece; 0: one piece */
	int rows_error;  /* -errno of rows */
};

/* Replaces the operations of picture_init() for a picture that must be prepared. */
extern const struct display_pixels_ops picture_prepared_ops;
/* The same, prepared band by band. */
extern const struct display_pixels_ops picture_banded_ops;

void picture_init(struct picture *picture, uint32_t width, uint32_t height, uint32_t seed);
/* Overwrites the pixels before it frees them, so that later reads are noticed. */
void picture_finish(struct picture *picture);
void picture_fill(struct picture *picture, uint32_t seed);
/* As display_pixels_ops::rows. */
int picture_rows(struct display_pixels *source, const struct rect *r, struct iovec *iov, int max);
