// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Calls that the daemon must not make, each in its own child: the tests show that the library does
 * crash, hang or refuse. Under a sanitizer an abort counts as a crash.
 */
#include "library.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BIND_RENDER_TARGET 2u
#define BIND_CUSTOM        (1u << 17)

static struct stream_args image(uint32_t id, uint32_t width, uint32_t height)
{
	return (struct stream_args){ .handle = id,
				     .target = 2,
				     .format = 1,
				     .bind = BIND_RENDER_TARGET,
				     .width = width,
				     .height = height,
				     .depth = 1,
				     .array_size = 1 };
}

static bool create_image(uint32_t id, uint32_t width, uint32_t height)
{
	struct stream_args args = image(id, width, height);

	return lib.resource_create(&args, NULL, 0) == 0;
}

static bool init_twice(void)
{
	return library_init(library_flags()) != 0;
}

static bool init_after_teardown(void)
{
	lib.teardown();
	return library_init(library_flags()) != 0;
}

static bool init_without_callback(void)
{
	struct stream_param params[] = { { STREAM_PARAM_USER_DATA, 0 },
					 { STREAM_PARAM_FLAGS, library_flags() } };

	return lib.init(params, 2) != 0 && library_init(library_flags()) == 0;
}

static bool init_with_unknown_feature(void)
{
	struct stream_param params[] = {
		{ STREAM_PARAM_USER_DATA, 0 },
		{ STREAM_PARAM_FLAGS, library_flags() },
		{ STREAM_PARAM_FENCE_CALLBACK, (uintptr_t)init_twice },
		{ STREAM_PARAM_FEATURES, (uintptr_t) "Vulkan:enabled,Nonsense:enabled" },
	};

	return lib.init(params, 4) != 0;
}

static bool init_with_system_blob_alone(void)
{
	return library_init(0xa8) != 0;
}

static bool ask_sizes_before_init(void)
{
	uint32_t version = 77, size = 0, none = 55;

	lib.get_cap_set(STREAM_CAPSET_VULKAN, &version, &size);
	lib.get_cap_set(1, &version, &none);
	return version == 77 && size >= 104 && none == 55;
}

static bool create_twice(void)
{
	return create_image(7, 16, 16) && create_image(7, 16, 16);
}

static bool create_too_large(void)
{
	return create_image(7, 100000, 100000);
}

static bool read_without_backing(void)
{
	struct stream_box box = { 0, 0, 0, 64, 64, 1 };
	static uint8_t data[64 * 64 * 4];
	struct iovec iov = { data, sizeof(data) };

	create_image(7, 64, 64);
	return lib.transfer_read_iov(7, 0, 0, 0, 0, &box, 0, &iov, 1) == 0;
}

/* The library reads far beyond its private copy of the backing, and so leaves its heap. */
static bool write_short_backing(void)
{
	struct stream_box box = { 0, 0, 0, 16, 1, 1 };
	static uint8_t data[64];
	struct iovec iov = { data, sizeof(data) };

	create_image(7, 4096, 4096);
	lib.resource_attach_iov(7, &iov, 1);
	return lib.transfer_write_iov(7, 0, 0, 0, 0, &box, 0, NULL, 0) == 0;
}

static bool write_unknown_pipe(void)
{
	struct stream_args args = { .handle = 7,
				    .bind = BIND_CUSTOM,
				    .format = 64,
				    .width = 64,
				    .height = 1,
				    .depth = 1,
				    .array_size = 1 };
	struct stream_box box = { 0, 0, 0, 64, 1, 1 };
	static uint8_t data[64] = "pipe:nonsense";
	struct iovec iov = { data, sizeof(data) };

	lib.context_create(1, 4, "test", STREAM_CAPSET_VULKAN);
	lib.resource_create(&args, &iov, 1);
	lib.ctx_attach_resource(1, 7);
	return lib.transfer_write_iov(7, 1, 0, 0, 0, &box, 0, NULL, 0) == 0;
}

static bool make_small_ring(void)
{
	struct stream_blob blob = { STREAM_BLOB_HOST3D, 1, 0, 4096 };
	uint32_t words[16] = { STREAM_OP_CONTEXT_CREATE, 7 };
	struct stream_command command = { .ctx_id = 1, .cmd_size = 8, .cmd = (uint8_t *)words };

	lib.context_create(1, 4, "test", STREAM_CAPSET_VULKAN);
	lib.create_blob(1, 7, &blob, NULL, 0, NULL);
	return lib.submit_cmd(&command) == 0;
}

/* A size that only a guest's command can give. */
static bool create_too_large_blob(void)
{
	struct stream_blob blob = { STREAM_BLOB_HOST3D, 1, 9, 4096 };
	uint32_t words[16] = { STREAM_OP_RESOURCE_CREATE_3D, 2, 1, 2, 100000, 100000, 1, 1 };
	struct stream_command command = { .ctx_id = 1, .cmd_size = 56, .cmd = (uint8_t *)words };

	words[12] = 9;
	lib.context_create(1, 4, "test", STREAM_CAPSET_VULKAN);
	lib.submit_cmd(&command);
	lib.create_blob(1, 7, &blob, NULL, 0, NULL);
	return true;
}

static void on_fence_again(void *user_data, struct stream_fence *fence)
{
	struct stream_fence next = { .flags = STREAM_FENCE, .fence_id = 2 };

	(void)user_data;
	(void)fence;
	lib.create_fence(&next);
}

static bool fence_in_callback(void)
{
	struct stream_fence fence = { .flags = STREAM_FENCE, .fence_id = 1 };
	struct stream_param params[] = {
		{ STREAM_PARAM_USER_DATA, 0 },
		{ STREAM_PARAM_FLAGS, library_flags() },
		{ STREAM_PARAM_FENCE_CALLBACK, (uintptr_t)on_fence_again },
	};

	lib.init(params, 3);
	return lib.create_fence(&fence) == 0;
}

static void a_second_init_is_refused(void **state)
{
	(void)state;
	assert_int_equal(library_try(init_twice), ENDS_WELL);
	assert_int_equal(library_try(init_after_teardown), ENDS_WELL);
}

static void a_bad_init_is_refused_and_does_not_count(void **state)
{
	(void)state;
	assert_int_equal(library_try_cold(init_without_callback), ENDS_WELL);
	assert_int_equal(library_try_cold(init_with_unknown_feature), ENDS_WELL);
	assert_int_equal(library_try_cold(init_with_system_blob_alone), ENDS_WELL);
}

static void sizes_of_capsets_are_known_before_init(void **state)
{
	(void)state;
	assert_int_equal(library_try_cold(ask_sizes_before_init), ENDS_WELL);
}

static void an_id_in_use_crashes(void **state)
{
	(void)state;
	assert_int_equal(library_try(create_twice), CRASHES);
}

static void a_size_beyond_the_device_limit_crashes(void **state)
{
	(void)state;
	assert_int_equal(library_try(create_too_large), CRASHES);
	assert_int_equal(library_try(create_too_large_blob), CRASHES);
}

static void a_read_without_a_backing_crashes(void **state)
{
	(void)state;
	assert_int_equal(library_try(read_without_backing), CRASHES);
}

static void a_write_with_a_short_backing_crashes(void **state)
{
	(void)state;
	assert_int_equal(library_try(write_short_backing), CRASHES);
}

static void an_unknown_pipe_crashes(void **state)
{
	(void)state;
	assert_int_equal(library_try(write_unknown_pipe), CRASHES);
}

static void a_small_ring_crashes(void **state)
{
	(void)state;
	assert_int_equal(library_try(make_small_ring), CRASHES);
}

/* The library waits for itself; the stand-in reports that. */
static void a_fence_created_in_the_callback_hangs(void **state)
{
	enum library_end end = library_try_cold(fence_in_callback);

	(void)state;
	assert_true(end == HANGS || end == CRASHES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_init_is_refused),
		cmocka_unit_test(a_bad_init_is_refused_and_does_not_count),
		cmocka_unit_test(sizes_of_capsets_are_known_before_init),
		cmocka_unit_test(an_id_in_use_crashes),
		cmocka_unit_test(a_size_beyond_the_device_limit_crashes),
		cmocka_unit_test(a_read_without_a_backing_crashes),
		cmocka_unit_test(a_write_with_a_short_backing_crashes),
		cmocka_unit_test(an_unknown_pipe_crashes),
		cmocka_unit_test(a_small_ring_crashes),
		cmocka_unit_test(a_fence_created_in_the_callback_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
