// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Commands that are checked before virglrenderer reads them, and resources that they name; there is
 * no library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "render/virgl/virgl_private.h"

#define STREAM_MAX_WORDS 24

/* Resources that the guest has made, but for the last one. QUERIES is no buffer of OpenGL's. */
enum { BUFFER = 1, TEXTURE, VOLUME, SAMPLES, SHORT, BLOCKS, QUERIES, UNKNOWN };

extern struct virgl stream_virgl;

/* A set-up and a tear-down of a group. */
int stream_make_resources(void **state);
int stream_free_resources(void **state);

bool stream_is_accepted(const uint32_t *words, size_t n);

/* A command that is accepted, until its word @at is @bad. */
struct refusal {
	const char *what;
	uint8_t command, object, n, at;
	uint32_t bad;
	uint32_t words[STREAM_MAX_WORDS]; /* word 0 is the header's place */
};

void stream_check_refusals(const struct refusal *refusals, unsigned n);
/* The library refuses what is cut off, and nobody may read behind its end. */
void stream_cut_refusals(const struct refusal *refusals, unsigned n);
