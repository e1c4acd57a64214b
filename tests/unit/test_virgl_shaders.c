// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Which shaders are passed to the library: their text, and the words with it in the stream. The
 * refused texts are reduced from shaders that crashed it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>
#include <string.h>

#include "render/virgl/tgsi_private.h"
#include "render/virgl/virgl_private.h"

struct shader {
	const char *what;
	unsigned type;
	const char *text;
};

static bool is_accepted(const struct shader *shader)
{
	struct virgl_tgsi tgsi;
	/* A copy that ends exactly where the text ends, for the sanitizer. */
	g_autofree char *text = g_strdup(shader->text);

	return virgl_tgsi_check(text, shader->type, &tgsi);
}

#define VERTEX   VIRGL_SHADER_VERTEX
#define FRAGMENT VIRGL_SHADER_FRAGMENT
#define GEOMETRY VIRGL_SHADER_GEOMETRY
#define CONTROL  VIRGL_SHADER_TESS_CTRL
#define COMPUTE  VIRGL_SHADER_COMPUTE

static const struct shader good[] = {
	{ "an array that is indexed", VERTEX,
	  "VERT\nDCL IN[0]\nDCL OUT[0], POSITION\nDCL OUT[1..3], ARRAY(1), GENERIC[0]\n"
	  "DCL CONST[0][0..4095]\nDCL CONST[31][0..2]\nDCL TEMP[0..1000], ARRAY(1), LOCAL\n"
	  "DCL ADDR[0..2]\nIMM[0] FLT32 {0x00000000, 0x3f800000, 1.0, -2.5e+10}\n"
	  "IMM[1] INT32 {-1, 2, 3, 4}\n  0: UARL ADDR[2].x, IN[0].xxxx\n"
	  "  1: MOV TEMP[ADDR[2].x+7](1).xyz, -|CONST[31][ADDR[2].x+1]|\n"
	  "  2: MOV OUT[ADDR[2].x+1](1), TEMP[ADDR[0].x-3](1)\n  3: END\n" },
	{ "texts of another case, with spaces", VERTEX,
	  " vert\ndcl in [ 0 ]\ndcl out[0], position\n 0: mov out [0] , in [ 0 ]\n 1: end" },
	{ "all that a fragment shader has", FRAGMENT,
	  "FRAG\nPROPERTY FS_COLOR0_WRITES_ALL_CBUFS 1\nPROPERTY FS_DEPTH_LAYOUT 4\n"
	  "DCL IN[0], GENERIC[31], PERSPECTIVE, CENTROID\nDCL IN[1].xy, COLOR[1], COLOR\n"
	  "DCL OUT[0], COLOR[7]\nDCL OUT[1], POSITION\nDCL SAMP[31]\nDCL SVIEW[31], 2D_ARRAY, "
	  "FLOAT\n"
	  "DCL BUFFER[31]\nDCL IMAGE[31], 2D, PIPE_FORMAT_R32_UINT, WR\nDCL HWATOMIC[3][0..7]\n"
	  "DCL SV[0], SAMPLEID\nDCL TEMP[0..3]\nIMM[0] UINT32 {0, 4294967295, 16, 2147483648}\n"
	  "  0: TEX TEMP[0], IN[0], SAMP[31], 2D_ARRAY\n  1: TXF TEMP[1], IMM[0], SAMP[31], "
	  "2D_ARRAY, IMM[0].xyx\n"
	  "  2: LOAD TEMP[1].x, BUFFER[31], IMM[0].zzzz\n"
	  "  3: STORE IMAGE[31], TEMP[1], TEMP[0], COHERENT, 2D, PIPE_FORMAT_R32_UINT\n"
	  "  4: ATOMUADD TEMP[2].x, HWATOMIC[3][7], IMM[0].xxxx, IMM[0].zzzz\n"
	  "  5: UIF SV[0].xxxx :8\n  6:   KILL_IF -IMM[0].xxxx\n  7: ENDIF\n"
	  "  8: IF IMM[0].xxxx :9\n  9: ENDIF\n 10: MOV OUT[0], TEMP[0]\n 11: MOV OUT[1].z, "
	  "IN[1].xxxx\n"
	  " 12: END\n" },
	{ "vertices in brackets", GEOMETRY,
	  "GEOM\nPROPERTY GS_INPUT_PRIMITIVE TRIANGLES\nPROPERTY GS_MAX_OUTPUT_VERTICES 1024\n"
	  "DCL IN[][0], POSITION\nDCL OUT[0], POSITION, STREAM(0, 0, 0, 0)\nIMM[0] INT32 {0, 0, 0, "
	  "0}\n"
	  "  0: MOV OUT[0], IN[2][0]\n  1: EMIT IMM[0].xxxx\n  2: ENDPRIM IMM[0].xxxx\n  3: "
	  "END\n" },
	{ "outputs of a patch", CONTROL,
	  "TESS_CTRL\nPROPERTY TCS_VERTICES_OUT 32\nDCL IN[][0], POSITION\nDCL OUT[][0], POSITION\n"
	  "DCL OUT[1], PATCH[29]\nDCL SV[0], INVOCATIONID\nDCL ADDR[0]\n  0: UARL ADDR[0].x, "
	  "SV[0].xxxx\n"
	  "  1: MOV OUT[ADDR[0].x][0], IN[ADDR[0].x][0]\n  2: MOV OUT[1], IN[31][0]\n  3: "
	  "BARRIER\n  4: END\n" },
	{ "outputs of vertices and of a patch that are read", CONTROL,
	  "TESS_CTRL\nDCL OUT[][0], POSITION\nDCL OUT[1].xy, PATCH[0]\n"
	  "DCL OUT[][2..5], ARRAY(1), GENERIC[3]\nDCL TEMP[0..2]\n"
	  "  0: MOV TEMP[0], OUT[1][0]\n  1: DP4 TEMP[0].x, OUT[0][0], TEMP[0]\n"
	  "  2: DADD TEMP[1], OUT[1], OUT[2][5]\n  3: D2F TEMP[1].x, OUT[0][2].xyxy\n  4: END\n" },
	{ "doubles", FRAGMENT,
	  "FRAG\nDCL OUT[0], COLOR\nDCL TEMP[0..2]\nIMM[0] FLT64 {0x00000000, 0x3ff00000, "
	  "0x00000000, 0x40000000}\n"
	  "  0: DFRACEXP TEMP[0].xy, TEMP[1].x, IMM[0].xyzw\n  1: D2F OUT[0].x, TEMP[0]\n  2: "
	  "END\n" },
	{ "a work group", COMPUTE,
	  "COMP\nPROPERTY CS_FIXED_BLOCK_WIDTH 1024\nDCL SV[0], THREAD_ID\nDCL MEMORY[0], SHARED\n"
	  "DCL TEMP[0]\nIMM[0] UINT32 {0, 4, 8, 12}\n  0: STORE MEMORY[0].x, SV[0].xxxx, "
	  "SV[0].xxxx\n"
	  "  1: MEMBAR IMM[0].xxxx\n  2: END\n" },
	{ "what is newer than this", FRAGMENT,
	  "FRAG\nPROPERTY SOMETHING_NEW 1000000\nDCL SV[0], NEW_VALUE[3]\nDCL OUT[0], COLOR\n"
	  "  0: NEWOP OUT[0], SV[0], NEWER\n  1: END\n" },
};

#define BEGIN_FS "FRAG\nDCL OUT[0], COLOR\nDCL TEMP[0..1]\nDCL IN[0], GENERIC[0], LINEAR\n"
#define BEGIN_VS "VERT\nDCL IN[0]\nDCL OUT[0], POSITION\nDCL TEMP[0..1]\n"

static const struct shader bad[] = {
	{ "a shader of another type", VERTEX, BEGIN_FS "  0: MOV OUT[0], IN[0]\n  1: END\n" },
	{ "no shader", VERTEX, "" },
	{ "a type that is none", VIRGL_N_SHADER_TYPES, BEGIN_VS "  0: END\n" },
	{ "an input's register", VERTEX, BEGIN_VS "DCL IN[80]\n  0: END\n" },
	{ "an output's register", VERTEX, BEGIN_VS "DCL OUT[0..4095], GENERIC[0]\n  0: END\n" },
	{ "a range that runs backwards", VERTEX, BEGIN_VS "DCL TEMP[2..1]\n  0: END\n" },
	{ "an input that is read", FRAGMENT, BEGIN_FS "  0: MOV OUT[0], IN[4095]\n  1: END\n" },
	{ "an input behind a vertex", GEOMETRY, "GEOM\nDCL IN[][4095], GENERIC[0]\n" },
	{ "a vertex", GEOMETRY, "GEOM\nDCL OUT[0], POSITION\n  0: MOV OUT[0], IN[32][0]\n" },
	{ "a negative input", FRAGMENT, BEGIN_FS "  0: MOV OUT[0], IN[-1]\n  1: END\n" },
	{ "a negative immediate", FRAGMENT, BEGIN_FS "  0: MOV OUT[0], IMM[-5].xxxx\n  1: END\n" },
	{ "a negative distance", FRAGMENT,
	  BEGIN_FS "  0: MOV OUT[0], IN[ADDR[0].x-5]\n  1: END\n" },
	{ "an immediate", FRAGMENT, BEGIN_FS "  0: MOV OUT[0], IMM[1024].xxxx\n  1: END\n" },
	{ "a constant", VERTEX, BEGIN_VS "DCL CONST[0..16384]\n  0: END\n" },
	{ "a buffer of constants", VERTEX, BEGIN_VS "DCL CONST[32][0..1]\n  0: END\n" },
	{ "a sampler", FRAGMENT, BEGIN_FS "  0: TEX OUT[0], IN[0], SAMP[32], 2D\n  1: END\n" },
	{ "an image that is written", FRAGMENT, BEGIN_FS "  0: STORE IMAGE[32], IN[0], IN[0]\n" },
	{ "a buffer", FRAGMENT, BEGIN_FS "  0: LOAD TEMP[0], BUFFER[4095], IN[0]\n  1: END\n" },
	{ "an address in brackets", FRAGMENT, BEGIN_FS "  0: MOV OUT[0], TEMP[ADDR[1048576].x]\n" },
	{ "an address of many digits", FRAGMENT,
	  BEGIN_FS "  0: MOV OUT[0], IN[4294967296]\n  1: END\n" },
	{ "a semantic's number", VERTEX, BEGIN_VS "DCL OUT[1], GENERIC[64]\n  0: END\n" },
	{ "a colour that is handed on", VERTEX, BEGIN_VS "DCL OUT[1], COLOR[2]\n  0: END\n" },
	{ "a colour that is read", FRAGMENT, BEGIN_FS "DCL IN[1], COLOR[2], LINEAR\n  0: END\n" },
	{ "a colour that is drawn", FRAGMENT, BEGIN_FS "DCL OUT[1], COLOR[65535]\n  0: END\n" },
	{ "a texture coordinate", VERTEX, BEGIN_VS "DCL OUT[1], TEXCOORD[8]\n  0: END\n" },
	{ "an array of inputs", GEOMETRY, "GEOM\nDCL IN[][0..1], ARRAY(80), GENERIC[0]\n" },
	{ "an array that is read", FRAGMENT, BEGIN_FS "  0: MOV OUT[0], IN[ADDR[0].x](1023)\n" },
	{ "a value of the system", VERTEX, BEGIN_VS "DCL SV[32], VERTEXID\n  0: END\n" },
	{ "a value of the system that is not declared", VERTEX,
	  BEGIN_VS "  0: F2D TEMP[0], SV[3]\n  1: END\n" },
	{ "a counter that is not declared", FRAGMENT,
	  BEGIN_FS "DCL HWATOMIC[0][0..1]\n  0: LOAD TEMP[0], HWATOMIC[0][2], IN[0]\n" },
	{ "an address that is read", FRAGMENT, BEGIN_FS "  7: D2I TEMP[0].w, -ADDR[0].xyzw\n" },
	{ "a constant that is written", FRAGMENT, BEGIN_FS " 10: F2D CONST[0], TEMP[0]\n" },
	{ "an immediate that is written", FRAGMENT, BEGIN_FS " 10: F2D IMM[0], TEMP[0]\n" },
	{ "a second result that cannot be", FRAGMENT,
	  BEGIN_FS "  0: DFRACEXP TEMP[0], CONST[0], IN[0]\n" },
	{ "a second result of a saturated instruction", FRAGMENT,
	  BEGIN_FS "  0: DFRACEXP_SAT TEMP[0], CONST[0], IN[0]\n" },
	{ "a second result of a precise instruction", FRAGMENT,
	  BEGIN_FS "  0: DFRACEXP_SAT_PRECISE TEMP[0], CONST[0], IN[0]\n" },
	{ "an address behind a saturated instruction that reads", FRAGMENT,
	  BEGIN_FS "  0: UIF_SAT ADDR[0].x\n" },
	{ "a constant behind an immediate that is declared", COMPUTE,
	  "COMP\nDCL IMM[2..3]\nIMM[0] UINT32 {0, 4, 8, 12}\n 10: DABS CONST[2], IMM[0]\n" },
	{ "a vertex's own output that is read as doubles", CONTROL,
	  "TESS_CTRL\nDCL OUT[][0], POSITION\nDCL TEMP[0]\n  0: DSLT TEMP[0], TEMP[0], OUT[0]\n" },
	{ "an output without a meaning that is read as doubles", CONTROL,
	  "TESS_CTRL\nDCL OUT[0..3]\nDCL TEMP[0]\n  0: D2U TEMP[0], OUT[1][3]\n" },
	{ "a point's size that is read as doubles", CONTROL,
	  "TESS_CTRL\nDCL OUT[][7].x, PSIZE\nDCL TEMP[0]\n  0: DFMA TEMP[0], TEMP[0], TEMP[0], "
	  "OUT[ADDR[0].x+1][7]\n" },
	{ "a register of no kind", FRAGMENT, BEGIN_FS "  0: F2D TEMP[0], NULL[0]\n" },
	{ "a stream that is no immediate", GEOMETRY,
	  "GEOM\nDCL CONST[0..4095]\n  0: ENDPRIM CONST[4095].xxxx\n" },
	{ "a barrier that is no immediate", FRAGMENT, BEGIN_FS "  0: MEMBAR TEMP[4095]\n" },
	{ "a patch's vertices", CONTROL, "TESS_CTRL\nPROPERTY TCS_VERTICES_OUT 33\n" },
	{ "a layout of depth", FRAGMENT, "FRAG\nPROPERTY FS_DEPTH_LAYOUT 5\n" },
	{ "a number at the end that is not there", FRAGMENT, BEGIN_FS "IMM[0] FLT32 {0x0" },
	{ "a number that ends the text", FRAGMENT, BEGIN_FS "IMM[0] FLT64 {0x00000000, 0x000000" },
	{ "a number without its digits", FRAGMENT,
	  BEGIN_FS "IMM[0] FLT32 {0x0, 0x0, 0x0, 0x0}\n  0: MOV OUT[0], IMM[0]\n  1: END\n" },
};

static void shaders_of_mesa_are_accepted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(good); i++)
		if (!is_accepted(&good[i]))
			fail_msg("%s: refused", good[i].what);
}

static void a_shader_with_one_invalid_number_is_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
		if (is_accepted(&bad[i]))
			fail_msg("%s: accepted", bad[i].what);
}

static void more_inputs_than_the_table_holds_are_refused(void **state)
{
	g_autoptr(GString) text = g_string_new("FRAG\n");
	struct virgl_tgsi tgsi;

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		g_string_append_printf(text, "DCL IN[%u], GENERIC[%u], LINEAR\n", i, i);
	assert_true(virgl_tgsi_check(text->str, FRAGMENT, &tgsi));
	g_string_append(text, "DCL IN[60], GENERIC[60], LINEAR\n");
	assert_false(virgl_tgsi_check(text->str, FRAGMENT, &tgsi));
}

/* ---- outputs that are written to buffers ---- */

#define MAX_WORDS 256
#define TEXT      "VERT\nDCL OUT[0], POSITION\nDCL OUT[2..3], GENERIC[0]\n"

static struct virgl virgl;

struct output {
	uint32_t reg, n_components, buffer, offset;
};

static bool are_accepted_in(const char *text, const uint32_t *strides, const struct output *outputs,
			    unsigned n)
{
	uint32_t bytes = (uint32_t)strlen(text) + 1;
	uint32_t words[MAX_WORDS] = { 0, 1, VERTEX, bytes, 300, n };
	uint32_t at = 6 + 4 + 2 * n, n_words = at + (bytes + 3) / 4;

	memcpy(words + 6, strides, 16);
	for (unsigned i = 0; i < n; i++)
		words[10 + 2 * i] = outputs[i].reg | outputs[i].n_components << 10 |
				    outputs[i].buffer << 13 | outputs[i].offset << 16;
	memcpy(words + at, text, bytes);
	words[0] = VIRGL_HEADER(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SHADER, n_words - 1);
	return virgl_check_stream(&virgl, words, n_words);
}

static bool are_outputs_accepted(const uint32_t *strides, const struct output *outputs, unsigned n)
{
	return are_accepted_in(TEXT, strides, outputs, n);
}

static void outputs_that_fit_the_library_are_accepted(void **state)
{
	const struct output outputs[] = { { 0, 4, 0, 0 }, { 2, 4, 1, 0 }, { 3, 2, 3, 100 } };

	(void)state;
	assert_true(are_outputs_accepted((uint32_t[]){ 4, 8, 0, 128 }, outputs, 3));
}

static void undeclared_outputs_are_refused(void **state)
{
	(void)state;
	assert_false(are_outputs_accepted((uint32_t[4]){ 4 }, &(struct output){ 1, 4 }, 1));
	assert_false(are_outputs_accepted((uint32_t[4]){ 4 }, &(struct output){ 63, 4 }, 1));
	assert_false(are_outputs_accepted((uint32_t[4]){ 4 }, &(struct output){ 255, 4 }, 1));
}

/* The library drops the second declaration if both mean the same, but not if one is an array. */
static void outputs_of_a_dropped_declaration_are_refused(void **state)
{
	const struct output first = { 0, 4 }, third = { 2, 4 };

	(void)state;
	assert_true(are_accepted_in("VERT\nDCL OUT[0], POSITION\nDCL OUT[0..3]\n",
				    (uint32_t[4]){ 4 }, &first, 1));
	assert_false(are_accepted_in("VERT\nDCL OUT[0], POSITION\nDCL OUT[0..3]\n",
				     (uint32_t[4]){ 4 }, &third, 1));
	assert_true(are_accepted_in("VERT\nDCL OUT[1].xy, GENERIC[0]\n"
				    "DCL OUT[1..3].zw, ARRAY(1), GENERIC[0]\n",
				    (uint32_t[4]){ 4 }, &third, 1));
}

/* Each four components of a gap take a place in an array on the library's stack. */
static void gaps_that_overflow_the_librarys_table_are_refused(void **state)
{
	const struct output far = { 0, 4, 0, 0xffff }, near = { 0, 4, 0, 0 };
	const struct output apart[] = { { 0, 4, 0, 300 }, { 0, 4, 0, 0 }, { 0, 4, 0, 300 } };

	(void)state;
	assert_false(are_outputs_accepted((uint32_t[4]){ 4 }, &far, 1));
	assert_false(are_outputs_accepted((uint32_t[4]){ 0x7fffffff }, &near, 1));
	assert_false(are_outputs_accepted((uint32_t[4]){ 304 }, apart, 3));
	assert_true(are_outputs_accepted((uint32_t[4]){ 304 }, apart, 1));
}

static void tokens_that_take_gigabytes_are_refused(void **state)
{
	uint32_t words[6 + (sizeof(TEXT) + 3) / 4] = { 0, 1, VERTEX, sizeof(TEXT), 300, 0 };

	(void)state;
	memcpy(words + 6, TEXT, sizeof(TEXT));
	words[0] = VIRGL_HEADER(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SHADER, G_N_ELEMENTS(words) - 1);
	assert_true(virgl_check_stream(&virgl, words, G_N_ELEMENTS(words)));
	words[4] = 0xfffffff8;
	assert_false(virgl_check_stream(&virgl, words, G_N_ELEMENTS(words)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shaders_of_mesa_are_accepted),
		cmocka_unit_test(a_shader_with_one_invalid_number_is_refused),
		cmocka_unit_test(more_inputs_than_the_table_holds_are_refused),
		cmocka_unit_test(outputs_that_fit_the_library_are_accepted),
		cmocka_unit_test(undeclared_outputs_are_refused),
		cmocka_unit_test(outputs_of_a_dropped_declaration_are_refused),
		cmocka_unit_test(gaps_that_overflow_the_librarys_table_are_refused),
		cmocka_unit_test(tokens_that_take_gigabytes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
