// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The OpenGL session of one guest, as 32-bit words: records of a head (kind in the low byte, the
 * number of following words above it) and words. The words of SETUP and SUBMIT are virgl's command
 * streams.
 */

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

struct renderer;

enum session_kind {
	SESSION_RESOURCE = 1, /* the eleven words of RESOURCE_CREATE_3D; gets a backing */
	SESSION_SETUP,        /* a stream that each new context gets */
	SESSION_SUBMIT,       /* a stream */
	SESSION_TRANSFER,     /* resource, direction, level, strides, offset, box: 12 words */
	SESSION_FREE,         /* a resource */
	SESSION_DETACH,       /* a resource's backing */
	SESSION_RECREATE,     /* the context */
	SESSION_N_KINDS,
};

#define SESSION_HEAD(kind, n_words) ((uint32_t)(kind) | (uint32_t)(n_words) << 8)
#define SESSION_KIND(head)          ((head)&0xff)
#define SESSION_N_WORDS(head)       ((size_t)(head) >> 8)

/* Resources have the numbers 1 to SESSION_MAX_RESOURCES. */
#define SESSION_MAX_RESOURCES 24

struct session_counts {
	uint64_t streams; /* in all */
	uint64_t refused; /* by our checks */
	uint64_t failed;  /* by the library */
};

/* Runs a session, then frees everything that it created. @words may be any words. */
void session_play(struct renderer *renderer, const uint32_t *words, size_t n_words,
		  struct session_counts *counts);

/* Generates a session from @seed: array of uint32_t, owned by the caller. */
GArray *session_make(uint64_t seed);
