// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The charge of resources, compared with what llvmpipe allocated (Mesa 22.3, bytes of RssAnon for
 * each of 4 to 4,000 resources): not less, and not much more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>

#include "render/virgl/virgl_private.h"

#define BGRA          1
#define RGBA32_FLOAT  31
#define R8            64
#define ITS_OWN_BYTES 8192 /* the estimate may exceed the measurement by this and a twentieth */

static uint64_t cost(enum virgl_driver driver, const struct renderer_resource_args *args)
{
	struct virgl virgl = { .base.ops = &virgl_ops, .driver = driver };

	return virgl_cost_of_resource(&virgl.base, args);
}

static const struct {
	struct renderer_resource_args args;
	uint64_t seen;
} seen[] = {
	{ { .target = 2, .format = BGRA, .width = 1, .height = 1 }, 3019 },
	{ { .target = 3, .format = BGRA, .width = 1, .height = 1, .depth = 2048 }, 530841 },
	{ { .target = 7, .format = BGRA, .width = 1, .height = 1, .array_size = 2048 }, 531251 },
	{ { .target = 7, .format = RGBA32_FLOAT, .width = 1, .height = 1, .array_size = 2048 },
	  528384 },
	{ { .target = 2, .format = BGRA, .width = 16, .height = 16 }, 3855 },
	{ { .target = 2, .format = BGRA, .width = 64, .height = 64 }, 19963 },
	{ { .target = 2, .format = BGRA, .width = 100, .height = 100 }, 47513 },
	{ { .target = 2, .format = BGRA, .width = 1, .height = 1000 }, 66682 },
	{ { .target = 2, .format = BGRA, .width = 1000, .height = 1 }, 18841 },
	{ { .target = 2, .format = BGRA, .width = 1024, .height = 1024 }, 4201267 },
	{ { .target = 2, .format = BGRA, .width = 1, .height = 16384 }, 1054720 },
	{ { .target = 1, .format = BGRA, .width = 16384, .height = 1 }, 68403 },
	{ { .target = 6, .format = BGRA, .width = 512, .height = 1, .array_size = 512 }, 1054720 },
	{ { .target = 0, .format = R8, .width = 64, .height = 1 }, 1811 },
	{ { .target = 0, .format = R8, .width = 4096, .height = 1 }, 5902 },
	{ { .target = 0, .format = R8, .width = 1000000, .height = 1 }, 1005158 },
	{ { .target = 3, .format = RGBA32_FLOAT, .width = 1, .height = 1, .depth = 64 }, 18841 },
	{ { .target = 3, .format = RGBA32_FLOAT, .width = 16, .height = 16, .depth = 64 }, 265011 },
	{ { .target = 2, .format = BGRA, .width = 2048, .height = 2048, .last_level = 11 },
	  21852 * 1024 },
	{ { .target = 2, .format = BGRA, .width = 2048, .height = 2048, .nr_samples = 4 },
	  65544 * 1024 },
	{ { .target = 2, .format = BGRA, .width = 64, .height = 64, .nr_samples = 4 }, 68218 },
	{ { .target = 2, .format = BGRA, .width = 1, .height = 1, .nr_samples = 4 }, 3717 },
};

static void estimates_are_at_least_what_llvmpipe_allocates(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(seen); i++) {
		struct renderer_resource_args args = seen[i].args;

		args.depth = MAX(args.depth, 1);
		args.array_size = MAX(args.array_size, 1);
		uint64_t bytes = cost(VIRGL_DRIVER_CPU, &args);

		if (bytes < seen[i].seen ||
		    bytes > seen[i].seen + seen[i].seen / 20 + ITS_OWN_BYTES)
			fail_msg("%ux%ux%u: %llu, seen %llu", args.width, args.height, args.depth,
				 (unsigned long long)bytes, (unsigned long long)seen[i].seen);
		assert_true(cost(VIRGL_DRIVER_GPU, &args) >= bytes);
	}
}

static void the_largest_resources_do_not_wrap(void **state)
{
	const struct renderer_resource_args args = {
		.target = 7,
		.format = RGBA32_FLOAT,
		.width = UINT32_MAX,
		.height = UINT32_MAX,
		.depth = UINT32_MAX,
		.array_size = UINT32_MAX,
		.last_level = 15,
		.nr_samples = 32,
	};

	(void)state;
	assert_true(cost(VIRGL_DRIVER_CPU, &args) >= UINT64_C(1) << 58);
	assert_true(cost(VIRGL_DRIVER_CPU, &args) <= INT64_MAX);
	assert_true(virgl_cost_of_object(VIRGL_OBJECT_SHADER, UINT32_MAX) > UINT32_MAX);
	assert_true(virgl_cost_of_object(UINT32_MAX, 0) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(estimates_are_at_least_what_llvmpipe_allocates),
		cmocka_unit_test(the_largest_resources_do_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
