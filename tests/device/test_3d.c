// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Capability sets, contexts and command streams with OpenGL: what is refused and with which
 * response, and that one context never affects another.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <string.h>

#define SIDE  16
#define RED   0xff0000
#define GREEN 0x00ff00

static struct vmm *boot(void **state, const char *option, const char *value)
{
	const char *args[] = { gpu3d_args[0], gpu3d_args[1], option, value, NULL };
	struct vmm_options options = { .args = args };

	return fixture_boot(state, &options);
}

/* A host with Vulkan has a third capset by default. */
static struct vmm *boot_with_opengl(void **state)
{
	return boot(state, "--capset", "virgl,virgl2");
}

static struct vmm *boot_without(void **state, uint64_t features_off)
{
	struct vmm_options options = { .args = gpu3d_args, .features_off = features_off };

	return fixture_boot(state, &options);
}

static void assert_refused(uint32_t type)
{
	assert_in_range(type, VIRTIO_GPU_RESP_ERR_UNSPEC, RESP_INVALID_PARAMETER);
}

static uint32_t num_capsets(struct vmm *vmm)
{
	struct virtio_gpu_config config;

	assert_true(vhost_get_config(vmm, 0, sizeof(config), &config));
	return config.num_capsets;
}

/* A context with a texture attached to it, with a backing. */
static struct image new_target(struct vmm *vmm, uint32_t ctx, uint32_t id)
{
	struct image i = image_new_3d(vmm, gpu_texture(id, SIDE, SIDE));

	assert_ok(gpu_ctx_create(vmm, ctx, VIRTIO_GPU_CAPSET_VIRGL2));
	assert_ok(gpu_ctx_attach(vmm, ctx, id));
	return i;
}

static void assert_draws(struct vmm *vmm, uint32_t ctx, const struct image *i, uint32_t rgb)
{
	struct image due = image_due(vmm, SIDE, SIDE);

	image_paint(&due, image_rect(&due), rgb);
	assert_ok(gpu_paint(vmm, ctx, i->id, rgb));
	image_check_host(vmm, i, &due);
}

/* ---- capability sets ---- */

static void capsets_are_those_of_the_configuration(void **state)
{
	struct vmm *vmm = boot_with_opengl(state);
	struct virtio_gpu_resp_capset_info info;
	uint32_t count = num_capsets(vmm);
	struct capset capset;

	assert_true(vmm->offered & BIT64(VIRTIO_GPU_F_VIRGL));
	assert_true(vmm->offered & BIT64(VIRTIO_GPU_F_CONTEXT_INIT));
	assert_int_equal(count, 2);
	for (uint32_t i = 0; i < count; i++) {
		assert_response(gpu_capset_info(vmm, i, &info), VIRTIO_GPU_RESP_OK_CAPSET_INFO);
		assert_int_equal(info.capset_id, i + 1);
		assert_in_range(info.capset_max_size, 300, CAPSET_ROOM);
		for (uint32_t v = 0; v <= info.capset_max_version; v++) {
			assert_response(gpu_capset(vmm, info.capset_id, v, &capset),
					VIRTIO_GPU_RESP_OK_CAPSET);
			assert_int_equal(capset.size, info.capset_max_size);
		}
		/* Its first word is its version, which must be right. */
		assert_int_equal(capset.data[0], info.capset_max_version);
		assert_response(
			gpu_capset(vmm, info.capset_id, info.capset_max_version + 1, &capset),
			RESP_INVALID_PARAMETER);
	}
	assert_response(gpu_capset_info(vmm, count, &info), RESP_INVALID_PARAMETER);
	assert_response(gpu_capset_info(vmm, 0xffffffff, &info), RESP_INVALID_PARAMETER);
	assert_response(gpu_capset(vmm, 0, 0, &capset), RESP_INVALID_PARAMETER);
	assert_response(gpu_capset(vmm, 3, 0, &capset), RESP_INVALID_PARAMETER);
	assert_response(gpu_capset(vmm, 4, 0, &capset), RESP_INVALID_PARAMETER);
	assert_response(gpu_capset(vmm, 0xffffffff, 0, &capset), RESP_INVALID_PARAMETER);
}

static void a_capset_needs_a_response_buffer_of_its_size(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	struct virtio_gpu_get_capset c = { { .type = VIRTIO_GPU_CMD_GET_CAPSET }, 2, 2 };
	uint8_t response[1024];

	assert_response(gpu_call(vmm, CONTROL, &c, sizeof(c), response, sizeof(response)),
			RESP_UNSPEC);
	assert_alive(vmm);
}

static void only_the_wanted_capset_is_offered(void **state)
{
	struct vmm *vmm = boot(state, "--capset", "virgl2");
	struct virtio_gpu_resp_capset_info info;
	struct capset capset;

	assert_int_equal(num_capsets(vmm), 1);
	assert_response(gpu_capset_info(vmm, 0, &info), VIRTIO_GPU_RESP_OK_CAPSET_INFO);
	assert_int_equal(info.capset_id, VIRTIO_GPU_CAPSET_VIRGL2);
	assert_response(gpu_capset_info(vmm, 1, &info), RESP_INVALID_PARAMETER);
	assert_response(gpu_capset(vmm, VIRTIO_GPU_CAPSET_VIRGL, 1, &capset),
			RESP_INVALID_PARAMETER);
	assert_response(gpu_ctx_create(vmm, 1, VIRTIO_GPU_CAPSET_VIRGL), RESP_INVALID_PARAMETER);
	assert_ok(gpu_ctx_create(vmm, 1, VIRTIO_GPU_CAPSET_VIRGL2));
	assert_ok(gpu_ctx_create(vmm, 2, 0));
}

/* ---- features ---- */

static void every_3d_command_needs_the_accepted_feature(void **state)
{
	struct vmm *vmm = boot_without(state, BIT64(VIRTIO_GPU_F_VIRGL));
	struct virtio_gpu_resp_capset_info info;
	struct capset capset;
	struct image i = image_new(vmm, 1, BGRX, SIDE, SIDE);
	uint32_t nothing = 0;

	assert_response(gpu_capset_info(vmm, 0, &info), RESP_UNSPEC);
	assert_response(gpu_capset(vmm, 1, 1, &capset), RESP_UNSPEC);
	assert_response(gpu_ctx_create(vmm, 1, 0), RESP_UNSPEC);
	assert_response(gpu_ctx_destroy(vmm, 1), RESP_UNSPEC);
	assert_response(gpu_ctx_attach(vmm, 1, 1), RESP_UNSPEC);
	assert_response(gpu_ctx_detach(vmm, 1, 1), RESP_UNSPEC);
	assert_response(gpu_create_3d(vmm, gpu_texture(2, SIDE, SIDE)), RESP_UNSPEC);
	assert_response(gpu_to_host_3d(vmm, gpu_whole(&i)), RESP_UNSPEC);
	assert_response(gpu_from_host_3d(vmm, gpu_whole(&i)), RESP_UNSPEC);
	assert_response(gpu_stream_raw(vmm, 1, &nothing, 4, 4), RESP_UNSPEC);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
}

/* The word is padding then, and a driver may leave any value in it. */
static void context_init_is_used_only_if_accepted(void **state)
{
	struct vmm *vmm = boot_without(state, BIT64(VIRTIO_GPU_F_CONTEXT_INIT));

	assert_ok(gpu_ctx_create(vmm, 1, 99));
	assert_ok(gpu_ctx_create(vmm, 2, 0xffffffff));
}

/* ---- contexts ---- */

static void invalid_contexts_are_refused(void **state)
{
	struct vmm *vmm = boot_with_opengl(state);

	assert_response(gpu_ctx_create(vmm, 0, 0), RESP_INVALID_CONTEXT_ID);
	assert_ok(gpu_ctx_create(vmm, 1, VIRTIO_GPU_CAPSET_VIRGL2));
	assert_response(gpu_ctx_create(vmm, 1, VIRTIO_GPU_CAPSET_VIRGL2), RESP_INVALID_CONTEXT_ID);
	assert_response(gpu_ctx_create_named(vmm, 2, 65, 0), RESP_INVALID_PARAMETER);
	assert_response(gpu_ctx_create_named(vmm, 2, 0xffffffff, 0), RESP_INVALID_PARAMETER);
	for (uint32_t capset = 3; capset < 10; capset++)
		assert_response(gpu_ctx_create(vmm, 2, capset), RESP_INVALID_PARAMETER);
	assert_response(gpu_ctx_create(vmm, 2, 0xff), RESP_INVALID_PARAMETER);
	assert_ok(gpu_ctx_create_named(vmm, 2, 64, VIRTIO_GPU_CAPSET_VIRGL));
	assert_ok(gpu_ctx_create_named(vmm, 0xffffffff, 0, 0));
	assert_ok(gpu_ctx_destroy(vmm, 0xffffffff));

	assert_response(gpu_ctx_destroy(vmm, 0), RESP_INVALID_CONTEXT_ID);
	assert_response(gpu_ctx_destroy(vmm, 7), RESP_INVALID_CONTEXT_ID);
	assert_ok(gpu_ctx_destroy(vmm, 1));
	assert_response(gpu_ctx_destroy(vmm, 1), RESP_INVALID_CONTEXT_ID);
	assert_ok(gpu_ctx_create(vmm, 1, 0));
}

static void attaching_needs_a_context_and_a_resource(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);

	assert_ok(gpu_ctx_create(vmm, 1, 0));
	assert_ok(gpu_create_3d(vmm, gpu_texture(1, SIDE, SIDE)));
	assert_response(gpu_ctx_attach(vmm, 0, 1), RESP_INVALID_CONTEXT_ID);
	assert_response(gpu_ctx_attach(vmm, 2, 1), RESP_INVALID_CONTEXT_ID);
	assert_response(gpu_ctx_attach(vmm, 1, 0), RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_ctx_attach(vmm, 1, 2), RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_ctx_detach(vmm, 2, 1), RESP_INVALID_CONTEXT_ID);
	assert_response(gpu_ctx_detach(vmm, 1, 2), RESP_INVALID_RESOURCE_ID);
	/* As Linux does: attached twice, and detached although it was never attached. */
	assert_ok(gpu_ctx_detach(vmm, 1, 1));
	assert_ok(gpu_ctx_attach(vmm, 1, 1));
	assert_ok(gpu_ctx_attach(vmm, 1, 1));
	assert_ok(gpu_ctx_detach(vmm, 1, 1));
	assert_ok(gpu_ctx_detach(vmm, 1, 1));
}

static void contexts_and_resources_can_be_destroyed_in_any_order(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	struct image i = new_target(vmm, 1, 1), k;

	assert_draws(vmm, 1, &i, RED);
	assert_ok(gpu_ctx_destroy(vmm, 1)); /* 1 is attached */
	assert_response(gpu_paint(vmm, 1, 1, RED), RESP_INVALID_CONTEXT_ID);
	assert_ok(gpu_ctx_create(vmm, 1, 0));
	assert_refused(gpu_paint(vmm, 1, 1, RED)); /* not attached to the new context */

	k = new_target(vmm, 2, 2);
	assert_draws(vmm, 2, &k, GREEN);
	assert_ok(gpu_unref(vmm, 2)); /* attached, and the framebuffer of context 2 */
	assert_refused(gpu_paint(vmm, 2, 2, RED));
	assert_ok(gpu_ctx_destroy(vmm, 2));

	/* UNREF while it is on a screen switches the screen off. */
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	vmm_wait_messages(vmm, DISPLAY_UPDATE, 1);
	assert_ok(gpu_unref(vmm, 1));
	assert_alive(vmm);
	assert_int_equal(vmm->display.surfaces[0].width, 0);
	assert_response(gpu_flush(vmm, 1, image_rect(&i)), RESP_INVALID_RESOURCE_ID);
}

/* ---- streams ---- */

static void invalid_streams_are_refused(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	static const uint32_t nops[64];

	assert_ok(gpu_ctx_create(vmm, 1, 0));
	assert_response(gpu_stream_raw(vmm, 0, nops, 16, 16), RESP_INVALID_CONTEXT_ID);
	assert_response(gpu_stream_raw(vmm, 9, nops, 16, 16), RESP_INVALID_CONTEXT_ID);
	for (uint32_t size = 1; size < 4; size++)
		assert_response(gpu_stream_raw(vmm, 1, nops, size, 16), RESP_INVALID_PARAMETER);
	assert_response(gpu_stream_raw(vmm, 1, nops, 18, 20), RESP_INVALID_PARAMETER);
	assert_response(gpu_stream_raw(vmm, 1, nops, 20, 16), RESP_INVALID_PARAMETER);
	assert_response(gpu_stream_raw(vmm, 1, nops, 4, 0), RESP_INVALID_PARAMETER);
	assert_response(gpu_stream_raw(vmm, 1, nops, 0xfffffffc, 256), RESP_INVALID_PARAMETER);
	assert_response(gpu_stream_raw(vmm, 1, nops, 16 << 20, 256), RESP_INVALID_PARAMETER);
	assert_ok(gpu_stream_raw(vmm, 1, nops, 0, 0));
	assert_ok(gpu_stream_raw(vmm, 1, nops, 0, 16));
}

/* Where VIRTIO 1.2 has padding, later drafts have the number of fences before the stream: nothing
 * is read or reserved for that number. */
static void a_stream_may_claim_any_number_of_fences(void **state)
{
	static const uint32_t numbers[] = { 1, 0x7fffffff, 0xffffffff };
	struct vmm *vmm = boot(state, NULL, NULL);
	struct virtio_gpu_ctrl_hdr h;

	assert_ok(gpu_ctx_create(vmm, 1, 0));
	for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++) {
		struct virtio_gpu_cmd_submit c = {
			{ .type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = 1 }, 0, numbers[i]
		};

		assert_ok(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)));
	}
	assert_alive(vmm);
}

static void a_stream_beyond_max_submit_is_refused(void **state)
{
	struct vmm *vmm = boot(state, "--max-submit", "64");
	struct image i = new_target(vmm, 1, 1);
	struct stream s = { .count = 0 };

	/* 6 + 4 words, then 9 more: 76 bytes. */
	stream_surface(&s, 1, 1);
	stream_framebuffer(&s, 1);
	assert_ok(gpu_stream(vmm, 1, &s));
	s.count = 0;
	stream_surface(&s, 2, 1);
	stream_framebuffer(&s, 2);
	stream_clear(&s, RED);
	assert_response(gpu_stream(vmm, 1, &s), RESP_INVALID_PARAMETER);
	s.count = 0;
	stream_clear(&s, RED);
	assert_ok(gpu_stream(vmm, 1, &s));
	image_paint(&i, image_rect(&i), RED);
	struct image due = image_due(vmm, SIDE, SIDE);
	image_paint(&due, image_rect(&due), RED);
	image_check_host(vmm, &i, &due);
}

static void a_failed_stream_fails_only_its_context(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	struct image good = new_target(vmm, 1, 1), bad = new_target(vmm, 2, 2);
	struct stream s = { .count = 0 };

	assert_draws(vmm, 1, &good, RED);
	assert_draws(vmm, 2, &bad, RED);
	stream_garbage(&s);
	assert_refused(gpu_stream(vmm, 2, &s));
	assert_draws(vmm, 1, &good, GREEN);
	/* Only context 2 is lost, not the resource. When it is destroyed, its number can be used
	 * for a new context. */
	assert_ok(gpu_ctx_attach(vmm, 1, 2));
	assert_draws(vmm, 1, &bad, GREEN);
	assert_ok(gpu_ctx_destroy(vmm, 2));
	assert_ok(gpu_ctx_create(vmm, 2, 0));
	assert_ok(gpu_ctx_attach(vmm, 2, 2));
	assert_draws(vmm, 2, &bad, RED);
}

static void truncated_streams_do_not_affect_other_contexts(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	struct image good = new_target(vmm, 1, 1);
	struct stream whole = { .count = 0 };

	stream_surface(&whole, 1, 1);
	stream_framebuffer(&whole, 1);
	stream_clear(&whole, RED);
	stream_copy(&whole, 1, 0, 0, 1, gpu_rect(0, 0, 4, 4));
	for (uint32_t count = 1; count < whole.count; count++) {
		struct stream s = whole;

		s.count = count;
		assert_ok(gpu_ctx_create(vmm, 2, 0));
		assert_ok(gpu_ctx_attach(vmm, 2, 1));
		gpu_stream(vmm, 2, &s);
		s = whole;
		s.words[count] ^= 0x80000001;
		gpu_stream(vmm, 2, &s);
		assert_ok(gpu_ctx_destroy(vmm, 2));
	}
	assert_draws(vmm, 1, &good, GREEN);
}

/* ---- limits and resets ---- */

static void contexts_are_limited(void **state)
{
	struct vmm *vmm = boot(state, "--max-contexts", "3");

	for (uint32_t ctx = 1; ctx <= 3; ctx++)
		assert_ok(gpu_ctx_create(vmm, ctx, 0));
	assert_response(gpu_ctx_create(vmm, 4, 0), RESP_OUT_OF_MEMORY);
	assert_ok(gpu_ctx_destroy(vmm, 2));
	assert_ok(gpu_ctx_create(vmm, 4, 0));
	assert_response(gpu_ctx_create(vmm, 2, 0), RESP_OUT_OF_MEMORY);
}

static void a_reset_frees_all_ids(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);

	for (unsigned k = 0; k < 3; k++) {
		struct image i = new_target(vmm, 1, 1);

		assert_draws(vmm, 1, &i, k % 2 ? RED : GREEN);
		assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
		vmm_reset(vmm);
		vmm_start(vmm);
		assert_response(gpu_ctx_destroy(vmm, 1), RESP_INVALID_CONTEXT_ID);
		assert_response(gpu_unref(vmm, 1), RESP_INVALID_RESOURCE_ID);
	}
	assert_alive(vmm);
}

static void the_next_front_end_finds_no_object_of_the_first(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	struct image i = new_target(vmm, 1, 1);

	assert_draws(vmm, 1, &i, RED);
	vmm_disconnect(vmm);
	ring_clear(&vmm->rings[CONTROL]);
	ring_clear(&vmm->rings[CURSOR]);
	vmm_connect(vmm);
	vmm_realize(vmm);
	vmm_start(vmm);
	i = new_target(vmm, 1, 1);
	assert_draws(vmm, 1, &i, GREEN);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(capsets_are_those_of_the_configuration),
		DEVICE_TEST(a_capset_needs_a_response_buffer_of_its_size),
		DEVICE_TEST(only_the_wanted_capset_is_offered),
		DEVICE_TEST(every_3d_command_needs_the_accepted_feature),
		DEVICE_TEST(context_init_is_used_only_if_accepted),
		DEVICE_TEST(invalid_contexts_are_refused),
		DEVICE_TEST(attaching_needs_a_context_and_a_resource),
		DEVICE_TEST(contexts_and_resources_can_be_destroyed_in_any_order),
		DEVICE_TEST(invalid_streams_are_refused),
		DEVICE_TEST(a_stream_may_claim_any_number_of_fences),
		DEVICE_TEST(a_stream_beyond_max_submit_is_refused),
		DEVICE_TEST(a_failed_stream_fails_only_its_context),
		DEVICE_TEST(truncated_streams_do_not_affect_other_contexts),
		DEVICE_TEST(contexts_are_limited),
		DEVICE_TEST(a_reset_frees_all_ids),
		DEVICE_TEST(the_next_front_end_finds_no_object_of_the_first),
	};

	return gpu3d_works() ? cmocka_run_group_tests_name("3d", tests, NULL, NULL) : EXIT_SKIPPED;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
