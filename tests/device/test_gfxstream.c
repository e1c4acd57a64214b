// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * gfxstream's renderer on the stand-in for its library, which aborts where the library would crash.
 * These tests cover what only this renderer has; other test programs run with it too
 * (VMM_RENDERER).
 */
#include "fixture.h"
#include "gpu3d.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define GFXSTREAM_VULKAN 3
#define RING_BYTES       1060864u /* whole pages */
#define MAPPED           VIRTIO_GPU_RESP_OK_MAP_INFO
#define PAGE             4096u
#define RING_FENCE       (VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX)

/* The first word of a command. */
enum {
	BEGIN_RING = 0x1001,
	PING = 0x1002,
	EXPORT_SYNC = 0x9000,
	EXPORT_SYNC_VK = 0xa000,
	EXPORT_IMAGE_VK = 0xa002,
	ANNOUNCE_IMAGE = 0xa003,
	ACQUIRE_SYNC = 0xa004,
	PLACEHOLDER = 0xf002,
};

static struct vmm *boot(void **state)
{
	const char *args[] = { "--gpu-mode",          "gfxstream",
			       "--gfxstream-library", getenv("VMM_GFXSTREAM_LIBRARY"),
			       "--headless",          NULL };
	struct vmm_options options = { .args = args, .profile = &vmm_generic };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_ok(gpu_ctx_create(vmm, 1, GFXSTREAM_VULKAN));
	return vmm;
}

static uint32_t command(struct vmm *vmm, const uint32_t *words, uint32_t n)
{
	return gpu_stream_raw(vmm, 1, words, n * 4, n * 4);
}

static uint32_t create_blob(struct vmm *vmm, uint32_t id, uint64_t blob_id, uint64_t size)
{
	return gpu_create_blob(vmm,
			       (create_blob_t){ .hdr.ctx_id = 1,
						.resource_id = id,
						.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
						.blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
						.blob_id = blob_id,
						.size = size },
			       NULL, 0);
}

/* ---- start ---- */

static void expect_refusal(const char *library, const char *words)
{
	const char *args[] = { "--gpu-mode", "gfxstream",     "--gfxstream-library",
			       library,      "--socket-path", "/tmp/gfxs-none.sock",
			       NULL };
	struct daemon d = { .pidfd = -1 };
	char *text;

	daemon_start(&d, args, -1);
	assert_int_equal(daemon_wait(&d, 2 * vmm_default_timeout_ms()), 1);
	text = daemon_text(d.err_fd);
	if (!strstr(text, words))
		vmm_fail("\"%s\" does not say \"%s\"", text, words);
	free(text);
	daemon_finish(&d);
}

static void an_unusable_library_is_named(void **state)
{
	(void)state;
	expect_refusal("/nonexistent/libgfxstream.so", "/nonexistent/libgfxstream.so");
	expect_refusal(getenv("VMM_GFXSTREAM_LACKING"), "stream_renderer_create_fence");
}

static void a_library_that_fails_at_its_start_is_reported(void **state)
{
	(void)state;
	setenv("GFXSTREAM_STANDIN", "init-crashes", 1);
	expect_refusal(getenv("VMM_GFXSTREAM_LIBRARY"), "gfxstream");
	setenv("GFXSTREAM_STANDIN", "init-fails", 1);
	expect_refusal(getenv("VMM_GFXSTREAM_LIBRARY"), "gfxstream");
	unsetenv("GFXSTREAM_STANDIN");
}

/* The limit that a shell or systemd gives; the daemon raises it after the renderer has started. */
static void a_low_soft_limit_of_descriptors_allows_as_many_resources(void **state)
{
	struct rlimit usual;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	if (usual.rlim_max < 8192)
		skip();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 1024, usual.rlim_max }), 0);
	struct vmm *vmm = boot(state);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	for (uint32_t id = 1; id <= 1000; id++)
		assert_ok(gpu_create_2d(vmm, id, BGRX, 1, 1));
}

/* ---- capability sets and blobs ---- */

static void the_capset_is_that_of_vulkan(void **state)
{
	struct virtio_gpu_resp_capset_info info;
	struct vmm *vmm = boot(state);

	assert_response(gpu_capset_info(vmm, 0, &info), VIRTIO_GPU_RESP_OK_CAPSET_INFO);
	assert_int_equal(info.capset_id, GFXSTREAM_VULKAN);
	assert_int_equal(info.capset_max_size, 104);
}

static void a_ring_is_seen_through_the_window_and_can_be_used(void **state)
{
	const uint32_t begin[2] = { BEGIN_RING, 1 }, ping[2] = { PING, 1 };
	struct vmm *vmm = boot(state);

	assert_ok(create_blob(vmm, 1, 0, RING_BYTES));
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
	window_poke(vmm, PAGE, 0x5a);
	assert_int_equal(window_peek(vmm, PAGE), 0x5a);
	assert_ok(command(vmm, begin, 2));
	assert_ok(command(vmm, ping, 2));
	assert_ok(gpu_unref(vmm, 1));
	assert_true(command(vmm, ping, 2) != RESP_OK);
	assert_alive(vmm);
}

/* The library reports success for it, so the daemon must find out by itself. */
static void a_blob_of_unallocated_memory_is_refused(void **state)
{
	struct vmm *vmm = boot(state);

	assert_true(create_blob(vmm, 1, 1234, PAGE) != RESP_OK);
	assert_true(gpu_map_blob(vmm, 1, 0) != MAPPED);
	assert_ok(create_blob(vmm, 1, 0, PAGE));
	assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
}

/* ---- commands ---- */

static void commands_that_would_crash_the_library_are_refused(void **state)
{
	const uint32_t small[2] = { BEGIN_RING, 1 }, absent[2] = { BEGIN_RING, 99 };
	const uint32_t image[2] = { BEGIN_RING, 2 };
	uint32_t announce[14] = { ANNOUNCE_IMAGE, 2, 1, 2, 100000, 100000, 1, 1 };
	struct vmm *vmm = boot(state);

	assert_ok(create_blob(vmm, 1, 0, PAGE));
	assert_ok(gpu_create_2d(vmm, 2, BGRX, 16, 16));
	assert_true(command(vmm, small, 2) != RESP_OK);
	assert_true(command(vmm, absent, 2) != RESP_OK);
	assert_true(command(vmm, image, 2) != RESP_OK);
	announce[12] = 7;
	assert_true(command(vmm, announce, 14) != RESP_OK);
	assert_true(create_blob(vmm, 3, 7, PAGE) != RESP_OK);
	assert_alive(vmm);
}

static void a_truncated_command_is_read_as_if_zeros_followed(void **state)
{
	const uint32_t ops[] = { BEGIN_RING,      PING,           EXPORT_SYNC,  EXPORT_SYNC_VK,
				 EXPORT_IMAGE_VK, ANNOUNCE_IMAGE, ACQUIRE_SYNC, PLACEHOLDER };
	struct vmm *vmm = boot(state);

	for (unsigned i = 0; i < ARRAY_LENGTH(ops); i++)
		command(vmm, &ops[i], 1);
	assert_true(command(vmm, (uint32_t[]){ 0x7777 }, 1) != RESP_OK);
	assert_alive(vmm);
}

static void an_announced_image_is_created_once(void **state)
{
	uint32_t announce[14] = { ANNOUNCE_IMAGE, 2, 1, 2, 16, 16, 1, 1 };
	struct vmm *vmm = boot(state);

	announce[12] = 7;
	assert_ok(command(vmm, announce, 14));
	assert_true(command(vmm, announce, 14) != RESP_OK);
	assert_ok(create_blob(vmm, 3, 7, PAGE));
	assert_true(gpu_map_blob(vmm, 3, 0) != MAPPED); /* the pixels are not at its start */
	assert_true(create_blob(vmm, 4, 7, PAGE) != RESP_OK);
	assert_ok(gpu_unref(vmm, 3));
	assert_alive(vmm);
}

/* ---- fences ---- */

static struct chain *fenced(struct vmm *vmm, uint32_t op, uint8_t ring, uint64_t id)
{
	struct stream s = { .words = { op }, .count = 5 };
	struct virtio_gpu_ctrl_hdr h = {
		.flags = RING_FENCE, .fence_id = id, .ctx_id = 1, .ring_idx = ring
	};

	return gpu_stream_later(vmm, h, &s);
}

/* Every other command adds work to ring 0, which ends on a thread of the library. */
static void fences_complete_after_the_work_of_their_ring(void **state)
{
	struct virtio_gpu_ctrl_hdr h;
	struct vmm *vmm = boot(state);
	struct chain *chains[20];

	for (uint32_t i = 0; i < 20; i++) {
		bool is_work = i % 2 == 0;

		chains[i] = fenced(vmm, is_work ? EXPORT_IMAGE_VK : PLACEHOLDER,
				   is_work ? 0 : (uint8_t)(i % 4), 100 + i);
	}
	ring_kick(&vmm->rings[CONTROL]);
	for (uint32_t i = 0; i < 20; i++) {
		assert_response(gpu_finish(vmm, chains[i], &h, sizeof(h)), RESP_OK);
		assert_int_equal(h.fence_id, 100 + i);
		assert_int_equal(h.flags & RING_FENCE, RING_FENCE);
	}
	assert_alive(vmm);
}

static void a_reset_with_work_and_rings_leaves_all_ids_free(void **state)
{
	const uint32_t begin[2] = { BEGIN_RING, 1 };
	struct vmm *vmm = boot(state);

	for (int i = 0; i < 5; i++) {
		assert_ok(create_blob(vmm, 1, 0, RING_BYTES));
		assert_ok(gpu_create_2d(vmm, 2, BGRX, 64, 64));
		assert_ok(command(vmm, begin, 2));
		for (uint32_t n = 0; n < 5; n++)
			fenced(vmm, EXPORT_SYNC_VK, 0, 200 + n);
		ring_kick(&vmm->rings[CONTROL]);
		vmm_reset(vmm);
		vmm_start(vmm);
		assert_ok(gpu_ctx_create(vmm, 1, GFXSTREAM_VULKAN));
	}
	assert_alive(vmm);
}

/* The library can be initialised only once, so the daemon frees what the last front-end left. */
static void the_next_front_end_finds_nothing_of_the_last(void **state)
{
	struct vmm *vmm = boot(state);

	for (int i = 0; i < 3; i++) {
		assert_ok(create_blob(vmm, 1, 0, RING_BYTES));
		assert_response(gpu_map_blob(vmm, 1, 0), MAPPED);
		assert_ok(gpu_create_2d(vmm, 2, BGRX, 64, 64));
		vmm_disconnect(vmm);
		ring_clear(&vmm->rings[CONTROL]);
		ring_clear(&vmm->rings[CURSOR]);
		window_forget(vmm);
		vmm_connect(vmm);
		vmm_realize(vmm);
		vmm_start(vmm);
		assert_ok(gpu_ctx_create(vmm, 1, GFXSTREAM_VULKAN));
	}
	assert_alive(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(an_unusable_library_is_named),
		DEVICE_TEST(a_library_that_fails_at_its_start_is_reported),
		DEVICE_TEST(a_low_soft_limit_of_descriptors_allows_as_many_resources),
		DEVICE_TEST(the_capset_is_that_of_vulkan),
		DEVICE_TEST(a_ring_is_seen_through_the_window_and_can_be_used),
		DEVICE_TEST(a_blob_of_unallocated_memory_is_refused),
		DEVICE_TEST(commands_that_would_crash_the_library_are_refused),
		DEVICE_TEST(a_truncated_command_is_read_as_if_zeros_followed),
		DEVICE_TEST(an_announced_image_is_created_once),
		DEVICE_TEST(fences_complete_after_the_work_of_their_ring),
		DEVICE_TEST(a_reset_with_work_and_rings_leaves_all_ids_free),
		DEVICE_TEST(the_next_front_end_finds_nothing_of_the_last),
	};

	return cmocka_run_group_tests_name("gfxstream", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
