// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A display whose requests end when a test says so. It aborts on calls that the device must never
 * make. */

#include <stdbool.h>
#include <stdint.h>

#include "display/display.h"

struct fake_display {
	struct display base;
	bool shows_dmabufs, is_awaited;
	struct display_request *requests; /* display_request::next; the oldest first */
	unsigned n_requests, n_damages, n_changes;
	struct display_pixels *sources[DISPLAY_MAX_SCANOUTS];
	uint32_t widths[DISPLAY_MAX_SCANOUTS];
	struct dmabuf dmabufs[DISPLAY_MAX_SCANOUTS]; /* borrowed; no planes: none */
	unsigned n_cursors, n_moves;
	uint32_t cursor_pixel; /* the first pixel of the last image */
	int socket;
	int socket_error; /* -errno that set_socket() returns for a socket */
};

/* display_free() ends it. */
void fake_display_init(struct fake_display *fake);
/* Ends the oldest request with @error, or 0, and @reply. */
void fake_display_answer(struct fake_display *fake, int error, const void *reply);
