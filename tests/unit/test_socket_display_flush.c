// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A flush in the second half of the interval begins the frame, and nothing else begins it before it
 * is due.
 */
#include "socket_frame.h"

/* The damage of 8x8 waits, and the timer is armed: it sends the frame when the interval is over. */
static void expect_frame_when_due(void)
{
	assert_true(socket_frame_timer_is_armed());
	socket_frame_end_interval();
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 8, 8);
}

/* The timer of earlier damage may fire after a frame that began early. */
static void a_timer_that_fires_before_a_frame_is_due_sends_nothing(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_damage(0, 0, 8, 8);
	socket_frame_wait_until_due_in(SOCKET_FRAME_HOUR / 3);
	loop_timer_disarm(&socket_rig_display()->pace_timer);
	socket_pace_expire(&socket_rig_display()->pace_timer);
	socket_rig_expect_silence();
	expect_frame_when_due();
	socket_frame_hide();
}

static void a_guest_that_flushes_no_more_gets_its_last_frame_when_it_is_due(void **state)
{
	static const struct display_cursor cursor = { .x = 3, .y = 4, .pixels = { 5 } };

	(void)state;
	socket_frame_show();
	socket_frame_damage(0, 0, 8, 8);
	socket_frame_wait_until_due_in(SOCKET_FRAME_HOUR / 3);
	display_cursor_set(socket_rig.display, 0, &cursor);
	socket_rig_expect_cursor(0, &cursor);
	socket_rig_expect_silence();
	expect_frame_when_due();
	socket_frame_hide();
}

static void a_flush_in_the_first_half_of_the_interval_begins_no_frame(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_wait_until_due_in(SOCKET_FRAME_HOUR / 2 + SOCKET_FRAME_MINUTE);
	socket_frame_damage(0, 0, 8, 8);
	socket_rig_expect_silence();
	assert_true(socket_frame_timer_is_armed());
	socket_frame_hide();
}

static void a_flush_in_the_second_half_of_the_interval_begins_the_frame(void **state)
{
	uint64_t due;

	(void)state;
	socket_frame_show();
	picture_fill(&socket_frame_shown, 2);
	socket_frame_damage(0, 0, 8, 8);
	due = socket_frame_wait_until_due_in(SOCKET_FRAME_HOUR / 2 - SOCKET_FRAME_MINUTE);
	socket_frame_damage(8, 8, 8, 8);
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 16, 16);
	socket_rig_expect_silence();
	assert_int_equal(socket_frame_scanout()->next_frame,
			 due + SOCKET_FRAME_HOUR); /* the average rate stays */
	socket_frame_damage(0, 0, 8, 8);
	socket_rig_expect_silence();
	socket_frame_hide();
}

static void a_page_flip_in_the_second_half_of_the_interval_begins_the_frame(void **state)
{
	struct picture next;

	(void)state;
	socket_frame_show();
	picture_init(&next, 64, 64, 2);
	socket_frame_wait_until_due_in(SOCKET_FRAME_HOUR / 3);
	display_scanout_pixels(socket_rig.display, 0, 64, 64, &next.base);
	picture_finish(&socket_frame_shown);
	socket_rig_expect_update(0, &next, 0, 0, 64, 64);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&next);
}

static void a_flush_of_one_scanout_begins_no_frame_of_another(void **state)
{
	static const struct display_cursor cursor = { .x = 3, .y = 4, .pixels = { 5 } };
	struct picture other;

	(void)state;
	socket_frame_show();
	picture_init(&other, 64, 64, 2);
	display_scanout_pixels(socket_rig.display, 1, 64, 64, &other.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 1, 64, 64);
	socket_rig_expect_update(1, &other, 0, 0, 64, 64);
	socket_frame_damage(0, 0, 8, 8);
	socket_frame_wait_until_due_in(SOCKET_FRAME_HOUR / 3);
	display_cursor_set(socket_rig.display, 0, &cursor);
	display_damage(socket_rig.display, 1, &(struct rect){ 0, 0, 8, 8 });
	socket_rig_expect_cursor(0, &cursor);
	socket_rig_expect_silence();
	socket_frame_hide();
	display_reset(socket_rig.display);
	picture_finish(&other);
}

#define LARGE_WIDTH  512
#define LARGE_HEIGHT 600 /* more than is prepared in one turn */

static void show_large(unsigned scanout, struct picture *picture)
{
	picture_init(picture, LARGE_WIDTH, LARGE_HEIGHT, scanout + 1);
	picture->base.ops = &picture_prepared_ops;
	display_scanout_pixels(socket_rig.display, scanout, LARGE_WIDTH, LARGE_HEIGHT,
			       &picture->base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, scanout, LARGE_WIDTH, LARGE_HEIGHT);
	socket_rig_expect_update(scanout, picture, 0, 0, LARGE_WIDTH, LARGE_HEIGHT);
}

static void two_large_scanouts_that_were_flushed_together_both_begin_their_frames(void **state)
{
	const struct rect all = { 0, 0, LARGE_WIDTH, LARGE_HEIGHT };
	struct picture pictures[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		socket_rig_display()->scanouts[i].interval = SOCKET_FRAME_HOUR;
		show_large(i, &pictures[i]);
	}
	socket_rig_expect_silence();
	socket_rig_display()->scanouts[1].next_frame =
		socket_frame_wait_until_due_in(SOCKET_FRAME_HOUR / 3);
	for (unsigned i = 0; i < 2; i++)
		display_damage(socket_rig.display, i, &all);
	for (unsigned i = 0; i < 2; i++)
		socket_rig_expect_update(i, &pictures[i], 0, 0, LARGE_WIDTH, LARGE_HEIGHT);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	for (unsigned i = 0; i < 2; i++)
		picture_finish(&pictures[i]);
}

static void a_scanout_that_is_switched_off_after_its_flush_sends_no_frame(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_wait_until_due_in(SOCKET_FRAME_HOUR / 3);
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 8, 8 });
	socket_frame_hide();
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	socket_rig_expect_silence();
}

static void a_reset_after_a_flush_sends_no_frame(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_wait_until_due_in(SOCKET_FRAME_HOUR / 3);
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 8, 8 });
	display_reset(socket_rig.display);
	picture_finish(&socket_frame_shown);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	socket_rig_expect_silence();
}

static void a_flush_without_a_front_end_begins_no_later_frame(void **state)
{
	(void)state;
	socket_frame_show();
	display_set_socket(socket_rig.display, -1);
	socket_frame_damage(0, 0, 8, 8);
	socket_rig_connect(0, NULL);
	socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 64, 64);
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 64, 64);
	assert_int_equal(socket_rig_display()->flushed, 0);
	socket_frame_hide();
}

/* The end of a frame is no moment at which the renderer is idle. */
static void a_flush_while_the_display_does_not_read_begins_no_frame_before_it_is_due(void **state)
{
	(void)state;
	socket_frame_stick(NULL);
	socket_frame_wait_until_due_in(SOCKET_FRAME_HOUR / 3);
	socket_frame_damage(0, 0, 8, 8);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 256, 444);
	socket_rig_expect_silence();
	expect_frame_when_due();
	socket_rig_expect_silence();
	socket_frame_hide();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONNECTED(a_timer_that_fires_before_a_frame_is_due_sends_nothing),
		CONNECTED(a_guest_that_flushes_no_more_gets_its_last_frame_when_it_is_due),
		CONNECTED(a_flush_in_the_first_half_of_the_interval_begins_no_frame),
		CONNECTED(a_flush_in_the_second_half_of_the_interval_begins_the_frame),
		CONNECTED(a_page_flip_in_the_second_half_of_the_interval_begins_the_frame),
		CONNECTED(a_flush_of_one_scanout_begins_no_frame_of_another),
		CONNECTED(two_large_scanouts_that_were_flushed_together_both_begin_their_frames),
		CONNECTED(a_scanout_that_is_switched_off_after_its_flush_sends_no_frame),
		CONNECTED(a_reset_after_a_flush_sends_no_frame),
		CONNECTED(a_flush_without_a_front_end_begins_no_later_frame),
		ALONE(a_flush_while_the_display_does_not_read_begins_no_frame_before_it_is_due),
	};

	return cmocka_run_group_tests_name("socket display: flush", tests, NULL, NULL);
}
