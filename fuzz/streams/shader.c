// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Shaders in TGSI's text form: some that compile and link with one another, and such with lines of
 * any opcode, any register and any declaration mixed in, and with numbers that are too large.
 */
#include <string.h>

#include "make.h"

#define MAX_NUMBER_CHARS 12

static const char *const plain[N_SHADER_TYPES][2] = {
	{ "VERT\nDCL IN[0]\nDCL IN[1]\nDCL OUT[0], POSITION\nDCL OUT[1], GENERIC[0]\n"
	  "DCL CONST[0..3]\nDCL TEMP[0..3]\nIMM[0] FLT32 {0.0, 1.0, 0.5, 2.0}\n"
	  "  0: MUL TEMP[0], IN[0], CONST[0].xxxx\n  1: MAD OUT[0], IN[0], IMM[0].yyyy, TEMP[0]\n"
	  "  2: MOV OUT[1], IN[1]\n  3: END\n",
	  "VERT\nDCL IN[0]\nDCL SV[0], VERTEXID\nDCL OUT[0], POSITION\nDCL OUT[1], GENERIC[0]\n"
	  "DCL OUT[2], CLIPDIST\nDCL OUT[3], PSIZE\nDCL CONST[1][0..3]\nDCL TEMP[0..3], ARRAY(1)\n"
	  "DCL ADDR[0]\nIMM[0] INT32 {0, 1, 2, 3}\n  0: ARL ADDR[0].x, IN[0].xxxx\n"
	  "  1: U2F TEMP[0], SV[0].xxxx\n  2: MOV OUT[0], TEMP[ADDR[0].x](1)\n"
	  "  3: MOV OUT[1], CONST[1][1]\n  4: MOV OUT[2], IN[0]\n  5: MOV OUT[3].x, IN[0].xxxx\n"
	  "  6: END\n" },
	{ "FRAG\nPROPERTY FS_COLOR0_WRITES_ALL_CBUFS 1\nDCL IN[0], GENERIC[0], PERSPECTIVE\n"
	  "DCL OUT[0], COLOR\nDCL SAMP[0]\nDCL SVIEW[0], 2D, FLOAT\nDCL TEMP[0..1]\n"
	  "  0: TEX TEMP[0], IN[0], SAMP[0], 2D\n  1: ADD OUT[0], TEMP[0], IN[0]\n  2: END\n",
	  "FRAG\nDCL IN[0], GENERIC[0], LINEAR\nDCL IN[1], POSITION, LINEAR\nDCL IN[2], FACE, "
	  "CONSTANT\n"
	  "DCL OUT[0], COLOR\nDCL OUT[1], POSITION\nDCL IMAGE[0], 2D, PIPE_FORMAT_R32_UINT, WR\n"
	  "DCL BUFFER[0]\nDCL HWATOMIC[0]\nDCL TEMP[0..3]\nIMM[0] UINT32 {0, 1, 4, 16}\n"
	  "  0: LOAD TEMP[0], BUFFER[0], IMM[0].xxxx\n  1: STORE IMAGE[0], IMM[0], TEMP[0], 2D, "
	  "PIPE_FORMAT_R32_UINT\n"
	  "  2: UIF TEMP[0].xxxx :4\n  3: KILL\n  4: ENDIF\n  5: MOV OUT[0], IN[0]\n"
	  "  6: MOV OUT[1].z, IN[1].zzzz\n  7: END\n" },
	{ "GEOM\nPROPERTY GS_INPUT_PRIMITIVE TRIANGLES\nPROPERTY GS_OUTPUT_PRIMITIVE "
	  "TRIANGLE_STRIP\n"
	  "PROPERTY GS_MAX_OUTPUT_VERTICES 3\nPROPERTY GS_INVOCATIONS 1\nDCL IN[][0], POSITION\n"
	  "DCL IN[][1], GENERIC[0]\nDCL OUT[0], POSITION\nDCL OUT[1], GENERIC[0]\n"
	  "IMM[0] INT32 {0, 0, 0, 0}\n  0: MOV OUT[0], IN[0][0]\n  1: MOV OUT[1], IN[0][1]\n"
	  "  2: EMIT IMM[0].xxxx\n  3: ENDPRIM IMM[0].xxxx\n  4: END\n",
	  "GEOM\nPROPERTY GS_INPUT_PRIMITIVE POINTS\nPROPERTY GS_OUTPUT_PRIMITIVE POINTS\n"
	  "PROPERTY GS_MAX_OUTPUT_VERTICES 1\nDCL IN[][0], POSITION\nDCL SV[0], PRIM_ID\n"
	  "DCL OUT[0], POSITION\nDCL OUT[1], LAYER\nDCL OUT[2], VIEWPORT_INDEX\n"
	  "IMM[0] INT32 {0, 0, 0, 0}\n  0: MOV OUT[0], IN[0][0]\n  1: MOV OUT[1].x, SV[0].xxxx\n"
	  "  2: MOV OUT[2].x, IMM[0].xxxx\n  3: EMIT IMM[0].xxxx\n  4: END\n" },
	{ "TESS_CTRL\nPROPERTY TCS_VERTICES_OUT 3\nDCL IN[][0], POSITION\nDCL OUT[][0], POSITION\n"
	  "DCL OUT[1], TESSOUTER\nDCL OUT[2], TESSINNER\nDCL SV[0], INVOCATIONID\nDCL ADDR[0]\n"
	  "IMM[0] FLT32 {1.0, 1.0, 1.0, 1.0}\n  0: UARL ADDR[0].x, SV[0].xxxx\n"
	  "  1: MOV OUT[ADDR[0].x][0], IN[ADDR[0].x][0]\n  2: MOV OUT[1], IMM[0]\n"
	  "  3: MOV OUT[2], IMM[0]\n  4: BARRIER\n  5: END\n",
	  "TESS_CTRL\nPROPERTY TCS_VERTICES_OUT 4\nDCL IN[][0], POSITION\nDCL OUT[][0], POSITION\n"
	  "DCL OUT[1], PATCH[0]\nDCL OUT[2], TESSOUTER\nDCL OUT[3], TESSINNER\n"
	  "IMM[0] FLT32 {1.0, 1.0, 1.0, 1.0}\n  0: MOV OUT[1], IMM[0]\n  1: MOV OUT[2], IMM[0]\n"
	  "  2: MOV OUT[3], IMM[0]\n  3: END\n" },
	{ "TESS_EVAL\nPROPERTY TES_PRIM_MODE TRIANGLES\nPROPERTY TES_SPACING 0\n"
	  "PROPERTY TES_VERTEX_ORDER_CW 0\nPROPERTY TES_POINT_MODE 0\nDCL IN[][0], POSITION\n"
	  "DCL SV[0], TESSCOORD\nDCL OUT[0], POSITION\nDCL OUT[1], GENERIC[0]\n"
	  "  0: MUL OUT[0], SV[0].xxxx, IN[0][0]\n  1: MOV OUT[1], SV[0]\n  2: END\n",
	  "TESS_EVAL\nPROPERTY TES_PRIM_MODE QUADS\nPROPERTY TES_SPACING 1\nPROPERTY "
	  "TES_POINT_MODE 1\n"
	  "DCL IN[][0], POSITION\nDCL IN[1], PATCH[0]\nDCL SV[0], TESSCOORD\nDCL OUT[0], POSITION\n"
	  "DCL OUT[1], GENERIC[0]\n  0: MOV OUT[0], IN[0][0]\n  1: MOV OUT[1], IN[1]\n  2: END\n" },
	{ "COMP\nPROPERTY CS_FIXED_BLOCK_WIDTH 2\nPROPERTY CS_FIXED_BLOCK_HEIGHT 1\n"
	  "PROPERTY CS_FIXED_BLOCK_DEPTH 1\nDCL SV[0], THREAD_ID\nDCL BUFFER[0]\nDCL TEMP[0..1]\n"
	  "IMM[0] UINT32 {0, 4, 8, 12}\n  0: UMUL TEMP[0], SV[0].xxxx, IMM[0].yyyy\n"
	  "  1: STORE BUFFER[0].x, TEMP[0].xxxx, SV[0].xxxx\n  2: END\n",
	  "COMP\nPROPERTY CS_FIXED_BLOCK_WIDTH 1\nPROPERTY CS_FIXED_BLOCK_HEIGHT 1\n"
	  "PROPERTY CS_FIXED_BLOCK_DEPTH 1\nDCL SV[0], BLOCK_ID\nDCL MEMORY[0], SHARED\n"
	  "DCL IMAGE[0], 2D, PIPE_FORMAT_R32_UINT, WR\nDCL HWATOMIC[0]\nDCL TEMP[0..1]\n"
	  "IMM[0] UINT32 {0, 4, 8, 12}\n  0: ATOMUADD TEMP[0], IMAGE[0], SV[0], IMM[0].yyyy, 2D, "
	  "PIPE_FORMAT_R32_UINT\n"
	  "  1: STORE MEMORY[0].x, IMM[0].xxxx, TEMP[0].xxxx\n  2: BARRIER\n  3: END\n" },
};

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

/* Name, results, operands, and whether a texture's kind comes last. */
struct opcode {
	const char *name;
	uint8_t n_to, n_from, has_texture;
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

#define PICK(random, array) (array)[random_below(random, G_N_ELEMENTS(array))]

static unsigned make_number(struct random *random)
{
	static const unsigned large[] = { 15,    16,    31,       32,          63,
					  64,    80,    127,      128,         255,
					  256,   1023,  4095,     4096,        32767,
					  65535, 65536, 1u << 20, 2147483647u, 4294967295u };

	return random_one_in(random, 12) ? PICK(random, large) : random_below(random, 4);
}

static void add_register(struct random *random, GString *text, bool is_from)
{
	static const char *const swizzles[] = { ".x", ".y", ".xyzw", ".xxxx", ".zwxy", "", "" };
	static const char *const masks[] = { ".x", ".xy", ".zw", ".w", "", "" };
	const char *file = PICK(random, files);

	if (!is_from && random_one_in(random, 2))
		file = random_one_in(random, 2) ? "TEMP" : "OUT";
	if (is_from && random_one_in(random, 10))
		g_string_append(text, "-");
	g_string_append(text, file);
	if (random_one_in(random, 6))
		g_string_append_printf(text, "[%u]", make_number(random));
	if (random_one_in(random, 6))
		g_string_append_printf(text, "[ADDR[%u].x+%u]", make_number(random) % 4,
				       make_number(random));
	else
		g_string_append_printf(text, "[%u]", make_number(random));
	if (random_one_in(random, 12))
		g_string_append_printf(text, "(%u)", make_number(random));
	g_string_append(text, is_from ? PICK(random, swizzles) : PICK(random, masks));
}

static void add_instruction(struct random *random, GString *text, unsigned line)
{
	const struct opcode *opcode = &PICK(random, opcodes);
	const char *separator = " ";

	g_string_append_printf(text, "  %u: %s%s", line, opcode->name,
			       random_one_in(random, 20) ? "_SAT" : "");
	for (unsigned i = 0; i < opcode->n_to + opcode->n_from; i++, separator = ", ") {
		g_string_append(text, separator);
		add_register(random, text, i >= opcode->n_to);
	}
	if (opcode->has_texture || random_one_in(random, 20))
		g_string_append_printf(text, ", %s", PICK(random, textures));
	if (opcode->has_texture && random_one_in(random, 4)) {
		g_string_append(text, ", ");
		add_register(random, text, true);
	}
	if (strcmp(opcode->name, "CAL") == 0 || strstr(opcode->name, "IF"))
		g_string_append_printf(text, " :%u", line + random_below(random, 3));
	g_string_append_c(text, '\n');
}

static void add_declaration(struct random *random, GString *text)
{
	const char *file = PICK(random, files);

	switch (random_below(random, 8)) {
	case 0:
		g_string_append_printf(text, "PROPERTY %s %u\n", PICK(random, properties),
				       make_number(random));
		return;
	case 1:
		g_string_append_printf(text, "IMM[%u] %s {%u, %u, %u, %u}\n", make_number(random),
				       random_one_in(random, 3) ? "FLT64" : "UINT32",
				       make_number(random), 1, 2, make_number(random));
		return;
	case 2:
		g_string_append_printf(text, "DCL %s, %s, PIPE_FORMAT_R32_UINT, WR\n", "IMAGE[0]",
				       PICK(random, textures));
		return;
	case 3:
		g_string_append_printf(text, "DCL SVIEW[%u], %s, UINT\n", make_number(random),
				       PICK(random, textures));
		return;
	case 4:
		g_string_append_printf(text, "DCL TEMP[%u..%u], ARRAY(%u)\n", make_number(random),
				       make_number(random), make_number(random));
		return;
	case 5:
		g_string_append_printf(text, "DCL %s[%u..%u]\n", file, make_number(random),
				       make_number(random));
		return;
	case 6:
		g_string_append_printf(text, "DCL %s[%u], %s[%u]\n", file, make_number(random),
				       PICK(random, semantics), make_number(random));
		return;
	default:
		g_string_append_printf(text, "DCL %s[%u..%u], %s[%u], %s\n",
				       random_one_in(random, 2) ? "IN" : "OUT", make_number(random),
				       make_number(random), PICK(random, semantics),
				       make_number(random),
				       random_one_in(random, 2) ? "LINEAR" : "CONSTANT");
		return;
	}
}

/* Lines of its own among those of @base. */
static void mix_lines(struct random *random, GString *text, const char *base)
{
	g_auto(GStrv) lines = g_strsplit(base, "\n", -1);
	unsigned n = 1 + random_below(random, 4);

	for (unsigned i = 0; lines[i]; i++) {
		bool is_code = g_str_has_prefix(lines[i], "  ");

		if (i > 0 && random_one_in(random, 3) && n > 0 && lines[i][0]) {
			n--;
			if (is_code)
				add_instruction(random, text, i);
			else
				add_declaration(random, text);
		}
		if (lines[i][0] && !(i > 0 && random_one_in(random, 40)))
			g_string_append_printf(text, "%s\n", lines[i]);
	}
}

/* A number of the text becomes another. */
static void change_number(struct random *random, GString *text)
{
	unsigned at = random_below(random, (uint32_t)text->len);

	while (at < text->len && !g_ascii_isdigit(text->str[at]))
		at++;
	if (at >= text->len)
		return;

	size_t n = 1;

	while (g_ascii_isdigit(text->str[at + n]))
		n++;
	g_autofree char *number = g_strdup_printf("%u", make_number(random));

	g_string_erase(text, at, (gssize)n);
	g_string_insert(text, at, number);
}

static void add_words(GArray *stream, const char *text)
{
	size_t n = strlen(text) / 4 + 1;
	unsigned start = stream->len;

	g_array_set_size(stream, stream->len + (unsigned)n);
	memset(&g_array_index(stream, uint32_t, start), 0, n * 4);
	memcpy(&g_array_index(stream, uint32_t, start), text, strlen(text));
}

static void add_stream_outputs(struct random *random, GArray *stream, unsigned n)
{
	for (unsigned i = 0; i < 4; i++) {
		uint32_t stride = 4 * random_below(random, 8);

		g_array_append_val(stream, stride);
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t output = random_below(random, 3) | random_below(random, 2) << 8 |
				  (1 + random_below(random, 4)) << 10 |
				  random_below(random, 4) << 13 | (4 * i) << 16;
		uint32_t of_stream = random_one_in(random, 4) ? random_below(random, 4) : 0;

		if (random_one_in(random, 10))
			output = random_u32(random);
		g_array_append_val(stream, output);
		g_array_append_val(stream, of_stream);
	}
}

void make_shader(struct random *random, unsigned type, uint32_t handle, bool is_plain,
		 GArray *stream)
{
	g_autoptr(GString) text = g_string_new(NULL);
	const char *base = plain[type][is_plain ? 0 : random_below(random, 2)];
	unsigned n_outputs = !is_plain && type != 5 && random_one_in(random, 4)
				     ? 1 + random_below(random, 4)
				     : 0;
	unsigned start = stream->len;

	if (is_plain)
		g_string_append(text, base);
	else
		mix_lines(random, text, base);
	if (!is_plain && random_one_in(random, 3))
		change_number(random, text);

	uint32_t head[] = { 0, handle, type, (uint32_t)text->len + 1, 300, n_outputs };

	g_array_append_vals(stream, head, G_N_ELEMENTS(head));
	if (n_outputs > 0)
		add_stream_outputs(random, stream, n_outputs);
	add_words(stream, text->str);
	g_array_index(stream, uint32_t, start) =
		HEADER(CMD_CREATE_OBJECT, OBJECT_SHADER, stream->len - start - 1);
}
