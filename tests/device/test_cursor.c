// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The cursor queue (VIRTIO 1.2, 5.7.6.10). The display accepts only images of 64x64 pixels,
 * a8r8g8b8: a smaller resource is put into the upper left corner of a transparent image.
 */
#include "fixture.h"

#include <string.h>

static struct image cursor_image(struct vmm *vmm, uint32_t id, uint32_t format, uint32_t w,
				 uint32_t h)
{
	struct image i = image_new(vmm, id, format, w, h);

	image_fill(&i, id);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	return i;
}

static uint32_t alpha_of(const struct image *i, uint32_t x, uint32_t y)
{
	const uint8_t *p = i->bytes + ((size_t)y * i->width + x) * 4;

	return (uint32_t)p[i->format == VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM ? 0 : 3] << 24;
}

static void assert_cursor_shows(struct vmm *vmm, uint32_t scanout, const struct image *i)
{
	const struct display_cursor *c = &vmm->display.cursors[scanout];

	for (uint32_t y = 0; y < CURSOR_SIDE; y++) {
		for (uint32_t x = 0; x < CURSOR_SIDE; x++) {
			uint32_t due = 0, is = c->pixels[y * CURSOR_SIDE + x];

			if (x < i->width && y < i->height)
				due = image_pixel(i, x, y) | alpha_of(i, x, y);
			if (is != due)
				vmm_fail("cursor pixel %u,%u is %08x, due is %08x", x, y, is, due);
		}
	}
}

/* ---- refusals ---- */

static void cursor_refuses_an_invalid_scanout(void **state)
{
	struct vmm *vmm = *state;

	cursor_image(vmm, 1, BGRA, 64, 64);
	assert_response(gpu_update_cursor(vmm, 16, 1, 1, 1, 0, 0), RESP_INVALID_SCANOUT_ID);
	assert_response(gpu_update_cursor(vmm, 0xffffffff, 1, 1, 0, 0, 0), RESP_INVALID_SCANOUT_ID);
	assert_response(gpu_move_cursor(vmm, 16, 1, 1, 1), RESP_INVALID_SCANOUT_ID);
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_CURSOR_UPDATE], 0);
	assert_int_equal(vmm->display.counts[DISPLAY_CURSOR_POS], 0);
}

static void cursor_refuses_an_unknown_resource(void **state)
{
	assert_response(gpu_update_cursor(*state, 0, 1, 1, 5, 0, 0), RESP_INVALID_RESOURCE_ID);
	assert_alive(*state);
}

static void cursor_refuses_a_resource_beyond_64_pixels(void **state)
{
	struct vmm *vmm = *state;

	cursor_image(vmm, 1, BGRA, 65, 64);
	cursor_image(vmm, 2, BGRA, 64, 65);
	cursor_image(vmm, 3, BGRA, 4096, 16);
	for (uint32_t id = 1; id <= 3; id++)
		assert_response(gpu_update_cursor(vmm, 0, 1, 1, id, 0, 0), RESP_INVALID_PARAMETER);
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_CURSOR_UPDATE], 0);
}

/* ---- what is shown ---- */

static void a_hot_spot_outside_the_image_is_moved_to_its_edge(void **state)
{
	struct vmm *vmm = *state;

	cursor_image(vmm, 1, BGRA, 64, 64);
	assert_ok(gpu_update_cursor(vmm, 0, 10, 20, 1, 64, 0xffffffff));
	vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, 1);
	assert_int_equal(vmm->display.cursors[0].hot_x, 63);
	assert_int_equal(vmm->display.cursors[0].hot_y, 63);
}

static void cursor_of_64_pixels_is_shown_as_it_is(void **state)
{
	struct vmm *vmm = *state;
	struct image i = cursor_image(vmm, 1, BGRA, 64, 64);
	const struct display_cursor *c = &vmm->display.cursors[0];

	assert_ok(gpu_update_cursor(vmm, 0, 300, 200, 1, 5, 7));
	vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, 1);
	assert_cursor_shows(vmm, 0, &i);
	assert_int_equal(c->x, 300);
	assert_int_equal(c->y, 200);
	assert_int_equal(c->hot_x, 5);
	assert_int_equal(c->hot_y, 7);
}

static void a_smaller_cursor_is_padded_with_transparent_pixels(void **state)
{
	static const uint32_t sizes[][2] = {
		{ 32, 32 }, { 1, 1 }, { 64, 1 }, { 1, 64 }, { 24, 16 }
	};
	struct vmm *vmm = *state;

	for (uint32_t k = 0; k < ARRAY_LENGTH(sizes); k++) {
		struct image i = cursor_image(vmm, k + 1, BGRA, sizes[k][0], sizes[k][1]);

		assert_ok(gpu_update_cursor(vmm, 0, 1, 2, k + 1, 0, 0));
		vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, k + 1);
		assert_cursor_shows(vmm, 0, &i);
	}
}

static void cursor_in_another_byte_order_is_converted(void **state)
{
	static const uint32_t formats[] = { VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM,
					    VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM };
	struct vmm *vmm = *state;

	for (uint32_t k = 0; k < ARRAY_LENGTH(formats); k++) {
		struct image i = cursor_image(vmm, k + 1, formats[k], 64, 64);

		assert_ok(gpu_update_cursor(vmm, 0, 0, 0, k + 1, 0, 0));
		vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, k + 1);
		assert_cursor_shows(vmm, 0, &i);
	}
}

static void cursor_image_is_the_one_at_the_time_of_the_command(void **state)
{
	struct vmm *vmm = *state;
	struct image i = cursor_image(vmm, 1, BGRA, 64, 64);

	for (uint32_t k = 0; k < 20; k++) {
		image_fill(&i, k);
		assert_ok(image_transfer(vmm, &i, image_rect(&i)));
		assert_ok(gpu_update_cursor(vmm, 0, k, k, 1, 0, 0));
	}
	assert_alive(vmm);
	assert_int_equal(vmm->display.cursors[0].x, 19);
	assert_cursor_shows(vmm, 0, &i);
	/* The resource may be destroyed; the image stays. */
	assert_ok(gpu_unref(vmm, 1));
	assert_alive(vmm);
	assert_true(vmm->display.cursors[0].is_visible);
}

static bool is_hidden(struct vmm *vmm, const void *arg)
{
	(void)arg;
	return !vmm->display.cursors[0].is_visible;
}

static void resource_zero_hides_the_cursor(void **state)
{
	struct vmm *vmm = *state;

	cursor_image(vmm, 1, BGRA, 64, 64);
	assert_ok(gpu_update_cursor(vmm, 0, 10, 10, 1, 0, 0));
	vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, 1);
	assert_ok(gpu_update_cursor(vmm, 0, 10, 10, 0, 0, 0));
	vmm_wait(vmm, is_hidden, NULL, "the cursor hidden by UPDATE_CURSOR of resource 0");
	assert_ok(gpu_update_cursor(vmm, 0, 11, 12, 1, 0, 0));
	vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, 2);
	assert_true(vmm->display.cursors[0].is_visible);
	assert_ok(gpu_move_cursor(vmm, 0, 13, 14, 0));
	vmm_wait(vmm, is_hidden, NULL, "the cursor hidden by MOVE_CURSOR of resource 0");
}

static bool is_at_500_400(struct vmm *vmm, const void *arg)
{
	const struct display_cursor *c = &vmm->display.cursors[0];

	(void)arg;
	return c->is_visible && c->x == 500 && c->y == 400;
}

static void move_sends_the_position_only(void **state)
{
	struct vmm *vmm = *state;
	struct image i = cursor_image(vmm, 1, BGRA, 64, 64);

	assert_ok(gpu_update_cursor(vmm, 0, 10, 10, 1, 0, 0));
	vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, 1);
	for (uint32_t x = 0; x <= 500; x += 50)
		assert_ok(gpu_move_cursor(vmm, 0, x, x * 4 / 5, 1));
	vmm_wait(vmm, is_at_500_400, NULL, "the cursor at 500,400");
	assert_int_equal(vmm->display.counts[DISPLAY_CURSOR_UPDATE], 1);
	assert_cursor_shows(vmm, 0, &i);
}

static void each_scanout_has_its_own_cursor(void **state)
{
	struct vmm *vmm = *state;
	struct image a = cursor_image(vmm, 1, BGRA, 64, 64), b = cursor_image(vmm, 2, BGRA, 32, 32);

	assert_ok(gpu_update_cursor(vmm, 0, 1, 1, 1, 0, 0));
	assert_ok(gpu_update_cursor(vmm, 3, 2, 2, 2, 0, 0));
	vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, 2);
	assert_cursor_shows(vmm, 0, &a);
	assert_cursor_shows(vmm, 3, &b);
}

static void cursor_commands_are_served_while_the_display_is_stuck(void **state)
{
	struct vmm *vmm = *state;

	cursor_image(vmm, 1, BGRA, 64, 64);
	vmm->display.is_paused = true;
	/* 500 images of 16 KiB do not fit into any socket. */
	for (uint32_t k = 0; k < 500; k++)
		assert_ok(gpu_update_cursor(vmm, 0, k, k, 1, 0, 0));
	assert_ok(gpu_move_cursor(vmm, 0, 500, 400, 1));
	vmm->display.is_paused = false;
	vmm_wait(vmm, is_at_500_400, NULL, "the cursor at 500,400");
}

static void cursor_commands_on_the_control_queue_work(void **state)
{
	struct vmm *vmm = *state;
	struct image i = cursor_image(vmm, 1, BGRA, 64, 64);
	struct virtio_gpu_update_cursor c = { .hdr = { .type = VIRTIO_GPU_CMD_UPDATE_CURSOR,
						       .flags = VIRTIO_GPU_FLAG_FENCE,
						       .fence_id = 77 },
					      .pos = { .scanout_id = 0, .x = 5, .y = 6 },
					      .resource_id = 1 };
	struct virtio_gpu_ctrl_hdr h;

	assert_ok(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)));
	vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, 1);
	assert_cursor_shows(vmm, 0, &i);
	c.hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR;
	assert_ok(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)));
	assert_alive(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED_TEST(cursor_refuses_an_invalid_scanout),
		BOOTED_TEST(cursor_refuses_an_unknown_resource),
		BOOTED_TEST(cursor_refuses_a_resource_beyond_64_pixels),
		BOOTED_TEST(a_hot_spot_outside_the_image_is_moved_to_its_edge),
		BOOTED_TEST(cursor_of_64_pixels_is_shown_as_it_is),
		BOOTED_TEST(a_smaller_cursor_is_padded_with_transparent_pixels),
		BOOTED_TEST(cursor_in_another_byte_order_is_converted),
		BOOTED_TEST(cursor_image_is_the_one_at_the_time_of_the_command),
		BOOTED_TEST(resource_zero_hides_the_cursor),
		BOOTED_TEST(move_sends_the_position_only),
		BOOTED_TEST(each_scanout_has_its_own_cursor),
		BOOTED_TEST(cursor_commands_are_served_while_the_display_is_stuck),
		BOOTED_TEST(cursor_commands_on_the_control_queue_work),
	};

	return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
