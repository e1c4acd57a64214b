// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Venus, with the library's render server in its jail: contexts, exported memory, fences of rings,
 * and what is left if the server or a worker is killed. OpenGL runs beside it.
 */
#include "venus_rig.h"

#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHM_BYTES 135168 /* the ring of the guest's driver */
#define RING      1
#define BIG       UINT64_C(0x700000000)
#define MANY      2000
#define WAIT_MS   60000

static int create_fence(uint32_t ctx, uint8_t ring, uint64_t id)
{
	const struct renderer_fence fence = {
		.id = id,
		.ctx_id = ctx,
		.ring_idx = ring,
		.has_ring = true,
	};

	return virgl_rig.ops->fence_create(virgl_rig.renderer, &fence);
}

static bool has_passed(uint32_t ctx, uint8_t ring, uint64_t id)
{
	for (unsigned i = 0; i < virgl_rig.n_passed; i++) {
		const struct renderer_fence *fence = &virgl_rig.passed[i];

		if (fence->ctx_id == ctx && fence->ring_idx == ring && fence->has_ring &&
		    fence->id >= id)
			return true;
	}
	return false;
}

/* Polls only when the descriptor is readable, as the device does. */
static bool wait_for(uint32_t ctx, uint8_t ring, uint64_t id)
{
	struct pollfd pollfd = { .fd = virgl_rig.ops->poll_fd(virgl_rig.renderer),
				 .events = POLLIN };
	gint64 end = g_get_monotonic_time() + WAIT_MS * INT64_C(1000);

	while (!has_passed(ctx, ring, id) && g_get_monotonic_time() < end)
		if (poll(&pollfd, 1, WAIT_MS) > 0)
			virgl_rig.ops->poll(virgl_rig.renderer);
	return has_passed(ctx, ring, id);
}

/* Waits a while, during which nothing must happen. */
static void poll_for_ms(int ms)
{
	gint64 end = g_get_monotonic_time() + ms * INT64_C(1000);

	while (g_get_monotonic_time() < end) {
		virgl_rig.ops->poll(virgl_rig.renderer);
		g_usleep(1000);
	}
}

/* Whether the worker of @ctx answers. */
static bool is_alive(uint32_t ctx)
{
	struct renderer_resource *blob = venus_rig_new_shm(ctx, 800, 4096);

	if (blob)
		virgl_rig.ops->resource_free(virgl_rig.renderer, blob);
	return blob;
}

static void assert_gl_draws(uint32_t ctx)
{
	struct renderer_resource *resource = virgl_rig_new_target(900);

	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, ctx, 2, "gl", 2), 0);
	assert_int_equal(virgl_rig.ops->context_attach(virgl_rig.renderer, ctx, resource), 0);
	assert_int_equal(virgl_rig_clear(ctx, 1, 900, 1, 0, 0), 0);
	virgl_rig.n_passed = 0;
	assert_int_equal(virgl_rig.ops->fence_create(virgl_rig.renderer,
						     &(struct renderer_fence){ .id = 1 }),
			 0);
	virgl_rig_wait_for_fences(1);
	virgl_rig.ops->context_free(virgl_rig.renderer, ctx);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
}

static void the_venus_capset_is_last_and_not_empty(void **state)
{
	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	unsigned n = virgl_rig.ops->capsets(virgl_rig.renderer, capsets);
	uint8_t data[512] = { 0 }, zeros[512] = { 0 };

	assert_int_equal(n, 3);
	assert_int_equal(capsets[2].id, CAPSET_VENUS);
	assert_true(capsets[2].max_size >= 100 && capsets[2].max_size <= sizeof(data));
	assert_int_equal(virgl_rig.ops->capset_fill(virgl_rig.renderer, CAPSET_VENUS, 0, data,
						    capsets[2].max_size),
			 0);
	assert_memory_not_equal(data, zeros, capsets[2].max_size);
	assert_true(virgl_rig.renderer->can_export_blobs);
	(void)state;
}

static void a_blob_without_a_vulkan_object_is_zeroed_shared_memory(void **state)
{
	struct renderer_blob_export export = { .fd = -1 };
	struct stat st;

	assert_int_equal(venus_rig_new_context(CTX), 0);
	struct renderer_resource *blob = venus_rig_new_shm(CTX, 5, SHM_BYTES);

	assert_non_null(blob);
	assert_int_equal(virgl_rig.ops->blob_export(virgl_rig.renderer, blob, &export), 0);
	assert_int_equal(export.map_info, 1 /* VIRTIO_GPU_MAP_CACHE_CACHED */);
	assert_int_equal(fstat(export.fd, &st), 0);
	assert_int_equal(st.st_size, SHM_BYTES);
	uint8_t *memory = mmap(NULL, SHM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, export.fd, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	for (unsigned i = 0; i < SHM_BYTES; i++)
		assert_int_equal(memory[i], 0);
	memset(memory, 0x5a, SHM_BYTES);
	munmap(memory, SHM_BYTES);
	close(export.fd);
	virgl_rig.ops->resource_free(virgl_rig.renderer, blob);
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	(void)state;
}

static void each_export_is_a_descriptor_of_the_same_memory(void **state)
{
	struct renderer_blob_export exports[2];
	struct stat st[2];

	assert_int_equal(venus_rig_new_context(CTX), 0);
	struct renderer_resource *blob = venus_rig_new_shm(CTX, 5, 4096);

	assert_non_null(blob);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(virgl_rig.ops->blob_export(virgl_rig.renderer, blob, &exports[i]),
				 0);
		assert_int_equal(fstat(exports[i].fd, &st[i]), 0);
	}
	assert_int_not_equal(exports[0].fd, exports[1].fd);
	assert_int_equal(st[0].st_ino, st[1].st_ino);
	for (unsigned i = 0; i < 2; i++)
		close(exports[i].fd);
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	virgl_rig.ops->resource_free(virgl_rig.renderer, blob);
	(void)state;
}

static void host_blobs_need_a_venus_context(void **state)
{
	assert_int_equal(virgl_rig.ops->context_create(virgl_rig.renderer, CTX, 2, "gl", 2), 0);
	assert_null(venus_rig_new_shm(CTX, 5, 4096));
	assert_null(venus_rig_new_shm(77, 5, 4096));
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	(void)state;
}

static void a_guest_blob_cannot_be_exported(void **state)
{
	uint8_t memory[4096];
	struct iovec iov[] = { { memory, sizeof(memory) } };
	const struct renderer_blob_args args = {
		.id = 9,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
		.size = sizeof(memory),
		.iov = iov,
		.n_iov = 1,
	};
	struct renderer_blob_export export = { .fd = -1 };
	struct renderer_resource *blob;

	assert_int_equal(virgl_rig.ops->resource_create_blob(virgl_rig.renderer, &args, &blob), 0);
	assert_int_equal(virgl_rig.ops->blob_export(virgl_rig.renderer, blob, &export), -ENOTSUP);
	assert_int_equal(export.fd, -1);
	virgl_rig.ops->resource_free(virgl_rig.renderer, blob);
	(void)state;
}

/* A context with a queue on RING; no fence has completed yet. */
static void start_queue(void)
{
	virgl_rig.n_passed = 0;
	assert_int_equal(venus_rig_new_context(CTX), 0);
	assert_int_equal(venus_rig_make_queue(CTX, RING), 0);
}

static void a_fence_of_ring_1_completes_with_64_bits(void **state)
{
	start_queue();
	assert_int_equal(create_fence(CTX, RING, BIG + 3), 0);
	assert_true(wait_for(CTX, RING, BIG + 3));
	assert_int_equal(virgl_rig.passed[virgl_rig.n_passed - 1].id, BIG + 3);
	/* The worker is alive, so the loss of the context did not complete the fence. */
	assert_true(is_alive(CTX));
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	(void)state;
}

static void thousands_of_fences_complete_in_order(void **state)
{
	start_queue();
	for (unsigned i = 1; i <= MANY; i++)
		assert_int_equal(create_fence(CTX, RING, BIG + i), 0);
	assert_true(wait_for(CTX, RING, BIG + MANY));
	for (unsigned i = 1; i < virgl_rig.n_passed; i++)
		assert_true(virgl_rig.passed[i].id > virgl_rig.passed[i - 1].id);
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	(void)state;
}

static void a_waiting_ring_does_not_delay_others(void **state)
{
	virgl_rig.n_passed = 0;
	for (uint32_t ctx = 1; ctx <= 2; ctx++) {
		assert_int_equal(venus_rig_new_context(ctx), 0);
		assert_int_equal(venus_rig_make_queue(ctx, RING), 0);
	}
	assert_int_equal(venus_rig_block_queue(1), 0);
	assert_int_equal(create_fence(1, RING, 10), 0);
	assert_int_equal(create_fence(1, 0, 11), 0);
	assert_int_equal(create_fence(2, RING, 12), 0);
	assert_true(wait_for(1, 0, 11));
	assert_true(wait_for(2, RING, 12));
	poll_for_ms(200);
	assert_false(has_passed(1, RING, 10));
	assert_gl_draws(3);
	for (uint32_t ctx = 1; ctx <= 2; ctx++)
		virgl_rig.ops->context_free(virgl_rig.renderer, ctx);
	(void)state;
}

static void a_context_with_pending_fences_can_be_destroyed(void **state)
{
	start_queue();
	assert_int_equal(venus_rig_block_queue(CTX), 0);
	for (unsigned i = 1; i <= 100; i++)
		assert_int_equal(create_fence(CTX, RING, BIG + i), 0);
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	poll_for_ms(20);
	assert_int_equal(virgl_rig.n_passed, 0);
	/* Its id is free, and its fences are dropped. */
	assert_int_equal(venus_rig_new_context(CTX), 0);
	assert_int_equal(create_fence(CTX, 0, BIG + 500), 0);
	assert_true(wait_for(CTX, 0, BIG + 500));
	assert_int_equal(virgl_rig.n_passed, 1);
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	(void)state;
}

static void at_most_32_contexts_exist(void **state)
{
	uint32_t n = 0;

	while (n < 40 && venus_rig_new_context(100 + n) == 0)
		n++;
	assert_int_equal(n, 32);
	assert_int_equal(venus_rig_new_context(200), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_gl_draws(3);
	virgl_rig.ops->context_free(virgl_rig.renderer, 100);
	assert_int_equal(venus_rig_new_context(200), 0);
	virgl_rig.ops->context_free(virgl_rig.renderer, 200);
	for (uint32_t i = 1; i < n; i++)
		virgl_rig.ops->context_free(virgl_rig.renderer, 100 + i);
	(void)state;
}

/* Bytes that the check of OpenGL streams would refuse. */
static void an_invalid_stream_fails_only_its_context(void **state)
{
	uint32_t garbage[64];

	memset(garbage, 0xee, sizeof(garbage));
	assert_int_equal(venus_rig_new_context(1), 0);
	assert_int_equal(venus_rig_new_context(2), 0);
	(void)virgl_rig.ops->submit(virgl_rig.renderer, 1, garbage, sizeof(garbage));
	assert_false(is_alive(1));
	assert_true(is_alive(2));
	for (uint32_t ctx = 1; ctx <= 2; ctx++)
		virgl_rig.ops->context_free(virgl_rig.renderer, ctx);
	(void)state;
}

static void opengl_resources_can_be_attached(void **state)
{
	struct renderer_resource *resource = virgl_rig_new_target(3);

	assert_int_equal(venus_rig_new_context(CTX), 0);
	assert_int_equal(virgl_rig.ops->context_attach(virgl_rig.renderer, CTX, resource), 0);
	virgl_rig.ops->context_detach(virgl_rig.renderer, CTX, resource);
	assert_true(is_alive(CTX));
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	virgl_rig.ops->resource_free(virgl_rig.renderer, resource);
	(void)state;
}

static void a_killed_worker_fails_only_its_context(void **state)
{
	int pids[2];

	virgl_rig.n_passed = 0;
	assert_int_equal(venus_rig_new_context(1), 0);
	assert_int_equal(venus_rig_make_queue(1, RING), 0);
	assert_int_equal(venus_rig_block_queue(1), 0);
	assert_int_equal(create_fence(1, RING, 10), 0);
	assert_true(venus_rig_wait_for_processes(pids, 2));
	assert_int_equal(venus_rig_new_context(2), 0);
	assert_int_equal(kill(pids[1], SIGKILL), 0);
	/* Pending fences do not wait for ever. */
	assert_true(wait_for(1, RING, 10));
	assert_false(is_alive(1));
	assert_int_not_equal(create_fence(1, RING, 11), 0);
	assert_true(is_alive(2));
	assert_gl_draws(3);
	virgl_rig.ops->context_free(virgl_rig.renderer, 1);
	assert_int_equal(venus_rig_new_context(1), 0);
	for (uint32_t ctx = 1; ctx <= 2; ctx++)
		virgl_rig.ops->context_free(virgl_rig.renderer, ctx);
	(void)state;
}

static unsigned long long status_of(int pid, const char *name, int base)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", pid);
	g_autofree char *text = NULL;
	const char *line;

	assert_true(g_file_get_contents(path, &text, NULL, NULL));
	line = strstr(text, name);
	assert_non_null(line);
	return strtoull(line + strlen(name), NULL, base);
}

static void server_and_workers_run_in_the_jail(void **state)
{
	int pids[2];

	assert_int_equal(venus_rig_new_context(CTX), 0);
	assert_true(venus_rig_wait_for_processes(pids, 2));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(status_of(pids[i], "NoNewPrivs:", 10), 1);
		assert_int_equal(status_of(pids[i], "Seccomp:", 10), 2);
		assert_int_equal(status_of(pids[i], "CapEff:", 16), 0);
	}
	virgl_rig.ops->context_free(virgl_rig.renderer, CTX);
	(void)state;
}

/* This is the last test, because the server does not start again. */
static void a_killed_server_ends_only_vulkan(void **state)
{
	struct pollfd pollfd = { .fd = venus_rig_server.pidfd, .events = POLLIN };
	int pids[2];

	virgl_rig.n_passed = 0;
	assert_int_equal(venus_rig_new_context(1), 0);
	assert_int_equal(venus_rig_make_queue(1, RING), 0);
	assert_int_equal(venus_rig_block_queue(1), 0);
	assert_int_equal(create_fence(1, RING, 10), 0);
	assert_true(venus_rig_wait_for_processes(pids, 2));
	assert_int_equal(kill(pids[0], SIGKILL), 0);
	assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
	assert_int_equal(venus_rig_new_context(2), VIRTIO_GPU_RESP_ERR_UNSPEC);
	/* OpenGL goes on. The worker may live: only a server in a pid namespace of its own ends its
	 * workers with it. */
	assert_gl_draws(3);
	virgl_rig.ops->context_free(virgl_rig.renderer, 1);
	(void)state;
}

/* Tests that can also run in the daemon's sandbox. */
#define TESTS_OF_GUESTS                                                                            \
	cmocka_unit_test(the_venus_capset_is_last_and_not_empty),                                  \
		cmocka_unit_test(a_blob_without_a_vulkan_object_is_zeroed_shared_memory),          \
		cmocka_unit_test(each_export_is_a_descriptor_of_the_same_memory),                  \
		cmocka_unit_test(host_blobs_need_a_venus_context),                                 \
		cmocka_unit_test(a_guest_blob_cannot_be_exported),                                 \
		cmocka_unit_test(a_fence_of_ring_1_completes_with_64_bits),                        \
		cmocka_unit_test(thousands_of_fences_complete_in_order),                           \
		cmocka_unit_test(a_waiting_ring_does_not_delay_others),                            \
		cmocka_unit_test(a_context_with_pending_fences_can_be_destroyed),                  \
		cmocka_unit_test(at_most_32_contexts_exist),                                       \
		cmocka_unit_test(an_invalid_stream_fails_only_its_context),                        \
		cmocka_unit_test(opengl_resources_can_be_attached)

/* Tests that must see and signal the server and its workers, as the sandbox does not allow. */
#define TESTS_OF_PROCESSES                                                                         \
	cmocka_unit_test(a_killed_worker_fails_only_its_context),                                  \
		cmocka_unit_test(server_and_workers_run_in_the_jail),                              \
		cmocka_unit_test(a_killed_server_ends_only_vulkan)

static int run_auto(void)
{
	const struct CMUnitTest tests[] = { TESTS_OF_GUESTS, TESTS_OF_PROCESSES };

	return cmocka_run_group_tests_name("auto", tests, venus_rig_start, virgl_rig_stop);
}

static int run_strict(void)
{
	const struct CMUnitTest tests[] = { TESTS_OF_GUESTS, TESTS_OF_PROCESSES };

	return cmocka_run_group_tests_name("strict", tests, venus_rig_start_strict, virgl_rig_stop);
}

static int run_confined(void)
{
	const struct CMUnitTest tests[] = { TESTS_OF_GUESTS };

	return cmocka_run_group_tests_name("confined", tests, venus_rig_start_confined,
					   virgl_rig_stop);
}

int main(void)
{
	int (*const groups[])(void) = { run_auto, run_strict, run_confined };

	return venus_rig_run_groups(groups, venus_rig_has_namespaces() ? 3 : 1);
}
