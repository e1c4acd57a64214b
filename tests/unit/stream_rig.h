// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Command streams and resources for tests of the checks before virglrenderer. No library is used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "render/virgl/virgl_private.h"

#define STREAM_MAX_WORDS 24

/* Resources of the guest; the last one does not exist. OpenGL cannot use QUERIES as a buffer. */
enum { BUFFER = 1, TEXTURE, VOLUME, SAMPLES, SHORT, BLOCKS, QUERIES, UNKNOWN };

extern struct virgl stream_virgl;

/* Setup and tear-down of a group. */
int stream_make_resources(void **state);
int stream_free_resources(void **state);

bool stream_is_accepted(const uint32_t *words, size_t n);

/* A command that is accepted, unless its word @at is @bad. */
struct refusal {
	const char *what;
	uint8_t command, object, n, at;
	uint32_t bad;
	uint32_t words[STREAM_MAX_WORDS]; /* word 0 is the header */
};

void stream_check_refusals(const struct refusal *refusals, unsigned n);
/* The library refuses truncated commands; the checks must not read past their end. */
void stream_cut_refusals(const struct refusal *refusals, unsigned n);
