// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * TGSI's vocabulary.
 */
#include "words.h"

static const char *const files[] = { "CONST", "IN",     "OUT",     "TEMP",  "SAMP",
				     "ADDR",  "IMM",    "SV",      "IMAGE", "BUFFER",
				     "SVIEW", "MEMORY", "HWATOMIC" };

static const char *const semantics[] = {
	"POSITION",        "COLOR",          "BCOLOR",     "FOG",
	"PSIZE",           "GENERIC",        "NORMAL",     "FACE",
	"EDGEFLAG",        "PRIM_ID",        "INSTANCEID", "VERTEXID",
	"STENCIL",         "CLIPDIST",       "CLIPVERTEX", "GRID_SIZE",
	"BLOCK_ID",        "BLOCK_SIZE",     "THREAD_ID",  "TEXCOORD",
	"PCOORD",          "VIEWPORT_INDEX", "LAYER",      "CULLDIST",
	"SAMPLEID",        "SAMPLEPOS",      "SAMPLEMASK", "INVOCATIONID",
	"VERTEXID_NOBASE", "BASEVERTEX",     "PATCH",      "TESSCOORD",
	"TESSOUTER",       "TESSINNER",      "VERTICESIN", "HELPER_INVOCATION",
};

static const char *const textures[] = {
	"BUFFER",
	"1D",
	"2D",
	"3D",
	"CUBE",
	"RECT",
	"SHADOW1D",
	"SHADOW2D",
	"SHADOWRECT",
	"1D_ARRAY",
	"2D_ARRAY",
	"SHADOW1D_ARRAY",
	"SHADOW2D_ARRAY",
	"SHADOWCUBE",
	"2D_MSAA",
	"2D_ARRAY_MSAA",
	"CUBEARRAY",
	"SHADOWCUBEARRAY",
	"UNKNOWN",
};

static const char *const properties[] = {
	"GS_INPUT_PRIMITIVE",
	"GS_OUTPUT_PRIMITIVE",
	"GS_MAX_OUTPUT_VERTICES",
	"FS_COORD_ORIGIN",
	"FS_COORD_PIXEL_CENTER",
	"FS_COLOR0_WRITES_ALL_CBUFS",
	"FS_DEPTH_LAYOUT",
	"VS_PROHIBIT_UCPS",
	"GS_INVOCATIONS",
	"TCS_VERTICES_OUT",
	"TES_PRIM_MODE",
	"TES_SPACING",
	"TES_VERTEX_ORDER_CW",
	"TES_POINT_MODE",
	"NUM_CLIPDIST_ENABLED",
	"NUM_CULLDIST_ENABLED",
	"FS_EARLY_DEPTH_STENCIL",
	"NEXT_SHADER",
	"CS_FIXED_BLOCK_WIDTH",
	"CS_FIXED_BLOCK_HEIGHT",
	"CS_FIXED_BLOCK_DEPTH",
	"MUL_ZERO_WINS",
	"FS_BLEND_EQUATION_ADVANCED",
	"SEPARABLE_PROGRAM",
};

static const struct opcode opcodes[] = {
	{ "ARL", 1, 1, 0 },
	{ "MOV", 1, 1, 0 },
	{ "LIT", 1, 1, 0 },
	{ "RCP", 1, 1, 0 },
	{ "RSQ", 1, 1, 0 },
	{ "EXP", 1, 1, 0 },
	{ "LOG", 1, 1, 0 },
	{ "MUL", 1, 2, 0 },
	{ "ADD", 1, 2, 0 },
	{ "DP3", 1, 2, 0 },
	{ "DP4", 1, 2, 0 },
	{ "DST", 1, 2, 0 },
	{ "MAD", 1, 3, 0 },
	{ "LRP", 1, 3, 0 },
	{ "FMA", 1, 3, 0 },
	{ "FRC", 1, 1, 0 },
	{ "POW", 1, 2, 0 },
	{ "XPD", 1, 2, 0 },
	{ "DDX", 1, 1, 0 },
	{ "KILL", 0, 0, 0 },
	{ "PK2H", 1, 1, 0 },
	{ "PK4UB", 1, 1, 0 },
	{ "UP2H", 1, 1, 0 },
	{ "UP4B", 1, 1, 0 },
	{ "TEX", 1, 2, 1 },
	{ "TXD", 1, 4, 1 },
	{ "TXP", 1, 2, 1 },
	{ "TXB", 1, 2, 1 },
	{ "TXL", 1, 2, 1 },
	{ "TXF", 1, 2, 1 },
	{ "TXQ", 1, 2, 1 },
	{ "TXQS", 1, 1, 1 },
	{ "TEX2", 1, 3, 1 },
	{ "TXB2", 1, 3, 1 },
	{ "TXL2", 1, 3, 1 },
	{ "TG4", 1, 3, 1 },
	{ "LODQ", 1, 2, 1 },
	{ "FBFETCH", 1, 1, 0 },
	{ "ARR", 1, 1, 0 },
	{ "UARL", 1, 1, 0 },
	{ "IF", 0, 1, 0 },
	{ "UIF", 0, 1, 0 },
	{ "ELSE", 0, 0, 0 },
	{ "ENDIF", 0, 0, 0 },
	{ "BGNLOOP", 0, 0, 0 },
	{ "ENDLOOP", 0, 0, 0 },
	{ "BRK", 0, 0, 0 },
	{ "CONT", 0, 0, 0 },
	{ "BGNSUB", 0, 0, 0 },
	{ "ENDSUB", 0, 0, 0 },
	{ "CAL", 0, 0, 0 },
	{ "RET", 0, 0, 0 },
	{ "EMIT", 0, 1, 0 },
	{ "ENDPRIM", 0, 1, 0 },
	{ "RESQ", 1, 1, 0 },
	{ "MEMBAR", 0, 1, 0 },
	{ "KILL_IF", 0, 1, 0 },
	{ "END", 0, 0, 0 },
	{ "DFMA", 1, 3, 0 },
	{ "F2I", 1, 1, 0 },
	{ "UMAD", 1, 3, 0 },
	{ "UDIV", 1, 2, 0 },
	{ "MOD", 1, 2, 0 },
	{ "UMOD", 1, 2, 0 },
	{ "SWITCH", 0, 1, 0 },
	{ "CASE", 0, 1, 0 },
	{ "DEFAULT", 0, 0, 0 },
	{ "ENDSWITCH", 0, 0, 0 },
	{ "SAMPLE", 1, 3, 0 },
	{ "SAMPLE_D", 1, 5, 0 },
	{ "GATHER4", 1, 3, 0 },
	{ "SVIEWINFO", 1, 2, 0 },
	{ "UCMP", 1, 3, 0 },
	{ "LOAD", 1, 2, 0 },
	{ "STORE", 1, 2, 0 },
	{ "BARRIER", 0, 0, 0 },
	{ "ATOMUADD", 1, 3, 0 },
	{ "ATOMXCHG", 1, 3, 0 },
	{ "ATOMCAS", 1, 4, 0 },
	{ "ATOMIMAX", 1, 3, 0 },
	{ "IMUL_HI", 1, 2, 0 },
	{ "UMUL_HI", 1, 2, 0 },
	{ "IBFE", 1, 3, 0 },
	{ "UBFE", 1, 3, 0 },
	{ "BFI", 1, 4, 0 },
	{ "BREV", 1, 1, 0 },
	{ "POPC", 1, 1, 0 },
	{ "LSB", 1, 1, 0 },
	{ "INTERP_CENTROID", 1, 1, 0 },
	{ "INTERP_SAMPLE", 1, 2, 0 },
	{ "INTERP_OFFSET", 1, 2, 0 },
	{ "F2D", 1, 1, 0 },
	{ "D2F", 1, 1, 0 },
	{ "DABS", 1, 1, 0 },
	{ "DADD", 1, 2, 0 },
	{ "DSLT", 1, 2, 0 },
	{ "DFRACEXP", 2, 1, 0 },
	{ "DLDEXP", 1, 2, 0 },
	{ "D2I", 1, 1, 0 },
	{ "I2D", 1, 1, 0 },
	{ "DSSG", 1, 1, 0 },
	{ "CLOCK", 1, 0, 0 },
	{ "I64ABS", 1, 1, 0 },
	{ "U64ADD", 1, 2, 0 },
	{ "U64SHL", 1, 2, 0 },
	{ "I64MOD", 1, 2, 0 },
	{ "F2U64", 1, 1, 0 },
	{ "U642D", 1, 1, 0 },
	{ "SSG", 1, 1, 0 },
	{ "ISSG", 1, 1, 0 },
	{ "CMP", 1, 3, 0 },
	{ "SCS", 1, 1, 0 },
	{ "NOP", 0, 0, 0 },
	{ "SLT", 1, 2, 0 },
	{ "FSLT", 1, 2, 0 },
};

const char *words_file(struct random *random)
{
	return PICK(random, files);
}

const char *words_semantic(struct random *random)
{
	return PICK(random, semantics);
}

const char *words_texture(struct random *random)
{
	return PICK(random, textures);
}

const char *words_property(struct random *random)
{
	return PICK(random, properties);
}

const struct opcode *words_opcode(struct random *random)
{
	return &PICK(random, opcodes);
}
