// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * When frames are sent: the first at once, the next ones an interval apart, the last always, and
 * always with the pixels of the moment of sending. Only one test waits for a clock: in the others
 * an interval is an hour, and the test says when it ends.
 */
#include "socket_ask.h"
#include "socket_rig.h"

#include <string.h>

#include "display/socket.h"

#define HOUR_NS   (UINT64_C(3600) * 1000000000)
#define MINUTE_NS (UINT64_C(60) * 1000000000)

static struct picture shown;

static struct socket_scanout *scanout0(void)
{
	return &socket_rig_display()->scanouts[0];
}

static bool timer_is_armed(void)
{
	return socket_rig_display()->pace_timer.is_armed;
}

/* Ends the interval of scanout 0, and fires the timer if it is armed. */
static void end_interval(void)
{
	struct loop_timer *timer = &socket_rig_display()->pace_timer;

	scanout0()->next_frame = 0;
	if (!timer->is_armed)
		return;
	loop_timer_disarm(timer);
	socket_pace_expire(timer);
}

static void damage(uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	display_damage(socket_rig.display, 0, &(struct rect){ x, y, width, height });
	socket_rig_turns(1);
}

/* Shows 64x64 on scanout 0; the first frame is sent. */
static void show(void)
{
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		socket_rig_display()->scanouts[i].interval = HOUR_NS;
	picture_init(&shown, 64, 64, 1);
	display_scanout_pixels(socket_rig.display, 0, 64, 64, &shown.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 64, 64);
	socket_rig_expect_update(0, &shown, 0, 0, 64, 64);
	socket_rig_expect_silence();
	assert_false(timer_is_armed());
}

static void hide(void)
{
	display_scanout_pixels(socket_rig.display, 0, 0, 0, NULL);
	picture_finish(&shown);
}

static void a_second_frame_waits_merges_damage_and_is_read_when_it_is_sent(void **state)
{
	(void)state;
	show();
	picture_fill(&shown, 2);
	damage(0, 0, 8, 8);
	damage(8, 8, 8, 8);
	assert_true(timer_is_armed());
	socket_rig_expect_silence();
	picture_fill(&shown, 3);
	end_interval();
	socket_rig_expect_update(0, &shown, 0, 0, 16, 16);
	socket_rig_expect_silence();
	assert_false(timer_is_armed());
	hide();
}

static void a_frame_follows_one_whose_rest_cannot_be_read(void **state)
{
	(void)state;
	show();
	shown.base.ops = &picture_prepared_ops;
	shown.error = -EIO;
	damage_add(&scanout0()->damage, &(struct rect){ 0, 0, 8, 8 });
	damage(8, 8, 8, 8);
	assert_true(timer_is_armed());
	shown.error = 0;
	end_interval();
	socket_rig_expect_update(0, &shown, 8, 8, 8, 8);
	socket_rig_expect_silence();
	hide();
}

static void the_first_frame_after_a_pause_is_sent_at_once(void **state)
{
	(void)state;
	show();
	end_interval();
	damage(0, 0, 8, 8);
	assert_false(timer_is_armed());
	socket_rig_expect_update(0, &shown, 0, 0, 8, 8);
	damage(0, 0, 8, 8);
	socket_rig_expect_silence();
	hide();
}

static void damage_of_one_turn_is_one_frame(void **state)
{
	(void)state;
	show();
	end_interval();
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 8, 8 });
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 8, 8, 8 });
	socket_rig_expect_update(0, &shown, 0, 0, 8, 16);
	socket_rig_expect_silence();
	assert_false(timer_is_armed());
	hide();
}

static void only_pixels_that_are_sent_are_prepared(void **state)
{
	(void)state;
	show();
	shown.base.ops = &picture_prepared_ops;
	for (unsigned i = 0; i < 10; i++)
		damage(i, i, 8, 8);
	assert_int_equal(shown.prepares, 0);
	end_interval();
	socket_rig_expect_update(0, &shown, 0, 0, 17, 17);
	assert_int_equal(shown.prepares, 1);
	hide();
}

static void a_waiting_frame_is_dropped_when_its_scanout_is_switched_off(void **state)
{
	(void)state;
	show();
	damage(0, 0, 8, 8);
	hide();
	end_interval();
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	socket_rig_expect_silence();
	assert_false(timer_is_armed());
}

static void a_reset_drops_a_waiting_frame(void **state)
{
	(void)state;
	show();
	damage(0, 0, 8, 8);
	display_reset(socket_rig.display);
	picture_finish(&shown);
	end_interval();
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 0, 0);
	socket_rig_expect_silence();
}

static void a_new_size_is_sent_at_once_and_its_pixels_are_paced(void **state)
{
	struct picture larger;

	(void)state;
	show();
	picture_init(&larger, 80, 80, 2);
	display_scanout_pixels(socket_rig.display, 0, 80, 80, &larger.base);
	picture_finish(&shown);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 80, 80);
	socket_rig_expect_silence();
	end_interval();
	socket_rig_expect_update(0, &larger, 0, 0, 80, 80);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&larger);
}

static void a_new_front_end_is_sent_everything_at_once(void **state)
{
	(void)state;
	show();
	damage(0, 0, 8, 8);
	display_set_socket(socket_rig.display, -1);
	assert_false(timer_is_armed()); /* no display is connected */
	damage(0, 0, 8, 8);
	assert_false(timer_is_armed());
	socket_rig_connect(0, NULL);
	socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 64, 64);
	socket_rig_expect_update(0, &shown, 0, 0, 64, 64);
	socket_rig_expect_silence();
	hide();
}

/* Shows a picture of which the peer's socket has room for a part only. */
static void stick_in_a_frame(const struct display_pixels_ops *ops)
{
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	scanout0()->interval = HOUR_NS;
	picture_init(&shown, 256, 444, 1);
	if (ops)
		shown.base.ops = ops;
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &shown.base);
	socket_rig_turns(3);
	assert_non_null(socket_rig_display()->output.message);
}

static void a_display_that_does_not_read_arms_no_timer(void **state)
{
	(void)state;
	stick_in_a_frame(NULL);
	for (unsigned i = 0; i < 100; i++)
		damage(0, 0, 8, 8 + i);
	assert_false(timer_is_armed());
	end_interval();
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
	socket_rig_expect_update(0, &shown, 0, 0, 256, 444);
	socket_rig_expect_update(0, &shown, 0, 0, 8, 107);
	socket_rig_expect_silence();
	hide();
}

/* Otherwise the screen would never show the lower rows of a guest that flips faster than a frame
 * can be sent. */
static void a_started_frame_is_finished_while_the_guest_flips(void **state)
{
	struct picture first, next;

	(void)state;
	stick_in_a_frame(NULL);
	picture_init(&first, 256, 444, 1);
	picture_init(&next, 256, 444, 2);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &next.base);
	picture_finish(&shown);
	socket_rig_expect_mixed_update(&first, &next);
	socket_rig_expect_silence();
	assert_true(timer_is_armed());
	end_interval();
	socket_rig_expect_update(0, &next, 0, 0, 256, 444);
	socket_rig_expect_silence();
	picture_finish(&first);
	display_reset(socket_rig.display);
	picture_finish(&next);
}

static void pixels_read_back_for_a_frame_are_sent_while_the_guest_flips(void **state)
{
	(void)state;
	stick_in_a_frame(&picture_prepared_ops);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &shown.base);
	socket_rig_expect_update(0, &shown, 0, 0, 256, 444);
	socket_rig_expect_silence();
	assert_int_equal(shown.prepares, 1);
	hide();
}

static void the_cursor_is_not_paced(void **state)
{
	static const struct display_cursor cursor = { .x = 3, .y = 4, .pixels = { 5 } };

	(void)state;
	show();
	damage(0, 0, 8, 8);
	display_cursor_set(socket_rig.display, 0, &cursor);
	socket_rig_expect_cursor(0, &cursor);
	display_cursor_move(socket_rig.display, 0, 7, 8, true);
	socket_rig_expect_words(VHOST_USER_GPU_CURSOR_POS, 0, 7, 8);
	socket_rig_expect_silence();
	hide();
}

static void dma_bufs_are_not_paced(void **state)
{
	struct socket_ask flush;

	(void)state;
	show();
	damage(0, 0, 8, 8);
	socket_ask_show_dmabuf(0);
	picture_finish(&shown);
	socket_ask_init(&flush);
	socket_ask_flush(&flush, 0, 0, 0, 8, 8);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 0, 0, 0, 8, 8);
	end_interval();
	socket_rig_expect_silence();
	display_cancel(&flush.request);
}

static void each_scanout_is_paced_by_itself(void **state)
{
	struct picture other;

	(void)state;
	show();
	damage(0, 0, 8, 8);
	picture_init(&other, 64, 64, 2);
	display_scanout_pixels(socket_rig.display, 1, 64, 64, &other.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 1, 64, 64);
	socket_rig_expect_update(1, &other, 0, 0, 64, 64);
	socket_rig_expect_silence();
	end_interval();
	socket_rig_expect_update(0, &shown, 0, 0, 8, 8);
	hide();
	display_reset(socket_rig.display);
	picture_finish(&other);
}

/* Only this one waits, for at least 10 ms. */
static void the_timer_sends_the_last_frame(void **state)
{
	(void)state;
	show();
	scanout0()->next_frame = 0;
	scanout0()->interval = 10000000;
	damage(0, 0, 8, 8);
	socket_rig_expect_update(0, &shown, 0, 0, 8, 8);
	damage(8, 8, 8, 8);
	socket_rig_expect_update(0, &shown, 8, 8, 8, 8);
	socket_rig_expect_silence();
	assert_false(timer_is_armed());
	hide();
}

/* After a late frame the next one may come a little early, but not more. */
static void frames_are_one_interval_apart_on_average(void **state)
{
	const struct rect r = { 0, 0, 8, 8 };
	struct socket_scanout *s = scanout0();
	uint64_t begun;

	(void)state;
	s->interval = MINUTE_NS;
	socket_pace_add(s, &r);
	assert_true(socket_pace_begin_frame(socket_rig_display(), s));
	/* After the pause the frame counts as late by an eighth of an interval. */
	begun = s->next_frame - MINUTE_NS + MINUTE_NS / 8;
	s->next_frame = begun; /* the next one is slightly late */
	socket_pace_add(s, &r);
	assert_true(socket_pace_begin_frame(socket_rig_display(), s));
	assert_int_equal(s->next_frame, begun + MINUTE_NS);
	s->next_frame = 1; /* very late */
	socket_pace_add(s, &r);
	assert_true(socket_pace_begin_frame(socket_rig_display(), s));
	assert_true(s->next_frame >= begun + MINUTE_NS - MINUTE_NS / 8);
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
	assert_int_equal(scanout0()->interval, 20000000);
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
	assert_int_equal(scanout0()->interval, 8354517);
	display_set_socket(socket_rig.display, -1);
	assert_int_equal(scanout0()->interval, 1000000000 / 60);
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
