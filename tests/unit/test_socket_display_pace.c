// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * When frames are sent: the first at once, the next ones an interval apart, the last always, and
 * always with the pixels of the moment of sending. Only one test waits for a clock: in the others
 * an interval is an hour, and the test says when it ends.
 */
#include "socket_ask.h"
#include "socket_frame.h"

#include <string.h>

#include "display/socket.h"

static void a_second_frame_waits_merges_damage_and_is_read_when_it_is_sent(void **state)
{
	(void)state;
	socket_frame_show();
	picture_fill(&socket_frame_shown, 2);
	socket_frame_damage(0, 0, 8, 8);
	socket_frame_damage(8, 8, 8, 8);
	assert_true(socket_frame_timer_is_armed());
	socket_rig_expect_silence();
	picture_fill(&socket_frame_shown, 3);
	socket_frame_end_interval();
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 16, 16);
	socket_rig_expect_silence();
	assert_false(socket_frame_timer_is_armed());
	socket_frame_hide();
}

static void a_frame_follows_one_whose_rest_cannot_be_read(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_shown.base.ops = &picture_prepared_ops;
	socket_frame_shown.error = -EIO;
	damage_add(&socket_frame_scanout()->damage, &(struct rect){ 0, 0, 8, 8 });
	socket_frame_damage(8, 8, 8, 8);
	assert_true(socket_frame_timer_is_armed());
	socket_frame_shown.error = 0;
	socket_frame_end_interval();
	socket_rig_expect_update(0, &socket_frame_shown, 8, 8, 8, 8);
	socket_rig_expect_silence();
	socket_frame_hide();
}

static void the_first_frame_after_a_pause_is_sent_at_once(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_end_interval();
	socket_frame_damage(0, 0, 8, 8);
	assert_false(socket_frame_timer_is_armed());
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 8, 8);
	socket_frame_damage(0, 0, 8, 8);
	socket_rig_expect_silence();
	socket_frame_hide();
}

static void damage_of_one_turn_is_one_frame(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_end_interval();
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 8, 8 });
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 8, 8, 8 });
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 8, 16);
	socket_rig_expect_silence();
	assert_false(socket_frame_timer_is_armed());
	socket_frame_hide();
}

static void only_pixels_that_are_sent_are_prepared(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_shown.base.ops = &picture_prepared_ops;
	for (unsigned i = 0; i < 10; i++)
		socket_frame_damage(i, i, 8, 8);
	assert_int_equal(socket_frame_shown.prepares, 0);
	socket_frame_end_interval();
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 17, 17);
	assert_int_equal(socket_frame_shown.prepares, 1);
	socket_frame_hide();
}

static void a_waiting_frame_is_dropped_when_its_scanout_is_switched_off(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_damage(0, 0, 8, 8);
	socket_frame_hide();
	socket_frame_end_interval();
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	socket_rig_expect_silence();
	assert_false(socket_frame_timer_is_armed());
}

static void a_reset_drops_a_waiting_frame(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_damage(0, 0, 8, 8);
	display_reset(socket_rig.display);
	picture_finish(&socket_frame_shown);
	socket_frame_end_interval();
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	socket_rig_expect_silence();
}

static void a_new_size_is_sent_at_once_and_its_pixels_are_paced(void **state)
{
	struct picture larger;

	(void)state;
	socket_frame_show();
	picture_init(&larger, 80, 80, 2);
	display_scanout_pixels(socket_rig.display, 0, 80, 80, &larger.base);
	picture_finish(&socket_frame_shown);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 80, 80);
	socket_rig_expect_silence();
	socket_frame_end_interval();
	socket_rig_expect_update(0, &larger, 0, 0, 80, 80);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&larger);
}

static void a_new_front_end_is_sent_everything_at_once(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_damage(0, 0, 8, 8);
	display_set_socket(socket_rig.display, -1);
	assert_false(socket_frame_timer_is_armed()); /* no display is connected */
	socket_frame_damage(0, 0, 8, 8);
	assert_false(socket_frame_timer_is_armed());
	socket_rig_connect(0, NULL);
	socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 64, 64);
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 64, 64);
	socket_rig_expect_silence();
	socket_frame_hide();
}

static void a_display_that_does_not_read_arms_no_timer(void **state)
{
	(void)state;
	socket_frame_stick(NULL);
	for (unsigned i = 0; i < 100; i++)
		socket_frame_damage(0, 0, 8, 8 + i);
	assert_false(socket_frame_timer_is_armed());
	socket_frame_end_interval();
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 256, 444);
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 8, 107);
	socket_rig_expect_silence();
	socket_frame_hide();
}

/* Otherwise the screen would never show the lower rows of a guest that flips faster than a frame
 * can be sent. */
static void a_started_frame_is_finished_while_the_guest_flips(void **state)
{
	struct picture first, next;

	(void)state;
	socket_frame_stick(NULL);
	picture_init(&first, 256, 444, 1);
	picture_init(&next, 256, 444, 2);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &next.base);
	picture_finish(&socket_frame_shown);
	socket_rig_expect_mixed_update(&first, &next);
	socket_rig_expect_silence();
	assert_true(socket_frame_timer_is_armed());
	socket_frame_end_interval();
	socket_rig_expect_update(0, &next, 0, 0, 256, 444);
	socket_rig_expect_silence();
	picture_finish(&first);
	display_reset(socket_rig.display);
	picture_finish(&next);
}

static void pixels_read_back_for_a_frame_are_sent_while_the_guest_flips(void **state)
{
	(void)state;
	socket_frame_stick(&picture_prepared_ops);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &socket_frame_shown.base);
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 256, 444);
	socket_rig_expect_silence();
	assert_int_equal(socket_frame_shown.prepares, 1);
	socket_frame_hide();
}

static void the_cursor_is_not_paced(void **state)
{
	static const struct display_cursor cursor = { .x = 3, .y = 4, .pixels = { 5 } };

	(void)state;
	socket_frame_show();
	socket_frame_damage(0, 0, 8, 8);
	display_cursor_set(socket_rig.display, 0, &cursor);
	socket_rig_expect_cursor(0, &cursor);
	display_cursor_move(socket_rig.display, 0, 7, 8, true);
	socket_rig_expect_words(VHOST_USER_GPU_CURSOR_POS, 0, 7, 8);
	socket_rig_expect_silence();
	socket_frame_hide();
}

static void dma_bufs_are_not_paced(void **state)
{
	struct socket_ask flush;

	(void)state;
	socket_frame_show();
	socket_frame_damage(0, 0, 8, 8);
	socket_ask_show_dmabuf(0);
	picture_finish(&socket_frame_shown);
	socket_ask_init(&flush);
	socket_ask_flush(&flush, 0, 0, 0, 8, 8);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 0, 8, 8);
	socket_frame_end_interval();
	socket_rig_expect_silence();
	display_cancel(&flush.request);
}

static void each_scanout_is_paced_by_itself(void **state)
{
	struct picture other;

	(void)state;
	socket_frame_show();
	socket_frame_damage(0, 0, 8, 8);
	picture_init(&other, 64, 64, 2);
	display_scanout_pixels(socket_rig.display, 1, 64, 64, &other.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 1, 64, 64);
	socket_rig_expect_update(1, &other, 0, 0, 64, 64);
	socket_rig_expect_silence();
	socket_frame_end_interval();
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 8, 8);
	socket_frame_hide();
	display_reset(socket_rig.display);
	picture_finish(&other);
}

/* Only this one waits, for at least 10 ms. */
static void the_timer_sends_the_last_frame(void **state)
{
	(void)state;
	socket_frame_show();
	socket_frame_scanout()->next_frame = 0;
	socket_frame_scanout()->interval = 10000000;
	socket_frame_damage(0, 0, 8, 8);
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 8, 8);
	socket_frame_damage(8, 8, 8, 8);
	socket_rig_expect_update(0, &socket_frame_shown, 8, 8, 8, 8);
	socket_rig_expect_silence();
	assert_false(socket_frame_timer_is_armed());
	socket_frame_hide();
}

/* After a late frame the next one may come a little early, but not more. */
static void frames_are_one_interval_apart_on_average(void **state)
{
	const struct rect r = { 0, 0, 8, 8 };
	struct socket_scanout *s = socket_frame_scanout();
	uint64_t begun;

	(void)state;
	s->interval = SOCKET_FRAME_MINUTE;
	socket_pace_add(s, &r);
	assert_true(socket_pace_begin_frame(socket_rig_display(), s));
	/* After the pause the frame counts as late by an eighth of an interval. */
	begun = s->next_frame - SOCKET_FRAME_MINUTE + SOCKET_FRAME_MINUTE / 8;
	s->next_frame = begun; /* the next one is slightly late */
	socket_pace_add(s, &r);
	assert_true(socket_pace_begin_frame(socket_rig_display(), s));
	assert_int_equal(s->next_frame, begun + SOCKET_FRAME_MINUTE);
	s->next_frame = 1; /* very late */
	socket_pace_add(s, &r);
	assert_true(socket_pace_begin_frame(socket_rig_display(), s));
	assert_true(s->next_frame >= begun + SOCKET_FRAME_MINUTE - SOCKET_FRAME_MINUTE / 8);
	socket_pace_drop(s);
}

/* The first detailed timing of an EDID. */
static struct display_edid edid_of(uint32_t size, uint16_t clock, uint8_t width, uint8_t height)
{
	struct display_edid edid = { .size = size };
	uint8_t *timing = edid.data + 54;

	timing[0] = clock & 0xff;
	timing[1] = (uint8_t)(clock >> 8);
	timing[3] = width; /* blanking; the next byte adds 0x400 pixels that are visible */
	timing[4] = 0x40;
	timing[6] = height;
	timing[7] = 0x30;
	return edid;
}

static void the_refresh_rate_comes_from_the_edid(void **state)
{
	static const struct {
		uint32_t size;
		uint16_t clock; /* 10 kHz */
		uint64_t interval;
	} cases[] = {
		{ 128, 6552, 16709035 }, /* (1024 + 100) * (768 + 206) at 65.52 MHz */
		{ 256, 13104, 8354517 },        { 128, 0, 1000000000 / 60 }, /* no timing: 60 Hz */
		{ 127, 6552, 1000000000 / 60 },                              /* too short */
		{ 128, 1, 1000000000 / 60 },                                 /* 0.01 Hz */
	};
	struct socket_display *sd = socket_rig_display();

	(void)state;
	socket_pace_init(sd, SOCKET_DISPLAY_FPS_OF_SCREEN);
	assert_int_equal(sd->scanouts[15].interval, 1000000000 / 60);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct display_edid edid = edid_of(cases[i].size, cases[i].clock, 100, 206);

		socket_pace_by_edid(sd, 3, &edid);
		assert_int_equal(sd->scanouts[3].interval, cases[i].interval);
	}
	assert_int_equal(sd->scanouts[0].interval, 1000000000 / 60);
}

static void max_fps_overrides_the_edid(void **state)
{
	struct display_edid edid = edid_of(128, 6552, 100, 206);
	struct socket_display *sd = socket_rig_display();

	(void)state;
	socket_pace_init(sd, 50);
	socket_pace_by_edid(sd, 0, &edid);
	socket_pace_forget_edids(sd);
	assert_int_equal(socket_frame_scanout()->interval, 20000000);
}

static void an_edid_is_used_until_the_front_end_disconnects(void **state)
{
	struct virtio_gpu_resp_edid reply = { .size = 128 };
	struct display_edid edid = edid_of(128, 13104, 100, 206);
	struct socket_ask ask;

	(void)state;
	socket_pace_init(socket_rig_display(), SOCKET_DISPLAY_FPS_OF_SCREEN);
	memcpy(reply.edid, edid.data, 128);
	socket_ask_init(&ask);
	socket_ask_edid(&ask, 0);
	socket_rig_expect_words(VHOST_USER_GPU_GET_EDID, 0);
	socket_ask_expect_info();
	socket_rig_reply(VHOST_USER_GPU_GET_EDID, &reply, sizeof(reply));
	socket_ask_assert_ended(&ask, 0);
	assert_int_equal(socket_frame_scanout()->interval, 8354517);
	display_set_socket(socket_rig.display, -1);
	assert_int_equal(socket_frame_scanout()->interval, 1000000000 / 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONNECTED(a_second_frame_waits_merges_damage_and_is_read_when_it_is_sent),
		CONNECTED(a_frame_follows_one_whose_rest_cannot_be_read),
		CONNECTED(the_first_frame_after_a_pause_is_sent_at_once),
		CONNECTED(damage_of_one_turn_is_one_frame),
		CONNECTED(only_pixels_that_are_sent_are_prepared),
		CONNECTED(a_waiting_frame_is_dropped_when_its_scanout_is_switched_off),
		CONNECTED(a_reset_drops_a_waiting_frame),
		CONNECTED(a_new_size_is_sent_at_once_and_its_pixels_are_paced),
		CONNECTED(a_new_front_end_is_sent_everything_at_once),
		ALONE(a_display_that_does_not_read_arms_no_timer),
		ALONE(a_started_frame_is_finished_while_the_guest_flips),
		ALONE(pixels_read_back_for_a_frame_are_sent_while_the_guest_flips),
		CONNECTED(the_cursor_is_not_paced),
		CONNECTED(dma_bufs_are_not_paced),
		CONNECTED(each_scanout_is_paced_by_itself),
		CONNECTED(the_timer_sends_the_last_frame),
		ALONE(frames_are_one_interval_apart_on_average),
		ALONE(the_refresh_rate_comes_from_the_edid),
		ALONE(max_fps_overrides_the_edid),
		CONNECTED(an_edid_is_used_until_the_front_end_disconnects),
	};

	return cmocka_run_group_tests_name("socket display: pace", tests, NULL, NULL);
}
