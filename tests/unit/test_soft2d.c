// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The CPU renderer against precomputed bytes, with backings that are cut in odd places.
 */
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "render/null.h"
#include "render/renderer.h"
#include "render/soft2d.h"

#define MAX_PIECES 64

struct fixture {
	struct renderer *renderer;
	struct renderer_resource *resource;
	struct renderer_pixels pixels;
	uint8_t *guest;
	uint8_t *copies[MAX_PIECES]; /* each piece has its own allocation, so that ASan notices an
					access outside */
	struct iovec iov[MAX_PIECES];
	int n_iov;
};

static void setup_resource(struct fixture *f, uint32_t format, uint32_t width, uint32_t height)
{
	const struct renderer_resource_args args = {
		.id = 1,
		.target = 2,
		.format = format,
		.width = width,
		.height = height,
		.depth = 1,
		.array_size = 1,
		.is_2d = true,
	};

	*f = (struct fixture){ .renderer = soft2d_renderer_new(0) };
	assert_int_equal(f->renderer->ops->resource_create(f->renderer, &args, &f->resource), 0);
	assert_true(f->renderer->ops->pixels(f->renderer, f->resource, &f->pixels));
	assert_int_equal(f->pixels.width, width);
	assert_int_equal(f->pixels.height, height);
	assert_int_equal(f->pixels.stride, width * 4);
}

/* Cuts @len bytes of @data into pieces of the sizes in @cuts, repeated. */
static void setup_backing(struct fixture *f, const uint8_t *data, size_t len, const size_t *cuts,
			  int n_cuts)
{
	for (int i = 0; len > 0; i++) {
		size_t n = MIN(len, cuts[i % n_cuts]);

		assert_true(i < MAX_PIECES);
		f->copies[i] = g_memdup2(data, n);
		f->iov[i] = (struct iovec){ f->copies[i], n };
		f->n_iov = i + 1;
		data += n;
		len -= n;
	}
}

static int transfer(struct fixture *f, uint32_t x, uint32_t y, uint32_t width, uint32_t height,
		    uint64_t offset)
{
	const struct renderer_transfer t = {
		.box = { x, y, 0, width, height, 1 },
		.offset = offset,
		.iov = f->iov,
		.n_iov = f->n_iov,
	};

	return f->renderer->ops->transfer_to_host(f->renderer, f->resource, &t);
}

static void teardown(struct fixture *f)
{
	f->renderer->ops->resource_free(f->renderer, f->resource);
	renderer_free(f->renderer);
	for (int i = 0; i < f->n_iov; i++)
		g_free(f->copies[i]);
}

static void invalid_resources_are_refused(void **state)
{
	static const struct {
		struct renderer_resource_args args;
		int error;
	} cases[] = {
		{ { .format = 1, .width = 4, .height = 4 }, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER },
		{ { .format = 0, .width = 4, .height = 4, .is_2d = true },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER },
		{ { .format = 5, .width = 4, .height = 4, .is_2d = true },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER },
		{ { .format = 1, .width = 0, .height = 4, .is_2d = true },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER },
		{ { .format = 1, .width = 4, .height = 0, .is_2d = true },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER },
		{ { .format = 1, .width = 0x40000000, .height = 1, .is_2d = true },
		  VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY },
		{ { .format = 1, .width = 0x3fffffff, .height = 0xffffffff, .is_2d = true },
		  VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY },
	};
	struct renderer *renderer = soft2d_renderer_new(0);

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct renderer_resource *resource;

		assert_int_equal(
			renderer->ops->resource_create(renderer, &cases[i].args, &resource),
			cases[i].error);
	}
	renderer_free(renderer);
	(void)state;
}

static void boxes_outside_the_resource_are_refused(void **state)
{
	static const uint8_t data[4 * 4 * 4];
	static const size_t cuts[] = { sizeof(data) };
	static const uint32_t boxes[][4] = {
		{ 5, 0, 0, 1 }, { 4, 0, 1, 1 },          { 0, 4, 1, 1 },
		{ 1, 0, 4, 1 }, { 0, 0, 0x80000001, 1 }, { 2, 2, 0xffffffff, 0xffffffff },
	};
	struct fixture f;

	setup_resource(&f, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 4, 4);
	setup_backing(&f, data, sizeof(data), cuts, 1);
	for (unsigned i = 0; i < G_N_ELEMENTS(boxes); i++)
		assert_int_equal(
			transfer(&f, boxes[i][0], boxes[i][1], boxes[i][2], boxes[i][3], 0),
			VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(transfer(&f, 4, 4, 0, 0, 0), 0);
	teardown(&f);
	(void)state;
}

static void a_transfer_stops_where_the_backing_ends(void **state)
{
	static const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	static const uint8_t same[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 0, 0, 0, 0 };
	static const size_t cuts[] = { 3, 5 };
	struct fixture f;

	setup_resource(&f, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 2, 2);
	setup_backing(&f, data, sizeof(data), cuts, 2);
	assert_int_equal(transfer(&f, 0, 0, 2, 2, 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_memory_equal(f.pixels.data, same, 16);
	assert_int_equal(transfer(&f, 0, 0, 1, 1, 11), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(transfer(&f, 0, 0, 1, 1, UINT64_MAX),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	teardown(&f);
	(void)state;
}

static void a_transfer_without_a_backing_is_refused(void **state)
{
	struct fixture f;

	setup_resource(&f, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 2, 2);
	assert_int_equal(transfer(&f, 0, 0, 1, 1, 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	teardown(&f);
	(void)state;
}

static void every_format_is_stored_as_b_g_r_a(void **state)
{
	/* Blue 0xb0, green 0x40, red 0x0e, alpha 0xa1, in the order of each format. */
	static const struct {
		uint32_t format;
		uint8_t guest[4], host[4];
	} cases[] = {
		{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		  { 0xb0, 0x40, 0x0e, 0xa1 },
		  { 0xb0, 0x40, 0x0e, 0xa1 } },
		{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		  { 0xb0, 0x40, 0x0e, 0x77 },
		  { 0xb0, 0x40, 0x0e, 0x77 } },
		{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM,
		  { 0xa1, 0x0e, 0x40, 0xb0 },
		  { 0xb0, 0x40, 0x0e, 0xa1 } },
		{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM,
		  { 0x77, 0x0e, 0x40, 0xb0 },
		  { 0xb0, 0x40, 0x0e, 0xff } },
		{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM,
		  { 0x0e, 0x40, 0xb0, 0xa1 },
		  { 0xb0, 0x40, 0x0e, 0xa1 } },
		{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM,
		  { 0x77, 0xb0, 0x40, 0x0e },
		  { 0xb0, 0x40, 0x0e, 0xff } },
		{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM,
		  { 0xa1, 0xb0, 0x40, 0x0e },
		  { 0xb0, 0x40, 0x0e, 0xa1 } },
		{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM,
		  { 0x0e, 0x40, 0xb0, 0x77 },
		  { 0xb0, 0x40, 0x0e, 0xff } },
	};
	static const size_t cuts[] = { 7, 1, 3, 12, 5 };

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct fixture f;
		uint8_t data[5 * 3 * 4];

		for (unsigned p = 0; p < sizeof(data); p += 4)
			memcpy(data + p, cases[i].guest, 4);
		setup_resource(&f, cases[i].format, 5, 3);
		setup_backing(&f, data, sizeof(data), cuts, G_N_ELEMENTS(cuts));
		assert_int_equal(transfer(&f, 0, 0, 5, 3, 0), 0);
		for (unsigned p = 0; p < sizeof(data); p += 4)
			assert_memory_equal(f.pixels.data + p, cases[i].host, 4);
		teardown(&f);
	}
	(void)state;
}

/* Every box of a 6 x 5 resource, compared with a copy pixel by pixel. */
static void check_all_boxes(uint32_t format, const uint8_t order[4])
{
	enum { W = 6, H = 5, SIZE = W * H * 4 };
	static const size_t cuts[] = { 5, 0, 2, 17, 1, 9 };
	uint8_t data[SIZE], zero[SIZE] = { 0 };
	struct fixture f;

	for (unsigned i = 0; i < SIZE; i++)
		data[i] = (uint8_t)(i + 1);
	setup_resource(&f, format, W, H);
	/* The first piece has no bytes, and the 0 in cuts makes more such pieces. */
	f.iov[0] = (struct iovec){ NULL, 0 };
	f.n_iov = 1;
	size_t at = 0;
	for (unsigned c = 0; at < SIZE; c = (c + 1) % G_N_ELEMENTS(cuts)) {
		size_t n = MIN(SIZE - at, cuts[c]);

		f.copies[f.n_iov] = g_memdup2(data + at, n);
		f.iov[f.n_iov] = (struct iovec){ f.copies[f.n_iov], n };
		f.n_iov++;
		at += n;
	}
	for (uint32_t box = 0; box < W * H * W * H; box++) {
		uint32_t x = box % W, y = box / W % H, w = box / (W * H) % W + 1,
			 h = box / (W * H * W) + 1;
		uint8_t expected[SIZE] = { 0 };

		if (x + w > W || y + h > H)
			continue;
		memcpy((uint8_t *)f.pixels.data, zero, SIZE);
		for (uint32_t p = 0; p < w * h; p++) {
			unsigned o = ((y + p / w) * W + x + p % w) * 4;

			for (unsigned b = 0; b < 4; b++)
				expected[o + b] = data[o + order[b]];
		}
		assert_int_equal(transfer(&f, x, y, w, h, (y * W + x) * 4), 0);
		assert_memory_equal(f.pixels.data, expected, SIZE);
	}
	teardown(&f);
}

static void every_box_is_written_to_its_place(void **state)
{
	check_all_boxes(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, (const uint8_t[]){ 0, 1, 2, 3 });
	(void)state;
}

static void every_box_is_converted_in_its_place(void **state)
{
	check_all_boxes(VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, (const uint8_t[]){ 2, 1, 0, 3 });
	(void)state;
}

static void an_offset_need_not_match_the_box(void **state)
{
	static const uint8_t data[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	static const size_t cuts[] = { 4 };
	struct fixture f;

	setup_resource(&f, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 1, 3);
	setup_backing(&f, data, sizeof(data), cuts, 1);
	assert_int_equal(transfer(&f, 0, 1, 1, 2, 3), 0);
	assert_memory_equal(f.pixels.data, ((uint8_t[]){ 0, 0, 0, 0, 3, 4, 5, 6, 7, 8, 9, 10 }),
			    12);
	teardown(&f);
	(void)state;
}

static void a_stride_of_the_guest_is_honoured(void **state)
{
	static const uint8_t data[] = { 1, 2, 3, 4, 99, 5, 6, 7, 8, 99 };
	struct iovec iov = { (void *)data, sizeof(data) };
	struct renderer_transfer t = {
		.stride = 5,
		.box = { 0, 0, 0, 1, 2, 1 },
		.iov = &iov,
		.n_iov = 1,
	};
	struct fixture f;

	setup_resource(&f, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 1, 2);
	assert_int_equal(f.renderer->ops->transfer_to_host(f.renderer, f.resource, &t), 0);
	assert_memory_equal(f.pixels.data, ((uint8_t[]){ 1, 2, 3, 4, 5, 6, 7, 8 }), 8);
	t.stride = 3;
	assert_int_equal(f.renderer->ops->transfer_to_host(f.renderer, f.resource, &t),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	teardown(&f);
	(void)state;
}

static void a_new_resource_is_black(void **state)
{
	static const uint32_t sizes[] = { 3, 1024 };

	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		struct fixture f;

		setup_resource(&f, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, sizes[i], sizes[i]);
		for (size_t p = 0; p < (size_t)f.pixels.stride * sizes[i]; p++)
			assert_int_equal(f.pixels.data[p], 0);
		teardown(&f);
	}
	(void)state;
}

static void a_large_resource_is_freed_in_steps_and_cannot_be_used(void **state)
{
	struct fixture f;
	const uint8_t pixel[4] = { 1, 2, 3, 4 };
	const size_t cuts[] = { 4 };
	unsigned n = 0;

	(void)state;
	setup_resource(&f, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 1920, 4096);
	setup_backing(&f, pixel, sizeof(pixel), cuts, 1);
	assert_int_equal(transfer(&f, 0, 0, 1, 1, 0), 0);
	while (f.renderer->ops->resource_shrink(f.renderer, f.resource))
		n++;
	assert_in_range(n, 8, 30);
	assert_false(f.renderer->ops->resource_shrink(f.renderer, f.resource));
	assert_int_equal(transfer(&f, 0, 0, 1, 1, 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_true(f.renderer->ops->pixels(f.renderer, f.resource, &f.pixels));
	assert_int_equal(f.pixels.height, 0);
	teardown(&f);
}

static void a_small_resource_is_freed_at_once(void **state)
{
	struct fixture f;

	(void)state;
	setup_resource(&f, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 16, 16);
	assert_false(f.renderer->ops->resource_shrink(f.renderer, f.resource));
	teardown(&f);
}

static void the_null_renderer_accepts_everything(void **state)
{
	const struct renderer_resource_args args = { .id = 1, .target = 99 };
	const struct renderer_transfer t = { .box = { 9, 9, 9, 9, 9, 9 } };
	struct renderer *renderer = null_renderer_new(0);
	struct renderer_resource *resource = NULL;

	assert_int_equal(renderer->ops->resource_create(renderer, &args, &resource), 0);
	assert_non_null(resource);
	assert_int_equal(renderer->ops->transfer_to_host(renderer, resource, &t), 0);
	assert_int_equal(renderer->ops->context_create(renderer, 1, 0, "", 0), 0);
	assert_int_equal(renderer->ops->submit(renderer, 2, NULL, 0), 0);
	assert_null(renderer->ops->pixels);
	renderer->ops->context_free(renderer, 1);
	renderer->ops->resource_free(renderer, resource);
	renderer_free(renderer);
	renderer_free(NULL);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invalid_resources_are_refused),
		cmocka_unit_test(boxes_outside_the_resource_are_refused),
		cmocka_unit_test(a_transfer_stops_where_the_backing_ends),
		cmocka_unit_test(a_transfer_without_a_backing_is_refused),
		cmocka_unit_test(every_format_is_stored_as_b_g_r_a),
		cmocka_unit_test(every_box_is_written_to_its_place),
		cmocka_unit_test(every_box_is_converted_in_its_place),
		cmocka_unit_test(an_offset_need_not_match_the_box),
		cmocka_unit_test(a_stride_of_the_guest_is_honoured),
		cmocka_unit_test(a_new_resource_is_black),
		cmocka_unit_test(a_large_resource_is_freed_in_steps_and_cannot_be_used),
		cmocka_unit_test(a_small_resource_is_freed_at_once),
		cmocka_unit_test(the_null_renderer_accepts_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
