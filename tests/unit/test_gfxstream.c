// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Images of the gfxstream renderer: creation, and copies in both directions. */
#include "gfxstream_rig.h"

#include <glib.h>
#include <string.h>

#include "render/pixels.h"

#define W 5
#define H 4

static int transfer(struct renderer_resource *resource, bool is_to_host,
		    const struct renderer_transfer *t)
{
	const struct renderer_ops *ops = gfxstream_rig.ops;

	return is_to_host ? ops->transfer_to_host(gfxstream_rig.renderer, resource, t)
			  : ops->transfer_from_host(gfxstream_rig.renderer, resource, t);
}

static void attach(struct renderer_resource *resource, struct iovec *iov, int n_iov)
{
	assert_int_equal(
		gfxstream_rig.ops->resource_attach(gfxstream_rig.renderer, resource, iov, n_iov),
		0);
}

static void fill(uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
}

static void assert_pixels(struct renderer_resource *resource, const struct rect *r,
			  const uint8_t *expected)
{
	uint8_t pixels[W * H * 4];

	uint32_t format = 0;

	assert_int_equal(gfxstream_rig.ops->read_pixels(gfxstream_rig.renderer, resource, r, pixels,
							r->width * 4, true, &format),
			 0);
	pixels_to_display(format, pixels, r->width, r->height, r->width * 4);
	assert_memory_equal(pixels, expected, r->width * r->height * 4);
}

static void written_pixels_are_read_back(void **state)
{
	struct renderer_resource *resource =
		gfxstream_rig_new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, W, H);
	uint8_t memory[W * H * 4];
	struct iovec iov[] = { { memory, 13 }, { memory + 13, sizeof(memory) - 13 } };
	const struct renderer_transfer all = { .box = { 0, 0, 0, W, H, 1 } };
	const struct rect whole = { 0, 0, W, H }, part = { 1, 2, 2, 1 };

	(void)state;
	fill(memory, sizeof(memory));
	attach(resource, iov, 2);
	assert_int_equal(transfer(resource, true, &all), 0);
	assert_pixels(resource, &whole, memory);
	assert_pixels(resource, &part, memory + (2 * W + 1) * 4);
	gfxstream_rig_free(resource);
}

static void a_new_image_is_black(void **state)
{
	struct renderer_resource *resource =
		gfxstream_rig_new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, W, H);
	const uint8_t zeros[W * H * 4] = { 0 };
	const struct rect whole = { 0, 0, W, H };

	(void)state;
	assert_pixels(resource, &whole, zeros);
	gfxstream_rig_free(resource);
}

/* The library ignores offset and stride, and would also copy what is beside the box's rows. */
static void a_box_is_written_from_the_guests_offset(void **state)
{
	struct renderer_resource *resource =
		gfxstream_rig_new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, W, H);
	uint8_t memory[3 + 2 * 20] = { 0 }, expected[W * H * 4] = { 0 };
	struct iovec iov = { memory, sizeof(memory) };
	const struct renderer_transfer t = { .offset = 3,
					     .stride = 20,
					     .box = { 2, 1, 0, 3, 2, 1 } };
	const struct rect whole = { 0, 0, W, H };

	(void)state;
	fill(memory, sizeof(memory));
	memcpy(expected + (1 * W + 2) * 4, memory + 3, 12);
	memcpy(expected + (2 * W + 2) * 4, memory + 23, 12);
	attach(resource, &iov, 1);
	assert_int_equal(transfer(resource, true, &t), 0);
	assert_pixels(resource, &whole, expected);
	gfxstream_rig_free(resource);
}

static void a_box_is_read_to_the_guests_offset(void **state)
{
	struct renderer_resource_args args = gfxstream_rig_args(1, W, H);
	struct renderer_resource *resource;
	uint8_t memory[W * H * 4], expected[sizeof(memory)];
	struct iovec iov = { memory, sizeof(memory) };
	const struct renderer_transfer all = { .box = { 0, 0, 0, W, H, 1 } };
	const struct renderer_transfer t = { .offset = 1,
					     .stride = 30,
					     .box = { 1, 1, 0, 2, 2, 1 } };

	(void)state;
	assert_int_equal(
		gfxstream_rig.ops->resource_create(gfxstream_rig.renderer, &args, &resource), 0);
	fill(memory, sizeof(memory));
	memset(expected, 0xee, sizeof(expected));
	memcpy(expected + 1, memory + (W + 1) * 4, 8);
	memcpy(expected + 31, memory + (2 * W + 1) * 4, 8);
	attach(resource, &iov, 1);
	assert_int_equal(transfer(resource, true, &all), 0);
	memset(memory, 0xee, sizeof(memory));
	assert_int_equal(transfer(resource, false, &t), 0);
	assert_memory_equal(memory, expected, sizeof(memory));
	gfxstream_rig_free(resource);
}

static void all_2d_formats_are_read_in_the_displays_format(void **state)
{
	static const struct {
		uint32_t format;
		uint8_t order[4]; /* the positions of blue, green, red and alpha */
	} cases[] = {
		{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, { 0, 1, 2, 3 } },
		{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, { 3, 2, 1, 0 } },
		{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, { 2, 1, 0, 3 } },
		{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, { 1, 2, 3, 0 } },
	};
	const struct renderer_transfer all = { .box = { 0, 0, 0, 1, 1, 1 } };
	const struct rect one = { 0, 0, 1, 1 };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct renderer_resource *resource = gfxstream_rig_new_2d(1, cases[i].format, 1, 1);
		uint8_t memory[] = { 10, 20, 30, 255 }, expected[4];
		struct iovec iov = { memory, sizeof(memory) };

		for (unsigned k = 0; k < 4; k++)
			expected[k] = memory[cases[i].order[k]];
		/* pixman does not change the value of alpha */
		attach(resource, &iov, 1);
		assert_int_equal(transfer(resource, true, &all), 0);
		assert_pixels(resource, &one, expected);
		gfxstream_rig_free(resource);
	}
}

/* The library would read or write past memory that is smaller than the image. */
static void a_backing_that_is_too_small_is_refused(void **state)
{
	struct renderer_resource *resource =
		gfxstream_rig_new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, W, H);
	uint8_t memory[W * H * 4 - 1] = { 0 };
	struct iovec iov = { memory, sizeof(memory) };
	struct renderer_transfer t = { .box = { 0, 0, 0, W, H, 1 } };

	(void)state;
	attach(resource, &iov, 1);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(transfer(resource, i == 0, &t),
				 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	t.box.height = H - 1;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(transfer(resource, i == 0, &t), 0);
	t.offset = UINT64_MAX - 3;
	assert_int_equal(transfer(resource, true, &t), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	gfxstream_rig_free(resource);
}

static void transfers_without_a_backing_are_refused(void **state)
{
	struct renderer_resource *resource =
		gfxstream_rig_new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, W, H);
	uint8_t memory[W * H * 4] = { 0 };
	struct iovec iov = { memory, sizeof(memory) };
	const struct renderer_transfer t = { .box = { 0, 0, 0, W, H, 1 } };

	(void)state;
	assert_int_equal(transfer(resource, true, &t), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(transfer(resource, false, &t), VIRTIO_GPU_RESP_ERR_UNSPEC);
	attach(resource, &iov, 1);
	gfxstream_rig.ops->resource_detach(gfxstream_rig.renderer, resource);
	assert_int_equal(transfer(resource, true, &t), VIRTIO_GPU_RESP_ERR_UNSPEC);
	gfxstream_rig_free(resource);
}

static void boxes_outside_the_image_are_refused(void **state)
{
	static const struct renderer_box boxes[] = {
		{ 0, 0, 0, W + 1, 1, 1 },      { 1, 0, 0, W, 1, 1 }, { 0, H, 0, 1, 1, 1 },
		{ 0, 1, 0, 1, H, 1 },          { 0, 0, 1, 1, 1, 1 }, { 0, 0, 0, 1, 1, 2 },
		{ 0, 0, 0, 0, 1, 1 },          { 0, 0, 0, 1, 0, 1 }, { UINT32_MAX, 0, 0, 2, 1, 1 },
		{ 0, UINT32_MAX, 0, 1, 2, 1 },
	};
	struct renderer_resource *resource =
		gfxstream_rig_new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, W, H);
	uint8_t memory[4 * W * H * 4] = { 0 };
	struct iovec iov = { memory, sizeof(memory) };
	struct renderer_transfer t = { .level = 1, .box = { 0, 0, 0, 1, 1, 1 } };

	(void)state;
	attach(resource, &iov, 1);
	assert_int_equal(transfer(resource, true, &t), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	for (unsigned i = 0; i < 2 * G_N_ELEMENTS(boxes); i++) {
		t = (struct renderer_transfer){ .box = boxes[i / 2] };
		assert_int_equal(transfer(resource, i % 2, &t),
				 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	}
	t = (struct renderer_transfer){ .stride = 7, .box = { 0, 0, 0, 2, 2, 1 } };
	assert_int_equal(transfer(resource, true, &t), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	gfxstream_rig_free(resource);
}

static void assert_refused(const struct renderer_resource_args *args)
{
	struct renderer_resource *resource;

	assert_int_not_equal(
		gfxstream_rig.ops->resource_create(gfxstream_rig.renderer, args, &resource), 0);
}

static void resources_that_crash_the_library_are_refused(void **state)
{
	struct renderer_resource_args args = gfxstream_rig_args(1, 16385, 1);

	(void)state;
	assert_refused(&args);
	args = gfxstream_rig_args(1, 1, 16385);
	assert_refused(&args);
	args = gfxstream_rig_args(1, 0, 1);
	assert_refused(&args);
	args = gfxstream_rig_args(1, 4, 4);
	args.depth = 2;
	assert_refused(&args);
	args = gfxstream_rig_args(1, 4, 4);
	args.last_level = 1;
	assert_refused(&args);
	args = gfxstream_rig_args(1, 4, 4);
	args.format = 4711;
	assert_refused(&args);
	args = gfxstream_rig_args(1, 4, 1);
	args.target = RENDERER_TARGET_BUFFER;
	args.bind = GFX_BIND_CUSTOM;
	assert_refused(&args);
	args.format = GFX_FORMAT_R8;
	args.bind = GFX_BIND_LINEAR;
	args.width = UINT32_MAX;
	assert_refused(&args);
}

static void an_id_in_use_is_refused(void **state)
{
	struct renderer_resource *resource =
		gfxstream_rig_new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, W, H);
	const struct renderer_resource_args args = gfxstream_rig_args(1, 4, 4);

	(void)state;
	assert_refused(&args);
	gfxstream_rig_free(resource);
	resource = gfxstream_rig_new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, W, H);
	gfxstream_rig_free(resource);
}

static void a_buffer_keeps_its_bytes(void **state)
{
	struct renderer_resource_args args = gfxstream_rig_args(1, 100, 1);
	struct renderer_resource *resource;
	uint8_t memory[100], expected[100];
	struct iovec iov = { memory, sizeof(memory) };
	const struct renderer_transfer t = { .box = { 0, 0, 0, 100, 1, 1 } };

	(void)state;
	args.target = RENDERER_TARGET_BUFFER;
	args.format = GFX_FORMAT_R8;
	args.bind = GFX_BIND_LINEAR;
	assert_int_equal(
		gfxstream_rig.ops->resource_create(gfxstream_rig.renderer, &args, &resource), 0);
	fill(memory, sizeof(memory));
	fill(expected, sizeof(expected));
	attach(resource, &iov, 1);
	assert_int_equal(transfer(resource, true, &t), 0);
	memset(memory, 0, sizeof(memory));
	assert_int_equal(transfer(resource, false, &t), 0);
	assert_memory_equal(memory, expected, sizeof(memory));
	gfxstream_rig_free(resource);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_pixels_are_read_back),
		cmocka_unit_test(a_new_image_is_black),
		cmocka_unit_test(a_box_is_written_from_the_guests_offset),
		cmocka_unit_test(a_box_is_read_to_the_guests_offset),
		cmocka_unit_test(all_2d_formats_are_read_in_the_displays_format),
		cmocka_unit_test(a_backing_that_is_too_small_is_refused),
		cmocka_unit_test(transfers_without_a_backing_are_refused),
		cmocka_unit_test(boxes_outside_the_image_are_refused),
		cmocka_unit_test(resources_that_crash_the_library_are_refused),
		cmocka_unit_test(an_id_in_use_is_refused),
		cmocka_unit_test(a_buffer_keeps_its_bytes),
	};

	return cmocka_run_group_tests(tests, gfxstream_rig_start, gfxstream_rig_stop);
}
