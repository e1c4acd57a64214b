// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A cursor command that reads a resource runs after everything that the guest made available on the
 * control queue before it, however long that takes, and before anything later. It does not wait for
 * chains that are never served. Each pixel that the fake renderer returns has as its value the
 * number of rows transferred so far.
 */
#include "gpu_rig.h"

#include <glib.h>
#include <string.h>

#include "gpu_guest.h"
#include "vhost/session.h"
#include "vhost/vring.h"
#include "vhost/vhost_user.h"

/* 64 MiB, which take at least eight turns; one kick of the rig runs four. */
#define SIDE      4096u
#define N_ENTRIES 64u
#define ENTRY     (1024 * 1024u)

static int setup(void **state)
{
	int r = gpu_rig_setup_cpu(state);

	assert_int_equal(gpu_guest_create_2d(1, SIDE, SIDE), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_attach_repeated(1, GPA + DATA_AT, ENTRY, N_ENTRIES),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_create_2d(2, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	return r;
}

static void offer_cursor(unsigned slot, uint32_t type, uint32_t id)
{
	const struct virtio_gpu_update_cursor request = {
		.hdr.type = type,
		.resource_id = id,
	};

	gpu_guest_offer(1, slot, &request, sizeof(request));
}

static void offer_unref(unsigned slot, uint32_t id)
{
	const struct virtio_gpu_resource_unref request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
		.resource_id = id,
	};

	gpu_guest_offer(0, slot, &request, sizeof(request));
}

static uint16_t n_used(void)
{
	return gpu_guest_used(1)->idx;
}

static void wait_for_cursor(uint16_t due)
{
	for (unsigned i = 0; i < 400 && n_used() != due; i++)
		gpu_rig_turn();
	assert_int_equal(n_used(), due);
}

/* The cursor command is taken during the transfer, or before it begins. */
static void begin_both(void)
{
	gpu_guest_offer_transfer(1, 1, SIDE, SIDE);
	offer_cursor(1, VIRTIO_GPU_CMD_UPDATE_CURSOR, 2);
	gpu_guest_kick(1);
	assert_int_equal(n_used(), 0);
	assert_in_range(gpu_rig.renderer.n_rows, 1, SIDE - 1);
}

static void a_cursor_runs_after_a_transfer_without_a_kick(void **state)
{
	(void)state;
	begin_both();
	wait_for_cursor(1);
	assert_int_equal(gpu_guest_reply(1, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.display.cursor_pixel, SIDE);
}

static void a_hundred_cursors_after_two_transfers_show_the_new_image(void **state)
{
	unsigned n_new = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		gpu_rig.renderer.n_rows = 0;
		for (unsigned slot = 1; slot <= 3; slot++)
			gpu_guest_offer_transfer(slot, 1, SIDE, 256); /* 4 MiB */
		offer_cursor(1, VIRTIO_GPU_CMD_UPDATE_CURSOR, 2);
		if (i % 2)
			gpu_guest_kick(0);
		gpu_guest_kick(1);
		wait_for_cursor((uint16_t)(i + 1));
		n_new += gpu_rig.display.cursor_pixel == 3 * 256;
		gpu_rig_turn();
	}
	assert_int_equal(n_new, 100);
}

static void a_cursor_does_not_wait_for_an_empty_control_queue(void **state)
{
	struct vhost_backend *backend = gpu_device_backend(gpu_rig.device);

	(void)state;
	offer_cursor(1, VIRTIO_GPU_CMD_UPDATE_CURSOR, 2);
	backend->ops->queue_kicked(backend, 1);
	assert_int_equal(n_used(), 1);
}

static void a_cursor_runs_before_chains_made_available_after_it(void **state)
{
	(void)state;
	begin_both();
	offer_unref(3, 2);
	gpu_guest_offer_transfer(2, 1, SIDE, 16);
	gpu_guest_kick(0);
	wait_for_cursor(1);
	assert_int_equal(gpu_guest_reply(1, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.display.cursor_pixel, SIDE);
	gpu_rig_turn();
	assert_int_equal(gpu_guest_reply(0, 3)->type, VIRTIO_GPU_RESP_OK_NODATA);
}

static void a_cursor_move_does_not_wait_for_the_control_queue(void **state)
{
	(void)state;
	offer_cursor(3, VIRTIO_GPU_CMD_MOVE_CURSOR, 2);
	offer_cursor(4, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0);
	gpu_guest_offer_transfer(1, 1, SIDE, SIDE);
	gpu_guest_kick(1);
	assert_int_equal(gpu_rig.renderer.n_rows, 0);
	assert_int_equal(n_used(), 2);
	offer_cursor(1, VIRTIO_GPU_CMD_UPDATE_CURSOR, 2);
	offer_cursor(2, VIRTIO_GPU_CMD_MOVE_CURSOR, 2);
	gpu_guest_kick(1);
	assert_int_equal(gpu_rig.display.n_moves, 2); /* one command hides the cursor */
	assert_int_equal(gpu_rig.display.n_cursors, 0);
	wait_for_cursor(4);
	assert_int_equal(gpu_rig.display.n_moves, 3);
	assert_int_equal(gpu_rig.display.cursor_pixel, SIDE);
}

static void a_cursor_does_not_wait_for_a_broken_control_queue(void **state)
{
	(void)state;
	begin_both();
	/* As if the queue's memory was removed. */
	vhost_session_vring(gpu_rig.session, 0)->is_broken = true;
	wait_for_cursor(1);
	assert_int_equal(gpu_guest_reply(1, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_in_range(gpu_rig.renderer.n_rows, 1, SIDE - 1);
	offer_cursor(2, VIRTIO_GPU_CMD_UPDATE_CURSOR, 2);
	gpu_guest_kick(1);
	assert_int_equal(n_used(), 2);
}

static void a_cursor_does_not_wait_for_an_invalid_index(void **state)
{
	(void)state;
	gpu_guest_avail(0)->idx += 0x8000;
	offer_cursor(1, VIRTIO_GPU_CMD_UPDATE_CURSOR, 2);
	gpu_guest_kick(1);
	assert_int_equal(n_used(), 1);
}

/* The guest withdraws a chain that was available. */
static void a_cursor_does_not_wait_for_a_withdrawn_chain(void **state)
{
	(void)state;
	gpu_guest_offer_transfer(2, 1, SIDE, SIDE);
	begin_both();
	gpu_guest_avail(0)->idx--;
	wait_for_cursor(1);
	assert_int_equal(gpu_rig.renderer.n_rows, SIDE);
}

/* Like a cursor queue that was stopped while the control queue ran. */
static void a_cursor_does_not_wait_for_later_chains(void **state)
{
	(void)state;
	begin_both();
	gpu_rig_stop_queue(1);
	for (unsigned i = 0; i < 400 && gpu_guest_reply(0, 1)->type == 0; i++)
		gpu_rig_turn();
	for (unsigned slot = 2; slot < 18; slot++)
		gpu_guest_offer_transfer(slot, 1, SIDE, SIDE);
	gpu_guest_kick(0);
	gpu_rig_start_queue(1);
	assert_int_equal(n_used(), 1);
	assert_int_equal(gpu_guest_reply(0, 17)->type, 0);
}

static void stop_and_cont_keep_the_order(void **state)
{
	(void)state;
	begin_both();
	gpu_rig_stop_queue(0);
	gpu_rig_turn();
	assert_int_equal(n_used(), 0);
	gpu_rig_stop_queue(1);
	gpu_rig_start_queue(0);
	gpu_rig_start_queue(1);
	wait_for_cursor(1);
	assert_int_equal(gpu_rig.display.cursor_pixel, SIDE);
}

static void a_restarted_control_queue_resumes_the_cursor(void **state)
{
	(void)state;
	begin_both();
	gpu_rig_stop_queue(0);
	gpu_rig_turn();
	gpu_rig_start_queue(0);
	wait_for_cursor(1);
	assert_int_equal(gpu_rig.display.cursor_pixel, SIDE);
}

/* While the cursor waits, kicks are disabled, so the guest sends none for its next chain. */
static void a_restarted_control_queue_resumes_the_cursor_queue(void **state)
{
	(void)state;
	begin_both();
	gpu_rig_stop_queue(0);
	gpu_rig_turn();
	offer_cursor(2, VIRTIO_GPU_CMD_MOVE_CURSOR, 2);
	gpu_rig_start_queue(0);
	wait_for_cursor(2);
}

/* The cursor waits, and the loop sleeps. */
static void a_cursor_waits_a_second_for_a_stopped_control_queue(void **state)
{
	(void)state;
	begin_both();
	int64_t start = g_get_monotonic_time();

	gpu_rig_stop_queue(0);
	gpu_rig_turn();
	assert_null(gpu_rig.device->queues[1].again.loop);
	while (n_used() == 0 && g_get_monotonic_time() - start < 10 * G_USEC_PER_SEC)
		assert_int_equal(loop_turn(&gpu_rig.loop, 10000), 0);
	assert_true(g_get_monotonic_time() - start >= 500 * 1000);
	assert_int_equal(n_used(), 1);
	assert_in_range(gpu_rig.display.cursor_pixel, 1, SIDE - 1); /* the old image */
	offer_cursor(2, VIRTIO_GPU_CMD_UPDATE_CURSOR, 2);
	gpu_guest_kick(1);
	assert_int_equal(n_used(), 2); /* no second wait */
}

static void a_reset_drops_a_waiting_cursor(void **state)
{
	(void)state;
	begin_both();
	gpu_rig_reset_device();
	gpu_rig_turn();
	assert_int_equal(n_used(), 0);
	assert_int_equal(gpu_rig.display.n_cursors, 0);
	assert_int_equal(gpu_guest_create_2d(2, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	offer_cursor(1, VIRTIO_GPU_CMD_UPDATE_CURSOR, 2);
	gpu_guest_kick(1);
	assert_int_equal(n_used(), 1);
}

static void the_end_of_the_session_drops_a_waiting_cursor(void **state)
{
	(void)state;
	begin_both();
	gpu_rig_stop_queue(0); /* the cursor's time-out is set */
	gpu_rig_close_session();
	gpu_rig_turn();
	assert_int_equal(gpu_rig.display.n_cursors, 0);
	assert_false(gpu_rig.device->order.timer.is_armed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, gpu_rig_teardown)
		TEST(a_cursor_runs_after_a_transfer_without_a_kick),
		TEST(a_hundred_cursors_after_two_transfers_show_the_new_image),
		TEST(a_cursor_does_not_wait_for_an_empty_control_queue),
		TEST(a_cursor_runs_before_chains_made_available_after_it),
		TEST(a_cursor_move_does_not_wait_for_the_control_queue),
		TEST(a_cursor_does_not_wait_for_a_broken_control_queue),
		TEST(a_cursor_does_not_wait_for_an_invalid_index),
		TEST(a_cursor_does_not_wait_for_a_withdrawn_chain),
		TEST(a_cursor_does_not_wait_for_later_chains),
		TEST(stop_and_cont_keep_the_order),
		TEST(a_restarted_control_queue_resumes_the_cursor),
		TEST(a_restarted_control_queue_resumes_the_cursor_queue),
		TEST(a_cursor_waits_a_second_for_a_stopped_control_queue),
		TEST(a_reset_drops_a_waiting_cursor),
		TEST(the_end_of_the_session_drops_a_waiting_cursor),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
