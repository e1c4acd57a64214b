// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Streams that the library gets in pieces: shaders in several parts, and new sub-contexts; and the
 * state of a context after a failed stream.
 */
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hostmem.h"
#include "render/virgl/virgl_private.h"
#include "virgl_draw.h"

static void add_part(struct draw_stream *s, uint32_t handle, const char *text, unsigned from,
		     unsigned n)
{
	uint32_t length = from == 0 ? (uint32_t)strlen(text) + 1 : from * 4 | 1u << 31;

	draw_add_text(s, handle, VIRGL_SHADER_FRAGMENT, length, text, from, n);
}

/* The library survives this; the check refuses it. */
#define OUT_OF_RANGE                                                                               \
	"FRAG\nDCL OUT[0], COLOR\nDCL IN[0], GENERIC[64], LINEAR\n  0: MOV OUT[0], IN[0]\n  1: "   \
	"END\n"

static void a_shader_in_parts_works(void **state)
{
	unsigned n = draw_count_words(DRAW_RED);
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	draw_add_state(&s);
	add_part(&s, DRAW_FRAGMENT_SHADER, DRAW_RED, 0, 5);
	assert_int_equal(draw_submit(&s), 0);
	add_part(&s, DRAW_FRAGMENT_SHADER, DRAW_RED, 5, 1);
	assert_int_equal(draw_submit(&s), 0);
	add_part(&s, DRAW_FRAGMENT_SHADER, DRAW_RED, 6, n - 6);
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(RED);
	draw_tear_down();
}

static void parts_of_two_shaders_are_kept_apart(void **state)
{
	unsigned n = draw_count_words(DRAW_RED), m = draw_count_words(DRAW_BLUE);
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	draw_add_state(&s);
	add_part(&s, DRAW_FRAGMENT_SHADER, DRAW_RED, 0, 7);
	add_part(&s, DRAW_OTHER, DRAW_BLUE, 0, 7);
	add_part(&s, DRAW_FRAGMENT_SHADER, DRAW_RED, 7, n - 7);
	add_part(&s, DRAW_OTHER, DRAW_BLUE, 7, m - 7);
	draw_add_draw(&s, DRAW_OTHER);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(BLUE);
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(RED);
	draw_tear_down();
}

static void a_shader_in_many_commands_works(void **state)
{
	g_autoptr(GString) text = g_string_new(DRAW_BLUE);
	unsigned n, part = 60000;
	g_autofree uint32_t *words = g_new0(uint32_t, part + 6);
	g_autofree char *padded = NULL;
	struct draw_stream s;

	(void)state;
	while (text->len < 600000)
		g_string_insert_c(text, 5, ' ');
	n = draw_count_words(text->str);
	padded = g_malloc0(n * 4 + part * 4);
	memcpy(padded, text->str, text->len);
	draw_set_up(&s);
	draw_add_state(&s);
	assert_int_equal(draw_submit(&s), 0);
	for (unsigned at = 0; at < n; at += part) {
		unsigned now = MIN(part, n - at);

		words[0] = VIRGL_HEADER(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SHADER, 5 + now);
		words[1] = DRAW_FRAGMENT_SHADER;
		words[2] = VIRGL_SHADER_FRAGMENT;
		words[3] = at == 0 ? (uint32_t)text->len + 1 : at * 4 | 1u << 31;
		words[4] = 300;
		memcpy(words + 6, padded + at * 4, now * 4);
		assert_int_equal(
			virgl_rig.ops->submit(virgl_rig.renderer, CTX, words, (6 + now) * 4), 0);
	}
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(BLUE);
	draw_tear_down();
}

static void an_invalid_shader_is_refused_with_its_last_part(void **state)
{
	unsigned n = draw_count_words(OUT_OF_RANGE);
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	/* Both parts have the same handle. */
	add_part(&s, DRAW_FRAGMENT_SHADER, OUT_OF_RANGE, 0, 11);
	assert_int_equal(draw_submit(&s), 0);
	add_part(&s, DRAW_FRAGMENT_SHADER, OUT_OF_RANGE, 11, n - 11);
	assert_int_equal(draw_submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	draw_tear_down();
}

static void a_continuation_without_a_first_part_is_refused(void **state)
{
	unsigned n = draw_count_words(DRAW_RED);
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	add_part(&s, DRAW_FRAGMENT_SHADER, DRAW_RED, 5, n - 5);
	assert_int_equal(draw_submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	draw_tear_down();
}

static void a_continuation_of_a_complete_shader_is_refused(void **state)
{
	unsigned n = draw_count_words(DRAW_RED);
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	draw_add_shader(&s, DRAW_FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, DRAW_RED);
	assert_int_equal(draw_submit(&s), 0);
	draw_add_text(&s, DRAW_FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, 1u << 31, DRAW_RED, 0, n);
	assert_int_equal(draw_submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	draw_tear_down();
}

static void a_part_longer_than_announced_is_refused(void **state)
{
	unsigned n = draw_count_words(DRAW_RED);
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	add_part(&s, DRAW_OTHER, DRAW_RED, 0, 5);
	draw_add_text(&s, DRAW_OTHER, VIRGL_SHADER_FRAGMENT, 5 * 4 | 1u << 31, DRAW_RED, 5, n);
	assert_int_equal(draw_submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	draw_tear_down();
}

static void parts_are_freed_with_their_context(void **state)
{
	unsigned n = draw_count_words(DRAW_RED);
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	add_part(&s, DRAW_FRAGMENT_SHADER, DRAW_RED, 0, 5);
	assert_int_equal(draw_submit(&s), 0);
	draw_tear_down();
	draw_set_up(&s);
	add_part(&s, DRAW_FRAGMENT_SHADER, DRAW_RED, 5, n - 5);
	assert_int_equal(draw_submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	draw_tear_down();
}

/* Else the rest of it would make a shader that is not charged. */
static void a_shader_whose_handle_is_gone_or_reused_is_not_continued(void **state)
{
	enum { DESTROYED, REPLACED, REPLACED_BY_A_PART, SUB_CONTEXT_DESTROYED, N_WAYS };
	struct hostmem hostmem, *before = virgl_rig.renderer->hostmem;
	unsigned n = draw_count_words(DRAW_RED);
	struct draw_stream s;

	(void)state;
	hostmem_init(&hostmem, UINT64_C(1) << 30);
	virgl_rig.renderer->hostmem = &hostmem;
	for (unsigned way = 0; way < N_WAYS; way++) {
		draw_set_up(&s);
		ADD(&s, VIRGL_CREATE_SUB_CTX, 0, 7);
		ADD(&s, VIRGL_SET_SUB_CTX, 0, 7);
		assert_int_equal(draw_submit(&s), 0);
		const uint64_t empty = hostmem.used;

		add_part(&s, DRAW_OTHER, DRAW_RED, 0, 5);
		assert_int_equal(draw_submit(&s), 0);
		assert_true(hostmem.used > empty);
		if (way == REPLACED)
			ADD(&s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_DSA, DRAW_OTHER, 0, 0, 0, 0);
		if (way == REPLACED_BY_A_PART)
			draw_add_text(&s, DRAW_OTHER, VIRGL_SHADER_VERTEX,
				      strlen(DRAW_POSITIONS) + 1, DRAW_POSITIONS, 0, 5);
		if (way == SUB_CONTEXT_DESTROYED) {
			ADD(&s, VIRGL_DESTROY_SUB_CTX, 0, 7);
			ADD(&s, VIRGL_CREATE_SUB_CTX, 0, 7);
			ADD(&s, VIRGL_SET_SUB_CTX, 0, 7);
		} else if (way == DESTROYED) {
			ADD(&s, VIRGL_DESTROY_OBJECT, VIRGL_OBJECT_SHADER, DRAW_OTHER);
		}
		assert_int_equal(draw_submit(&s), 0);
		add_part(&s, DRAW_OTHER, DRAW_RED, 5, n - 5);
		assert_int_equal(draw_submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
		draw_tear_down();
		assert_int_equal(hostmem.used, 0);
	}
	virgl_rig.renderer->hostmem = before;
	hostmem_finish(&hostmem);
}

/* read_constants(): draws blue, and adds red if any constant after the first is not zero. */
#define N_CONSTANTS 60

static char *read_constants(void)
{
	GString *text = g_string_new("FRAG\nDCL OUT[0], COLOR\n");
	unsigned line = 0;

	g_string_append_printf(text, "DCL CONST[0..%u]\nDCL TEMP[0..1]\n", N_CONSTANTS);
	g_string_append(text, "IMM[0] UINT32 {0, 1065353216, 0, 0}\n");
	g_string_append_printf(text, "  %u: MOV TEMP[0], IMM[0].xxxx\n", line++);
	for (unsigned i = 1; i <= N_CONSTANTS; i++)
		g_string_append_printf(text, "  %u: OR TEMP[0], TEMP[0], CONST[%u]\n", line++, i);
	g_string_append_printf(text, "  %u: OR TEMP[0], TEMP[0], TEMP[0].zwxy\n", line++);
	g_string_append_printf(text, "  %u: OR TEMP[0], TEMP[0], TEMP[0].yxyx\n", line++);
	g_string_append_printf(text, "  %u: USNE TEMP[1], TEMP[0], IMM[0].xxxx\n", line++);
	g_string_append_printf(text, "  %u: AND TEMP[1], TEMP[1], IMM[0].yyyy\n", line++);
	g_string_append_printf(text, "  %u: MOV OUT[0], IMM[0].xxyy\n", line++);
	g_string_append_printf(text, "  %u: MOV OUT[0].x, TEMP[1].xxxx\n", line++);
	g_string_append_printf(text, "  %u: END\n", line++);
	return g_string_free(text, FALSE);
}

#define NO_SUB_CTX UINT32_MAX

static void draw_constants(struct draw_stream *s, uint32_t sub_ctx)
{
	g_autofree char *text = read_constants();

	draw_add_state(s);
	assert_int_equal(draw_submit(s), 0);
	if (sub_ctx != NO_SUB_CTX)
		ADD(s, VIRGL_SET_SUB_CTX, 0, sub_ctx);
	draw_add_shader(s, DRAW_FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, text);
	assert_int_equal(draw_submit(s), 0);
	ADD(s, VIRGL_SET_CONSTANT_BUFFER, 0, VIRGL_SHADER_FRAGMENT, 0, ONE, ONE, ONE, ONE);
	ADD(s, VIRGL_CLEAR, 0, CLEAR_COLOR0, ONE, 0, 0, ONE, 0, 0, 0);
	draw_add_draw(s, DRAW_FRAGMENT_SHADER);
	assert_int_equal(draw_submit(s), 0);
}

static void unsent_constants_are_zero(void **state)
{
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	draw_constants(&s, NO_SUB_CTX);
	draw_assert_color(BLUE);
	ADD(&s, VIRGL_CREATE_SUB_CTX, 0, 7);
	ADD(&s, VIRGL_SET_SUB_CTX, 0, 7);
	draw_constants(&s, 7);
	draw_assert_color(BLUE);
	/* The library switches to a new sub-context. */
	ADD(&s, VIRGL_CREATE_SUB_CTX, 0, 8);
	draw_constants(&s, NO_SUB_CTX);
	draw_assert_color(BLUE);
	/* It has this sub-context already and does not switch. */
	ADD(&s, VIRGL_CREATE_SUB_CTX, 0, 9, VIRGL_HEADER(VIRGL_SET_SUB_CTX, 0, 1), 8,
	    VIRGL_HEADER(VIRGL_CREATE_SUB_CTX, 0, 1), 9);
	s.words[0] = VIRGL_HEADER(VIRGL_CREATE_SUB_CTX, 0, 1);
	draw_add_shader(&s, DRAW_OTHER, VIRGL_SHADER_FRAGMENT, DRAW_RED);
	ADD(&s, VIRGL_SET_SUB_CTX, 0, 9);
	draw_constants(&s, 9);
	draw_assert_color(BLUE);
	draw_tear_down();
}

#define FIRST_CONSTANT                                                                             \
	"FRAG\nDCL OUT[0], COLOR\nDCL CONST[0]\n  0: MOV OUT[0], CONST[0]\n  1: END\n"

static void sent_constants_stay(void **state)
{
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	ADD(&s, VIRGL_CREATE_SUB_CTX, 0, 7);
	ADD(&s, VIRGL_SET_SUB_CTX, 0, 7);
	draw_add_state(&s);
	draw_add_shader(&s, DRAW_FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, FIRST_CONSTANT);
	ADD(&s, VIRGL_SET_CONSTANT_BUFFER, 0, VIRGL_SHADER_FRAGMENT, 0, ONE, 0, 0, ONE);
	assert_int_equal(draw_submit(&s), 0);
	ADD(&s, VIRGL_SET_SUB_CTX, 0, 7);
	draw_add_shader(&s, DRAW_OTHER, VIRGL_SHADER_FRAGMENT, FIRST_CONSTANT);
	draw_add_draw(&s, DRAW_OTHER);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(RED);
	draw_tear_down();
}

static void constants_sent_before_the_shader_stay(void **state)
{
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	draw_add_state(&s);
	ADD(&s, VIRGL_SET_CONSTANT_BUFFER, 0, VIRGL_SHADER_FRAGMENT, 0, ONE, 0, 0, ONE);
	draw_add_shader(&s, DRAW_FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, FIRST_CONSTANT);
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(RED);
	draw_tear_down();
}

/* The library stops at an unknown command, and continues with the next stream. */
static void a_context_accepts_nothing_after_a_failed_stream(void **state)
{
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	ADD(&s, 0xff, 0, 0);
	assert_int_not_equal(draw_submit(&s), 0);
	ADD(&s, VIRGL_NOP, 0, 0);
	assert_int_equal(draw_submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	draw_tear_down();
	draw_set_up(&s);
	ADD(&s, VIRGL_NOP, 0, 0);
	assert_int_equal(draw_submit(&s), 0);
	draw_tear_down();
}

/* Commands after the failed one are never run. */
static void a_failed_stream_releases_no_charge(void **state)
{
	struct hostmem hostmem, *before = virgl_rig.renderer->hostmem;
	struct draw_stream s;
	uint64_t empty, all;

	(void)state;
	hostmem_init(&hostmem, UINT64_C(1) << 30);
	virgl_rig.renderer->hostmem = &hostmem;
	draw_set_up(&s);
	empty = hostmem.used;
	ADD(&s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_DSA, DRAW_DSA, 0, 0, 0, 0);
	ADD(&s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_DSA, DRAW_OTHER, 0, 0, 0, 0);
	assert_int_equal(draw_submit(&s), 0);
	all = hostmem.used;
	assert_true(all > empty);
	ADD(&s, VIRGL_DESTROY_OBJECT, VIRGL_OBJECT_DSA, DRAW_DSA);
	assert_int_equal(draw_submit(&s), 0);
	assert_int_equal(hostmem.used - empty, (all - empty) / 2);
	all = hostmem.used;
	ADD(&s, VIRGL_SET_SUB_CTX, 0, 0, 0);
	ADD(&s, VIRGL_DESTROY_OBJECT, VIRGL_OBJECT_DSA, DRAW_OTHER);
	assert_int_not_equal(draw_submit(&s), 0);
	assert_int_equal(hostmem.used, all);
	draw_tear_down();
	assert_int_equal(hostmem.used, 0);
	virgl_rig.renderer->hostmem = before;
	hostmem_finish(&hostmem);
}

/* Words of /proc/self/statm: size, resident, shared. */
static void tell_pages(int statm, unsigned n)
{
	g_autofree char *text = g_strdup_printf("%010u %010u 0 0 0 0 0\n", n, n);

	assert_int_equal(pwrite(statm, text, strlen(text), 0), (ssize_t)strlen(text));
}

#define PAGE        4096
#define LIMIT       (UINT64_C(1) << 30)
#define ROOM        (40u << 20) /* for about ten draws between two measurements */
#define MANY_DRAWS  40
#define PAGES_FIRST 1000
#define PAGES_FULL  (unsigned)(PAGES_FIRST + (LIMIT - ROOM) / PAGE)

static void only_draws_are_left_out_if_memory_is_short(void **state)
{
	int statm = memfd_create("statm", MFD_CLOEXEC);
	struct hostmem hostmem, *before = virgl_rig.renderer->hostmem;
	struct draw_stream s;

	(void)state;
	hostmem_init(&hostmem, LIMIT);
	tell_pages(statm, PAGES_FIRST);
	assert_int_equal(hostmem_measure(&hostmem, dup(statm), 0), 0);
	virgl_rig.renderer->hostmem = &hostmem;
	draw_set_up(&s);
	draw_add_state(&s);
	draw_add_shader(&s, DRAW_FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, DRAW_RED);
	draw_add_shader(&s, DRAW_OTHER, VIRGL_SHADER_FRAGMENT, DRAW_BLUE);
	assert_int_equal(draw_submit(&s), 0);
	tell_pages(statm, PAGES_FULL);
	assert_true(hostmem_look(&hostmem));
	for (unsigned i = 0; i < MANY_DRAWS; i++) /* enough for several measurements */
		draw_add_draw(&s, DRAW_OTHER);
	assert_int_equal(draw_submit(&s), 0);
	tell_pages(statm, 2 * PAGES_FULL);
	for (unsigned i = 0; i < MANY_DRAWS; i++)
		draw_add_draw(&s, DRAW_OTHER);
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	assert_int_equal(draw_submit(&s), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	draw_assert_color(BLUE);
	/* The shader of the last one is bound. */
	tell_pages(statm, PAGES_FIRST);
	ADD(&s, VIRGL_DRAW_VBO, 0, 0, 3, 4, 0, 1, 0, 0, 0, 0, 0, UINT32_MAX, 0);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(RED);
	draw_tear_down();
	virgl_rig.renderer->hostmem = before;
	hostmem_finish(&hostmem);
	close(statm);
}

/* The source box starts at x = 1 and is as wide as the target, so its last column is outside. */
static void a_copy_from_outside_a_texture_is_left_out(void **state)
{
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	draw_add_state(&s);
	ADD(&s, VIRGL_CLEAR, 0, CLEAR_COLOR0, ONE, 0, 0, ONE, 0, 0, 0);
	ADD(&s, VIRGL_RESOURCE_COPY_REGION, 0, DRAW_TARGET, 0, 0, 0, 0, DRAW_TARGET, 0, 1, 0, 0,
	    DRAW_SIZE, DRAW_SIZE, 1);
	draw_add_shader(&s, DRAW_FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, DRAW_BLUE);
	(void)virgl_gl_had_error();
	assert_int_equal(draw_submit(&s), 0);
	assert_false(virgl_gl_had_error()); /* OpenGL was not called */
	draw_assert_color(RED);
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(BLUE);
	draw_tear_down();
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shader_in_parts_works),
		cmocka_unit_test(parts_of_two_shaders_are_kept_apart),
		cmocka_unit_test(a_shader_in_many_commands_works),
		cmocka_unit_test(an_invalid_shader_is_refused_with_its_last_part),
		cmocka_unit_test(a_continuation_without_a_first_part_is_refused),
		cmocka_unit_test(a_continuation_of_a_complete_shader_is_refused),
		cmocka_unit_test(a_part_longer_than_announced_is_refused),
		cmocka_unit_test(parts_are_freed_with_their_context),
		cmocka_unit_test(a_shader_whose_handle_is_gone_or_reused_is_not_continued),
		cmocka_unit_test(unsent_constants_are_zero),
		cmocka_unit_test(sent_constants_stay),
		cmocka_unit_test(constants_sent_before_the_shader_stay),
		cmocka_unit_test(a_context_accepts_nothing_after_a_failed_stream),
		cmocka_unit_test(a_copy_from_outside_a_texture_is_left_out),
		cmocka_unit_test(a_failed_stream_releases_no_charge),
		cmocka_unit_test(only_draws_are_left_out_if_memory_is_short),
	};

	return cmocka_run_group_tests(tests, virgl_rig_start_gl, virgl_rig_stop);
}

int main(void)
{
	int (*const groups[])(void) = { run };

	return virgl_rig_run_groups(groups, 1);
}
