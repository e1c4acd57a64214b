// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Shaders in TGSI's text form: some that compile and link with one another, and some mixed with
 * lines of any opcode, register and declaration, and with numbers that are too large.
 */
#include <string.h>

#include "make.h"
#include "words.h"

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
	{ "TESS_EVAL\nPROPERTY TES_PRIM_MODE 4\nPROPERTY TES_SPACING 0\n"
	  "PROPERTY TES_VERTEX_ORDER_CW 0\nPROPERTY TES_POINT_MODE 0\nDCL IN[][0], POSITION\n"
	  "DCL SV[0], TESSCOORD\nDCL OUT[0], POSITION\nDCL OUT[1], GENERIC[0]\n"
	  "  0: MUL OUT[0], SV[0].xxxx, IN[0][0]\n  1: MOV OUT[1], SV[0]\n  2: END\n",
	  "TESS_EVAL\nPROPERTY TES_PRIM_MODE 7\nPROPERTY TES_SPACING 1\nPROPERTY "
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
	const char *file = words_file(random);

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
	const struct opcode *opcode = words_opcode(random);
	const char *separator = " ";

	g_string_append_printf(text, "  %u: %s%s", line, opcode->name,
			       random_one_in(random, 20) ? "_SAT" : "");
	for (unsigned i = 0; i < opcode->n_to + opcode->n_from; i++, separator = ", ") {
		g_string_append(text, separator);
		add_register(random, text, i >= opcode->n_to);
	}
	if (opcode->has_texture || random_one_in(random, 20))
		g_string_append_printf(text, ", %s", words_texture(random));
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
	const char *file = words_file(random);

	switch (random_below(random, 8)) {
	case 0:
		g_string_append_printf(text, "PROPERTY %s %u\n", words_property(random),
				       make_number(random));
		return;
	case 1:
		g_string_append_printf(text, "IMM[%u] %s {%u, %u, %u, %u}\n", make_number(random),
				       random_one_in(random, 3) ? "FLT64" : "UINT32",
				       make_number(random), 1, 2, make_number(random));
		return;
	case 2:
		g_string_append_printf(text, "DCL %s, %s, PIPE_FORMAT_R32_UINT, WR\n", "IMAGE[0]",
				       words_texture(random));
		return;
	case 3:
		g_string_append_printf(text, "DCL SVIEW[%u], %s, UINT\n", make_number(random),
				       words_texture(random));
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
				       words_semantic(random), make_number(random));
		return;
	default:
		g_string_append_printf(text, "DCL %s[%u..%u], %s[%u], %s\n",
				       random_one_in(random, 2) ? "IN" : "OUT", make_number(random),
				       make_number(random), words_semantic(random),
				       make_number(random),
				       random_one_in(random, 2) ? "LINEAR" : "CONSTANT");
		return;
	}
}

/* Appends the lines of @base to @text, without a few of them, and random lines in between. */
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

/* Changes a number of the text. */
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
