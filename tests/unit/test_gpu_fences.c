// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Fences of a renderer whose work completes when the test says so. The tests read the used ring, as
 * the guest does, to see which responses come, when, and in which order.
 */
#include "gpu_rig.h"

#include <errno.h>
#include <glib.h>

#include "gpu_guest.h"

/* Submits a command with a fence, on the global timeline or (@ring >= 0) on a ring of @ctx_id. */
static void offer_fenced(unsigned queue, unsigned slot, uint64_t fence_id, uint32_t ctx_id,
			 int ring)
{
	const struct virtio_gpu_transfer_to_host_2d transfer = {
		.hdr = { .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
			 .flags = VIRTIO_GPU_FLAG_FENCE |
				  (ring >= 0 ? VIRTIO_GPU_FLAG_INFO_RING_IDX : 0u),
			 .fence_id = fence_id,
			 .ctx_id = ctx_id,
			 .ring_idx = (uint8_t)(ring >= 0 ? ring : 0) },
		.r = { 0, 0, 1, 1 },
		.resource_id = 1,
	};

	gpu_guest_offer(queue, slot, &transfer, sizeof(transfer));
}

/* Resource 1 has a backing, so transfers succeed; contexts 1 and 2 exist. */
static int fence_setup(void **state)
{
	if (gpu_rig_setup(state) < 0)
		return -1;
	assert_int_equal(gpu_guest_create_2d(1, 16, 16), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_attach(1, GPA + DATA_AT, 16 * 16 * 4),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 1),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 2),
			 VIRTIO_GPU_RESP_OK_NODATA);
	gpu_guest_interrupts(0);
	return 0;
}

static void assert_returned(uint16_t before, const char *slots)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (uint16_t n = before; n != gpu_guest_used(0)->idx; n++)
		g_string_append_printf(text, "%u ", gpu_guest_used(0)->ring[n % RING_SIZE].id / 3);
	assert_string_equal(text->str, slots);
}

static void a_command_is_answered_with_its_fence_when_it_completes(void **state)
{
	uint16_t before = gpu_guest_used(0)->idx;

	(void)state;
	offer_fenced(0, 1, UINT64_C(0x123456789a), 7, -1);
	gpu_guest_kick(0);
	assert_returned(before, "");
	assert_int_equal(gpu_guest_interrupts(0), 0);
	gpu_rig_pass_fence(0);
	assert_returned(before, "1 ");
	assert_int_equal(gpu_guest_interrupts(0), 1);
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_reply(0, 1)->flags, VIRTIO_GPU_FLAG_FENCE);
	assert_int_equal(gpu_guest_reply(0, 1)->fence_id, UINT64_C(0x123456789a));
	assert_int_equal(gpu_guest_reply(0, 1)->ctx_id, 7);
}

static void a_timeline_keeps_its_order_for_any_fence_ids(void **state)
{
	uint16_t before = gpu_guest_used(0)->idx;

	(void)state;
	offer_fenced(0, 1, 30, 0, -1);
	offer_fenced(0, 2, 10, 0, -1);
	offer_fenced(0, 3, 20, 0, -1);
	gpu_guest_kick(0);
	gpu_rig_pass_fence(1);
	assert_returned(before, "1 2 ");
	gpu_rig_pass_fence(0); /* again, and late */
	assert_returned(before, "1 2 ");
	gpu_rig_pass_fence(2);
	assert_returned(before, "1 2 3 ");
	assert_int_equal(gpu_guest_interrupts(0), 2);
}

static void timelines_do_not_wait_for_each_other(void **state)
{
	uint16_t before = gpu_guest_used(0)->idx;

	(void)state;
	offer_fenced(0, 1, 1, 1, -1); /* global, although the command names a context */
	offer_fenced(0, 2, 1, 1, 0);  /* ring 0 differs from the global timeline */
	offer_fenced(0, 3, 1, 1, 63);
	offer_fenced(0, 4, 1, 2, 0);
	gpu_guest_kick(0);
	assert_int_equal(gpu_rig.renderer.n_fences, 4);
	assert_false(gpu_rig.renderer.fences[0].has_ring);
	assert_true(gpu_rig.renderer.fences[1].has_ring);
	for (int n = 3; n >= 0; n--)
		gpu_rig_pass_fence((unsigned)n);
	assert_returned(before, "4 3 2 1 ");
	assert_int_equal(gpu_guest_reply(0, 3)->flags,
			 VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
	assert_int_equal(gpu_guest_reply(0, 3)->ring_idx, 63);
}

static void commands_without_a_fence_do_not_wait(void **state)
{
	uint16_t before = gpu_guest_used(0)->idx;

	(void)state;
	offer_fenced(0, 1, 1, 0, -1);
	gpu_guest_kick(0);
	assert_int_equal(gpu_guest_create_2d(2, 8, 8), VIRTIO_GPU_RESP_OK_NODATA);
	assert_returned(before, "0 ");
	gpu_rig_pass_fence(0);
	assert_returned(before, "0 1 ");
}

static void a_fence_that_cannot_be_created_is_an_error_at_once(void **state)
{
	uint16_t before = gpu_guest_used(0)->idx;

	(void)state;
	offer_fenced(0, 1, 1, 3, 0); /* no such context */
	offer_fenced(0, 2, 1, 1, 64);
	gpu_guest_kick(0);
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(gpu_guest_reply(0, 1)->flags,
			 VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
	assert_int_equal(gpu_guest_reply(0, 2)->type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	gpu_rig.renderer.fence_result = -EIO;
	offer_fenced(0, 3, 1, 0, -1);
	gpu_guest_kick(0);
	assert_int_equal(gpu_guest_reply(0, 3)->type, VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_returned(before, "1 2 3 ");
	assert_int_equal(gpu_rig.renderer.n_fences, 0);
	assert_int_equal(gpu_rig.device->n_fences, 0);
}

static void destroying_a_context_answers_the_commands_of_its_fences(void **state)
{
	uint16_t before = gpu_guest_used(0)->idx;

	(void)state;
	offer_fenced(0, 1, 1, 1, 5);
	offer_fenced(0, 2, 1, 2, 5);
	offer_fenced(0, 3, 2, 1, 6);
	gpu_guest_kick(0);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_DESTROY, 1),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_returned(before, "1 3 0 ");
	assert_int_equal(gpu_rig.device->n_fences, 1);
	/* The renderer may still report the first fence, even if the context id was used again. */
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 1),
			 VIRTIO_GPU_RESP_OK_NODATA);
	offer_fenced(0, 4, 1, 1, 5);
	gpu_guest_kick(0);
	gpu_rig_pass_fence(0);
	assert_returned(before, "1 3 0 0 ");
	gpu_rig_pass_fence(3);
	assert_returned(before, "1 3 0 0 4 ");
}

static void fences_of_the_other_queue_are_answered_on_it(void **state)
{
	(void)state;
	offer_fenced(1, 1, 1, 1, 5);
	gpu_guest_kick(1);
	assert_int_equal(gpu_guest_used(1)->idx, 0);
	gpu_guest_interrupts(1);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_DESTROY, 1),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_used(1)->idx, 1);
	assert_int_equal(gpu_guest_interrupts(1), 1);
}

static void a_fence_that_completes_while_stopped_is_kept(void **state)
{
	uint16_t before = gpu_guest_used(0)->idx;

	(void)state;
	offer_fenced(0, 1, 1, 0, -1);
	offer_fenced(0, 2, 2, 0, -1);
	gpu_guest_kick(0);
	gpu_rig_stop();
	gpu_rig_pass_fence(0);
	assert_returned(before, "");
	gpu_rig_cont();
	assert_returned(before, "1 ");
	gpu_rig_pass_fence(1);
	assert_returned(before, "1 2 ");
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
}

static void a_reset_drops_pending_and_kept_fences(void **state)
{
	(void)state;
	offer_fenced(0, 1, 1, 0, -1);
	offer_fenced(0, 2, 2, 0, -1);
	offer_fenced(0, 3, 1, 1, 1);
	gpu_guest_kick(0);
	gpu_rig_stop();
	gpu_rig_pass_fence(0);
	gpu_rig_cont();
	gpu_rig_reset_device();
	assert_int_equal(gpu_rig.device->n_fences, 0);
	assert_int_equal(gpu_rig.renderer.n_resets, 1);
	for (unsigned n = 0; n < 3; n++)
		gpu_rig_pass_fence(n);
	assert_int_equal(gpu_guest_used(0)->idx, 0);
	/* Fences of the next guest do not complete with those of the last one. */
	assert_int_equal(gpu_guest_create_2d(1, 16, 16), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_attach(1, GPA + DATA_AT, 16 * 16 * 4),
			 VIRTIO_GPU_RESP_OK_NODATA);
	offer_fenced(0, 1, 1, 0, -1);
	gpu_guest_kick(0);
	gpu_rig_pass_fence(1);
	assert_int_equal(gpu_guest_used(0)->idx, 2);
	gpu_rig_pass_fence(3);
	assert_int_equal(gpu_guest_used(0)->idx, 3);
}

static void fences_of_a_disconnected_front_end_are_dropped(void **state)
{
	(void)state;
	offer_fenced(0, 1, 1, 0, -1);
	offer_fenced(0, 2, 1, 1, 1);
	gpu_guest_kick(0);
	gpu_rig_close_session();
	gpu_rig_pass_fence(0);
	gpu_rig_pass_fence(1);
	gpu_rig_open_session();
	gpu_rig_pass_fence(0);
	assert_int_equal(gpu_guest_used(0)->idx, 0);
}

static int few_fences_setup(void **state)
{
	struct gpu_limits limits = GPU_LIMITS_DEFAULT;

	(void)state;
	limits.max_fences = 2;
	return gpu_rig_setup_with(&limits);
}

static void more_fences_than_the_limit_are_refused(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_create_2d(1, 16, 16), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_attach(1, GPA + DATA_AT, 16 * 16 * 4),
			 VIRTIO_GPU_RESP_OK_NODATA);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned slot = 1; slot <= 3; slot++)
			offer_fenced(0, slot, slot, 0, -1);
		gpu_guest_kick(0);
		assert_int_equal(gpu_guest_reply(0, 3)->type, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
		assert_int_equal(gpu_rig.device->n_fences, 2);
		gpu_rig_pass_fence(gpu_rig.renderer.n_fences - 1);
		assert_int_equal(gpu_rig.device->n_fences, 0);
	}
}

static int hidden_fd_setup(void **state)
{
	(void)state;
	return gpu_rig_setup_renderer(&GPU_LIMITS_DEFAULT, true);
}

static void a_renderer_without_a_descriptor_is_polled_while_a_fence_is_pending(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_create_2d(1, 16, 16), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_attach(1, GPA + DATA_AT, 16 * 16 * 4),
			 VIRTIO_GPU_RESP_OK_NODATA);
	uint16_t before = gpu_guest_used(0)->idx;

	assert_false(gpu_rig.device->fence_timer.is_armed);
	offer_fenced(0, 1, 1, 0, -1);
	offer_fenced(0, 2, 2, 0, -1);
	gpu_guest_kick(0);
	for (unsigned n = 0; n < 2; n++) {
		assert_true(gpu_rig.device->fence_timer.is_armed);
		gpu_rig_pass_fence(n);
		while ((uint16_t)(gpu_guest_used(0)->idx - before) <= n)
			assert_int_equal(loop_turn(&gpu_rig.loop, 1000), 0);
	}
	assert_returned(before, "1 2 ");
	assert_false(gpu_rig.device->fence_timer.is_armed);
}

/* The rings limit the guest's commands in flight, unless the front-end sets the rings up again
 * without a reset. Then only the device's own limit applies. */
static void fences_stay_limited_if_a_front_end_skips_ring_entries(void **state)
{
	const unsigned most = 2048;
	unsigned n = 0;

	(void)state;
	for (; n <= most; n++) {
		if (n % N_SLOTS == 0) {
			gpu_rig_stop();
			/* More than a ring ahead of the used index: the device then assumes that
			 * nothing is in flight. */
			gpu_rig.bases[0] = (uint16_t)(gpu_rig.bases[0] + RING_SIZE + 1);
			gpu_guest_avail(0)->idx = gpu_rig.bases[0];
			gpu_rig_cont();
		}
		offer_fenced(0, n % N_SLOTS, n, 0, -1);
		gpu_guest_kick(0);
	}
	assert_int_equal(gpu_rig.device->n_commands, most);
	assert_int_equal(gpu_rig.device->n_fences, most);
	assert_int_equal(gpu_guest_used(0)->ring[(gpu_guest_used(0)->idx - 1u) % RING_SIZE].id,
			 most % N_SLOTS * 3);
	assert_int_equal(gpu_guest_used(0)->ring[(gpu_guest_used(0)->idx - 1u) % RING_SIZE].len, 0);
	gpu_rig_pass_fence(most - 1);
	assert_int_equal(gpu_rig.device->n_fences, 0);
	gpu_rig_reset_device();
	assert_int_equal(gpu_guest_create_2d(1, 8, 8), VIRTIO_GPU_RESP_OK_NODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fence_setup, gpu_rig_teardown)
		TEST(a_command_is_answered_with_its_fence_when_it_completes),
		TEST(a_timeline_keeps_its_order_for_any_fence_ids),
		TEST(timelines_do_not_wait_for_each_other),
		TEST(commands_without_a_fence_do_not_wait),
		TEST(a_fence_that_cannot_be_created_is_an_error_at_once),
		TEST(destroying_a_context_answers_the_commands_of_its_fences),
		TEST(fences_of_the_other_queue_are_answered_on_it),
		TEST(a_fence_that_completes_while_stopped_is_kept),
		TEST(a_reset_drops_pending_and_kept_fences),
		TEST(fences_of_a_disconnected_front_end_are_dropped),
		TEST(fences_stay_limited_if_a_front_end_skips_ring_entries),
#undef TEST
		cmocka_unit_test_setup_teardown(more_fences_than_the_limit_are_refused,
						few_fences_setup, gpu_rig_teardown),
		cmocka_unit_test_setup_teardown(
			a_renderer_without_a_descriptor_is_polled_while_a_fence_is_pending,
			hidden_fd_setup, gpu_rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
