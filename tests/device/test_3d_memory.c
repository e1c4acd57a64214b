// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Whatever a guest does, the daemon's own memory (RssAnon, without guest memory) grows by at most
 * 64 MiB for the driver plus 5/4 of --max-hostmem. Destroying a context or an object releases what
 * was charged for it.
 */
#include "memory3d.h"

#define MAX_ROUNDS 4000
/* Commands are refused for the estimated memory of their objects long before they would be refused
 * for the measured memory of the process. */
#define FEW_ROUNDS 300

/* ---- what fills the memory ---- */

static uint32_t add_elements(unsigned round)
{
	(void)round;
	return guest_add_elements();
}

static uint32_t add_resources(unsigned round)
{
	(void)round;
	return guest_add_resources();
}

static uint32_t add_sub_contexts(unsigned round)
{
	ADD(CREATE_SUB_CTX, 0, round + 1);
	return guest_submit(1);
}

static uint32_t add_contexts(unsigned round)
{
	uint32_t type = gpu_ctx_create(g.vmm, round + 2, 0);

	guest_watch();
	return type;
}

static uint32_t add_shaders(unsigned round)
{
	(void)round;
	for (unsigned i = 0; i < 40; i++)
		guest_add_shader(++g.handle, FRAGMENT,
				 "FRAG\nDCL OUT[0], COLOR\nIMM[0] FLT32 {0x3f800000, 0x00000000, "
				 "0x00000000, 0x3f800000}\n  0: MOV OUT[0], IMM[0]\n  1: END\n");
	return guest_submit(1);
}

static uint32_t add_surfaces(unsigned round)
{
	(void)round;
	for (unsigned i = 0; i < 400; i++)
		ADD(CREATE_OBJECT, SURFACE, ++g.handle, TARGET, 1, 0, 0);
	return guest_submit(1);
}

static uint32_t add_samplers(unsigned round)
{
	(void)round;
	for (unsigned i = 0; i < 400; i++)
		ADD(CREATE_OBJECT, SAMPLER, ++g.handle, 0, 0, 0, 0, 0, 0, 0, 0);
	return guest_submit(1);
}

static uint32_t add_states(unsigned round)
{
	(void)round;
	for (unsigned i = 0; i < 400; i++)
		ADD(CREATE_OBJECT, DSA, ++g.handle, 0, 0, 0, 0);
	return guest_submit(1);
}

/* Objects that the stream destroys never existed. */
static uint32_t add_states_and_destroy_others(unsigned round)
{
	(void)round;
	for (unsigned i = 0; i < 300; i++) {
		ADD(CREATE_OBJECT, DSA, ++g.handle, 0, 0, 0, 0);
		ADD(DESTROY_OBJECT, DSA, g.handle | 1u << 30);
		ADD(DESTROY_OBJECT, DSA, g.handle | 1u << 31);
	}
	return guest_submit(1);
}

/* A row of one pixel takes 64 bytes, and there are at least four rows. */
static uint32_t add_thin_textures(unsigned round)
{
	create_3d_t texture = gpu_texture(100 + round, 1, 1);
	uint32_t type;

	texture.target = TARGET_TEXTURE_3D;
	texture.depth = 2048;
	type = gpu_create_3d(g.vmm, texture);
	guest_watch();
	return type;
}

static uint32_t add_small_buffers(unsigned round)
{
	create_3d_t buffer = gpu_texture(100 + round, 1, 1);
	uint32_t type;

	buffer.target = TARGET_BUFFER;
	buffer.format = FORMAT_R8;
	buffer.bind = BIND_VERTEX_BUFFER;
	type = gpu_create_3d(g.vmm, buffer);
	if (round % 64 == 0)
		guest_watch();
	return type;
}

/* Returns the round in which it was refused. */
static unsigned fill(void **state, const char *what, uint32_t (*more)(unsigned round), uint32_t due)
{
	unsigned round = 0;
	uint32_t type = RESP_OK;

	guest_start(state);
	guest_make_context(1);
	for (; type == RESP_OK && round < MAX_ROUNDS; round++)
		type = more(round);
	if (type != due)
		vmm_fail("%s: %#x in round %u, due is %#x", what, type, round, due);
	guest_say(what);
	assert_alive(g.vmm);
	/* What is charged to the context is released with it: then there is room for a new one. */
	assert_ok(gpu_ctx_destroy(g.vmm, 1));
	assert_ok(gpu_ctx_create(g.vmm, 1, 0));
	return round;
}

static void resources_in_streams_are_refused(void **state)
{
	fill(state, "resources in streams", add_resources, RESP_INVALID_PARAMETER);
}

static void sub_contexts_are_charged(void **state)
{
	fill(state, "sub-contexts", add_sub_contexts, RESP_OUT_OF_MEMORY);
}

static void contexts_are_charged(void **state)
{
	fill(state, "contexts", add_contexts, RESP_OUT_OF_MEMORY);
}

static void shaders_are_charged(void **state)
{
	fill(state, "shaders", add_shaders, RESP_OUT_OF_MEMORY);
}

static void vertex_elements_are_charged(void **state)
{
	fill(state, "vertex elements", add_elements, RESP_OUT_OF_MEMORY);
}

static void surfaces_are_charged(void **state)
{
	fill(state, "surfaces", add_surfaces, RESP_OUT_OF_MEMORY);
}

static void sampler_states_are_charged(void **state)
{
	fill(state, "sampler states", add_samplers, RESP_OUT_OF_MEMORY);
}

static void blend_and_depth_states_are_charged(void **state)
{
	fill(state, "states", add_states, RESP_OUT_OF_MEMORY);
}

static void destroying_unknown_objects_releases_no_charge(void **state)
{
	assert_in_range(fill(state, "states, and others destroyed", add_states_and_destroy_others,
			     RESP_OUT_OF_MEMORY),
			1, FEW_ROUNDS);
}

static void thin_textures_are_charged_as_the_driver_allocates_them(void **state)
{
	fill(state, "1x1x2048 textures", add_thin_textures, RESP_OUT_OF_MEMORY);
}

static void small_buffers_are_charged_as_the_driver_allocates_them(void **state)
{
	fill(state, "buffers of a byte", add_small_buffers, RESP_OUT_OF_MEMORY);
}

/* ---- what is released ---- */

static void destroyed_objects_release_their_charge(void **state)
{
	guest_start(state);
	guest_make_context(1);
	for (unsigned round = 0; round < 300; round++) {
		for (unsigned i = 0; i < 200; i++) {
			ADD(CREATE_OBJECT, ELEMENTS, i + 1, 0, 0, 0, 31);
			ADD(DESTROY_OBJECT, ELEMENTS, i + 1);
		}
		assert_ok(guest_submit(1));
		/* Also objects whose number is reused. */
		ADD(CREATE_OBJECT, SAMPLER, 1, 0, 0, 0, 0, 0, 0, 0, 0);
		ADD(CREATE_OBJECT, ELEMENTS, 1, 0, 0, 0, 31);
		assert_ok(guest_submit(1));
	}
	for (unsigned round = 0; round < 40; round++) {
		ADD(CREATE_SUB_CTX, 0, round + 1);
		ADD(SET_SUB_CTX, 0, round + 1);
		for (unsigned i = 0; i < 200; i++)
			ADD(CREATE_OBJECT, ELEMENTS, i + 1, 0, 0, 0, 31);
		ADD(DESTROY_SUB_CTX, 0, round + 1);
		assert_ok(guest_submit(1));
	}
	guest_say("objects that are destroyed");
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(resources_in_streams_are_refused),
		DEVICE_TEST(sub_contexts_are_charged),
		DEVICE_TEST(contexts_are_charged),
		DEVICE_TEST(shaders_are_charged),
		DEVICE_TEST(vertex_elements_are_charged),
		DEVICE_TEST(surfaces_are_charged),
		DEVICE_TEST(sampler_states_are_charged),
		DEVICE_TEST(blend_and_depth_states_are_charged),
		DEVICE_TEST(destroying_unknown_objects_releases_no_charge),
		DEVICE_TEST(thin_textures_are_charged_as_the_driver_allocates_them),
		DEVICE_TEST(small_buffers_are_charged_as_the_driver_allocates_them),
		DEVICE_TEST(destroyed_objects_release_their_charge),
	};

	if (!gpu3d_works())
		return EXIT_SKIPPED;
	return cmocka_run_group_tests_name("3d_memory", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
