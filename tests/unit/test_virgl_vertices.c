// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Draws without their vertices or indices: without a buffer, OpenGL reads at an address that the
 * guest chose.
 */
#include <glib.h>
#include <string.h>

#include "render/virgl/submit_private.h"
#include "stream_rig.h"
#include "virgl_draw.h"

#define HEAD(command, n) VIRGL_HEADER(command, 0, n)
#define ELEMENTS_OBJECT  9
#define OTHER_OBJECT     10

static void follow_words(struct virgl_sub_context *sub, const uint32_t *words, unsigned n)
{
	g_autofree uint32_t *copy = g_memdup2(words, n * 4);

	assert_int_equal(n, VIRGL_N_WORDS(words[0]) + 1);
	virgl_vertices_follow(&stream_virgl, sub, copy);
}

#define FOLLOW(sub, ...)                                                                           \
	follow_words(sub, (const uint32_t[]){ __VA_ARGS__ },                                       \
		     sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

/* Elements of buffers @first and @second, bound. */
static void bind_elements(struct virgl_sub_context *sub, uint32_t first, uint32_t second)
{
	FOLLOW(sub, VIRGL_HEADER(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, 9),
	       ELEMENTS_OBJECT, 0, 0, first, 31, 16, 0, second, 31);
	FOLLOW(sub, VIRGL_HEADER(VIRGL_BIND_OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, 1),
	       ELEMENTS_OBJECT);
}

static bool is_missing(const struct virgl_sub_context *sub, uint32_t count, bool is_indexed)
{
	const uint32_t draw[] = {
		HEAD(VIRGL_DRAW_VBO, 12), 0, count, 4, is_indexed, 1, 0, 0, 0, 0, 0, 0, 0
	};

	return virgl_vertices_are_missing(sub, draw);
}

static void a_draw_needs_every_buffer_of_its_vertex_elements(void **state)
{
	struct virgl_sub_context sub = { 0 };

	(void)state;
	assert_false(is_missing(&sub, 3, false)); /* the library leaves it out: no elements */
	bind_elements(&sub, 0, 2);
	assert_true(is_missing(&sub, 3, false));
	FOLLOW(&sub, HEAD(VIRGL_SET_VERTEX_BUFFERS, 9), 16, 0, BUFFER, 0, 0, 0, 16, 0, BUFFER);
	assert_false(is_missing(&sub, 3, false));
	FOLLOW(&sub, HEAD(VIRGL_SET_VERTEX_BUFFERS, 9), 16, 0, BUFFER, 16, 0, BUFFER, 0, 0, 0);
	assert_true(is_missing(&sub, 3, false));
	FOLLOW(&sub, HEAD(VIRGL_SET_VERTEX_BUFFERS, 6), 16, 0, BUFFER, 16, 0, BUFFER);
	assert_true(is_missing(&sub, 3, false));
	bind_elements(&sub, 0, 1);
	assert_false(is_missing(&sub, 3, false));
	FOLLOW(&sub, HEAD(VIRGL_SET_VERTEX_BUFFERS, 0));
	assert_true(is_missing(&sub, 3, false));
	virgl_vertices_free(sub.vertices);
}

/* Nothing is bound then, and the library leaves the draw out. */
static void buffers_of_destroyed_elements_are_not_needed(void **state)
{
	struct virgl_sub_context sub = { 0 };

	(void)state;
	bind_elements(&sub, 0, 0);
	assert_true(is_missing(&sub, 3, false));
	FOLLOW(&sub, VIRGL_HEADER(VIRGL_DESTROY_OBJECT, 0, 1), OTHER_OBJECT);
	assert_true(is_missing(&sub, 3, false));
	FOLLOW(&sub, VIRGL_HEADER(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_QUERY, 4), ELEMENTS_OBJECT, 0,
	       0, BUFFER);
	assert_false(is_missing(&sub, 3, false));
	bind_elements(&sub, 0, 0);
	FOLLOW(&sub, VIRGL_HEADER(VIRGL_BIND_OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, 1), 0);
	assert_false(is_missing(&sub, 3, false));
	virgl_vertices_free(sub.vertices);
}

#define SEVENTEEN_BUFFERS                                                                          \
	16, 0, BUFFER, 16, 0, BUFFER, 16, 0, BUFFER, 16, 0, BUFFER, 16, 0, BUFFER, 16, 0, BUFFER,  \
		16, 0, BUFFER, 16, 0, BUFFER, 16, 0, BUFFER, 16, 0, BUFFER, 16, 0, BUFFER, 16, 0,  \
		BUFFER, 16, 0, BUFFER, 16, 0, BUFFER, 16, 0, BUFFER, 16, 0, BUFFER, 16, 0, BUFFER

static void vertex_buffers_beyond_opengl_limits_count_as_missing(void **state)
{
	struct virgl_sub_context sub = { 0 };

	(void)state;
	bind_elements(&sub, 0, 0);
	FOLLOW(&sub, HEAD(VIRGL_SET_VERTEX_BUFFERS, 3), 2048, 0, BUFFER);
	assert_false(is_missing(&sub, 3, false));
	FOLLOW(&sub, HEAD(VIRGL_SET_VERTEX_BUFFERS, 3), 2049, 0, BUFFER);
	assert_true(is_missing(&sub, 3, false));
	FOLLOW(&sub, HEAD(VIRGL_SET_VERTEX_BUFFERS, 51), SEVENTEEN_BUFFERS);
	assert_true(is_missing(&sub, 3, false));
	bind_elements(&sub, 0, 16);
	FOLLOW(&sub, HEAD(VIRGL_SET_VERTEX_BUFFERS, 3), 16, 0, BUFFER);
	assert_true(is_missing(&sub, 3, false));
	virgl_vertices_free(sub.vertices);
}

static void mapped_vertex_attributes_must_be_inside_their_buffer(void **state)
{
	struct virgl_sub_context sub = { 0 };

	(void)state;
	bind_elements(&sub, 0, 0);
	for (unsigned is_mapped = 0; is_mapped < 2; is_mapped++) {
		stream_virgl.maps_attributes = is_mapped;
		FOLLOW(&sub, HEAD(VIRGL_SET_VERTEX_BUFFERS, 3), 0, 4096 - 16, BUFFER);
		assert_false(is_missing(&sub, 3, false));
		FOLLOW(&sub, HEAD(VIRGL_SET_VERTEX_BUFFERS, 3), 0, 4096 - 15, BUFFER);
		assert_int_equal(is_missing(&sub, 3, false), is_mapped);
	}
	stream_virgl.maps_attributes = false;
	virgl_vertices_free(sub.vertices);
}

static void a_draw_needs_as_many_indices_as_it_uses(void **state)
{
	const uint32_t indirect[21] = { HEAD(VIRGL_DRAW_VBO, 20), 0, 5000, 4, 1, 1, [15] = BUFFER };
	struct virgl_sub_context sub = { 0 };

	(void)state;
	FOLLOW(&sub, HEAD(VIRGL_SET_INDEX_BUFFER, 3), BUFFER, 2, 96);
	assert_false(is_missing(&sub, 2000, true));
	assert_true(is_missing(&sub, 2001, true));
	assert_false(is_missing(&sub, 2001, false));
	assert_false(virgl_vertices_are_missing(&sub, indirect));
	FOLLOW(&sub, HEAD(VIRGL_SET_INDEX_BUFFER, 3), SHORT, 4, 0);
	assert_false(is_missing(&sub, 2, true));
	assert_true(is_missing(&sub, 3, true));
	FOLLOW(&sub, HEAD(VIRGL_SET_INDEX_BUFFER, 3), BUFFER, 1, UINT32_MAX);
	assert_true(is_missing(&sub, 3, true));
	FOLLOW(&sub, HEAD(VIRGL_SET_INDEX_BUFFER, 1), 0);
	assert_true(is_missing(&sub, 1, true));
	virgl_vertices_free(sub.vertices);
}

static void a_bound_buffer_stays_bound_when_its_id_is_reused(void **state)
{
	struct virgl_sub_context sub = { 0 };
	void *buffer = g_hash_table_lookup(stream_virgl.resources, GUINT_TO_POINTER(BUFFER));
	void *shorter = g_hash_table_lookup(stream_virgl.resources, GUINT_TO_POINTER(SHORT));

	(void)state;
	FOLLOW(&sub, HEAD(VIRGL_SET_INDEX_BUFFER, 3), SHORT, 4, 0);
	g_hash_table_replace(stream_virgl.resources, GUINT_TO_POINTER(SHORT), buffer);
	FOLLOW(&sub, HEAD(VIRGL_SET_INDEX_BUFFER, 3), SHORT, 4, 0);
	assert_true(is_missing(&sub, 3, true));
	g_hash_table_replace(stream_virgl.resources, GUINT_TO_POINTER(SHORT), shorter);
	virgl_vertices_free(sub.vertices);
}

/* ---- in the library ---- */

/* A triangle over the whole target, independent of the vertices: its corners are at -1 or 3 by the
 * vertex's number. */
#define BY_NUMBER                                                                                  \
	"VERT\nDCL IN[0]\nDCL SV[0], VERTEXID\nDCL OUT[0], POSITION\nDCL TEMP[0]\n"                \
	"IMM[0] FLT32 {4.0, -1.0, 0.0, 1.0}\nIMM[1] UINT32 {1, 2, 0, 0}\n"                         \
	"  0: USEQ TEMP[0].xy, SV[0].xxxx, IMM[1].xyyy\n"                                          \
	"  1: AND TEMP[0].xy, TEMP[0].xyyy, IMM[0].xxxx\n"                                         \
	"  2: ADD TEMP[0].xy, TEMP[0].xyyy, IMM[0].yyyy\n  3: MOV TEMP[0].zw, IMM[0].zzzw\n"       \
	"  4: MAD OUT[0], IN[0], IMM[0].zzzz, TEMP[0]\n  5: END\n"

static void a_draw_without_a_vertex_buffer_is_left_out(void **state)
{
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	draw_add_state(&s);
	draw_add_shader(&s, DRAW_VERTEX_SHADER, VIRGL_SHADER_VERTEX, BY_NUMBER);
	draw_add_shader(&s, DRAW_FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, DRAW_BLUE);
	ADD(&s, VIRGL_CLEAR, 0, CLEAR_COLOR0, ONE, 0, 0, ONE, 0, 0, 0);
	ADD(&s, VIRGL_SET_VERTEX_BUFFERS, 0, 0, 0, 0);
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(RED);
	ADD(&s, VIRGL_SET_VERTEX_BUFFERS, 0, 16, 0, DRAW_VERTICES);
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(BLUE);
	draw_tear_down();
}

static int run_alone(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_draw_needs_every_buffer_of_its_vertex_elements),
		cmocka_unit_test(buffers_of_destroyed_elements_are_not_needed),
		cmocka_unit_test(vertex_buffers_beyond_opengl_limits_count_as_missing),
		cmocka_unit_test(mapped_vertex_attributes_must_be_inside_their_buffer),
		cmocka_unit_test(a_draw_needs_as_many_indices_as_it_uses),
		cmocka_unit_test(a_bound_buffer_stays_bound_when_its_id_is_reused),
	};

	return cmocka_run_group_tests(tests, stream_make_resources, stream_free_resources);
}

static int run_in_the_library(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_draw_without_a_vertex_buffer_is_left_out),
	};

	return cmocka_run_group_tests(tests, virgl_rig_start_gl, virgl_rig_stop);
}

int main(void)
{
	int (*const groups[])(void) = { run_alone, run_in_the_library };

	return virgl_rig_run_groups(groups, 2);
}
