// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Streams that the library gets in pieces: shaders that come in parts, and new sub-contexts. Each
 * test draws a triangle over all of a target and looks at its colour.
 */
#include <glib.h>
#include <string.h>

#include "render/virgl/protocol_private.h"
#include "virgl_rig.h"

#define MAX_WORDS 2048
#define SIZE      8 /* of the target, in pixels */

enum { TARGET = 1, VERTICES };
enum {
	BLEND_OBJECT = 1,
	DSA,
	RASTERIZER,
	ELEMENTS,
	SURFACE,
	VERTEX_SHADER,
	FRAGMENT_SHADER,
	OTHER
};

#define ONE   0x3f800000
#define THREE 0x40400000
#define MINUS 0xbf800000
#define HALF  0x40800000 /* of the target */

#define RED  0xff0000u
#define BLUE 0x0000ffu

struct stream {
	uint32_t words[MAX_WORDS];
	unsigned n;
};

static void add(struct stream *s, unsigned command, unsigned object, const uint32_t *words,
		unsigned n)
{
	s->words[s->n] = VIRGL_HEADER(command, object, n);
	memcpy(s->words + s->n + 1, words, n * 4);
	s->n += n + 1;
}

#define ADD(s, command, object, ...)                                                               \
	add(s, command, object, (const uint32_t[]){ __VA_ARGS__ },                                 \
	    sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)

static int submit(struct stream *s)
{
	int r = virgl_rig.ops->submit(virgl_rig.renderer, CTX, s->words, s->n * 4);

	s->n = 0;
	return r;
}

/* The words of @text from @from on, @n of them, said to be of a shader of @length bytes (bit 31: at
 * that place of it). */
static void add_text(struct stream *s, uint32_t handle, uint32_t type, uint32_t length,
		     const char *text, unsigned from, unsigned n)
{
	char padded[MAX_WORDS * 2] = "";
	uint32_t words[MAX_WORDS] = { handle, type, length, 300, 0 };

	g_strlcpy(padded, text, sizeof(padded));
	memcpy(words + 5, padded + from * 4, n * 4);
	add(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SHADER, words, 5 + n);
}

static unsigned count_words(const char *text)
{
	return (unsigned)strlen(text) / 4 + 1;
}

static void add_shader(struct stream *s, uint32_t handle, uint32_t type, const char *text)
{
	add_text(s, handle, type, (uint32_t)strlen(text) + 1, text, 0, count_words(text));
}

static void add_part(struct stream *s, uint32_t handle, const char *text, unsigned from, unsigned n)
{
	uint32_t length = from == 0 ? (uint32_t)strlen(text) + 1 : from * 4 | 1u << 31;

	add_text(s, handle, VIRGL_SHADER_FRAGMENT, length, text, from, n);
}

#define POSITIONS "VERT\nDCL IN[0]\nDCL OUT[0], POSITION\n  0: MOV OUT[0], IN[0]\n  1: END\n"
#define ALL_RED                                                                                    \
	"FRAG\nDCL OUT[0], COLOR\nIMM[0] FLT32 {1.0, 0.0, 0.0, 1.0}\n  0: MOV OUT[0], IMM[0]\n"    \
	"  1: END\n"
#define ALL_BLUE                                                                                   \
	"FRAG\nDCL OUT[0], COLOR\nIMM[0] FLT32 {0.0, 0.0, 1.0, 1.0}\n  0: MOV OUT[0], IMM[0]\n"    \
	"  1: END\n"
/* The library survives it; the check does not let it through. */
#define OUT_OF_RANGE                                                                               \
	"FRAG\nDCL OUT[0], COLOR\nDCL IN[0], GENERIC[64], LINEAR\n  0: MOV OUT[0], IN[0]\n  1: "   \
	"END\n"

/* All that a draw needs but for the fragment shader. */
static void add_state(struct stream *s)
{
	ADD(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_BLEND, BLEND_OBJECT, 0, 0, 15u << 27, 0, 0, 0, 0,
	    0, 0, 0);
	ADD(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_DSA, DSA, 0, 0, 0, 0);
	ADD(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_RASTERIZER, RASTERIZER, 1 << 1 | 1 << 29, ONE, 0,
	    0, ONE, 0, 0, 0);
	ADD(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, ELEMENTS, 0, 0, 0, 31);
	ADD(s, VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SURFACE, SURFACE, TARGET, 1, 0, 0);
	ADD(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_BLEND, BLEND_OBJECT);
	ADD(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_DSA, DSA);
	ADD(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_RASTERIZER, RASTERIZER);
	ADD(s, VIRGL_BIND_OBJECT, VIRGL_OBJECT_VERTEX_ELEMENTS, ELEMENTS);
	ADD(s, VIRGL_SET_FRAMEBUFFER_STATE, 0, 1, 0, SURFACE);
	ADD(s, VIRGL_SET_VIEWPORT_STATE, 0, 0, HALF, HALF, ONE, HALF, HALF, 0);
	ADD(s, VIRGL_RESOURCE_INLINE_WRITE, 0, VERTICES, 0, 0, 0, 0, 0, 0, 0, 48, 1, 1, MINUS,
	    MINUS, 0, ONE, THREE, MINUS, 0, ONE, MINUS, THREE, 0, ONE);
	ADD(s, VIRGL_SET_VERTEX_BUFFERS, 0, 16, 0, VERTICES);
	ADD(s, VIRGL_SET_SAMPLE_MASK, 0, UINT32_MAX);
	add_shader(s, VERTEX_SHADER, VIRGL_SHADER_VERTEX, POSITIONS);
}

static void add_draw(struct stream *s, uint32_t fragment_shader)
{
	ADD(s, VIRGL_BIND_SHADER, 0, VERTEX_SHADER, VIRGL_SHADER_VERTEX);
	ADD(s, VIRGL_BIND_SHADER, 0, fragment_shader, VIRGL_SHADER_FRAGMENT);
	ADD(s, VIRGL_DRAW_VBO, 0, 0, 3, 4, 0, 1, 0, 0, 0, 0, 0, UINT32_MAX, 0);
}

static struct renderer_resource *target, *vertices;

static void set_up(struct stream *s)
{
	const struct renderer_resource_args args = {
		.id = VERTICES,
		.format = VIRGL_FORMAT_R8_UNORM,
		.bind = 1 << 4,
		.width = 64,
		.height = 1,
		.depth = 1,
		.array_size = 1,
	};

	target = virgl_rig_new_target_of(TARGET, SIZE, SIZE);
	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &args, &vertices), 0);
	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX, 0, "test", 4), 0);
	virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, target);
	virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, vertices);
	s->n = 0;
}

static void tear_down(void)
{
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	virgl_rig.ops->resource_free(virgl_rig.renderer, target);
	virgl_rig.ops->resource_free(virgl_rig.renderer, vertices);
}

static void assert_color(uint32_t due)
{
	const struct rect all = { 0, 0, SIZE, SIZE };
	uint32_t pixels[SIZE * SIZE];

	assert_int_equal(
		virgl_rig.ops->read_pixels(virgl_rig.renderer, target, &all, pixels, SIZE * 4), 0);
	assert_int_equal(pixels[SIZE * SIZE / 2] & 0xffffff, due);
}

static void a_shader_in_parts_is_drawn_with(void **state)
{
	unsigned n = count_words(ALL_RED);
	struct stream s;

	(void)state;
	set_up(&s);
	add_state(&s);
	add_part(&s, FRAGMENT_SHADER, ALL_RED, 0, 5);
	assert_int_equal(submit(&s), 0);
	add_part(&s, FRAGMENT_SHADER, ALL_RED, 5, 1);
	assert_int_equal(submit(&s), 0);
	add_part(&s, FRAGMENT_SHADER, ALL_RED, 6, n - 6);
	add_draw(&s, FRAGMENT_SHADER);
	assert_int_equal(submit(&s), 0);
	assert_color(RED);
	tear_down();
}

static void parts_of_two_shaders_are_kept_apart(void **state)
{
	unsigned n = count_words(ALL_RED), m = count_words(ALL_BLUE);
	struct stream s;

	(void)state;
	set_up(&s);
	add_state(&s);
	add_part(&s, FRAGMENT_SHADER, ALL_RED, 0, 7);
	add_part(&s, OTHER, ALL_BLUE, 0, 7);
	add_part(&s, FRAGMENT_SHADER, ALL_RED, 7, n - 7);
	add_part(&s, OTHER, ALL_BLUE, 7, m - 7);
	add_draw(&s, OTHER);
	assert_int_equal(submit(&s), 0);
	assert_color(BLUE);
	add_draw(&s, FRAGMENT_SHADER);
	assert_int_equal(submit(&s), 0);
	assert_color(RED);
	tear_down();
}

static void a_shader_of_many_commands_is_drawn_with(void **state)
{
	g_autoptr(GString) text = g_string_new(ALL_BLUE);
	unsigned n, part = 60000;
	g_autofree uint32_t *words = g_new0(uint32_t, part + 6);
	g_autofree char *padded = NULL;
	struct stream s;

	(void)state;
	while (text->len < 600000)
		g_string_insert_c(text, 5, ' ');
	n = count_words(text->str);
	padded = g_malloc0(n * 4 + part * 4);
	memcpy(padded, text->str, text->len);
	set_up(&s);
	add_state(&s);
	assert_int_equal(submit(&s), 0);
	for (unsigned at = 0; at < n; at += part) {
		unsigned now = MIN(part, n - at);

		words[0] = VIRGL_HEADER(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_SHADER, 5 + now);
		words[1] = FRAGMENT_SHADER;
		words[2] = VIRGL_SHADER_FRAGMENT;
		words[3] = at == 0 ? (uint32_t)text->len + 1 : at * 4 | 1u << 31;
		words[4] = 300;
		memcpy(words + 6, padded + at * 4, now * 4);
		assert_int_equal(
			virgl_rig.ops->submit(virgl_rig.renderer, CTX, words, (6 + now) * 4), 0);
	}
	add_draw(&s, FRAGMENT_SHADER);
	assert_int_equal(submit(&s), 0);
	assert_color(BLUE);
	tear_down();
}

static void a_whole_that_is_bad_is_refused_with_its_last_part(void **state)
{
	unsigned n = count_words(OUT_OF_RANGE);
	struct stream s;

	(void)state;
	set_up(&s);
	/* The number is in both. */
	add_part(&s, FRAGMENT_SHADER, OUT_OF_RANGE, 0, 11);
	assert_int_equal(submit(&s), 0);
	add_part(&s, FRAGMENT_SHADER, OUT_OF_RANGE, 11, n - 11);
	assert_int_equal(submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	tear_down();
}

static void a_part_that_goes_on_with_nothing_is_refused(void **state)
{
	unsigned n = count_words(ALL_RED);
	struct stream s;

	(void)state;
	set_up(&s);
	add_part(&s, FRAGMENT_SHADER, ALL_RED, 5, n - 5);
	assert_int_equal(submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	/* One that is whole, and no more. */
	add_shader(&s, FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, ALL_RED);
	assert_int_equal(submit(&s), 0);
	add_text(&s, FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, 1u << 31, ALL_RED, 0, n);
	assert_int_equal(submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	/* One that has more than it said. */
	add_part(&s, OTHER, ALL_RED, 0, 5);
	add_text(&s, OTHER, VIRGL_SHADER_FRAGMENT, 5 * 4 | 1u << 31, ALL_RED, 5, n);
	assert_int_equal(submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	tear_down();
}

static void parts_go_with_their_context(void **state)
{
	unsigned n = count_words(ALL_RED);
	struct stream s;

	(void)state;
	set_up(&s);
	add_part(&s, FRAGMENT_SHADER, ALL_RED, 0, 5);
	assert_int_equal(submit(&s), 0);
	tear_down();
	set_up(&s);
	add_part(&s, FRAGMENT_SHADER, ALL_RED, 5, n - 5);
	assert_int_equal(submit(&s), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	tear_down();
}

/* Blue, and red as well if any of the constants behind the first is not zero. */
#define N_CONSTANTS 60

#define NO_SUB_CTX UINT32_MAX

#define FIRST_CONSTANT                                                                             \
	"FRAG\nDCL OUT[0], COLOR\nDCL CONST[0]\n  0: MOV OUT[0], CONST[0]\n  1: END\n"

static void constants_that_the_guest_has_sent_stay(void **state)
{
	struct stream s;

	(void)state;
	set_up(&s);
	ADD(&s, VIRGL_CREATE_SUB_CTX, 0, 7);
	ADD(&s, VIRGL_SET_SUB_CTX, 0, 7);
	add_state(&s);
	add_shader(&s, FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, FIRST_CONSTANT);
	ADD(&s, VIRGL_SET_CONSTANT_BUFFER, 0, VIRGL_SHADER_FRAGMENT, 0, ONE, 0, 0, ONE);
	assert_int_equal(submit(&s), 0);
	ADD(&s, VIRGL_SET_SUB_CTX, 0, 7);
	add_shader(&s, OTHER, VIRGL_SHADER_FRAGMENT, FIRST_CONSTANT);
	add_draw(&s, OTHER);
	assert_int_equal(submit(&s), 0);
	assert_color(RED);
	tear_down();
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shader_in_parts_is_drawn_with),
		cmocka_unit_test(parts_of_two_shaders_are_kept_apart),
		cmocka_unit_test(a_shader_of_many_commands_is_drawn_with),
		cmocka_unit_test(a_whole_that_is_bad_is_refused_with_its_last_part),
		cmocka_unit_test(a_part_that_goes_on_with_nothing_is_refused),
		cmocka_unit_test(parts_go_with_their_context),
		cmocka_unit_test(constants_that_the_guest_has_sent_stay),
	};

	return cmocka_run_group_tests(tests, virgl_rig_start_gl, virgl_rig_stop);
}

int main(void)
{
	int (*const groups[])(void) = { run };

	return virgl_rig_run_groups(groups, 1);
}
