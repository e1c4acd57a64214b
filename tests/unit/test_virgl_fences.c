// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Fences of virglrenderer: each completes, in order, whatever happens in between.
 */
#include "virgl_rig.h"

#include <glib.h>

#define MORE_FENCES_THAN_ARE_KEPT 5000

static void pending_fences_are_limited(void **state)
{
	unsigned n = 0;

	virgl_rig.n_passed = 0;
	while (n < MORE_FENCES_THAN_ARE_KEPT &&
	       virgl_rig.ops->fence_create(virgl_rig.renderer,
					   &(struct renderer_fence){ .id = n + 1 }) == 0)
		n++;
	assert_int_equal(n, 4096);
	assert_int_equal(virgl_rig.ops->fence_create(virgl_rig.renderer,
						     &(struct renderer_fence){ .id = 1 }),
			 VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	virgl_rig_wait_for_fences(n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(virgl_rig.passed[i].id, i + 1);
	(void)state;
}

static void fences_complete_in_order_with_their_ids(void **state)
{
	static const struct renderer_fence fences[] = {
		{ .id = UINT64_C(0x100000001) },
		{ .id = UINT64_C(0x100000002), .ctx_id = CTX, .has_ring = true },
		{ .id = UINT64_C(0x100000003), .ctx_id = CTX, .ring_idx = 63, .has_ring = true },
		{ .id = UINT64_C(0x100000004) },
	};
	struct renderer_resource *resource = virgl_rig_new_target(3);

	virgl_rig.n_passed = 0;
	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX, 0, "", 0), 0);
	assert_int_equal(virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, resource), 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(fences); i++) {
		assert_int_equal(virgl_rig_clear(CTX, i + 1, 3, 0, 0, 0), 0);
		assert_int_equal(virgl_rig.ops->fence_create(virgl_rig.renderer, &fences[i]), 0);
		assert_int_equal(virgl_rig.n_passed, 0);
	}
	virgl_rig_wait_for_fences(G_N_ELEMENTS(fences));
	for (unsigned i = 0; i < G_N_ELEMENTS(fences); i++) {
		assert_int_equal(virgl_rig.passed[i].id, fences[i].id);
		assert_int_equal(virgl_rig.passed[i].ctx_id, fences[i].ctx_id);
		assert_int_equal(virgl_rig.passed[i].ring_idx, fences[i].ring_idx);
		assert_int_equal(virgl_rig.passed[i].has_ring, fences[i].has_ring);
	}
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

/* The library's thread waits for this fence while its context is destroyed; the work takes long
 * enough. */
static void fences_complete_after_their_context_is_destroyed(void **state)
{
	struct renderer_resource *resources[] = { virgl_rig_new_target_of(3, 2048, 2048),
						  virgl_rig_new_target_of(4, 2048, 2048) };

	virgl_rig.n_passed = 0;
	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX, 0, "", 0), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, resources[i]), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(virgl_rig_clear(CTX, i + 1, 3 + i % 2, 0, 0, 0), 0);
	assert_int_equal(virgl_rig.ops->fence_create(virgl_rig.renderer,
						     &(struct renderer_fence){ .id = 1 }),
			 0);
	g_usleep(3000);
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	virgl_rig_wait_for_fences(1);
	assert_int_equal(virgl_rig.passed[0].id, 1);
	for (unsigned i = 0; i < 2; i++)
		virgl_rig.ops->resource_free(virgl_rig.renderer, resources[i]);
	(void)state;
}

static void a_reset_drops_fences(void **state)
{
	virgl_rig.n_passed = 0;
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(virgl_rig.ops->fence_create(virgl_rig.renderer,
							     &(struct renderer_fence){ .id = id }),
				 0);
	virgl_rig.ops->reset(virgl_rig.renderer);
	assert_int_equal(virgl_rig.ops->fence_create(virgl_rig.renderer,
						     &(struct renderer_fence){ .id = 4 }),
			 0);
	virgl_rig_wait_for_fences(1);
	assert_int_equal(virgl_rig.passed[0].id, 4);
	(void)state;
}

static int run_gles(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pending_fences_are_limited),
		cmocka_unit_test(fences_complete_in_order_with_their_ids),
		cmocka_unit_test(fences_complete_after_their_context_is_destroyed),
		cmocka_unit_test(a_reset_drops_fences),
	};

	return cmocka_run_group_tests_name("gles", tests, virgl_rig_start_gles, virgl_rig_stop);
}

static int run_gl(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fences_complete_in_order_with_their_ids),
		cmocka_unit_test(fences_complete_after_their_context_is_destroyed),
	};

	return cmocka_run_group_tests_name("gl", tests, virgl_rig_start_gl, virgl_rig_stop);
}

int main(void)
{
	int (*const groups[])(void) = { run_gles, run_gl };

	return virgl_rig_run_groups(groups, G_N_ELEMENTS(groups));
}
