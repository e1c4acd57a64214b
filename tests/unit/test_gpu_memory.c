// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A process whose measured memory exceeds the limit: first nothing new is created, then the session
 * ends. A file of the test replaces the measurement.
 */
#include "gpu_rig.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu_guest.h"

#define LIMIT (UINT64_C(16) << 20)

static int statm; /* another descriptor of the same file */

static void say(uint64_t bytes)
{
	unsigned long long pages = bytes / (uint64_t)sysconf(_SC_PAGESIZE);
	char text[64];
	int n = snprintf(text, sizeof(text), "999999 %llu 0 1 0 1 0\n", pages);

	assert_int_equal(ftruncate(statm, 0), 0);
	assert_int_equal(pwrite(statm, text, (size_t)n, 0), n);
}

static int setup(void **state)
{
	struct gpu_limits limits = GPU_LIMITS_DEFAULT;

	(void)state;
	limits.max_hostmem = LIMIT;
	if (gpu_rig_setup_with(&limits) != 0)
		return -1;
	statm = memfd_create("statm", MFD_CLOEXEC);
	say(0);
	return hostmem_measure(&gpu_rig.device->hostmem, dup(statm), 0);
}

static int teardown(void **state)
{
	close(statm);
	return gpu_rig_teardown(state);
}

static uint32_t submit(void)
{
	const struct {
		struct virtio_gpu_cmd_submit request;
		uint32_t words[4];
	} message = {
		.request = { .hdr = { .type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = 1 }, .size = 16 },
	};

	return RUN(message);
}

static void nothing_is_created_above_the_limit(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_create_2d(1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 1),
			 VIRTIO_GPU_RESP_OK_NODATA);
	say(LIMIT + 65536);
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(submit(), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_create_2d(2, 64, 64), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 2),
			 VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	/* Existing objects can be freed, and then there is room. */
	assert_int_equal(gpu_guest_unref(1), VIRTIO_GPU_RESP_OK_NODATA);
	say(LIMIT);
	assert_int_equal(gpu_guest_create_2d(2, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 2),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_non_null(gpu_rig.session);
}

static void the_session_ends_far_above_the_limit(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 1),
			 VIRTIO_GPU_RESP_OK_NODATA);
	say(LIMIT + LIMIT / 4 + 65536);
	for (unsigned i = 0; i < 255 && gpu_rig.session; i++)
		(void)submit();
	gpu_rig_turn();
	assert_null(gpu_rig.session);
	/* The next session starts with the initial values. */
	say(0);
	assert_int_equal(gpu_rig.device->hostmem.used, 0);
}

/* Only drivers allocate memory that is not charged. */
static void commands_of_2d_do_not_measure_memory(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_create_2d(1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	say(2 * LIMIT);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(gpu_guest_set_scanout(0, 1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	assert_false(hostmem_is_short(&gpu_rig.device->hostmem));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(nothing_is_created_above_the_limit),
		TEST(the_session_ends_far_above_the_limit),
		TEST(commands_of_2d_do_not_measure_memory),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
