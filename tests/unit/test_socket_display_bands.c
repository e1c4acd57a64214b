// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * How the socket display cuts pixels into bands, what happens if the socket is full within a band
 * and the picture changes, and which messages overtake bands.
 */
#include "socket_rig.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

#define ROWS_A_BAND(width) (SOCKET_BAND_BYTES / 4 / (width))

/* A band of @old is partly sent, and the display reads nothing. */
static void stuck_in_a_band(struct picture *old, struct picture *copy)
{
	picture_init(old, 256, 444, 7); /* 3 bands */
	picture_init(copy, 256, 444, 7);
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &old->base);
	socket_rig_turns(3);
	assert_non_null(socket_rig_display()->output.message);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
}

static void pixels_replaced_within_a_band_are_sent_from_a_copy(void **state)
{
	struct picture old, copy, new;

	(void)state;
	stuck_in_a_band(&old, &copy);
	picture_init(&new, 256, 444, 99);
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &new.base);
	picture_finish(&old);
	socket_rig_expect_update(0, &copy, 0, 0, 256, 200);
	socket_rig_expect_update(0, &new, 0, 0, 256, 200);
	socket_rig_expect_update(0, &new, 0, 200, 256, 200);
	socket_rig_expect_update(0, &new, 0, 400, 256, 44);
	socket_rig_expect_silence();
	picture_finish(&copy);
	display_reset(socket_rig.display);
	picture_finish(&new);
}

static void a_scanout_switched_off_within_a_band_ends_the_band_and_sends_no_update(void **state)
{
	struct picture old, copy;

	(void)state;
	stuck_in_a_band(&old, &copy);
	display_scanout_pixels(socket_rig.display, 0, 0, 0, NULL);
	picture_finish(&old);
	socket_rig_expect_update(0, &copy, 0, 0, 256, 200);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 10, 10 });
	socket_rig_expect_silence();
	picture_finish(&copy);
}

static void pixels_that_move_within_a_band_are_sent_from_a_copy(void **state)
{
	struct picture old, copy;

	(void)state;
	stuck_in_a_band(&old, &copy);
	display_pixels_changed(socket_rig.display, &old.base);
	memset(old.pixels, 0xee, 256 * 300 * 4);
	free(old.pixels);
	picture_init(&old, 256, 444, 55);
	socket_rig_expect_update(0, &copy, 0, 0, 256, 200);
	socket_rig_expect_update(0, &old, 0, 200, 256, 200);
	socket_rig_expect_update(0, &old, 0, 400, 256, 44);
	socket_rig_expect_silence();
	picture_finish(&copy);
	display_reset(socket_rig.display);
	picture_finish(&old);
}

static void a_new_socket_within_a_band_begins_with_a_whole_message(void **state)
{
	struct picture old, copy;
	int former = -1;

	(void)state;
	stuck_in_a_band(&old, &copy);
	socket_rig_connect(0, &former);
	socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
	socket_rig_expect_update(0, &copy, 0, 0, 256, 200);
	socket_rig_expect_update(0, &copy, 0, 200, 256, 200);
	socket_rig_expect_update(0, &copy, 0, 400, 256, 44);
	socket_rig_expect_silence();
	fd_close(&former);
	display_reset(socket_rig.display);
	picture_finish(&old);
	picture_finish(&copy);
}

static void a_frame_is_sent_in_bands_and_a_rectangle_row_by_row(void **state)
{
	struct picture picture;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 1280, 100, 1);
	display_scanout_pixels(socket_rig.display, 0, 1280, 100, &picture.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 1280, 100);
	assert_int_equal(ROWS_A_BAND(1280), 40);
	socket_rig_expect_update(0, &picture, 0, 0, 1280, 40);
	socket_rig_expect_update(0, &picture, 0, 40, 1280, 40);
	socket_rig_expect_update(0, &picture, 0, 80, 1280, 20);
	display_damage(socket_rig.display, 0, &(struct rect){ 1000, 3, 7, 50 });
	socket_rig_expect_update(0, &picture, 1000, 3, 7, 50);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void a_row_wider_than_a_band_is_split(void **state)
{
	const uint32_t half = 30000;
	struct picture picture;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 2 * half, 2, 1);
	display_scanout_pixels(socket_rig.display, 0, 2 * half, 2, &picture.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 2 * half, 2);
	socket_rig_expect_update(0, &picture, 0, 0, half, 1);
	socket_rig_expect_update(0, &picture, 0, 1, half, 1);
	socket_rig_expect_update(0, &picture, half, 0, half, 1);
	socket_rig_expect_update(0, &picture, half, 1, half, 1);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void two_scanouts_take_turns_band_by_band(void **state)
{
	struct picture a, b;

	(void)state;
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	picture_init(&a, 256, 400, 1);
	picture_init(&b, 512, 200, 2);
	display_scanout_pixels(socket_rig.display, 0, 256, 400, &a.base);
	display_scanout_pixels(socket_rig.display, 5, 512, 200, &b.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 400);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 5, 512, 200);
	socket_rig_expect_update(0, &a, 0, 0, 256, 200);
	socket_rig_expect_update(5, &b, 0, 0, 512, 100);
	socket_rig_expect_update(0, &a, 0, 200, 256, 200);
	socket_rig_expect_update(5, &b, 0, 100, 512, 100);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 5, 0, 0);
	socket_rig_expect_silence();
	picture_finish(&a);
	picture_finish(&b);
}

static void cursor_moves_coalesce_and_overtake_the_bands(void **state)
{
	struct display_cursor cursor = { .x = 1, .y = 2, .hot_x = 3, .hot_y = 4 };
	struct picture old, copy;

	(void)state;
	for (size_t i = 0; i < 64 * 64; i++)
		cursor.pixels[i] = (uint32_t)i * 77;
	stuck_in_a_band(&old, &copy);
	display_cursor_set(socket_rig.display, 0, &cursor);
	for (uint32_t i = 0; i < 100; i++)
		display_cursor_move(socket_rig.display, 0, 100 + i, 200 + i, true);
	cursor.x = 199;
	cursor.y = 299;
	socket_rig_expect_update(0, &copy, 0, 0, 256, 200);
	socket_rig_expect_cursor(0, &cursor);
	display_cursor_move(socket_rig.display, 0, 5, 6, true);
	socket_rig_expect_update(0, &copy, 0, 200, 256, 200);
	socket_rig_expect_words(VHOST_USER_GPU_CURSOR_POS, 0, 5, 6);
	socket_rig_expect_update(0, &copy, 0, 400, 256, 44);
	display_cursor_move(socket_rig.display, 0, 7, 8, true);
	display_cursor_move(socket_rig.display, 0, 9, 9, false);
	socket_rig_expect_words(VHOST_USER_GPU_CURSOR_POS_HIDE, 0, 9, 9);
	/* A cursor image that is set while hidden is sent when the cursor is shown. */
	cursor.pixels[0] = 5;
	display_cursor_set(socket_rig.display, 0, &cursor);
	display_cursor_move(socket_rig.display, 0, 9, 9, false);
	socket_rig_expect_words(VHOST_USER_GPU_CURSOR_POS_HIDE, 0, 9, 9);
	display_cursor_move(socket_rig.display, 0, 10, 11, true);
	cursor.x = 10;
	cursor.y = 11;
	socket_rig_expect_cursor(0, &cursor);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	socket_rig_expect_words(VHOST_USER_GPU_CURSOR_POS_HIDE, 0, 10, 11);
	socket_rig_expect_silence();
	picture_finish(&old);
	picture_finish(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALONE(pixels_replaced_within_a_band_are_sent_from_a_copy),
		ALONE(a_scanout_switched_off_within_a_band_ends_the_band_and_sends_no_update),
		ALONE(pixels_that_move_within_a_band_are_sent_from_a_copy),
		ALONE(a_new_socket_within_a_band_begins_with_a_whole_message),
		ALONE(a_frame_is_sent_in_bands_and_a_rectangle_row_by_row),
		ALONE(a_row_wider_than_a_band_is_split),
		ALONE(two_scanouts_take_turns_band_by_band),
		ALONE(cursor_moves_coalesce_and_overtake_the_bands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
