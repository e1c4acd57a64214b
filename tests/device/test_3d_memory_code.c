// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Memory that cannot be estimated: what a driver compiles when it draws. All of it is freed when
 * the guest disconnects.
 */
#include "memory3d.h"

#include <stdio.h>
#include <stdlib.h>

#define COMPILED_MS 60000

#define SESSIONS  60
#define WARM_UP   10
#define SPARE_KIB 2048
#define BIG       512
#define SHADERS   4

/* ---- compiled when drawn with ---- */

static void make_state(void)
{
	stream_surface(&g.s, 10, TARGET);
	stream_framebuffer(&g.s, 10);
	ADD(CREATE_OBJECT, BLEND, 11, 0, 0, 0x78000000, 0, 0, 0, 0, 0, 0, 0);
	ADD(BIND_OBJECT, BLEND, 11);
	ADD(CREATE_OBJECT, RASTERIZER, 12, 1u << 29 | 1u << 1, 0, 0, 0, 0, 0, 0, 0);
	ADD(BIND_OBJECT, RASTERIZER, 12);
	ADD(CREATE_OBJECT, DSA, 13, 0, 0, 0, 0);
	ADD(BIND_OBJECT, DSA, 13);
	ADD(CREATE_OBJECT, ELEMENTS, 14);
	ADD(BIND_OBJECT, ELEMENTS, 14);
	ADD(SET_VIEWPORT, 0, 0, 0x42000000, 0x42000000, 0x3f000000, 0x42000000, 0x42000000,
	    0x3f000000);
	guest_add_shader(
		20, VERTEX,
		"VERT\nDCL OUT[0], POSITION\nIMM[0] FLT32 {0x3f800000, 0x00000000, 0x00000000, "
		"0x3f800000}\n  0: MOV OUT[0], IMM[0]\n  1: END\n");
	ADD(BIND_SHADER, 0, 20, VERTEX);
	g.handle = 20;
}

static void draw_with_a_new_shader(uint32_t colour)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "FRAG\nDCL OUT[0], COLOR\nIMM[0] FLT32 {0x%08x, 0x00000000, 0x00000000, "
		 "0x3f800000}\n  0: MOV OUT[0], IMM[0]\n  1: END\n",
		 0x3f000000 + colour);
	guest_add_shader(++g.handle, FRAGMENT, text);
	ADD(BIND_SHADER, 0, g.handle, FRAGMENT);
	ADD(DRAW_VBO, 0, 0, 3, 4, 0, 1, 0, 0, 0, 0, 0, 2, 0);
}

/* Mesa 22.3 compiles some 700 KiB of code for each of these shaders on the CPU, so fewer than 400
 * fit into the memory that the daemon allows. */
static void code_that_a_driver_compiles_is_measured(void **state)
{
	uint32_t type = RESP_OK;
	unsigned round = 0;

	guest_start(state);
	guest_make_context(1);
	make_state();
	assert_ok(guest_submit(1));
	for (; round < 400 && type == RESP_OK; round++) {
		draw_with_a_new_shader(round);
		type = guest_submit(1);
	}
	print_message("%u shaders drawn with, then %#x\n", round, type);
	guest_say("code");
	assert_int_equal(type, RESP_OUT_OF_MEMORY);
	assert_alive(g.vmm);
	/* When the context is destroyed, new ones can be created again. */
	assert_ok(gpu_ctx_destroy(g.vmm, 1));
	assert_ok(gpu_ctx_create(g.vmm, 1, 0));
}

static void one_stream_cannot_compile_without_limit(void **state)
{
	struct virtio_gpu_ctrl_hdr header = { .ctx_id = 1 };
	struct chain *c;

	guest_start(state);
	guest_make_context(1);
	make_state();
	assert_ok(guest_submit(1));
	for (unsigned i = 0; i < 70; i++) {
		draw_with_a_new_shader(i);
		assert_ok(guest_submit(1));
	}
	for (unsigned i = 0; i < 60; i++)
		draw_with_a_new_shader(70 + i);
	c = gpu_stream_later(g.vmm, header, &g.s);
	ring_kick(&g.vmm->rings[CONTROL]);
	assert_true(gpu_wait_ms(g.vmm, c, COMPILED_MS));
	assert_response(gpu_finish(g.vmm, c, NULL, 0), RESP_OUT_OF_MEMORY);
	guest_say("one stream");
}

/* ---- sessions ---- */

static void draw_a_session(unsigned k)
{
	guest_make_context(1);
	assert_ok(gpu_create_3d(g.vmm, gpu_texture(7, BIG, BIG)));
	assert_ok(gpu_ctx_create(g.vmm, 2, 0));
	ADD(CREATE_SUB_CTX, 0, 1);
	ADD(SET_SUB_CTX, 0, 1);
	make_state();
	assert_ok(guest_submit(1));
	for (unsigned i = 0; i < SHADERS; i++) {
		draw_with_a_new_shader(k * SHADERS + i);
		assert_ok(guest_submit(1));
	}
	assert_ok(gpu_ctx_attach(g.vmm, 2, TARGET));
	assert_ok(gpu_paint(g.vmm, 2, TARGET, 0x123456));
	assert_int_equal(guest_add_resources(), RESP_INVALID_PARAMETER);
	assert_ok(guest_add_elements());
}

static void reconnect(void)
{
	vmm_disconnect(g.vmm);
	ring_clear(&g.vmm->rings[CONTROL]);
	ring_clear(&g.vmm->rings[CURSOR]);
	vmm_connect(g.vmm);
	vmm_realize(g.vmm);
	vmm_start(g.vmm);
}

static void sixty_sessions_with_streams_leak_nothing(void **state)
{
	struct usage before = { 0 }, after;

	guest_start(state);
	for (unsigned k = 0; k < SESSIONS; k++) {
		if (k == WARM_UP)
			before = usage_of(&g.vmm->daemon);
		draw_a_session(k);
		reconnect();
	}
	after = usage_of(&g.vmm->daemon);
	print_message("%ld KiB after %d sessions, %ld after %d\n", before.rss_kib, WARM_UP,
		      after.rss_kib, SESSIONS);
	assert_usage(&after, &before, (struct usage_spare){ .rss_kib = SPARE_KIB },
		     "sessions with streams");
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(code_that_a_driver_compiles_is_measured),
		DEVICE_TEST(one_stream_cannot_compile_without_limit),
		DEVICE_TEST(sixty_sessions_with_streams_leak_nothing),
	};

	if (!gpu3d_works())
		return EXIT_SKIPPED;
	return cmocka_run_group_tests_name("3d_memory_code", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
