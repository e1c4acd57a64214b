// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* What is remembered of a guest's context from one stream to the next. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id_table.h"

struct virgl;
struct virgl_bindings;
struct virgl_vertices;

struct virgl_sub_context {
	uint32_t id;
	struct id_table objects; /* their cost, as a number */
	uint64_t objects_cost;
	uint32_t zeroed; /* bit n: constants for shaders of type n have been zeroed */
	struct virgl_bindings *bindings; /* owned; NULL: nothing is bound */
	struct virgl_vertices *vertices; /* owned; NULL: as at the start */
};

struct virgl_context {
	struct virgl *virgl;
	uint32_t id;
	uint64_t cost;   /* of all that is in it */
	bool is_broken;  /* a stream was given up half-way */
	GPtrArray *subs; /* struct virgl_sub_context; the first one is number 0 */
	struct virgl_sub_context *current;
};

/* account.c: for each command that the library is about to run, which is whole. Charges what it
 * makes. Returns what it frees. */
uint64_t virgl_account_follow(struct virgl_context *context, const uint32_t *command);
/* The library has run all, or not: gives back what was @freed. */
void virgl_account_settle(struct virgl_context *context, uint64_t freed);

/* binding.c: for each command that the library is about to run, which is whole. */
void virgl_binding_follow(struct virgl_sub_context *sub, const uint32_t *command);
/* Whether @command destroys what is bound in @sub. */
bool virgl_binding_is_lost(const struct virgl_sub_context *sub, const uint32_t *command);
/* Adds to @stream (uint32_t) the commands that unbind what @command destroys, or the resource @id.
 */
void virgl_binding_release(struct virgl_sub_context *sub, const uint32_t *command, GArray *stream);
void virgl_binding_release_resource(struct virgl_sub_context *sub, uint32_t id, GArray *stream);

/* vertices.c: for each command that the library is about to run, which is whole. */
void virgl_vertices_follow(const struct virgl *virgl, struct virgl_sub_context *sub,
			   const uint32_t *command);
/* Whether @command draws with what is not there. */
bool virgl_vertices_are_missing(const struct virgl_sub_context *sub, const uint32_t *command);
void virgl_vertices_free(struct virgl_vertices *vertices);
