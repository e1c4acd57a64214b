// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Starting or stopping a queue neither creates nor destroys device state: `stop` and `cont`, resets
 * with and without RESET_DEVICE, reboots, hand-over from firmware to an operating system, one
 * front-end after the other. Many cases run as every front-end that we know, because their last
 * messages come in different orders.
 */
#include "fixture.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

static const struct vmm_profile *const profiles[] = {
	&vmm_qemu_7_2, &vmm_qemu_10_0, &vmm_qemu_11_1, &vmm_strict, &vmm_minimal,
};

static void for_each_profile(void **state, void (*test)(struct vmm *))
{
	for (unsigned i = 0; i < ARRAY_LENGTH(profiles); i++) {
		struct vmm_options options = { .profile = profiles[i] };

		print_message("\t%s\n", profiles[i]->name);
		test(fixture_boot(state, &options));
		fixture_end(state);
	}
}

struct scene {
	struct image a, b, cursor;
};

/* Two screens and a cursor. */
static struct scene build_scene(struct vmm *vmm, uint32_t seed)
{
	struct scene s = { image_new(vmm, 1, BGRX, 640, 480), image_new(vmm, 2, BGRX, 320, 200),
			   image_new(vmm, 3, BGRA, 64, 64) };

	image_fill(&s.a, seed);
	image_fill(&s.b, seed + 1);
	image_fill(&s.cursor, seed + 2);
	assert_ok(image_transfer(vmm, &s.a, image_rect(&s.a)));
	assert_ok(image_transfer(vmm, &s.b, image_rect(&s.b)));
	assert_ok(image_transfer(vmm, &s.cursor, image_rect(&s.cursor)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&s.a)));
	assert_ok(gpu_set_scanout(vmm, 1, 2, gpu_rect(10, 10, 200, 100)));
	assert_ok(gpu_update_cursor(vmm, 0, 70, 80, 3, 1, 2));
	return s;
}

static bool cursor_is_shown(struct vmm *vmm, const void *arg)
{
	const struct display_cursor *c = &vmm->display.cursors[0];
	const struct scene *s = arg;

	return c->is_visible && c->x == 70 && c->y == 80 && c->hot_x == 1 &&
	       (c->pixels[65] & 0xffffff) == image_pixel(&s->cursor, 1, 1);
}

static void assert_scene(struct vmm *vmm, const struct scene *s)
{
	image_wait_shown(vmm, &s->a, 0, image_rect(&s->a));
	image_wait_shown(vmm, &s->b, 1, gpu_rect(10, 10, 200, 100));
	vmm_wait(vmm, cursor_is_shown, s, "the cursor");
}

/* ---- stop and cont ---- */

static void stop_and_cont(struct vmm *vmm)
{
	struct scene s = build_scene(vmm, 1);
	unsigned fds = 0;

	assert_scene(vmm, &s);
	for (unsigned k = 0; k < 10; k++) {
		vmm_stop(vmm);
		vmm_start(vmm);
		assert_scene(vmm, &s); /* without a command of the guest */
		image_fill(&s.a, 100 + k);
		assert_ok(image_transfer(vmm, &s.a, image_rect(&s.a)));
		assert_ok(gpu_flush(vmm, 1, image_rect(&s.a)));
		assert_scene(vmm, &s);
		if (k == 0)
			fds = daemon_count_fds(&vmm->daemon);
	}
	assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
	assert_response(gpu_create_2d(vmm, 1, BGRX, 8, 8), RESP_INVALID_RESOURCE_ID);
}

static void stop_and_cont_keep_everything(void **state)
{
	for_each_profile(state, stop_and_cont);
}

static void held_commands(struct vmm *vmm)
{
	struct virtio_gpu_ctrl_hdr h = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct ring *r = &vmm->rings[CONTROL];
	struct chain *c[3];
	uint16_t used;

	vmm->fences_all = true;
	vmm->display.on_info = NEVER;
	for (unsigned i = 0; i < 3; i++)
		c[i] = gpu_submit(vmm, CONTROL, &h, sizeof(h),
				  sizeof(struct virtio_gpu_resp_display_info), NULL, 0);
	ring_kick(r);
	vmm_wait_messages(vmm, DISPLAY_GET_DISPLAY_INFO, 1);
	vmm_stop(vmm);
	/* Nothing may be written to a stopped ring. */
	used = r->vring.used->idx;
	for (unsigned i = 0; i < 20; i++)
		assert_session_alive(vmm);
	assert_int_equal(r->vring.used->idx, used);
	vmm->display.on_info = ANSWER;
	vmm_start(vmm);
	for (unsigned i = 0; i < 3; i++)
		assert_response(gpu_finish(vmm, c[i], NULL, 0), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_alive(vmm);
}

static void commands_in_flight_are_answered_after_cont(void **state)
{
	for_each_profile(state, held_commands);
}

static void a_stop_in_the_middle_of_a_batch_loses_no_command(void **state)
{
	struct vmm_options options = { .control_size = 1024 };
	struct vmm *vmm = fixture_boot(state, &options);

	for (unsigned k = 0; k < 10; k++) {
		struct chain *c[400];

		for (unsigned i = 0; i < ARRAY_LENGTH(c); i++) {
			struct virtio_gpu_resource_unref u = {
				{ .type = VIRTIO_GPU_CMD_RESOURCE_UNREF }, 9, 0
			};

			c[i] = gpu_submit(vmm, CONTROL, &u, sizeof(u), sizeof(u.hdr), NULL, 0);
		}
		ring_kick(&vmm->rings[CONTROL]);
		vmm_stop(vmm);
		vmm_start(vmm);
		for (unsigned i = 0; i < ARRAY_LENGTH(c); i++)
			assert_response(gpu_finish(vmm, c[i], NULL, 0), RESP_INVALID_RESOURCE_ID);
	}
}

/* ---- reset ---- */

static void reset(struct vmm *vmm)
{
	unsigned fds = 0;

	for (uint32_t k = 0; k < 8; k++) {
		struct scene s = build_scene(vmm, k * 10); /* the same ids, every time */
		uint8_t uuid[16];

		assert_scene(vmm, &s);
		if (vmm->offered & BIT64(VIRTIO_GPU_F_RESOURCE_UUID))
			assert_response(gpu_assign_uuid(vmm, 1, uuid),
					VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
		vmm_reset(vmm);
		vmm_start(vmm);
		assert_alive(vmm);
		if (k == 1)
			fds = daemon_count_fds(&vmm->daemon);
		/* The old screen is not shown on the new display. */
		assert_int_equal(vmm->display.surfaces[0].width, 0);
		assert_int_equal(vmm->display.surfaces[1].width, 0);
		assert_false(vmm->display.cursors[0].is_visible);
		assert_response(gpu_flush(vmm, 1, gpu_rect(0, 0, 1, 1)), RESP_INVALID_RESOURCE_ID);
	}
	assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
}

static void reset_frees_everything(void **state)
{
	for_each_profile(state, reset);
}

static void reset_releases_all_memory(void **state)
{
	struct vmm *vmm = *state;
	uint32_t first = 0;

	for (unsigned k = 0; k < 3; k++) {
		uint32_t n = 0;

		while (n < 1024 && gpu_create_2d(vmm, n + 1, BGRX, 4096, 4096) == RESP_OK)
			n++;
		assert_true(n > 0 && n < 1024);
		if (k == 0)
			first = n;
		assert_int_equal(n, first);
		vmm_reset(vmm);
		vmm_start(vmm);
	}
}

static void held_commands_die_with_a_reset(struct vmm *vmm)
{
	struct virtio_gpu_ctrl_hdr h = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };

	vmm->display.on_info = HOLD;
	gpu_submit(vmm, CONTROL, &h, sizeof(h), sizeof(struct virtio_gpu_resp_display_info), NULL,
		   0);
	ring_kick(&vmm->rings[CONTROL]);
	vmm_wait_messages(vmm, DISPLAY_GET_DISPLAY_INFO, 1);
	vmm_reset(vmm);
	vmm->display.on_info = ANSWER;
	vmm_start(vmm);
	/* ring_collect fails at a used entry that the new driver has not submitted. */
	assert_alive(vmm);
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 64, 64));
	assert_alive(vmm);
}

static void a_reset_drops_commands_in_flight(void **state)
{
	for_each_profile(state, held_commands_die_with_a_reset);
}

static void a_reset_with_a_frame_stuck_is_a_reset(struct vmm *vmm)
{
	struct image i = image_new(vmm, 1, BGRX, 1920, 1080);

	image_fill(&i, 1);
	vmm->display.is_paused = true;
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	vmm_reset(vmm);
	vmm->display.is_paused = false;
	vmm_start(vmm);
	i = image_new(vmm, 1, BGRX, 800, 600);
	image_fill(&i, 2);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
}

static void a_stuck_frame_does_not_outlive_a_reset(void **state)
{
	for_each_profile(state, a_reset_with_a_frame_stuck_is_a_reset);
}

static void a_start_without_any_command_before_it_is_no_reset(void **state)
{
	struct vmm *vmm = *state;
	struct scene s;

	/* Firmware starts the rings and never uses them; the base stays 0. */
	for (unsigned k = 0; k < 3; k++) {
		vmm_stop(vmm);
		vmm_start(vmm);
	}
	s = build_scene(vmm, 3);
	assert_scene(vmm, &s);
}

static void rings_can_restart_with_another_size(void **state)
{
	struct vmm *vmm = *state;
	static const unsigned sizes[] = { 256, 16, 1024, 64 };

	/* Firmware uses small rings, Linux the largest. */
	for (unsigned k = 0; k < ARRAY_LENGTH(sizes); k++) {
		struct scene s = build_scene(vmm, k);

		assert_scene(vmm, &s);
		vmm_reset(vmm);
		ring_finish(&vmm->rings[CONTROL]);
		ring_init(&vmm->rings[CONTROL], vmm, CONTROL, sizes[k]);
		vmm_start(vmm);
		assert_alive(vmm);
	}
}

/* No known front-end does this. Held commands whose heads the smaller ring does not have cannot be
 * answered. */
static void held_commands_are_dropped_on_a_smaller_ring(void **state)
{
	struct virtio_gpu_ctrl_hdr h = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct vmm *vmm = *state;
	struct ring *r = &vmm->rings[CONTROL];
	uint16_t base;

	vmm->display.on_info = NEVER;
	for (unsigned i = 0; i < 40; i++)
		gpu_submit(vmm, CONTROL, &h, sizeof(h), sizeof(struct virtio_gpu_resp_display_info),
			   NULL, 0);
	ring_kick(r);
	vmm_wait_messages(vmm, DISPLAY_GET_DISPLAY_INFO, 1);
	vmm_stop(vmm);
	base = r->base;
	assert_int_equal(base, 40);
	ring_finish(r);
	ring_init(r, vmm, CONTROL, 16);
	r->base = r->avail_idx = r->kicked_idx = r->used_idx = base;
	r->vring.avail->idx = r->vring.used->idx = base;
	r->takes_any_head = true; /* held commands with heads below 16 are answered */
	vmm->display.on_info = ANSWER;
	vmm_start(vmm);
	assert_session_alive(vmm);
	poll(NULL, 0, 100);
	for (unsigned i = 0; i < r->size; i++)
		assert_true(r->vring.used->ring[i].id < r->size);
	vmm_reset(vmm);
	vmm_start(vmm);
	assert_alive(vmm);
}

/* ---- one front-end after the other ---- */

static void resources_die_with_the_session(struct vmm *vmm)
{
	for (uint32_t k = 0; k < 3; k++) {
		struct scene s = build_scene(vmm, k);

		assert_scene(vmm, &s);
		vmm_disconnect(vmm);
		ring_clear(&vmm->rings[CONTROL]);
		ring_clear(&vmm->rings[CURSOR]);
		vmm_connect(vmm);
		vmm_realize(vmm);
		vmm_start(vmm);
		assert_alive(vmm);
		assert_int_equal(vmm->display.surfaces[0].width, 0);
	}
}

static void the_next_session_finds_nothing_of_the_last(void **state)
{
	for_each_profile(state, resources_die_with_the_session);
}

static void a_second_front_end_waits_until_the_first_disconnects(void **state)
{
	struct vmm *vmm = *state;
	struct vmm second = { .socket = daemon_connect(&vmm->daemon),
			      .profile = vmm->profile,
			      .timeout_ms = vmm->timeout_ms };

	uint64_t features = 0;

	assert_alive(vmm);
	vhost_send(&second, VHOST_USER_GET_FEATURES, 0, NULL, 0, NULL, 0);
	assert_alive(vmm);
	vmm_disconnect(vmm);
	if (vhost_recv(&second, VHOST_USER_GET_FEATURES, &features, sizeof(features), NULL))
		assert_true(features & BIT64(VHOST_USER_F_PROTOCOL_FEATURES));
	close(second.socket);
	ring_clear(&vmm->rings[CONTROL]);
	ring_clear(&vmm->rings[CURSOR]);
	vmm_connect(vmm);
	vmm_realize(vmm);
	vmm_start(vmm);
	assert_alive(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(stop_and_cont_keep_everything),
		DEVICE_TEST(commands_in_flight_are_answered_after_cont),
		DEVICE_TEST(a_stop_in_the_middle_of_a_batch_loses_no_command),
		DEVICE_TEST(reset_frees_everything),
		BOOTED_TEST(reset_releases_all_memory),
		DEVICE_TEST(a_reset_drops_commands_in_flight),
		DEVICE_TEST(a_stuck_frame_does_not_outlive_a_reset),
		BOOTED_TEST(a_start_without_any_command_before_it_is_no_reset),
		BOOTED_TEST(rings_can_restart_with_another_size),
		BOOTED_TEST(held_commands_are_dropped_on_a_smaller_ring),
		DEVICE_TEST(the_next_session_finds_nothing_of_the_last),
		BOOTED_TEST(a_second_front_end_waits_until_the_first_disconnects),
	};

	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
