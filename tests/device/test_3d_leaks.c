// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Objects that are created and destroyed many times leak neither memory nor descriptors. The first
 * rounds do not count, because drivers keep what they once needed. The measure is the daemon's own
 * memory (RssAnon), without mapped guest memory.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS       500
#define WARM_UP      100
#define SPARE_KIB    256 /* a leak of half of the shown pictures would be more */
#define SIDE         64
#define FENCED_EVERY 8

#define RESETS 1000
#define BIG    512 /* side of a texture that takes a while to draw on */
#define FENCES 8
/*
 * At any moment the driver holds up to 5 MiB that it is about to free, so the lowest value in a
 * tenth of the rounds counts. If free() returns blocks of a picture's size to the system, as here
 * (FREED_AT_ONCE), this value varies by at most 100 KiB, and with Mesa 25.0 by 500 KiB. By default
 * the C library adapts the size from which free() returns blocks to the system; then the value
 * would vary by a picture or two. On one machine there was one mapping more at the end, while
 * nothing else grew; a mapping leaked by each reset would be hundreds.
 */
static const struct usage_spare spare_of_resets = { .rss_kib = 768, .mappings = 2 };

#define FREED_AT_ONCE "262144" /* size of a block in bytes */

static void draw_and_show(struct vmm *vmm, uint32_t id)
{
	vmm->fences_all = true;
	assert_ok(gpu_paint(vmm, 1, id, 0x123456));
	vmm->fences_all = false;
	assert_ok(gpu_set_scanout(vmm, 0, id, gpu_rect(0, 0, SIDE, SIDE)));
	assert_ok(gpu_flush(vmm, id, gpu_rect(0, 0, SIDE, SIDE)));
}

/* Every second round destroys the two in the other order. */
static void destroyed_contexts_and_resources_leak_nothing(void **state)
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

/* ---- resets ---- */

/* Draws on both textures in turn, so that no driver can skip one, with a fence each time. */
static void draw_with_fences(struct vmm *vmm, struct chain **ret_chains)
{
	static uint32_t object = 1000;

	for (unsigned k = 0; k < FENCES; k++) {
		struct stream s = { .count = 0 };
		struct virtio_gpu_ctrl_hdr h = {
			.flags =
				VIRTIO_GPU_FLAG_FENCE | (k % 2 ? VIRTIO_GPU_FLAG_INFO_RING_IDX : 0),
			.fence_id = k,
			.ctx_id = 1,
			.ring_idx = k % 2 ? (uint8_t)k : 0,
		};

		for (uint32_t i = 0; i < 2; i++) {
			stream_surface(&s, ++object, 1 + i);
			stream_framebuffer(&s, object);
			stream_clear(&s, k);
		}
		ret_chains[k] = gpu_stream_later(vmm, h, &s);
	}
	ring_kick(&vmm->rings[CONTROL]);
}

static void make_textures(struct vmm *vmm)
{
	assert_ok(gpu_ctx_create(vmm, 1, VIRTIO_GPU_CAPSET_VIRGL2));
	for (uint32_t id = 1; id <= 2; id++) {
		assert_ok(gpu_create_3d(vmm, gpu_texture(id, BIG, BIG)));
		assert_ok(gpu_ctx_attach(vmm, 1, id));
	}
	assert_ok(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, BIG, BIG)));
}

static void start_anew(struct vmm *vmm, bool reconnects)
{
	if (reconnects) {
		vmm_disconnect(vmm);
		ring_clear(&vmm->rings[CONTROL]);
		ring_clear(&vmm->rings[CURSOR]);
		vmm_connect(vmm);
		vmm_realize(vmm);
	} else {
		vmm_reset(vmm);
	}
	vmm_start(vmm);
}

/* Counts the commands that the daemon has taken and not answered. It has taken all of them when it
 * has answered a later command. */
static unsigned count_pending(struct vmm *vmm, struct chain **chains)
{
	unsigned n = 0;

	assert_ok(gpu_create_2d(vmm, 9, BGRX, 8, 8));
	for (unsigned i = 0; i < FENCES; i++)
		n += !chains[i]->is_done;
	return n;
}

/* What is held during @count rounds from @first on. */
static void watch_usage(const struct daemon *d, struct usage *usage, unsigned round, unsigned first,
			unsigned count)
{
	if (round == first)
		*usage = usage_of(d);
	else if (round > first && round < first + count)
		usage_look_again(usage, d);
}

/* In every third round the rings are stopped first; pending commands are answered afterwards. */
static void a_thousand_resets_with_fences_in_flight_leak_nothing(void **state)
{
	struct vmm_options options = { .args = gpu3d_args };
	struct vmm *vmm = fixture_boot(state, &options);
	unsigned rounds = daemon_has_sanitizer(&vmm->daemon) ? RESETS / 10 : RESETS;
	struct usage before = { 0 }, after = { 0 };
	int64_t start = vmm_now_ms();
	unsigned pending = 0;
	char what[96];

	for (unsigned k = 0; k < rounds; k++) {
		struct chain *chains[FENCES];

		watch_usage(&vmm->daemon, &before, k, rounds / 20, rounds / 10);
		watch_usage(&vmm->daemon, &after, k, rounds - rounds / 10, rounds / 10);
		make_textures(vmm);
		draw_with_fences(vmm, chains);
		if (k % 2)
			pending += count_pending(vmm, chains);
		if (k % 3 == 0) {
			vmm_stop(vmm);
			vmm_start(vmm);
			for (unsigned i = 0; i < FENCES; i++)
				assert_ok(gpu_finish(vmm, chains[i], NULL, 0));
		}
		start_anew(vmm, k % 5 == 1);
	}
	assert_alive(vmm);
	usage_look_again(&after, &vmm->daemon);
	snprintf(what, sizeof(what), "%u resets in %lld ms, %u fences pending", rounds,
		 (long long)(vmm_now_ms() - start), pending);
	assert_true(pending > 0);
	assert_usage(&after, &before, spare_of_resets, what);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(destroyed_contexts_and_resources_leak_nothing),
		DEVICE_TEST(a_thousand_resets_with_fences_in_flight_leak_nothing),
	};

	setenv("MALLOC_MMAP_THRESHOLD_", FREED_AT_ONCE, 1);
	return gpu3d_works() ? cmocka_run_group_tests_name("3d leaks", tests, NULL, NULL)
			     : EXIT_SKIPPED;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
