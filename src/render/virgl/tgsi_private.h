// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Checks on the text of shaders (TGSI). */

#include <stdbool.h>
#include <stdint.h>

/* The highest index of a constant (four numbers each): a stream has no room for more. */
#define VIRGL_TGSI_MAX_CONST 16383

/* The highest index of an input register, and of an output register. */
#define VIRGL_TGSI_MAX_IO 79

struct virgl_tgsi {
	uint64_t outputs; /* bit n: output register n is declared */
};

/* Returns false if @text, a shader of @type (enum virgl_shader_type), may crash the library. */
bool virgl_tgsi_check(const char *text, unsigned type, struct virgl_tgsi *ret);

/* tgsi_limits.c */
/* The access that an instruction may make to a kind of register. For other accesses the library has
 * no name, and uses uninitialised memory as the name. */
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

/* Returns the limit for a kind of register or a semantic. */
const struct tgsi_limit *virgl_tgsi_limit(const char *word);
/* Returns the highest value of a property; UINT32_MAX: no limit. */
uint32_t virgl_tgsi_property_max(const char *word);
/* Removes modifiers from the name: DFRACEXP_SAT becomes DFRACEXP. */
void virgl_tgsi_remove_modifiers(char *opcode);
/* Whether the instruction reads its first register and does not write it. */
bool virgl_tgsi_is_reader(const char *opcode);
/* Whether its operands are doubles. */
bool virgl_tgsi_reads_doubles(const char *opcode);
/* The word that begins a shader of @type. */
const char *virgl_tgsi_type(unsigned type);
