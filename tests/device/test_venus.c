// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Vulkan by Venus: the daemon with the library's render server, as a guest on the generic device
 * sees them. Contexts, host blobs through the window, fences of rings, and what ends when a process
 * of the server is killed. Streams are the few words that make a queue, and block it.
 *
 * This needs virglrenderer 1.0, its render server and a Vulkan driver, for which the CPU will do.
 * Elsewhere the program is skipped.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/venus_stream.h"

#define VENUS      4
#define MAPPED     VIRTIO_GPU_RESP_OK_MAP_INFO
#define PAGE       4096u
#define RING_BYTES 135168u /* of the blob that is a guest driver's ring */
#define RING_FLAGS (VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX)
#define RING       1
#define BIG        UINT64_C(0x700000000)
#define SERVER     "virgl_render_se"
#define MANY       50

static struct vmm *boot(void **state, const char *option, const char *value)
{
	const char *args[] = { "--gpu-mode", "virglrenderer", "--capset",   "virgl2",
			       "--capset",   "venus",         "--headless", "--log-level",
			       "debug",      option,          value,        NULL };
	struct vmm_options options = { .args = args, .profile = &vmm_generic, .control_size = 256 };

	return fixture_boot(state, &options);
}

/* A blob of memory that is no object of Vulkan's. */
static uint32_t create_blob(struct vmm *vmm, uint32_t ctx, uint32_t id, uint64_t size)
{
	const create_blob_t args = { .hdr.ctx_id = ctx,
				     .resource_id = id,
				     .blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
				     .blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
				     .size = size };

	return gpu_create_blob(vmm, args, NULL, 0);
}

static struct stream to_stream(const struct venus_stream *venus)
{
	struct stream stream = { .count = venus->size / 4 };

	memcpy(stream.words, venus->words, venus->size);
	return stream;
}

/* A context with a queue whose fences are those of RING. */
static void start_queue(struct vmm *vmm, uint32_t ctx)
{
	struct venus_stream venus = { .size = 0 };

	venus_stream_make_queue(&venus, RING);
	const struct stream stream = to_stream(&venus);

	assert_ok(gpu_ctx_create(vmm, ctx, VENUS));
	assert_ok(gpu_stream(vmm, ctx, &stream));
}

static void block_queue(struct vmm *vmm, uint32_t ctx)
{
	struct venus_stream venus = { .size = 0 };

	venus_stream_block_queue(&venus);
	const struct stream stream = to_stream(&venus);

	assert_ok(gpu_stream(vmm, ctx, &stream));
}

/* Queues a fence without work. */
static struct chain *queue_fence(struct vmm *vmm, uint32_t ctx, uint8_t ring, uint64_t id)
{
	const struct virtio_gpu_ctrl_hdr header = {
		.flags = RING_FLAGS, .fence_id = id, .ctx_id = ctx, .ring_idx = ring
	};
	const struct stream none = { .count = 0 };
	struct chain *c = gpu_stream_later(vmm, header, &none);

	ring_kick(&vmm->rings[CONTROL]);
	return c;
}

static void assert_passes(struct vmm *vmm, struct chain *c, uint64_t id)
{
	struct virtio_gpu_ctrl_hdr header;

	assert_ok(gpu_finish(vmm, c, &header, sizeof(header)));
	assert_int_equal(header.flags, RING_FLAGS);
	assert_int_equal(header.fence_id, id);
}

/* Whether the worker of @ctx answers; @id is free. */
static bool answers(struct vmm *vmm, uint32_t ctx, uint32_t id)
{
	uint32_t type = create_blob(vmm, ctx, id, PAGE);

	if (type == RESP_OK)
		assert_ok(gpu_unref(vmm, id));
	return type == RESP_OK;
}

static void assert_gl_draws(struct vmm *vmm)
{
	const uint32_t ctx = 90, id = 900;

	assert_ok(gpu_create_3d(vmm, gpu_texture(id, 64, 64)));
	assert_ok(gpu_ctx_create(vmm, ctx, VIRTIO_GPU_CAPSET_VIRGL2));
	assert_ok(gpu_ctx_attach(vmm, ctx, id));
	assert_ok(gpu_paint(vmm, ctx, id, 0x123456));
	assert_ok(gpu_ctx_destroy(vmm, ctx));
	assert_ok(gpu_unref(vmm, id));
}

/* ---- processes ---- */

/* The first child of @parent, whose name begins with @name; 0: there is none. */
static pid_t find_child(pid_t parent, const char *name)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	assert_non_null(dir);
	while (found == 0 && (entry = readdir(dir))) {
		char path[300], comm[32];
		int pid, ppid;

		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		FILE *file = fopen(path, "r");

		if (!file)
			continue;
		if (fscanf(file, "%d (%31[^)]) %*c %d", &pid, comm, &ppid) == 3 && ppid == parent &&
		    strncmp(comm, name, strlen(name)) == 0)
			found = pid;
		fclose(file);
	}
	closedir(dir);
	return found;
}

static pid_t find_server(const struct vmm *vmm)
{
	pid_t server = find_child(vmm->daemon.pid, SERVER);

	assert_true(server > 0);
	return server;
}

/* The worker of the only context; its name depends on the library's version. */
static pid_t find_worker(const struct vmm *vmm)
{
	pid_t worker = find_child(find_server(vmm), "");

	assert_true(worker > 0);
	return worker;
}

/* ---- what a guest does ---- */

static void the_capset_is_offered_beside_opengl(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	struct virtio_gpu_resp_capset_info info;
	struct capset capset;

	assert_ok(gpu_ctx_create(vmm, 1, VENUS));
	assert_int_equal(gpu_capset_info(vmm, 0, &info), VIRTIO_GPU_RESP_OK_CAPSET_INFO);
	assert_int_equal(info.capset_id, VIRTIO_GPU_CAPSET_VIRGL2);
	assert_int_equal(gpu_capset_info(vmm, 1, &info), VIRTIO_GPU_RESP_OK_CAPSET_INFO);
	assert_int_equal(info.capset_id, VENUS);
	assert_true(info.capset_max_size >= 100);
	assert_int_equal(gpu_capset(vmm, VENUS, 0, &capset), VIRTIO_GPU_RESP_OK_CAPSET);
	assert_int_equal(capset.size, info.capset_max_size);
	assert_true(capset.data[0] > 0); /* the wire format's version */
	assert_true(vmm->window.size > 0);
	assert_gl_draws(vmm);
	assert_true(answers(vmm, 1, 5));
}

static void memory_of_a_worker_is_seen_through_the_window(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);

	assert_ok(gpu_ctx_create(vmm, 1, VENUS));
	assert_ok(create_blob(vmm, 1, 5, RING_BYTES));
	assert_response(gpu_map_blob(vmm, 5, 8 * PAGE), MAPPED);
	assert_int_equal(window_find(vmm, 8 * PAGE)->size, RING_BYTES);
	for (uint64_t at = 0; at < RING_BYTES; at += 1000)
		assert_int_equal(window_peek(vmm, 8 * PAGE + at), 0);
	window_poke(vmm, 8 * PAGE + RING_BYTES - 1, 0x5a);
	assert_ok(gpu_unmap_blob(vmm, 5));
	assert_null(window_find(vmm, 8 * PAGE));
	assert_response(gpu_map_blob(vmm, 5, 0), MAPPED);
	assert_int_equal(window_peek(vmm, RING_BYTES - 1), 0x5a);
	/* The memory stays when its context goes. */
	assert_ok(gpu_ctx_destroy(vmm, 1));
	assert_int_equal(window_peek(vmm, RING_BYTES - 1), 0x5a);
	assert_ok(gpu_unref(vmm, 5));
	assert_int_equal(vmm->window.count, 0);
	assert_int_equal(vmm->window.n_unmaps, 2);
}

static void a_fence_of_a_ring_comes_back_with_all_its_64_bits(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	struct chain *chains[MANY];

	start_queue(vmm, 1);
	assert_passes(vmm, queue_fence(vmm, 1, RING, UINT64_MAX), UINT64_MAX);
	assert_passes(vmm, queue_fence(vmm, 1, 0, BIG), BIG);
	for (unsigned i = 0; i < MANY; i++)
		chains[i] = queue_fence(vmm, 1, RING, BIG + i);
	for (unsigned i = 0; i < MANY; i++)
		assert_passes(vmm, chains[i], BIG + i);
	assert_true(answers(vmm, 1, 5));
}

static void a_waiting_ring_does_not_delay_others(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);

	start_queue(vmm, 1);
	start_queue(vmm, 2);
	block_queue(vmm, 1);
	struct chain *waits = queue_fence(vmm, 1, RING, 10);

	assert_passes(vmm, queue_fence(vmm, 2, RING, 11), 11);
	assert_passes(vmm, queue_fence(vmm, 1, 0, 12), 12);
	assert_gl_draws(vmm);
	assert_false(gpu_wait_ms(vmm, waits, 300));
	assert_ok(gpu_ctx_destroy(vmm, 1));
	assert_passes(vmm, waits, 10);
	assert_true(answers(vmm, 2, 5));
}

static void a_context_with_pending_fences_can_be_destroyed(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	struct chain *chains[20];

	for (unsigned round = 0; round < 2; round++) {
		start_queue(vmm, 1);
		block_queue(vmm, 1);
		assert_ok(create_blob(vmm, 1, 5, RING_BYTES));
		assert_response(gpu_map_blob(vmm, 5, 0), MAPPED);
		for (unsigned i = 0; i < ARRAY_LENGTH(chains); i++)
			chains[i] = queue_fence(vmm, 1, RING, BIG + i);
		assert_false(gpu_wait_ms(vmm, chains[0], 50));
		assert_ok(gpu_ctx_destroy(vmm, 1));
		for (unsigned i = 0; i < ARRAY_LENGTH(chains); i++)
			assert_passes(vmm, chains[i], BIG + i);
		assert_ok(gpu_unref(vmm, 5));
	}
	assert_int_equal(vmm->window.count, 0);
}

static void a_reset_ends_all_that_is_in_flight(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);

	for (unsigned round = 0; round < 2; round++) {
		start_queue(vmm, 1);
		block_queue(vmm, 1);
		assert_ok(create_blob(vmm, 1, 5, RING_BYTES));
		assert_response(gpu_map_blob(vmm, 5, 0), MAPPED);
		(void)queue_fence(vmm, 1, RING, BIG);
		vmm_reset(vmm);
		window_forget(vmm); /* as QEMU does */
		vmm_start(vmm);
	}
	start_queue(vmm, 1);
	assert_passes(vmm, queue_fence(vmm, 1, RING, BIG), BIG);
	assert_int_equal(vmm->window.n_unmaps, 0);
}

static void maps_and_fences_live_through_a_stop(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);

	start_queue(vmm, 1);
	assert_ok(create_blob(vmm, 1, 5, RING_BYTES));
	assert_response(gpu_map_blob(vmm, 5, 0), MAPPED);
	window_poke(vmm, 7, 0x77);
	vmm_stop(vmm);
	vmm_start(vmm);
	assert_int_equal(window_peek(vmm, 7), 0x77);
	assert_passes(vmm, queue_fence(vmm, 1, RING, BIG), BIG);
	assert_true(answers(vmm, 1, 6));
	assert_ok(gpu_unmap_blob(vmm, 5));
}

static void contexts_are_limited(void **state)
{
	struct vmm *vmm = boot(state, "--max-venus-contexts", "2");

	assert_ok(gpu_ctx_create(vmm, 1, VENUS));
	assert_ok(gpu_ctx_create(vmm, 2, VENUS));
	assert_response(gpu_ctx_create(vmm, 3, VENUS), RESP_OUT_OF_MEMORY);
	assert_gl_draws(vmm);
	assert_ok(gpu_ctx_destroy(vmm, 1));
	assert_ok(gpu_ctx_create(vmm, 3, VENUS));
	assert_true(answers(vmm, 3, 5));
}

static void a_killed_worker_fails_only_its_context(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);

	start_queue(vmm, 1);
	block_queue(vmm, 1);
	const pid_t worker = find_worker(vmm);

	start_queue(vmm, 2);
	struct chain *waits = queue_fence(vmm, 1, RING, 10);

	assert_false(gpu_wait_ms(vmm, waits, 50));
	assert_int_equal(kill(worker, SIGKILL), 0);
	assert_passes(vmm, waits, 10);
	assert_false(answers(vmm, 1, 5));
	assert_true(answers(vmm, 2, 6));
	assert_passes(vmm, queue_fence(vmm, 2, RING, 11), 11);
	assert_ok(gpu_ctx_destroy(vmm, 1));
	start_queue(vmm, 1);
	assert_passes(vmm, queue_fence(vmm, 1, RING, 12), 12);
}

static bool has_logged_the_end(struct vmm *vmm, const void *arg)
{
	char *text = daemon_text(vmm->daemon.err_fd);
	bool is_there = strstr(text, arg);

	free(text);
	return is_there;
}

static void a_killed_server_ends_only_vulkan(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);

	start_queue(vmm, 1);
	block_queue(vmm, 1);
	struct chain *waits = queue_fence(vmm, 1, RING, 10);

	assert_false(gpu_wait_ms(vmm, waits, 50));
	assert_int_equal(kill(find_server(vmm), SIGKILL), 0);
	vmm_wait(vmm, has_logged_the_end, "error main: the render server has ended",
		 "the log says that the render server has ended");
	assert_response(gpu_ctx_create(vmm, 2, VENUS), RESP_UNSPEC);
	assert_gl_draws(vmm);
	assert_ok(gpu_ctx_destroy(vmm, 1));
	assert_passes(vmm, waits, 10);
	assert_alive(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(the_capset_is_offered_beside_opengl),
		DEVICE_TEST(memory_of_a_worker_is_seen_through_the_window),
		DEVICE_TEST(a_fence_of_a_ring_comes_back_with_all_its_64_bits),
		DEVICE_TEST(a_waiting_ring_does_not_delay_others),
		DEVICE_TEST(a_context_with_pending_fences_can_be_destroyed),
		DEVICE_TEST(a_reset_ends_all_that_is_in_flight),
		DEVICE_TEST(maps_and_fences_live_through_a_stop),
		DEVICE_TEST(contexts_are_limited),
		DEVICE_TEST(a_killed_worker_fails_only_its_context),
		DEVICE_TEST(a_killed_server_ends_only_vulkan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	/* Where scripts/test runs the device suite in a Debian root file system, it sets this to a
	 * path without a driver, so that not each start of a daemon tries Vulkan. */
	unsetenv("VK_DRIVER_FILES");
	if (!gpu3d_works_with("venus"))
		return EXIT_SKIPPED;
	return fixture_run(argc, argv, run);
}
