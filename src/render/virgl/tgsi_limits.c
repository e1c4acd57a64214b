// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The highest index or value that the library's tables for shaders allow, for each word of TGSI.
 */
#include <glib.h>
#include <string.h>

#include "render/virgl/protocol_private.h"
#include "render/virgl/tgsi_private.h"

/* Kinds of registers, then semantics. */
static const struct tgsi_limit limits[] = {
	{ "IN", VIRGL_TGSI_MAX_IO, TGSI_READ },
	{ "OUT", VIRGL_TGSI_MAX_IO, TGSI_BOTH },
	{ "TEMP", 32767, TGSI_BOTH },
	{ "CONST", VIRGL_TGSI_MAX_CONST, TGSI_READ },
	{ "IMM", 1023, TGSI_READ },
	{ "ADDR", 15, TGSI_WRITE },
	{ "SAMP", 31, TGSI_READ },
	{ "SVIEW", 31, TGSI_NONE },
	{ "IMAGE", 31, TGSI_BOTH },
	{ "BUFFER", 31, TGSI_BOTH },
	{ "MEMORY", 31, TGSI_BOTH },
	{ "SV", 31, TGSI_READ },
	{ "HWATOMIC", 16383, TGSI_READ },
	{ "TEXCOORD", 7 },
	{ "CLIPDIST", 1 },
	{ "CULLDIST", 1 },
	{ "BCOLOR", 1 },
	{ "GENERIC", 63 },
	{ "PATCH", 31 },
	{ "FOG", 31 },
};
#define MAX_OTHER 63

static const struct tgsi_limit properties[] = {
	{ "FS_DEPTH_LAYOUT", 4 },
	{ "GS_INVOCATIONS", 127 },
	{ "GS_MAX_OUTPUT_VERTICES", 4096 },
	{ "TCS_VERTICES_OUT", VIRGL_MAX_PATCH },
	{ "TES_PRIM_MODE", VIRGL_MAX_PRIMITIVE },
	{ "TES_SPACING", 2 },
	{ "NUM_CLIPDIST_ENABLED", 8 },
	{ "NUM_CULLDIST_ENABLED", 8 },
};

/* Instructions that write no register: their first operand is read. */
static const char *const readers[] = { "CASE",    "EMIT",   "ENDPRIM", "IF",
				       "KILL_IF", "MEMBAR", "SWITCH",  "UIF" };

/* Instructions on doubles begin with D; these begin with D too, but are not on doubles. */
static const char *const no_doubles[] = { "DDX", "DDY", "DIV", "DP", "DST" };

static const char *const types[VIRGL_N_SHADER_TYPES] = {
	[VIRGL_SHADER_VERTEX] = "VERT",         [VIRGL_SHADER_FRAGMENT] = "FRAG",
	[VIRGL_SHADER_GEOMETRY] = "GEOM",       [VIRGL_SHADER_TESS_CTRL] = "TESS_CTRL",
	[VIRGL_SHADER_TESS_EVAL] = "TESS_EVAL", [VIRGL_SHADER_COMPUTE] = "COMP",
};

const struct tgsi_limit *virgl_tgsi_limit(const char *word)
{
	static const struct tgsi_limit other = { "", MAX_OTHER, TGSI_NONE };

	for (unsigned i = 0; i < G_N_ELEMENTS(limits); i++)
		if (strcmp(word, limits[i].word) == 0)
			return &limits[i];
	return &other;
}

uint32_t virgl_tgsi_property_max(const char *word)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(properties); i++)
		if (strcmp(word, properties[i].word) == 0)
			return properties[i].max;
	return UINT32_MAX;
}

void virgl_tgsi_remove_modifiers(char *opcode)
{
	static const char *const modifiers[] = { "_PRECISE", "_SAT", "_PRECISE" };

	for (unsigned i = 0; i < G_N_ELEMENTS(modifiers); i++)
		if (g_str_has_suffix(opcode, modifiers[i]))
			opcode[strlen(opcode) - strlen(modifiers[i])] = '\0';
}

bool virgl_tgsi_is_reader(const char *opcode)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(readers); i++)
		if (strcmp(opcode, readers[i]) == 0)
			return true;
	return false;
}

bool virgl_tgsi_reads_doubles(const char *opcode)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(no_doubles); i++)
		if (g_str_has_prefix(opcode, no_doubles[i]))
			return false;
	return opcode[0] == 'D';
}

const char *virgl_tgsi_type(unsigned type)
{
	return types[type];
}
