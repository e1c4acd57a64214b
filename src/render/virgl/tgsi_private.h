// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The text of shaders. */

#include <stdbool.h>
#include <stdint.h>

/* The last constant of four numbers that a shader can have: a stream has no room for more. */
#define VIRGL_TGSI_MAX_CONST 16383

/* The last register of inputs, and of outputs. */
#define VIRGL_TGSI_MAX_IO 79

struct virgl_tgsi {
	uint64_t outputs; /* bit n: output register n is declared */
};

/* False if the library may not survive @text, a shader of @type (enum virgl_shader_type). */
bool virgl_tgsi_check(const char *text, unsigned type, struct virgl_tgsi *ret);

/* tgsi_limits.c */
/* What an instruction can do with registers of a kind. Of others it has no name for, and uses what
 * happens to be in the buffer for the name. */
enum tgsi_use {
	TGSI_NONE = 0,
	TGSI_READ = 1 << 0,
	TGSI_WRITE = 1 << 1,
	TGSI_BOTH = TGSI_READ | TGSI_WRITE,
};

struct tgsi_limit {
	const char *word;
	uint32_t max;
	enum tgsi_use use;
};

/* Of a kind of register, or of what one means. */
const struct tgsi_limit *virgl_tgsi_limit(const char *word);
/* UINT32_MAX: any. */
uint32_t virgl_tgsi_property_max(const char *word);
/* DFRACEXP_SAT is a DFRACEXP. */
void virgl_tgsi_remove_modifiers(char *opcode);
/* Whether the first register of an instruction is not written but read. */
bool virgl_tgsi_is_reader(const char *opcode);
/* Whether its operands are doubles. */
bool virgl_tgsi_reads_doubles(const char *opcode);
/* The word that begins a shader of @type. */
const char *virgl_tgsi_type(unsigned type);
