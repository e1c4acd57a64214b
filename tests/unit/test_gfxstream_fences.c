// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Fences of the gfxstream renderer. The library reports them within a call, or from its own thread
 * if the argument is "late-fences". */
#include "gfxstream_rig.h"

#include <glib.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_MS 60000

static void create(uint64_t id, bool has_ring, uint8_t ring_idx)
{
	const struct renderer_fence fence = {
		.id = id,
		.ctx_id = GFX_CTX,
		.has_ring = has_ring,
		.ring_idx = ring_idx,
	};

	assert_int_equal(gfxstream_rig.ops->fence_create(gfxstream_rig.renderer, &fence), 0);
}

static void wait_for(unsigned n)
{
	struct pollfd pollfd = { .fd = gfxstream_rig.ops->poll_fd(gfxstream_rig.renderer),
				 .events = POLLIN };

	while (gfxstream_rig.n_passed < n) {
		assert_int_equal(poll(&pollfd, 1, LONGEST_MS), 1);
		gfxstream_rig.ops->poll(gfxstream_rig.renderer);
	}
	assert_int_equal(gfxstream_rig.n_passed, n);
}

static int forget_passed(void **state)
{
	(void)state;
	gfxstream_rig.n_passed = 0;
	return 0;
}

static void fences_complete_with_their_timeline_and_number(void **state)
{
	(void)state;
	create(UINT64_C(1) << 40, false, 0);
	create((UINT64_C(1) << 40) + 1, true, 0);
	create((UINT64_C(1) << 40) + 2, true, 1);
	create((UINT64_C(1) << 40) + 3, true, 63);
	wait_for(4);
	for (unsigned i = 0; i < 4; i++) {
		const struct renderer_fence *fence = &gfxstream_rig.passed[i];
		unsigned n = (unsigned)(fence->id - (UINT64_C(1) << 40));

		assert_true(n < 4);
		assert_int_equal(fence->has_ring, n > 0);
		assert_int_equal(fence->ctx_id, n > 0 ? GFX_CTX : 0);
		assert_int_equal(fence->ring_idx, n == 3 ? 63 : n == 2);
	}
}

static void fences_of_a_timeline_complete_in_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		create(100 + i, true, 0);
	wait_for(10);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(gfxstream_rig.passed[i].id, 100 + i);
}

static void fences_are_reported_only_by_a_poll(void **state)
{
	(void)state;
	create(200, false, 0);
	assert_int_equal(gfxstream_rig.n_passed, 0);
	wait_for(1);
	gfxstream_rig.ops->poll(gfxstream_rig.renderer);
	assert_int_equal(gfxstream_rig.n_passed, 1);
}

static void a_reset_drops_completed_fences(void **state)
{
	struct pollfd pollfd = { .fd = gfxstream_rig.ops->poll_fd(gfxstream_rig.renderer),
				 .events = POLLIN };

	(void)state;
	create(300, false, 0);
	assert_int_equal(poll(&pollfd, 1, LONGEST_MS), 1);
	gfxstream_rig.ops->reset(gfxstream_rig.renderer);
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	gfxstream_rig.ops->poll(gfxstream_rig.renderer);
	assert_int_equal(gfxstream_rig.n_passed, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(fences_complete_with_their_timeline_and_number,
				       forget_passed),
		cmocka_unit_test_setup(fences_of_a_timeline_complete_in_order, forget_passed),
		cmocka_unit_test_setup(fences_are_reported_only_by_a_poll, forget_passed),
		cmocka_unit_test_setup(a_reset_drops_completed_fences, forget_passed),
	};

	if (argc > 1)
		setenv("GFXSTREAM_STANDIN", argv[1], 1);
	return cmocka_run_group_tests(tests, gfxstream_rig_start, gfxstream_rig_stop);
}
