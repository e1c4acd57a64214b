// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A large picture is prepared in one turn of the loop, and compared and sent in the next. Whatever
 * happens in between, the peer has all pixels of the picture that is shown in the end.
 */
#include "socket_rig.h"

#include <sys/socket.h>

#include "display/socket.h"

/* More than is prepared in one turn. */
#define WIDTH  512
#define HEIGHT 600

static struct picture shown;
static uint32_t sent[WIDTH * HEIGHT];

static void make_picture(struct picture *picture, uint32_t seed)
{
	picture_init(picture, WIDTH, HEIGHT, seed);
	picture->base.ops = &picture_prepared_ops;
}

static void damage(uint32_t y, uint32_t height)
{
	display_damage(socket_rig.display, 0, &(struct rect){ 0, y, WIDTH, height });
}

static void expect_shown(void)
{
	socket_rig_expect_update(0, &shown, 0, 0, WIDTH, HEIGHT);
}

static void expect_nothing_yet(void)
{
	char byte;

	assert_int_equal(socket_rig_recv(&byte, 1), -1);
}

/* Shows the picture; the first frame is sent. */
static void show(void)
{
	make_picture(&shown, 1);
	shown.base.sent = sent;
	display_scanout_pixels(socket_rig.display, 0, WIDTH, HEIGHT, &shown.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, WIDTH, HEIGHT);
	expect_shown();
	socket_rig_expect_silence();
	shown.prepares = 0;
}

/* Shows the picture, changes all of it, and lets the display prepare it. */
static void show_and_prepare(void)
{
	show();
	picture_fill(&shown, 2);
	damage(0, HEIGHT);
	socket_rig_turns(1);
	assert_int_equal(shown.prepares, 1);
	expect_nothing_yet();
}

static void hide(void)
{
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&shown);
}

static void a_large_picture_is_sent_in_the_turn_after_the_one_that_prepared_it(void **state)
{
	(void)state;
	show_and_prepare();
	socket_rig_turns(1);
	assert_non_null(socket_rig_display()->output.message);
	expect_shown();
	assert_int_equal(shown.prepares, 1);
	hide();
}

static void a_small_rectangle_is_prepared_and_sent_in_one_turn(void **state)
{
	(void)state;
	show();
	picture_fill(&shown, 2);
	damage(0, 8);
	socket_rig_turns(1);
	assert_int_equal(loop_turn(&socket_rig.loop, 0), 0); /* nothing is left to do */
	socket_rig_expect_update(0, &shown, 0, 0, WIDTH, 8);
	hide();
}

static void a_prepared_picture_that_did_not_change_is_not_sent(void **state)
{
	(void)state;
	show();
	damage(0, HEIGHT);
	hide();
	assert_int_equal(shown.prepares, 1);
}

static void damage_after_the_preparation_is_prepared_too(void **state)
{
	(void)state;
	show_and_prepare();
	damage(8, 8);
	expect_shown();
	picture_fill(&shown, 3);
	damage(8, 8);
	socket_rig_expect_update(0, &shown, 0, 8, WIDTH, 8);
	assert_int_equal(shown.prepares, 3);
	hide();
}

static void a_prepared_picture_whose_scanout_is_switched_off_is_not_sent(void **state)
{
	struct picture small;

	(void)state;
	show_and_prepare();
	display_scanout_pixels(socket_rig.display, 0, 0, 0, NULL);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	socket_rig_expect_silence();
	picture_init(&small, 8, 8, 3);
	display_scanout_pixels(socket_rig.display, 0, 8, 8, &small.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 8, 8);
	socket_rig_expect_update(0, &small, 0, 0, 8, 8);
	hide();
	picture_finish(&small);
}

static void a_prepared_picture_is_not_sent_after_a_reset(void **state)
{
	(void)state;
	show_and_prepare();
	display_reset(socket_rig.display);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	hide();
}

static void a_flip_to_another_source_drops_what_was_prepared(void **state)
{
	struct picture other;

	(void)state;
	show_and_prepare();
	make_picture(&other, 3);
	display_scanout_pixels(socket_rig.display, 0, WIDTH, HEIGHT, &other.base);
	picture_finish(&shown);
	socket_rig_expect_update(0, &other, 0, 0, WIDTH, HEIGHT);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&other);
}

static void pixels_that_change_behind_the_display_are_prepared_again(void **state)
{
	(void)state;
	show_and_prepare();
	display_pixels_changed(socket_rig.display, &shown.base);
	picture_fill(&shown, 3);
	socket_rig_turns(1);
	expect_nothing_yet();
	expect_shown();
	assert_int_equal(shown.prepares, 2);
	hide();
}

static void expect_everything(void)
{
	socket_rig_connect(0, NULL);
	socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, WIDTH, HEIGHT);
	expect_shown();
}

static void a_new_front_end_is_sent_the_whole_picture(void **state)
{
	(void)state;
	show_and_prepare();
	expect_everything();
	hide();
}

static void a_front_end_that_comes_after_a_pause_is_sent_the_whole_picture(void **state)
{
	(void)state;
	show_and_prepare();
	display_set_socket(socket_rig.display, -1);
	socket_rig_turns(2);
	expect_everything();
	hide();
}

/* Preparing it for the other one would overwrite what is to be compared. */
static void a_source_of_two_scanouts_is_prepared_for_one_after_the_other(void **state)
{
	(void)state;
	show();
	display_scanout_pixels(socket_rig.display, 1, WIDTH, HEIGHT, &shown.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 1, WIDTH, HEIGHT);
	socket_rig_expect_update(1, &shown, 0, 0, WIDTH, HEIGHT);
	socket_rig_expect_silence();
	shown.base.sent = NULL; /* each display has it, but there is one buffer */
	shown.prepares = 0;
	damage(0, HEIGHT);
	socket_rig_turns(1);
	display_damage(socket_rig.display, 1, &(struct rect){ 0, 0, WIDTH, HEIGHT });
	socket_rig_turns(1);
	assert_int_equal(shown.prepares, 1);
	expect_shown();
	socket_rig_expect_update(1, &shown, 0, 0, WIDTH, HEIGHT);
	hide();
}

/* Fills the socket. Returns the number of bytes, which are 0. */
static size_t fill_socket(void)
{
	static const char zeros[4096];
	size_t bytes = 0;
	ssize_t n;

	while ((n = send(socket_rig_display()->fd, zeros, sizeof(zeros), MSG_DONTWAIT)) > 0)
		bytes += (size_t)n;
	return bytes;
}

/* By then it is in the buffer of what the peer has. */
static void a_picture_for_which_there_was_no_room_is_not_compared_again(void **state)
{
	size_t bytes;
	char zero;

	(void)state;
	show();
	picture_fill(&shown, 2);
	bytes = fill_socket();
	damage(0, HEIGHT);
	socket_rig_turns(3);
	assert_true(socket_rig_display()->is_full);
	assert_null(socket_rig_display()->output.message);
	while (bytes-- > 0)
		socket_rig_read(&zero, 1);
	expect_shown();
	hide();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONNECTED(a_large_picture_is_sent_in_the_turn_after_the_one_that_prepared_it),
		CONNECTED(a_small_rectangle_is_prepared_and_sent_in_one_turn),
		CONNECTED(a_prepared_picture_that_did_not_change_is_not_sent),
		CONNECTED(damage_after_the_preparation_is_prepared_too),
		CONNECTED(a_prepared_picture_whose_scanout_is_switched_off_is_not_sent),
		CONNECTED(a_prepared_picture_is_not_sent_after_a_reset),
		CONNECTED(a_flip_to_another_source_drops_what_was_prepared),
		CONNECTED(pixels_that_change_behind_the_display_are_prepared_again),
		CONNECTED(a_new_front_end_is_sent_the_whole_picture),
		CONNECTED(a_front_end_that_comes_after_a_pause_is_sent_the_whole_picture),
		CONNECTED(a_source_of_two_scanouts_is_prepared_for_one_after_the_other),
		CONNECTED(a_picture_for_which_there_was_no_room_is_not_compared_again),
	};

	return cmocka_run_group_tests_name("socket display: prepared", tests, NULL, NULL);
}
