// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Objects that are destroyed while bound: the commands that are sent to the library for them, and
 * that no draw uses them.
 */
#include <glib.h>
#include <string.h>

#include "render/virgl/submit_private.h"
#include "render/virgl/virgl_private.h"
#include "virgl_draw.h"

/* ---- commands ---- */

#define RES   77
#define OTHER 78
#define WORDS 16

/* A command that binds RES, and the one that unbinds it. */
struct binding {
	const char *what;
	uint32_t words[WORDS], due[WORDS];
};

#define HEAD(command, n) VIRGL_HEADER(command, 0, n)

static const struct binding bindings[] = {
	{ "constants",
	  { HEAD(VIRGL_SET_UNIFORM_BUFFER, 5), 5, 31, 16, 64, RES },
	  { HEAD(VIRGL_SET_UNIFORM_BUFFER, 5), 5, 31 } },
	{ "a second buffer of a shader",
	  { HEAD(VIRGL_SET_SHADER_BUFFERS, 8), 1, 30, 0, 4, OTHER, 0, 4, RES },
	  { HEAD(VIRGL_SET_SHADER_BUFFERS, 5), 1, 31 } },
	{ "an image",
	  { HEAD(VIRGL_SET_SHADER_IMAGES, 7), 1, 0, 67, 1, 0, 0, RES },
	  { HEAD(VIRGL_SET_SHADER_IMAGES, 7), 1, 0 } },
	{ "counters",
	  { HEAD(VIRGL_SET_ATOMIC_BUFFERS, 4), 3, 0, 16, RES },
	  { HEAD(VIRGL_SET_ATOMIC_BUFFERS, 4), 3 } },
};

static GArray *release_resource(struct virgl_sub_context *sub)
{
	GArray *stream = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	virgl_binding_release_resource(sub, RES, stream);
	return stream;
}

static void assert_words(const GArray *stream, const uint32_t *due, const char *what)
{
	if (stream->len != VIRGL_N_WORDS(due[0]) + 1 ||
	    memcmp(stream->data, due, stream->len * 4) != 0)
		fail_msg("%s: %u words", what, stream->len);
}

static void bound_objects_are_unbound_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(bindings); i++) {
		struct virgl_sub_context sub = { 0 };

		virgl_binding_follow(&sub, bindings[i].words);
		g_autoptr(GArray) first = release_resource(&sub);
		g_autoptr(GArray) second = release_resource(&sub);

		assert_words(first, bindings[i].due, bindings[i].what);
		assert_int_equal(second->len, 0);
		g_free(sub.bindings);
	}
}

static void unbound_and_replaced_objects_are_not_unbound_again(void **state)
{
	struct virgl_sub_context sub = { 0 };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(bindings); i++) {
		uint32_t words[WORDS];

		memcpy(words, bindings[i].words, sizeof(words));
		virgl_binding_follow(&sub, words);
		words[VIRGL_N_WORDS(words[0])] = i % 2 ? OTHER : 0;
		virgl_binding_follow(&sub, words);
	}
	g_autoptr(GArray) stream = release_resource(&sub);

	assert_int_equal(stream->len, 0);
	g_free(sub.bindings);
}

/* The library refuses these; they must not change our table. */
static void truncated_bind_commands_are_ignored(void **state)
{
	static const uint32_t commands[][WORDS] = {
		{ HEAD(VIRGL_SET_UNIFORM_BUFFER, 5), 6, 0, 0, 0, RES },
		{ HEAD(VIRGL_SET_UNIFORM_BUFFER, 5), 0, 32, 0, 0, RES },
		{ HEAD(VIRGL_SET_SHADER_BUFFERS, 5), 0, 0xffffffff, 0, 0, RES },
		{ HEAD(VIRGL_SET_SHADER_BUFFERS, 8), 0, 31, 0, 0, RES, 0, 0, RES },
		{ HEAD(VIRGL_SET_ATOMIC_BUFFERS, 0) },
		{ HEAD(VIRGL_BIND_SAMPLER_STATES, 1), 5 },
		{ VIRGL_HEADER(VIRGL_BIND_OBJECT, VIRGL_OBJECT_DSA, 0) },
	};
	struct virgl_sub_context sub = { 0 };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
		uint32_t n = VIRGL_N_WORDS(commands[i][0]) + 1;
		g_autofree uint32_t *words = g_memdup2(commands[i], n * 4);

		virgl_binding_follow(&sub, words);
	}
	g_autoptr(GArray) stream = release_resource(&sub);

	assert_int_equal(stream->len, 0);
	g_free(sub.bindings);
}

#define HANDLE 9

static const uint32_t samplers[] = { HEAD(VIRGL_BIND_SAMPLER_STATES, 4), 1, 4, 8, HANDLE };
static const uint32_t no_sampler[] = { HEAD(VIRGL_BIND_SAMPLER_STATES, 3), 1, 5, 0 };
static const uint32_t dsa[] = { VIRGL_HEADER(VIRGL_BIND_OBJECT, VIRGL_OBJECT_DSA, 1), HANDLE };
static const uint32_t no_dsa[] = { VIRGL_HEADER(VIRGL_BIND_OBJECT, VIRGL_OBJECT_DSA, 1), 0 };

static void assert_released(const uint32_t *bind, const uint32_t *lose, const uint32_t *due)
{
	g_autoptr(GArray) stream = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	struct virgl_sub_context sub = { 0 };

	assert_false(virgl_binding_is_lost(&sub, lose));
	virgl_binding_follow(&sub, bind);
	assert_true(virgl_binding_is_lost(&sub, lose));
	virgl_binding_release(&sub, lose, stream);
	assert_words(stream, due, "an object");
	assert_false(virgl_binding_is_lost(&sub, lose));
	g_free(sub.bindings);
}

static void bound_objects_are_unbound_before_they_are_destroyed(void **state)
{
	const uint32_t destroy[] = { VIRGL_HEADER(VIRGL_DESTROY_OBJECT, 0, 1), HANDLE };
	const uint32_t create[] = { VIRGL_HEADER(VIRGL_CREATE_OBJECT, VIRGL_OBJECT_QUERY, 1),
				    HANDLE };

	(void)state;
	assert_released(samplers, destroy, no_sampler);
	assert_released(samplers, create, no_sampler);
	assert_released(dsa, destroy, no_dsa);
	assert_released(dsa, create, no_dsa);
}

static void unbound_objects_are_destroyed_directly(void **state)
{
	const uint32_t destroy[] = { VIRGL_HEADER(VIRGL_DESTROY_OBJECT, 0, 1), HANDLE + 1 };
	const uint32_t none[] = { VIRGL_HEADER(VIRGL_DESTROY_OBJECT, 0, 1), 0 };
	struct virgl_sub_context sub = { 0 };

	(void)state;
	virgl_binding_follow(&sub, samplers);
	virgl_binding_follow(&sub, dsa);
	assert_false(virgl_binding_is_lost(&sub, destroy));
	assert_false(virgl_binding_is_lost(&sub, none));
	g_free(sub.bindings);
}

/* ---- draws ---- */

/* The stream that the library got. */
static uint32_t sent[DRAW_MAX_WORDS * 2];
static unsigned n_sent;

int __real_virgl_renderer_submit_cmd(void *words, int ctx_id, int n);
int __wrap_virgl_renderer_submit_cmd(void *words, int ctx_id, int n);

int __wrap_virgl_renderer_submit_cmd(void *words, int ctx_id, int n)
{
	if (n_sent + (unsigned)n <= G_N_ELEMENTS(sent)) { /* longer ones set constants to 0 */
		memcpy(sent + n_sent, words, (size_t)n * 4);
		n_sent += (unsigned)n;
	}
	return __real_virgl_renderer_submit_cmd(words, ctx_id, n);
}

#define FROM_BUFFER                                                                                \
	"FRAG\nDCL OUT[0], COLOR\nDCL CONST[1][0]\n  0: MOV OUT[0], CONST[1][0]\n  1: END\n"
#define BIND_CONSTANT_BUFFER (1 << 6)
#define BYTES                16

enum { FIRST = DRAW_FREE_ID, SECOND };

static void write_color(struct draw_stream *s, uint32_t id, uint32_t red, uint32_t blue)
{
	ADD(s, VIRGL_RESOURCE_INLINE_WRITE, 0, id, 0, 0, 0, 0, 0, 0, 0, BYTES, 1, 1, red, 0, blue,
	    ONE);
}

static void bind_constants(struct draw_stream *s, uint32_t id)
{
	ADD(s, VIRGL_SET_UNIFORM_BUFFER, 0, VIRGL_SHADER_FRAGMENT, 1, 0, BYTES, id);
}

/* Some versions of the library would read what replaced the first buffer. */
static void a_draw_uses_no_destroyed_buffer(void **state)
{
	struct renderer_resource *first, *second;
	struct draw_stream s;

	(void)state;
	n_sent = 0;
	draw_set_up(&s);
	first = draw_new_buffer(FIRST, BYTES, BIND_CONSTANT_BUFFER);
	draw_add_state(&s);
	draw_add_shader(&s, DRAW_FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, FROM_BUFFER);
	write_color(&s, FIRST, 0, ONE);
	bind_constants(&s, FIRST);
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(BLUE);
	/* Because it is set again, the next draw makes the library look at the binding again. */
	bind_constants(&s, FIRST);
	assert_int_equal(draw_submit(&s), 0);
	virgl_rig.ops->context_detach(virgl_rig.renderer, CTX, first);
	virgl_rig.ops->resource_free(virgl_rig.renderer, first);
	second = draw_new_buffer(SECOND, BYTES, BIND_CONSTANT_BUFFER);
	write_color(&s, SECOND, ONE, 0);
	ADD(&s, VIRGL_CLEAR, 0, CLEAR_COLOR0, ONE, ONE, ONE, ONE, 0, 0, 0);
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	assert_int_equal(draw_submit(&s), 0);
	draw_assert_color(BLACK);
	virgl_rig.ops->resource_free(virgl_rig.renderer, second);
	draw_tear_down();
}

static void a_destroyed_buffer_is_unbound_in_every_sub_context(void **state)
{
	const uint32_t due[] = {
		HEAD(VIRGL_SET_SUB_CTX, 1),
		0,
		HEAD(VIRGL_SET_UNIFORM_BUFFER, 5),
		VIRGL_SHADER_FRAGMENT,
		1,
		0,
		0,
		0,
		HEAD(VIRGL_SET_SUB_CTX, 1),
		5,
		HEAD(VIRGL_SET_UNIFORM_BUFFER, 5),
		VIRGL_SHADER_FRAGMENT,
		1,
		0,
		0,
		0,
		HEAD(VIRGL_SET_SUB_CTX, 1),
		0,
	};
	struct renderer_resource *first;
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	first = draw_new_buffer(FIRST, BYTES, BIND_CONSTANT_BUFFER);
	bind_constants(&s, FIRST);
	ADD(&s, VIRGL_CREATE_SUB_CTX, 0, 5);
	bind_constants(&s, FIRST);
	ADD(&s, VIRGL_CREATE_SUB_CTX, 0, 6);
	ADD(&s, VIRGL_SET_SUB_CTX, 0, 0);
	assert_int_equal(draw_submit(&s), 0);
	n_sent = 0;
	virgl_rig.ops->resource_free(virgl_rig.renderer, first);
	assert_int_equal(n_sent, G_N_ELEMENTS(due));
	assert_memory_equal(sent, due, sizeof(due));
	draw_tear_down();
}

static void assert_sent(const uint32_t *due, unsigned n)
{
	for (unsigned i = 0; i + n <= n_sent; i++)
		if (memcmp(sent + i, due, n * 4) == 0)
			return;
	fail_msg("%u words were not sent", n);
}

static void a_bound_depth_state_can_be_destroyed(void **state)
{
	const uint32_t due[] = { VIRGL_HEADER(VIRGL_BIND_OBJECT, VIRGL_OBJECT_DSA, 1), 0,
				 VIRGL_HEADER(VIRGL_DESTROY_OBJECT, VIRGL_OBJECT_DSA, 1),
				 DRAW_DSA };
	struct draw_stream s;

	(void)state;
	draw_set_up(&s);
	draw_add_state(&s);
	draw_add_shader(&s, DRAW_FRAGMENT_SHADER, VIRGL_SHADER_FRAGMENT, DRAW_BLUE);
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	ADD(&s, VIRGL_DESTROY_OBJECT, VIRGL_OBJECT_DSA, DRAW_DSA);
	ADD(&s, VIRGL_CLEAR, 0, CLEAR_COLOR0, ONE, 0, 0, ONE, 0, 0, 0);
	draw_add_draw(&s, DRAW_FRAGMENT_SHADER);
	n_sent = 0;
	assert_int_equal(draw_submit(&s), 0);
	assert_sent(due, G_N_ELEMENTS(due));
	draw_assert_color(BLUE);
	draw_tear_down();
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound_objects_are_unbound_once),
		cmocka_unit_test(unbound_and_replaced_objects_are_not_unbound_again),
		cmocka_unit_test(truncated_bind_commands_are_ignored),
		cmocka_unit_test(bound_objects_are_unbound_before_they_are_destroyed),
		cmocka_unit_test(unbound_objects_are_destroyed_directly),
		cmocka_unit_test(a_draw_uses_no_destroyed_buffer),
		cmocka_unit_test(a_destroyed_buffer_is_unbound_in_every_sub_context),
		cmocka_unit_test(a_bound_depth_state_can_be_destroyed),
	};

	return cmocka_run_group_tests(tests, virgl_rig_start_gl, virgl_rig_stop);
}

int main(void)
{
	int (*const groups[])(void) = { run };

	return virgl_rig_run_groups(groups, 1);
}
