// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What is made and freed over and over costs nothing in the end: neither memory nor descriptors.
 * The first rounds do not count, drivers keep what they have once needed. What is measured is the
 * daemon's own memory (RssAnon), without the guest's that it maps.
 */
#include "fixture.h"
#include "gpu3d.h"

#define ROUNDS       500
#define WARM_UP      100
#define SPARE_KIB    256 /* less than one kept picture of every other one that was shown */
#define SIDE         64
#define FENCED_EVERY 8

static void draw_and_show(struct vmm *vmm, uint32_t id)
{
	vmm->fences_all = true;
	assert_ok(gpu_paint(vmm, 1, id, 0x123456));
	vmm->fences_all = false;
	assert_ok(gpu_set_scanout(vmm, 0, id, gpu_rect(0, 0, SIDE, SIDE)));
	assert_ok(gpu_flush(vmm, id, gpu_rect(0, 0, SIDE, SIDE)));
}

/* The two go in one order in every second round, in the other order in the others. */
static void contexts_and_resources_that_are_gone_take_nothing(void **state)
{
	struct vmm_options options = { .args = gpu3d_args };
	struct vmm *vmm = fixture_boot(state, &options);
	struct virtio_gpu_mem_entry entry = {
		memory_alloc(&vmm->memory, MEMORY_MAIN, SIDE * SIDE * 4, 4096), SIDE * SIDE * 4, 0
	};
	unsigned fds = 0;
	long before = 0, after;

	for (unsigned k = 0; k < ROUNDS; k++) {
		if (k == WARM_UP) {
			before = daemon_rss_kib(&vmm->daemon);
			fds = daemon_count_fds(&vmm->daemon);
		}
		assert_ok(gpu_ctx_create(vmm, 1, VIRTIO_GPU_CAPSET_VIRGL2));
		assert_ok(gpu_create_3d(vmm, gpu_texture(1, SIDE, SIDE)));
		assert_ok(gpu_attach(vmm, 1, &entry, 1));
		assert_ok(gpu_ctx_attach(vmm, 1, 1));
		if (k % FENCED_EVERY == 0)
			draw_and_show(vmm, 1);
		assert_ok(k % 2 ? gpu_unref(vmm, 1) : gpu_ctx_destroy(vmm, 1));
		assert_ok(k % 2 ? gpu_ctx_destroy(vmm, 1) : gpu_unref(vmm, 1));
	}
	after = daemon_rss_kib(&vmm->daemon);
	if (after - before > SPARE_KIB)
		vmm_fail("the daemon grew from %ld to %ld KiB in %d rounds", before, after,
			 ROUNDS - WARM_UP);
	assert_int_equal(daemon_count_fds(&vmm->daemon), fds);
	print_message("%ld KiB after %d rounds, %ld KiB after %d\n", before, WARM_UP, after,
		      ROUNDS);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(contexts_and_resources_that_are_gone_take_nothing),
	};

	return gpu3d_works() ? cmocka_run_group_tests_name("3d leaks", tests, NULL, NULL)
			     : EXIT_SKIPPED;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
