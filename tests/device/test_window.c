// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Host blobs in the front-end's window: which front-ends are offered a window, what a guest sees
 * through it, what is refused, and what is charged. The renderer is the null renderer, each of
 * whose host blobs is a memfd, or gfxstream's (VMM_RENDERER). test_window_states has the errors.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE   4096u
#define WINDOW (UINT64_C(256) << 20)
#define MAPPED VIRTIO_GPU_RESP_OK_MAP_INFO

static struct vmm *boot_with(void **state, const struct vmm_profile *profile, const char *option,
			     const char *value)
{
	const char *args[] = { VMM_BLOB_ARGS, "--headless", option, value, NULL };
	struct vmm_options options = { .args = args,
				       .profile = profile,
				       .features_off = BIT64(F_BLOB_ALIGNMENT) };

	return fixture_boot(state, &options);
}

static struct vmm *boot(void **state)
{
	struct vmm *vmm = boot_with(state, &vmm_generic, NULL, NULL);

	assert_ok(gpu_ctx_create(vmm, 1, VMM_BLOB_CAPSET));
	return vmm;
}

/* ---- front-ends with a window ---- */

static uint32_t read_alignment(struct vmm *vmm)
{
	uint32_t config[5];

	assert_true(vhost_get_config(vmm, 0, sizeof(config), config));
	return config[4];
}

static void a_window_is_offered_with_a_capset_that_needs_it(void **state)
{
	static const char *const plain[] = { "--gpu-mode", "null", NULL };
	struct vmm_options options = { .args = plain, .profile = &vmm_generic };
	struct vmm *vmm = boot_with(state, &vmm_generic, NULL, NULL);

	assert_int_equal(vmm->window.size, WINDOW);
	assert_true(vmm->offered & BIT64(F_BLOB_ALIGNMENT));
	assert_int_equal(read_alignment(vmm), PAGE);
	fixture_end(state);
	vmm = boot_with(state, &vmm_generic, "--shmem-size", "8G");
	assert_int_equal(vmm->window.size, UINT64_C(8) << 30);
	fixture_end(state);
	vmm = boot_with(state, &vmm_generic, "--shmem-size", "0");
	assert_false(vmm->offered_protocol & BIT64(VHOST_USER_PROTOCOL_F_SHMEM));
	assert_int_equal(read_alignment(vmm), 0);
	fixture_end(state);
	vmm = fixture_boot(state, &options);
	assert_false(vmm->offered_protocol & BIT64(VHOST_USER_PROTOCOL_F_SHMEM));
	assert_false(vmm->offered & BIT64(F_BLOB_ALIGNMENT));
}

/* QEMU 11.1's vhost-user-gpu-pci accepts the feature, and has no window. */
static void a_front_end_that_sends_no_get_shmem_config_has_no_window(void **state)
{
	struct vmm *vmm = boot_with(state, &vmm_qemu_11_1, NULL, NULL);

	assert_true(vmm->protocol & BIT64(VHOST_USER_PROTOCOL_F_SHMEM));
	assert_ok(gpu_ctx_create(vmm, 1, VMM_BLOB_CAPSET));
	assert_ok(gpu_create_host_blob(vmm, 1, 1, PAGE));
	assert_response(gpu_map_blob(vmm, 1, 0), RESP_UNSPEC);
	assert_ok(gpu_unmap_blob(vmm, 1));
	assert_ok(gpu_unref(vmm, 1));
	assert_alive(vmm);
}

static void get_shmem_config_can_be_sent_again(void **state)
{
	struct vmm *vmm = boot(state);

	for (unsigned i = 0; i < 3; i++)
		window_ask(vmm);
	assert_int_equal(vmm->window.size, WINDOW);
	assert_ok(gpu_create_host_blob(vmm, 1, 1, PAGE));
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
}

/* ---- a guest's commands ---- */

static void a_blob_is_seen_through_the_window(void **state)
{
	struct vmm *vmm = boot(state);

	assert_ok(gpu_create_host_blob(vmm, 1, 1, 3 * PAGE));
	assert_ok(gpu_create_host_blob(vmm, 1, 2, 1));
	assert_response(gpu_map_blob(vmm, 1, 16 * PAGE), MAPPED);
	assert_response(gpu_map_blob(vmm, 2, WINDOW - PAGE), MAPPED);
	assert_int_equal(window_find(vmm, 16 * PAGE)->size, 3 * PAGE);
	assert_int_equal(window_find(vmm, WINDOW - 1)->size, PAGE);
	window_poke(vmm, 18 * PAGE, 0x42);
	assert_int_equal(window_peek(vmm, WINDOW - 1), 0);
	/* The same memory is visible when it is mapped again, elsewhere. */
	assert_ok(gpu_unmap_blob(vmm, 1));
	assert_null(window_find(vmm, 16 * PAGE));
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	assert_int_equal(window_peek(vmm, 2 * PAGE), 0x42);
	assert_ok(gpu_unref(vmm, 1)); /* which unmaps it first */
	assert_null(window_find(vmm, 0));
	assert_int_equal(vmm->window.count, 1);
	assert_ok(gpu_ctx_destroy(vmm, 1));
	assert_int_equal(vmm->window.count, 1); /* another process of the guest may use the blob */
	assert_ok(gpu_unmap_blob(vmm, 2));
	assert_ok(gpu_unmap_blob(vmm, 2)); /* Linux does so after a failure */
	assert_ok(gpu_unref(vmm, 2));
	assert_int_equal(vmm->window.count, 0);
	assert_int_equal(vmm->window.n_maps, 3);
	assert_int_equal(vmm->window.n_unmaps, 3);
}

/* A reply to a map does not prove that it is in place; the reply to a later request (a barrier)
 * proves it for all maps in flight. */
static void a_guest_is_answered_after_the_barrier(void **state)
{
	enum { MAPS = 8 };
	struct vmm *vmm = boot(state);
	struct chain *chains[MAPS];
	struct virtio_gpu_ctrl_hdr h;

	for (uint32_t i = 0; i < MAPS; i++)
		assert_ok(gpu_create_host_blob(vmm, 1, i + 1, PAGE));
	vmm->window.on_barrier = WINDOW_HOLD;
	for (uint32_t i = 0; i < MAPS; i++)
		chains[i] = gpu_submit_map(vmm, i + 1, i * PAGE);
	int64_t start = vmm_now_ms();

	ring_kick(&vmm->rings[CONTROL]);
	window_wait_held(vmm, VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP);
	assert_int_equal(vmm->window.n_maps, MAPS);
	/* The daemon waits a second for the barrier. */
	assert_true(!gpu_wait_ms(vmm, chains[MAPS - 1], 50) || vmm_now_ms() - start >= 1000);
	window_answer_held(vmm);
	for (uint32_t i = 0; i < MAPS; i++)
		assert_int_equal(gpu_finish(vmm, chains[i], &h, sizeof(h)), MAPPED);
	assert_int_equal(vmm->window.n_barriers, 1);
}

static void thousands_of_maps_come_and_go(void **state)
{
	struct vmm *vmm = boot(state);
	struct usage before, after;

	vmm->window.hides_regions = true;
	for (uint32_t i = 0; i < 2000; i++) {
		assert_ok(gpu_create_host_blob(vmm, 1, 1 + i % 7, (1 + i % 5) * PAGE));
		assert_response(gpu_map_blob(vmm, 1 + i % 7, i % 11 * 8 * PAGE), MAPPED);
		if (i % 2)
			assert_ok(gpu_unmap_blob(vmm, 1 + i % 7));
		assert_ok(gpu_unref(vmm, 1 + i % 7));
		if (i == 100)
			before = usage_of(&vmm->daemon);
	}
	after = usage_of(&vmm->daemon);
	assert_usage(&after, &before, (struct usage_spare){ .rss_kib = 512 }, "2000 maps");
	assert_int_equal(vmm->window.count, 0);
}

/* QEMU 11.1 aborts at 512 regions of memory. */
static void maps_are_limited(void **state)
{
	enum { MOST = 448 };
	struct vmm *vmm = boot(state);

	vmm->window.hides_regions = true;
	for (uint32_t i = 0; i < MOST + 1; i++)
		assert_ok(gpu_create_host_blob(vmm, 1, i + 1, PAGE));
	for (uint32_t i = 0; i < MOST; i++)
		assert_response(gpu_map_blob(vmm, i + 1, i * PAGE), MAPPED);
	assert_response(gpu_map_blob(vmm, MOST + 1, MOST * PAGE), RESP_OUT_OF_MEMORY);
	assert_ok(gpu_unmap_blob(vmm, MOST + 1));
	assert_ok(gpu_unmap_blob(vmm, 5));
	assert_response(gpu_map_blob(vmm, MOST + 1, MOST * PAGE), MAPPED);
	assert_int_equal(vmm->window.count, MOST);
}

/* ---- hostile guests ---- */

static void invalid_maps_are_refused(void **state)
{
	static const uint64_t offsets[] = { 1,
					    PAGE - 1,
					    PAGE / 2,
					    WINDOW - PAGE,
					    WINDOW,
					    WINDOW + PAGE,
					    BIT64(32),
					    BIT64(63),
					    UINT64_MAX,
					    UINT64_MAX - PAGE + 1,
					    UINT64_MAX - 2 * PAGE + 1 };
	struct vmm *vmm = boot(state);

	assert_ok(gpu_create_host_blob(vmm, 1, 1, 2 * PAGE));
	assert_ok(gpu_create_host_blob(vmm, 1, 2, 2 * PAGE));
	for (unsigned i = 0; i < ARRAY_LENGTH(offsets); i++)
		assert_response(gpu_map_blob(vmm, 1, offsets[i]), RESP_INVALID_PARAMETER);
	assert_response(gpu_map_blob(vmm, 0, 0), RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_map_blob(vmm, 3, 0), RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_unmap_blob(vmm, 3), RESP_INVALID_RESOURCE_ID);
	assert_int_equal(vmm->window.n_maps, 0);
	/* Two overlap by a page, from either side; and one blob in two places. */
	assert_response(gpu_map_blob(vmm, 1, 4 * PAGE), MAPPED);
	for (uint64_t at = 3; at < 6; at++)
		assert_response(gpu_map_blob(vmm, 2, at * PAGE), RESP_INVALID_PARAMETER);
	assert_response(gpu_map_blob(vmm, 1, 8 * PAGE), RESP_INVALID_PARAMETER);
	assert_response(gpu_map_blob(vmm, 1, 4 * PAGE), MAPPED); /* it is mapped there already */
	assert_int_equal(vmm->window.n_maps, 1);
	assert_response(gpu_map_blob(vmm, 2, 6 * PAGE), MAPPED);
}

static void blobs_that_cannot_be_mapped_are_refused(void **state)
{
	struct vmm *vmm = boot(state);
	create_blob_t args = { .hdr.ctx_id = 1,
			       .resource_id = 1,
			       .blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
			       .size = PAGE };

	assert_ok(gpu_create_blob(vmm, args, NULL, 0)); /* not created as mappable */
	assert_response(gpu_map_blob(vmm, 1, 0), RESP_UNSPEC);
	assert_ok(gpu_unref(vmm, 1));
	blob_new(vmm, 1, PAGE, NULL); /* of the guest's own memory */
	assert_response(gpu_map_blob(vmm, 1, 0), RESP_UNSPEC);
	assert_response(gpu_unmap_blob(vmm, 1), RESP_UNSPEC);
	assert_ok(gpu_create_2d(vmm, 2, BGRX, 8, 8));
	assert_response(gpu_map_blob(vmm, 2, 0), RESP_UNSPEC);
	assert_response(gpu_unmap_blob(vmm, 2), RESP_UNSPEC);
	assert_int_equal(vmm->window.n_maps, 0);
}

static void invalid_host_blobs_are_refused(void **state)
{
	static const uint64_t large[] = { (UINT64_C(1) << 30) + 1, BIT64(32), BIT64(63),
					  UINT64_MAX - PAGE, UINT64_MAX };
	struct vmm *vmm = boot(state);
	struct virtio_gpu_mem_entry entry = { memory_alloc(&vmm->memory, MEMORY_MAIN, PAGE, PAGE),
					      PAGE, 0 };
	const create_blob_t good = { .hdr.ctx_id = 1,
				     .resource_id = 1,
				     .blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
				     .size = PAGE };
	create_blob_t bad = good;

	bad.hdr.ctx_id = 2;
	assert_response(gpu_create_blob(vmm, bad, NULL, 0), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	bad.hdr.ctx_id = 0;
	assert_response(gpu_create_blob(vmm, bad, NULL, 0), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	bad = good;
	bad.nr_entries = 1;
	assert_response(gpu_create_blob(vmm, bad, &entry, sizeof(entry)), RESP_INVALID_PARAMETER);
	bad = good;
	bad.size = 0;
	assert_response(gpu_create_blob(vmm, bad, NULL, 0), RESP_INVALID_PARAMETER);
	for (unsigned i = 0; i < ARRAY_LENGTH(large); i++) {
		bad.size = large[i];
		assert_response(gpu_create_blob(vmm, bad, NULL, 0), RESP_OUT_OF_MEMORY);
	}
	bad = good;
	bad.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST; /* it has guest memory too */
	assert_response(gpu_create_blob(vmm, bad, NULL, 0), RESP_INVALID_PARAMETER);
	bad.nr_entries = 1;
	bad.size = PAGE + 1;
	assert_response(gpu_create_blob(vmm, bad, &entry, sizeof(entry)), RESP_INVALID_PARAMETER);
	assert_response(gpu_unref(vmm, 1), RESP_INVALID_RESOURCE_ID);
	bad.size = PAGE;
	if (vmm_is_gfxstream()) { /* which has none of these */
		assert_response(gpu_create_blob(vmm, bad, &entry, sizeof(entry)),
				RESP_INVALID_PARAMETER);
		return;
	}
	assert_ok(gpu_create_blob(vmm, bad, &entry, sizeof(entry)));
	assert_ok(gpu_unref(vmm, 1));
}

static void host_blobs_count_as_memory(void **state)
{
	struct vmm *vmm = boot_with(state, &vmm_generic, "--max-hostmem", "1M");
	uint32_t id;

	assert_ok(gpu_ctx_create(vmm, 1, VMM_BLOB_CAPSET));
	for (unsigned round = 0; round < 2; round++) {
		for (id = 1; gpu_create_host_blob(vmm, 1, id, 10 * PAGE + 1) == RESP_OK; id++)
			;
		assert_in_range(id, 23, 24); /* 11 pages each */
		assert_response(gpu_create_host_blob(vmm, 1, id, 64 * PAGE), RESP_OUT_OF_MEMORY);
		while (--id > 0)
			assert_ok(gpu_unref(vmm, id));
	}
}

/* Each host blob is an open file of the daemon. gfxstream's renderer has a limit of its own. */
static void host_blobs_leave_descriptors_for_the_front_end(void **state)
{
	struct rlimit usual, few;
	uint32_t id;

	if (vmm_is_gfxstream())
		skip();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	few = usual;
	few.rlim_cur = MIN(1280, usual.rlim_max); /* what the sandbox sets; some builds have none */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	struct vmm *vmm = boot(state);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	for (id = 1; gpu_create_host_blob(vmm, 1, id, PAGE) == RESP_OK; id++)
		;
	assert_response(gpu_create_host_blob(vmm, 1, id, PAGE), RESP_OUT_OF_MEMORY);
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	vmm_stop(vmm);
	vmm_start(vmm);
	assert_alive(vmm);
	assert_ok(gpu_unref(vmm, 1));
	assert_ok(gpu_create_host_blob(vmm, 1, 1, PAGE));
}

/* A guest that accepted the feature must keep to it. */
static void blobs_must_be_aligned_if_the_feature_is_accepted(void **state)
{
	const char *const args[] = { VMM_BLOB_ARGS, NULL };
	struct vmm_options options = { .args = args, .profile = &vmm_generic };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_ok(gpu_ctx_create(vmm, 1, VMM_BLOB_CAPSET));
	assert_response(gpu_create_host_blob(vmm, 1, 1, PAGE + 1), RESP_INVALID_PARAMETER);
	assert_ok(gpu_create_host_blob(vmm, 1, 1, PAGE));
}

/* ---- our own memory that comes back ---- */

/* gfxstream's library maps its blobs itself, so with it a mapping proves nothing: false. */
static bool is_mapped_by_us(struct vmm *vmm)
{
	return daemon_maps_file(&vmm->daemon, window_find(vmm, 0)->fd) && !vmm_is_gfxstream();
}

static void a_map_sent_back_as_memory_is_refused_while_the_rings_run(void **state)
{
	struct vmm *vmm = boot(state);

	assert_ok(gpu_create_host_blob(vmm, 1, 1, PAGE));
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	vmm_serve(vmm, 0);
	assert_int_equal(vmm->window.n_refused_regions, 1);
	/* At a start the daemon accepts such a region, without adding it to its memory table. At an
	 * unmap the front-end sends REM_MEM_REG for it, which the daemon accepts too. */
	vmm_stop(vmm);
	vmm_start(vmm);
	assert_true(window_find(vmm, 0)->is_known);
	assert_false(is_mapped_by_us(vmm));
	assert_true(daemon_maps_file(&vmm->daemon, vmm->memory.regions[MEMORY_MAIN].fd));
	assert_int_equal(window_peek(vmm, 0), 0);
	assert_ok(gpu_unref(vmm, 1));
	assert_int_equal(vmm->window.count, 0);
	assert_alive(vmm);
}

/* Without memory slots the whole table is sent. */
static void a_memory_table_may_contain_maps(void **state)
{
	struct vmm *vmm = boot(state);
	struct long_mem_table t = { 0 };
	int fds[MEMORY_REGIONS];
	uint64_t value = 1;
	unsigned n = 0;

	assert_ok(gpu_create_host_blob(vmm, 1, 1, PAGE));
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	for (unsigned i = 0; i < vmm->memory.count; i++) {
		if (i == 1) {
			t.regions[n] =
				(struct vhost_user_memory_region){ WINDOW_GPA, PAGE, BIT64(46), 0 };
			fds[n++] = window_find(vmm, 0)->fd;
		}
		t.regions[n] = vmm->memory.regions[i].wire;
		fds[n++] = vmm->memory.regions[i].fd;
	}
	t.n_regions = n;

	assert_true(vhost_send(vmm, VHOST_USER_SET_MEM_TABLE, VHOST_USER_NEED_REPLY, &t,
			       8 + n * sizeof(t.regions[0]), fds, n));
	assert_true(vhost_recv(vmm, VHOST_USER_SET_MEM_TABLE, &value, sizeof(value), NULL));
	assert_int_equal(value, 0);
	assert_false(is_mapped_by_us(vmm));
	assert_alive(vmm);
}

/* ---- pictures ---- */

static void poke_pixel(struct vmm *vmm, uint64_t offset, uint32_t rgb)
{
	for (unsigned i = 0; i < 4; i++)
		window_poke(vmm, offset + i, (uint8_t)(rgb >> 8 * i));
}

/* Pixels that the guest wrote through the window; the display has a copy. */
static void a_host_blob_is_shown_as_pixels(void **state)
{
	enum { W = 70, H = 50, STRIDE = 320, OFFSET = 4 * STRIDE };
	const char *const args[] = { VMM_BLOB_ARGS, "--max-fps", "0", NULL };
	struct vmm_options options = { .args = args, .profile = &vmm_later_qemu };
	struct vmm *vmm = fixture_boot(state, &options);
	const set_scanout_blob_t shown = { .r = gpu_rect(0, 0, W, H),
					   .resource_id = 1,
					   .width = W,
					   .height = H,
					   .format = BGRX,
					   .strides = { STRIDE },
					   .offsets = { OFFSET } };
	const uint32_t *pixels;

	assert_ok(gpu_ctx_create(vmm, 1, VMM_BLOB_CAPSET));
	assert_ok(gpu_create_host_blob(vmm, 1, 1, 5 * PAGE));
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	assert_ok(gpu_set_scanout_blob(vmm, shown));
	poke_pixel(vmm, OFFSET + 3 * STRIDE + 7 * 4, 0x123456);
	poke_pixel(vmm, OFFSET + (H - 1) * STRIDE + (W - 1) * 4, 0xabcdef);
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	vmm_wait_messages(vmm, DISPLAY_UPDATE, 1);
	assert_alive(vmm);
	pixels = vmm->display.surfaces[0].pixels;
	assert_int_equal(pixels[3 * W + 7] & 0xffffff, 0x123456);
	assert_int_equal(pixels[H * W - 1] & 0xffffff, 0xabcdef);
	assert_int_equal(pixels[0] & 0xffffff, 0);
	assert_ok(gpu_unref(vmm, 1));
	assert_alive(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(a_window_is_offered_with_a_capset_that_needs_it),
		DEVICE_TEST(a_front_end_that_sends_no_get_shmem_config_has_no_window),
		DEVICE_TEST(get_shmem_config_can_be_sent_again),
		DEVICE_TEST(a_blob_is_seen_through_the_window),
		DEVICE_TEST(a_guest_is_answered_after_the_barrier),
		DEVICE_TEST(thousands_of_maps_come_and_go),
		DEVICE_TEST(maps_are_limited),
		DEVICE_TEST(invalid_maps_are_refused),
		DEVICE_TEST(blobs_that_cannot_be_mapped_are_refused),
		DEVICE_TEST(invalid_host_blobs_are_refused),
		DEVICE_TEST(host_blobs_count_as_memory),
		DEVICE_TEST(host_blobs_leave_descriptors_for_the_front_end),
		DEVICE_TEST(blobs_must_be_aligned_if_the_feature_is_accepted),
		DEVICE_TEST(a_map_sent_back_as_memory_is_refused_while_the_rings_run),
		DEVICE_TEST(a_memory_table_may_contain_maps),
		DEVICE_TEST(a_host_blob_is_shown_as_pixels),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
