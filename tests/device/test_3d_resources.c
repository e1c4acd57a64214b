// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Resources on the GPU: their creation, their cost, and the 2D commands, which a guest's console
 * uses beside 3D and which must work as on the CPU. A refusal has the response that says why; where
 * only the library can know, any error is accepted.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <string.h>

#define W 40
#define H 24

static struct vmm *boot(void **state, const char *option, const char *value)
{
	const char *args[] = { gpu3d_args[0], gpu3d_args[1], option, value, NULL };
	struct vmm_options options = { .args = args };

	return fixture_boot(state, &options);
}

static void assert_refused(uint32_t type)
{
	assert_in_range(type, VIRTIO_GPU_RESP_ERR_UNSPEC, RESP_INVALID_PARAMETER);
}

/* ---- RESOURCE_CREATE_3D ---- */

static void invalid_resources_are_refused(void **state)
{
	static const create_3d_t bad[] = {
		{ .target = 9, .width = 4, .height = 4, .depth = 1, .array_size = 1 },
		{ .target = 0xffffffff, .width = 4, .height = 4, .depth = 1, .array_size = 1 },
		{ .target = 2, .width = 0, .height = 4, .depth = 1, .array_size = 1 },
		{ .target = 2, .width = 4, .height = 0, .depth = 1, .array_size = 1 },
		{ .target = 2, .width = 4, .height = 4, .depth = 0, .array_size = 1 },
		{ .target = 2, .width = 4, .height = 4, .depth = 1, .array_size = 0 },
		{ .target = 2, .width = 16385, .height = 4, .depth = 1, .array_size = 1 },
		{ .target = 2, .width = 4, .height = 16385, .depth = 1, .array_size = 1 },
		{ .target = 3, .width = 4, .height = 4, .depth = 16385, .array_size = 1 },
		{ .target = 8, .width = 4, .height = 4, .depth = 1, .array_size = 0xffffffff },
		{ .target = 2,
		  .width = 4,
		  .height = 4,
		  .depth = 1,
		  .array_size = 1,
		  .last_level = 16 },
		{ .target = 2,
		  .width = 4,
		  .height = 4,
		  .depth = 1,
		  .array_size = 1,
		  .last_level = 0xffffffff },
		{ .target = 2,
		  .width = 4,
		  .height = 4,
		  .depth = 1,
		  .array_size = 1,
		  .nr_samples = 33 },
		{ .target = 0, .width = 0, .height = 1, .depth = 1, .array_size = 1 },
		{ .target = 0, .width = 64, .height = 2, .depth = 1, .array_size = 1 },
		{ .target = 0, .width = 64, .height = 1, .depth = 2, .array_size = 1 },
	};
	struct vmm *vmm = boot(state, NULL, NULL);
	create_3d_t good = gpu_texture(1, W, H), odd;

	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		odd = bad[i];
		odd.resource_id = 1;
		odd.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;
		odd.bind = BIND_SAMPLER_VIEW;
		if (gpu_create_3d(vmm, odd) != RESP_INVALID_PARAMETER)
			vmm_fail("bad resource %u was not refused as such", i);
	}
	assert_ok(gpu_create_3d(vmm, good));
	assert_response(gpu_create_3d(vmm, good), RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_create_2d(vmm, 1, BGRX, W, H), RESP_INVALID_RESOURCE_ID);
	good.resource_id = 0;
	assert_response(gpu_create_3d(vmm, good), RESP_INVALID_RESOURCE_ID);
	assert_ok(gpu_create_2d(vmm, 2, BGRX, W, H));
	good.resource_id = 2;
	assert_response(gpu_create_3d(vmm, good), RESP_INVALID_RESOURCE_ID);
}

/* What only the library can refuse; nothing must be left under that number. */
static void resources_that_the_library_refuses_are_errors(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	create_3d_t odd = gpu_texture(1, W, H);

	odd.format = 9999;
	assert_refused(gpu_create_3d(vmm, odd));
	odd = gpu_texture(1, W, H);
	odd.format = 0;
	assert_refused(gpu_create_3d(vmm, odd));
	odd = gpu_texture(1, W, H);
	odd.flags = 0x80000000;
	assert_refused(gpu_create_3d(vmm, odd));
	odd = gpu_texture(1, W, H);
	odd.last_level = 15;
	assert_refused(gpu_create_3d(vmm, odd));
	odd = gpu_texture(1, W, H);
	odd.depth = 7;
	assert_refused(gpu_create_3d(vmm, odd));
	odd = gpu_texture(1, W, H);
	odd.array_size = 3;
	assert_refused(gpu_create_3d(vmm, odd));
	assert_response(gpu_unref(vmm, 1), RESP_INVALID_RESOURCE_ID);
	assert_ok(gpu_create_3d(vmm, gpu_texture(1, W, H)));
}

/* R8G8_R8B8: the library takes two bytes per pixel for it, and OpenGL four. */
static void a_format_with_a_wrong_size_in_the_library_is_refused(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	create_3d_t odd = gpu_texture(1, W, H);

	odd.format = 227;
	odd.bind = BIND_SAMPLER_VIEW;
	assert_refused(gpu_create_3d(vmm, odd));
	assert_ok(gpu_create_3d(vmm, gpu_texture(1, W, H)));
}

static void every_kind_of_texture_can_be_created(void **state)
{
	static const create_3d_t kinds[] = {
		{ .target = 0, .width = 65536, .height = 1, .depth = 1, .array_size = 1 },
		{ .target = 1, .width = 64, .height = 1, .depth = 1, .array_size = 1 },
		{ .target = 2, .width = 64, .height = 32, .depth = 1, .array_size = 1 },
		{ .target = 3, .width = 16, .height = 16, .depth = 16, .array_size = 1 },
		{ .target = 4, .width = 16, .height = 16, .depth = 1, .array_size = 6 },
		{ .target = 7, .width = 16, .height = 16, .depth = 1, .array_size = 5 },
	};
	struct vmm *vmm = boot(state, NULL, NULL);

	for (uint32_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
		create_3d_t args = kinds[i];

		args.resource_id = i + 1;
		args.format =
			args.target == TARGET_BUFFER ? FORMAT_R8 : VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;
		args.bind = args.target == TARGET_BUFFER ? BIND_VERTEX_BUFFER : BIND_SAMPLER_VIEW;
		if (gpu_create_3d(vmm, args) != RESP_OK)
			vmm_fail("target %u was refused", args.target);
	}
	for (uint32_t i = 0; i < ARRAY_LENGTH(kinds); i++)
		assert_ok(gpu_unref(vmm, i + 1));
}

static void resources_are_limited(void **state)
{
	struct vmm *vmm = boot(state, "--max-resources", "3");

	assert_ok(gpu_create_3d(vmm, gpu_texture(1, W, H)));
	assert_ok(gpu_create_2d(vmm, 2, BGRX, W, H));
	assert_ok(gpu_create_3d(vmm, gpu_texture(3, W, H)));
	assert_response(gpu_create_3d(vmm, gpu_texture(4, W, H)), RESP_OUT_OF_MEMORY);
	assert_response(gpu_create_2d(vmm, 4, BGRX, W, H), RESP_OUT_OF_MEMORY);
	assert_ok(gpu_unref(vmm, 2));
	assert_ok(gpu_create_3d(vmm, gpu_texture(4, W, H)));
}

static void memory_of_resources_is_limited(void **state)
{
	/* 12 KiB for what a resource takes beside its pixels. */
	struct vmm *vmm = boot(state, "--max-hostmem", "1036K");
	create_3d_t args = gpu_texture(2, 16, 16);

	assert_response(gpu_create_3d(vmm, gpu_texture(1, 512, 513)), RESP_OUT_OF_MEMORY);
	assert_ok(gpu_create_3d(vmm, gpu_texture(1, 512, 512)));
	assert_response(gpu_create_3d(vmm, gpu_texture(2, 1, 1)), RESP_OUT_OF_MEMORY);
	assert_ok(gpu_unref(vmm, 1));
	/* Depth, layers, samples and the bytes of a buffer count too. */
	args.target = TARGET_TEXTURE_3D;
	args.depth = 1032;
	assert_response(gpu_create_3d(vmm, args), RESP_OUT_OF_MEMORY);
	args = gpu_texture(2, 16, 16);
	args.array_size = 1032;
	assert_response(gpu_create_3d(vmm, args), RESP_OUT_OF_MEMORY);
	args = gpu_texture(2, 512, 512);
	args.nr_samples = 2;
	assert_response(gpu_create_3d(vmm, args), RESP_OUT_OF_MEMORY);
	args = gpu_texture(2, (1 << 20) + 8192, 1);
	args.target = TARGET_BUFFER;
	assert_response(gpu_create_3d(vmm, args), RESP_OUT_OF_MEMORY);
	args = gpu_texture(2, 16384, 16384);
	args.target = TARGET_TEXTURE_3D;
	args.depth = 16384;
	assert_response(gpu_create_3d(vmm, args), RESP_OUT_OF_MEMORY);
	args.array_size = 16384;
	args.nr_samples = 32;
	assert_refused(gpu_create_3d(vmm, args)); /* 2^63 bytes are always too many */
	/* Large pixels count, and so do smaller levels. */
	args = gpu_texture(2, 256, 257);
	args.format = FORMAT_RGBA32_FLOAT;
	assert_response(gpu_create_3d(vmm, args), RESP_OUT_OF_MEMORY);
	args.height = 256;
	assert_ok(gpu_create_3d(vmm, args));
	assert_ok(gpu_unref(vmm, 2));
	args = gpu_texture(2, 512, 512);
	args.last_level = 1;
	assert_response(gpu_create_3d(vmm, args), RESP_OUT_OF_MEMORY);
	/* The copy that a screen needs is charged, and released. */
	for (unsigned k = 0; k < 4; k++) {
		assert_ok(gpu_create_3d(vmm, gpu_texture(3, 512, 256)));
		assert_ok(gpu_set_scanout(vmm, 0, 3, gpu_rect(0, 0, 512, 256)));
		assert_response(gpu_set_scanout(vmm, 1, 3, gpu_rect(0, 0, 64, 64)),
				RESP_OUT_OF_MEMORY);
		assert_ok(gpu_unref(vmm, 3));
	}
	assert_ok(gpu_create_3d(vmm, gpu_texture(1, 512, 512)));
}

/* ---- 2D commands ---- */

static void commands_of_2d_work_on_3d_resources(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	struct image i = image_new_3d(vmm, gpu_texture(1, W, H));
	uint8_t uuid[16];

	image_fill(&i, 6);
	assert_response(gpu_transfer_2d(vmm, 1, gpu_rect(0, 0, W + 1, H), 0),
			RESP_INVALID_PARAMETER);
	assert_response(gpu_transfer_2d(vmm, 1, gpu_rect(0, 0, W, H), 4), RESP_INVALID_PARAMETER);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	assert_response(gpu_assign_uuid(vmm, 1, uuid), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
	assert_ok(gpu_detach(vmm, 1));
	assert_response(gpu_detach(vmm, 1), RESP_UNSPEC);
	assert_response(image_transfer(vmm, &i, image_rect(&i)), RESP_UNSPEC);
	/* It is still shown, without any guest memory. */
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
}

static void commands_of_3d_work_on_2d_resources(void **state)
{
	struct vmm *vmm = boot(state, NULL, NULL);
	struct image i = image_new(vmm, 1, BGRA, W, H), due = image_due(vmm, W, H);

	image_fill(&i, 9);
	memcpy(due.bytes, i.bytes, W * H * 4);
	assert_ok(gpu_to_host_3d(vmm, gpu_whole(&i)));
	image_check_host(vmm, &i, &due);
	assert_ok(gpu_ctx_create(vmm, 1, 0));
	assert_ok(gpu_ctx_attach(vmm, 1, 1));
	assert_ok(gpu_paint(vmm, 1, 1, 0x804020));
	image_paint(&due, image_rect(&due), 0x804020);
	image_check_host(vmm, &i, &due);
}

static void all_2d_formats_are_shown_exactly(void **state)
{
	static const uint32_t formats[] = {
		VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM,
		VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM,
		VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM,
	};
	struct vmm *vmm = boot(state, NULL, NULL);

	assert_response(gpu_create_2d(vmm, 1, 9, W, H), RESP_INVALID_PARAMETER);
	assert_response(gpu_create_2d(vmm, 1, FORMAT_R8, W, H), RESP_INVALID_PARAMETER);
	for (uint32_t k = 0; k < ARRAY_LENGTH(formats); k++) {
		struct image i = image_new(vmm, k + 1, formats[k], 301, 77);

		image_fill(&i, k);
		assert_ok(image_transfer(vmm, &i, image_rect(&i)));
		assert_ok(gpu_set_scanout(vmm, 0, k + 1, image_rect(&i)));
		assert_ok(gpu_flush(vmm, k + 1, image_rect(&i)));
		image_wait_shown(vmm, &i, 0, image_rect(&i));
		/* Again, transferred in strips, and with a part of it on a second scanout. */
		image_fill(&i, k + 40);
		for (uint32_t y = 0; y < 77; y += 11)
			assert_ok(image_transfer(vmm, &i, gpu_rect(0, y, 301, 11)));
		assert_ok(gpu_set_scanout(vmm, 1, k + 1, gpu_rect(33, 5, 200, 70)));
		assert_ok(gpu_flush(vmm, k + 1, image_rect(&i)));
		image_wait_shown(vmm, &i, 0, image_rect(&i));
		image_wait_shown(vmm, &i, 1, gpu_rect(33, 5, 200, 70));
	}
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(invalid_resources_are_refused),
		DEVICE_TEST(resources_that_the_library_refuses_are_errors),
		DEVICE_TEST(a_format_with_a_wrong_size_in_the_library_is_refused),
		DEVICE_TEST(every_kind_of_texture_can_be_created),
		DEVICE_TEST(resources_are_limited),
		DEVICE_TEST(memory_of_resources_is_limited),
		DEVICE_TEST(commands_of_2d_work_on_3d_resources),
		DEVICE_TEST(commands_of_3d_work_on_2d_resources),
		DEVICE_TEST(all_2d_formats_are_shown_exactly),
	};

	return gpu3d_works() ? cmocka_run_group_tests_name("3d resources", tests, NULL, NULL)
			     : EXIT_SKIPPED;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
