// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The record of a guest's context that is kept from one stream to the next. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id_table.h"

struct virgl;
struct virgl_bindings;
struct virgl_vertices;

struct virgl_sub_context {
	uint32_t id;
	struct id_table objects; /* the cost of each */
	uint64_t objects_cost;
	uint32_t zeroed; /* bit n: constants for shaders of type n have been zeroed */
	struct virgl_bindings *bindings; /* owned; NULL: nothing is bound */
	struct virgl_vertices *vertices; /* owned; NULL: as at the start */
};

struct virgl_context {
	struct virgl *virgl;
	uint32_t id;
	uint64_t cost;   /* of all its objects */
	bool is_broken;  /* a stream failed; part of it may have run */
	GPtrArray *subs; /* struct virgl_sub_context; the first one is number 0 */
	struct virgl_sub_context *current;
};

/* account.c: called with each complete command before the library runs it. Charges the objects that
 * it makes. Returns the cost of those that it frees. */
uint64_t virgl_account_follow(struct virgl_context *context, const uint32_t *command);
/* Gives back the cost @freed if the library has run the whole stream. */
void virgl_account_settle(struct virgl_context *context, uint64_t freed);

/* binding.c: called with each complete command before the library runs it. */
void virgl_binding_follow(struct virgl_sub_context *sub, const uint32_t *command);
/* Whether @command destroys an object that is bound in @sub. */
bool virgl_binding_is_lost(const struct virgl_sub_context *sub, const uint32_t *command);
/* Adds to @stream (of uint32_t) the commands that unbind the object that @command destroys, or the
 * resource @id. */
void virgl_binding_release(struct virgl_sub_context *sub, const uint32_t *command, GArray *stream);
void virgl_binding_release_resource(struct virgl_sub_context *sub, uint32_t id, GArray *stream);

/* vertices.c: called with each complete command before the library runs it. */
void virgl_vertices_follow(const struct virgl *virgl, struct virgl_sub_context *sub,
			   const uint32_t *command);
/* Whether @command is a draw whose vertex or index buffers are missing. */
bool virgl_vertices_are_missing(const struct virgl_sub_context *sub, const uint32_t *command);
void virgl_vertices_free(struct virgl_vertices *vertices);
