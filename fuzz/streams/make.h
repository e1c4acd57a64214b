// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The generators of a session: commands by rules, shaders, mutations. */

#include <glib.h>

#include "random.h"

/* virgl's numbers that the generators need; the protocol is in virglrenderer's virgl_protocol.h. */
#define CMD_CREATE_OBJECT  1
#define CMD_INLINE_WRITE   9
#define CMD_SET_SUB_CTX    28
#define CMD_CREATE_SUB_CTX 29
#define OBJECT_SHADER      4
#define N_COMMANDS         63
#define N_SHADER_TYPES     6

#define HEADER(command, object, n)                                                                 \
	((uint32_t)(command) | (uint32_t)(object) << 8 | (uint32_t)(n) << 16)

/* Handles of objects: each kind has a range, so that most references are valid. */
#define HANDLES_OF_A_KIND 8
uint32_t make_handle(struct random *random, unsigned object);

/* A word of the kind that a rule's letter names. */
uint32_t make_word(struct random *random, char letter);
uint32_t make_format(struct random *random);

/* Appends one command that is mostly valid. */
void make_command(struct random *random, GArray *stream);
/* Appends command number @n of the table; n < make_n_rules(). */
void make_by_rule(struct random *random, unsigned n, GArray *stream);
unsigned make_n_rules(void);

/* Appends a shader of @type (VERTEX 0, FRAGMENT, GEOMETRY, TESS_CTRL, TESS_EVAL, COMPUTE) as
 * @handle; @is_plain: one that compiles. */
void make_shader(struct random *random, unsigned type, uint32_t handle, bool is_plain,
		 GArray *stream);

/* Puts an error into @stream. */
void make_mutation(struct random *random, GArray *stream);
