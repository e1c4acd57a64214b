// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * How the vhost-user-gpu display sends a large UPDATE band by band: that it is one message, what is
 * sent of it when its picture goes away, and what is sent before and after it.
 */
#include "socket_rig.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

/* An UPDATE of @old is partly out, and the peer reads nothing. */
static void stuck_in_an_update(struct picture *old, struct picture *copy)
{
	picture_init(old, 256, 444, 7);
	picture_init(copy, 256, 444, 7);
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &old->base);
	socket_rig_turns(3);
	assert_non_null(socket_rig_display()->output.message);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
}

static void a_source_replaced_in_an_update_is_completed_from_the_new_one(void **state)
{
	struct picture old, copy, new;

	(void)state;
	stuck_in_an_update(&old, &copy);
	picture_init(&new, 256, 444, 99);
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &new.base);
	picture_finish(&old);
	socket_rig_expect_mixed_update(&copy, &new);
	socket_rig_expect_update(0, &new, 0, 0, 256, 444);
	socket_rig_expect_silence();
	picture_finish(&copy);
	display_reset(socket_rig.display);
	picture_finish(&new);
}

static void a_scanout_off_in_an_update_ends_it_and_no_other_follows(void **state)
{
	struct picture old, copy;

	(void)state;
	stuck_in_an_update(&old, &copy);
	display_scanout_pixels(socket_rig.display, 0, 0, 0, NULL);
	picture_finish(&old);
	socket_rig_expect_mixed_update(&copy, NULL);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 10, 10 });
	socket_rig_expect_silence();
	picture_finish(&copy);
}

static void switching_a_scanout_off_does_not_end_an_update_of_another_with_its_source(void **state)
{
	struct picture old, copy;

	(void)state;
	stuck_in_an_update(&old, &copy);
	display_scanout_pixels(socket_rig.display, 1, 256, 100, &old.base);
	display_scanout_pixels(socket_rig.display, 1, 0, 0, NULL);
	socket_rig_expect_update(0, &copy, 0, 0, 256, 444);
	socket_rig_expect_silence();
	picture_finish(&copy);
	display_reset(socket_rig.display);
	picture_finish(&old);
}

static void a_screen_resized_in_an_update_is_sent_whole_after_it(void **state)
{
	struct picture old, copy, new;

	(void)state;
	stuck_in_an_update(&old, &copy);
	picture_init(&new, 300, 400, 99);
	display_scanout_pixels(socket_rig.display, 0, 300, 400, &new.base);
	picture_finish(&old);
	socket_rig_expect_mixed_update(&copy, NULL);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 300, 400);
	socket_rig_expect_update(0, &new, 0, 0, 300, 400);
	socket_rig_expect_silence();
	picture_finish(&copy);
	display_reset(socket_rig.display);
	picture_finish(&new);
}

static void an_update_without_a_source_gets_no_other_one(void **state)
{
	struct picture old, copy, small[2];

	(void)state;
	stuck_in_an_update(&old, &copy);
	for (unsigned i = 0; i < 2; i++) {
		picture_init(&small[i], 30, 40, i);
		display_scanout_pixels(socket_rig.display, 0, 30, 40, &small[i].base);
	}
	picture_finish(&old);
	socket_rig_expect_mixed_update(&copy, NULL);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 30, 40);
	socket_rig_expect_update(0, &small[1], 0, 0, 30, 40);
	socket_rig_expect_silence();
	picture_finish(&copy);
	display_reset(socket_rig.display);
	picture_finish(&small[0]);
	picture_finish(&small[1]);
}

static void a_source_that_moves_in_an_update_is_read_at_its_new_place(void **state)
{
	struct picture old, copy;

	(void)state;
	stuck_in_an_update(&old, &copy);
	display_pixels_changed(socket_rig.display, &old.base);
	memset(old.pixels, 0xee, 256 * 300 * 4);
	free(old.pixels);
	picture_init(&old, 256, 444, 55);
	socket_rig_expect_mixed_update(&copy, &old);
	socket_rig_expect_silence();
	picture_finish(&copy);
	display_reset(socket_rig.display);
	picture_finish(&old);
}

/* A piece has 100 pixels. The source moves about every 250 pixels, and its pieces are looked up
 * again. */
static void a_source_in_tiny_pieces_that_moves_in_an_update_is_sent_whole(void **state)
{
	struct picture old, copy;

	(void)state;
	picture_init(&old, 256, 444, 7);
	picture_init(&copy, 256, 444, 7);
	old.piece_limit = 100;
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &old.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
	socket_rig_expect_header(VHOST_USER_GPU_UPDATE, 20 + 256 * 444 * 4);
	socket_rig_read((uint8_t[20]){ 0 }, 20);
	for (size_t at = 0, n; at < 256 * 444 * 4; at += n) {
		uint8_t got[1001];

		n = MIN(sizeof(got), 256 * 444 * 4 - at);
		socket_rig_read(got, n);
		assert_memory_equal(got, (uint8_t *)copy.pixels + at, n);
		display_pixels_changed(socket_rig.display, &old.base);
	}
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&old);
	picture_finish(&copy);
}

static void memory_removed_during_an_update_is_sent_as_zeros(void **state)
{
	struct picture old, copy;

	(void)state;
	stuck_in_an_update(&old, &copy);
	display_pixels_changed(socket_rig.display, &old.base);
	old.rows_error = -EFAULT;
	socket_rig_expect_mixed_update(&copy, NULL);
	socket_rig_expect_silence();
	picture_finish(&copy);
	display_reset(socket_rig.display);
	picture_finish(&old);
}

static void a_peer_is_awaited_as_long_as_it_reads_a_message(void **state)
{
	struct picture old, copy;
	unsigned n = 0;

	(void)state;
	stuck_in_an_update(&old, &copy);
	while (display_is_awaited(socket_rig.display))
		assert_true(n++ < 1000); /* it does not read */
	assert_true(n > 0);
	socket_rig_expect_header(VHOST_USER_GPU_UPDATE, 20 + 256 * 444 * 4);
	socket_rig_read((uint8_t[20000]){ 0 }, 20000);
	socket_rig_turns(1);
	assert_true(display_is_awaited(socket_rig.display));
	socket_rig_read(copy.pixels, 20 + 256 * 444 * 4 - 20000);
	socket_rig_turns(1);
	assert_false(display_is_awaited(socket_rig.display));
	picture_finish(&copy);
	display_reset(socket_rig.display);
	picture_finish(&old);
}

/* What the watchdog does while the main thread is in a call. */
static void another_thread_sends_the_rest_of_a_message_and_no_other(void **state)
{
	const size_t size = 12 + 20 + 256 * 444 * 4;
	uint8_t *bytes = malloc(size);
	struct picture old, copy;
	size_t at = 0;
	ssize_t n;

	(void)state;
	stuck_in_an_update(&old, &copy);
	assert_true(loop_find_writer(&socket_rig.loop) >= 0);
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 9, 9 });
	while ((n = socket_rig_recv(bytes + at, size - at)) > 0) {
		at += (size_t)n;
		loop_write(&socket_rig.loop);
	}
	assert_int_equal(at, size);
	assert_memory_equal(bytes + 32, copy.pixels, size - 32);
	assert_int_equal(loop_find_writer(&socket_rig.loop), -1);
	loop_write(&socket_rig.loop);
	assert_int_equal(socket_rig_recv(bytes, 1), -1);
	socket_rig_expect_update(0, &copy, 0, 0, 9, 9); /* the main thread goes on */
	socket_rig_expect_silence();
	free(bytes);
	picture_finish(&copy);
	display_reset(socket_rig.display);
	picture_finish(&old);
}

static void a_new_socket_in_an_update_begins_with_whole_messages(void **state)
{
	struct picture old, copy;
	int former = -1;

	(void)state;
	stuck_in_an_update(&old, &copy);
	socket_rig_connect(0, &former);
	socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
	socket_rig_expect_update(0, &copy, 0, 0, 256, 444);
	socket_rig_expect_silence();
	fd_close(&former);
	display_reset(socket_rig.display);
	picture_finish(&old);
	picture_finish(&copy);
}

/* Otherwise a screenshot between two messages would show parts of two frames. */
static void a_frame_is_one_message(void **state)
{
	struct picture picture;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 1280, 800, 1);
	display_scanout_pixels(socket_rig.display, 0, 1280, 800, &picture.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 1280, 800);
	socket_rig_expect_update(0, &picture, 0, 0, 1280, 800);
	display_damage(socket_rig.display, 0, &(struct rect){ 1000, 3, 7, 500 });
	socket_rig_expect_update(0, &picture, 1000, 3, 7, 500);
	/* Rows that are so short that they are copied together before they are sent. */
	display_damage(socket_rig.display, 0, &(struct rect){ 10, 3, 200, 790 });
	socket_rig_expect_update(0, &picture, 10, 3, 200, 790);
	/* Longer rows, which are sent from the source's memory, an iovec for each. */
	display_damage(socket_rig.display, 0, &(struct rect){ 10, 3, 900, 790 });
	socket_rig_expect_update(0, &picture, 10, 3, 900, 790);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void a_row_wider_than_a_call_is_sent_in_parts(void **state)
{
	const uint32_t width = 600000;
	struct picture picture;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, width, 2, 1);
	display_scanout_pixels(socket_rig.display, 0, width, 2, &picture.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, width, 2);
	socket_rig_expect_update(0, &picture, 0, 0, width, 2);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void more_than_the_largest_update_goes_in_two(void **state)
{
	const uint32_t rows = SOCKET_UPDATE_BYTES / 4 / 8000;
	struct picture picture;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 8000, rows + 5, 1);
	display_scanout_pixels(socket_rig.display, 0, 8000, rows + 5, &picture.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 8000, rows + 5);
	socket_rig_expect_update(0, &picture, 0, 0, 8000, rows);
	socket_rig_expect_update(0, &picture, 0, rows, 8000, 5);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void two_scanouts_take_turns(void **state)
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
	socket_rig_turns(3);
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 256, 400 });
	socket_rig_expect_update(0, &a, 0, 0, 256, 400);
	socket_rig_expect_update(5, &b, 0, 0, 512, 200);
	socket_rig_expect_update(0, &a, 0, 0, 256, 400);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 5, 0, 0);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	socket_rig_expect_silence();
	picture_finish(&a);
	picture_finish(&b);
}

static void cursor_moves_coalesce_and_come_before_the_next_update(void **state)
{
	struct display_cursor cursor = { .x = 1, .y = 2, .hot_x = 3, .hot_y = 4 };
	struct picture old, copy;

	(void)state;
	for (size_t i = 0; i < 64 * 64; i++)
		cursor.pixels[i] = (uint32_t)i * 77;
	stuck_in_an_update(&old, &copy);
	display_cursor_set(socket_rig.display, 0, &cursor);
	for (uint32_t i = 0; i < 100; i++)
		display_cursor_move(socket_rig.display, 0, 100 + i, 200 + i, true);
	cursor.x = 199;
	cursor.y = 299;
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 256, 200 });
	socket_rig_expect_update(0, &copy, 0, 0, 256, 444);
	socket_rig_expect_cursor(0, &cursor);
	display_cursor_move(socket_rig.display, 0, 5, 6, true);
	socket_rig_expect_update(0, &copy, 0, 0, 256, 200);
	socket_rig_expect_words(VHOST_USER_GPU_CURSOR_POS, 0, 5, 6);
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
		ALONE(a_source_replaced_in_an_update_is_completed_from_the_new_one),
		ALONE(a_scanout_off_in_an_update_ends_it_and_no_other_follows),
		ALONE(switching_a_scanout_off_does_not_end_an_update_of_another_with_its_source),
		ALONE(a_screen_resized_in_an_update_is_sent_whole_after_it),
		ALONE(an_update_without_a_source_gets_no_other_one),
		ALONE(a_source_that_moves_in_an_update_is_read_at_its_new_place),
		ALONE(a_source_in_tiny_pieces_that_moves_in_an_update_is_sent_whole),
		ALONE(memory_removed_during_an_update_is_sent_as_zeros),
		ALONE(a_peer_is_awaited_as_long_as_it_reads_a_message),
		ALONE(another_thread_sends_the_rest_of_a_message_and_no_other),
		ALONE(a_new_socket_in_an_update_begins_with_whole_messages),
		ALONE(a_frame_is_one_message),
		ALONE(a_row_wider_than_a_call_is_sent_in_parts),
		ALONE(more_than_the_largest_update_goes_in_two),
		ALONE(two_scanouts_take_turns),
		ALONE(cursor_moves_coalesce_and_come_before_the_next_update),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
