// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Pixels that the peer has already are left out of an UPDATE, if the source has a buffer in which
 * they are kept. Whatever happens, the peer has all pixels of the picture in the end.
 */
#include "socket_rig.h"

#include <errno.h>
#include <string.h>

#include "display/socket.h"

#define WIDTH  160
#define HEIGHT 48

/* Half of it is more than is sent in one call, or compared in one turn. */
#define TALL_WIDTH  512
#define TALL_HEIGHT 1200

static struct picture shown;
static uint32_t sent[TALL_WIDTH * TALL_HEIGHT];

/* Shows a picture that is prepared before it is read. */
static void begin(unsigned scanout, struct picture *picture, uint32_t *buffer, uint32_t width,
		  uint32_t height)
{
	picture_init(picture, width, height, scanout + 1);
	picture->base.ops = &picture_prepared_ops;
	picture->base.sent = buffer;
	display_scanout_pixels(socket_rig.display, scanout, width, height, &picture->base);
}

static void expect_first_frame(unsigned scanout, const struct picture *picture)
{
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, scanout, picture->width, picture->height);
	socket_rig_expect_update(scanout, picture, 0, 0, picture->width, picture->height);
}

static void show(void)
{
	memset(sent, 0, sizeof(sent));
	begin(0, &shown, sent, WIDTH, HEIGHT);
	expect_first_frame(0, &shown);
	socket_rig_expect_silence();
}

static void hide(void)
{
	display_scanout_pixels(socket_rig.display, 0, 0, 0, NULL);
	picture_finish(&shown);
}

static void change(uint32_t x, uint32_t y)
{
	shown.pixels[y * shown.stride + x]++;
}

static void damage(uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	display_damage(socket_rig.display, 0, &(struct rect){ x, y, width, height });
	socket_rig_turns(1);
}

static void damage_all(void)
{
	damage(0, 0, WIDTH, HEIGHT);
}

/* Its left and right are multiples of 32 pixels. */
static void the_smallest_rectangle_with_all_changed_pixels_is_sent(void **state)
{
	(void)state;
	show();
	change(70, 5);
	change(35, 17);
	change(100, 20);
	change(70, 40);
	damage_all();
	socket_rig_expect_update(0, &shown, 32, 5, 96, 36);
	change(159, 47);
	damage_all();
	socket_rig_expect_update(0, &shown, 128, 47, 32, 1);
	change(0, 0);
	damage_all();
	socket_rig_expect_update(0, &shown, 0, 0, 32, 1);
	socket_rig_expect_silence();
	hide();
}

static void a_frame_without_a_changed_pixel_is_not_sent(void **state)
{
	(void)state;
	show();
	damage_all();
	damage(3, 3, 5, 5);
	socket_rig_expect_silence();
	hide();
}

static struct picture large[3];

/* Shows pictures that are larger than what is compared in one turn; the first frames are sent. */
static void show_large(unsigned count)
{
	static uint32_t sent_of[3][TALL_WIDTH * TALL_HEIGHT];

	for (unsigned i = 0; i < count; i++) {
		begin(i, &large[i], sent_of[i], TALL_WIDTH, TALL_HEIGHT);
		expect_first_frame(i, &large[i]);
	}
	socket_rig_expect_silence();
	for (unsigned i = 0; i < count; i++)
		large[i].prepares = 0;
}

static void hide_large(unsigned count)
{
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	for (unsigned i = 0; i < count; i++)
		picture_finish(&large[i]);
}

static void damage_large(unsigned scanout, uint32_t y, uint32_t height)
{
	display_damage(socket_rig.display, scanout, &(struct rect){ 0, y, TALL_WIDTH, height });
}

/* A guest may show many large pictures and flush them unchanged. */
static void a_turn_compares_one_large_picture(void **state)
{
	(void)state;
	show_large(3);
	for (unsigned i = 0; i < 3; i++)
		damage_large(i, 0, TALL_HEIGHT);
	for (unsigned turn = 1; turn <= 3; turn++) {
		socket_rig_turns(1);
		assert_int_equal(large[0].prepares + large[1].prepares + large[2].prepares, turn);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(large[i].prepares, 1);
	hide_large(3);
}

static void a_turn_compares_one_large_rectangle(void **state)
{
	(void)state;
	show_large(1);
	damage_large(0, 0, TALL_HEIGHT / 2 - 10);
	damage_large(0, TALL_HEIGHT / 2 + 10, TALL_HEIGHT / 2 - 10);
	socket_rig_turns(1);
	assert_int_equal(large[0].prepares, 1);
	socket_rig_turns(1);
	assert_int_equal(large[0].prepares, 2);
	hide_large(1);
}

static void a_scanout_that_is_flushed_all_the_time_delays_no_other(void **state)
{
	(void)state;
	show_large(2);
	damage_large(1, 0, TALL_HEIGHT);
	for (unsigned turn = 0; turn < 2; turn++) {
		damage_large(0, 0, TALL_HEIGHT);
		socket_rig_turns(1);
	}
	assert_int_equal(large[1].prepares, 1);
	socket_rig_turns(2);
	hide_large(2);
}

static void only_damaged_pixels_are_compared(void **state)
{
	(void)state;
	show();
	change(5, 6);
	change(50, 6);
	damage(0, 0, 32, 32);
	socket_rig_expect_update(0, &shown, 0, 6, 32, 1);
	damage(32, 0, 32, 32);
	socket_rig_expect_update(0, &shown, 32, 6, 32, 1);
	socket_rig_expect_silence();
	hide();
}

static void a_page_flip_sends_what_differs(void **state)
{
	(void)state;
	show();
	change(7, 8);
	display_scanout_pixels(socket_rig.display, 0, WIDTH, HEIGHT, &shown.base);
	socket_rig_expect_update(0, &shown, 0, 8, 32, 1);
	socket_rig_expect_silence();
	hide();
}

/* ---- pixels that are prepared in another format ---- */

static uint32_t raw[TALL_WIDTH * TALL_HEIGHT]; /* what the source prepares */

/* The picture is a copy in another format: each bit is inverted, and format 2 adds one. */
static uint32_t in_format(uint32_t pixel, uint32_t format)
{
	return ~pixel + (format == 2);
}

static int prepare_raw(struct display_pixels *source, const struct rect *r)
{
	for (uint32_t y = r->y; y < r->y + r->height; y++)
		for (uint32_t x = r->x; x < r->x + r->width; x++) {
			uint32_t i = y * shown.stride + x;

			raw[i] = in_format(shown.pixels[i], source->format);
		}
	return 0;
}

static void convert_raw(struct display_pixels *source, const struct rect *r)
{
	for (uint32_t y = r->y; y < r->y + r->height; y++)
		for (uint32_t x = r->x; x < r->x + r->width; x++) {
			uint32_t *pixel = &raw[y * shown.stride + x];

			*pixel = ~(*pixel - (source->format == 2));
		}
}

static int raw_rows(struct display_pixels *source, const struct rect *r, struct iovec *iov, int max)
{
	(void)source;
	for (int n = 0; n < max && (uint32_t)n < r->height; n++)
		iov[n] = (struct iovec){ &raw[(r->y + (uint32_t)n) * shown.stride + r->x],
					 (size_t)r->width * 4 };
	return r->height <= (uint32_t)max ? (int)r->height : -E2BIG;
}

static const struct display_pixels_ops raw_ops = {
	.prepare = prepare_raw,
	.convert = convert_raw,
	.rows = raw_rows,
};

static void show_raw(uint32_t width, uint32_t height)
{
	picture_init(&shown, width, height, 1);
	shown.base.ops = &raw_ops;
	shown.base.sent = sent;
	shown.base.format = 1;
	display_scanout_pixels(socket_rig.display, 0, width, height, &shown.base);
}

static void pixels_are_compared_before_they_are_converted(void **state)
{
	(void)state;
	show_raw(WIDTH, HEIGHT);
	expect_first_frame(0, &shown);
	damage_all();
	socket_rig_expect_silence();
	for (unsigned i = 0; i < 3; i++) {
		change(70, 5);
		change(35, 17);
		damage_all();
		socket_rig_expect_update(0, &shown, 32, 5, 64, 13);
		damage_all();
		socket_rig_expect_silence();
	}
	hide();
}

static void pixels_in_another_format_than_before_are_all_sent(void **state)
{
	(void)state;
	show_raw(WIDTH, HEIGHT);
	expect_first_frame(0, &shown);
	for (unsigned i = 0; i < 4; i++) {
		shown.base.format = 1 + i % 2;
		picture_fill(&shown, 7 + i % 2); /* in either format the same bytes */
		damage_all();
		socket_rig_expect_update(0, &shown, 0, 0, WIDTH, HEIGHT);
	}
	damage_all();
	socket_rig_expect_silence();
	hide();
}

/* What the socket does not take is loaded again. */
static void pixels_are_converted_once_if_the_display_reads_slowly(void **state)
{
	(void)state;
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	show_raw(TALL_WIDTH, TALL_HEIGHT);
	socket_rig_turns(3);
	assert_non_null(socket_rig_display()->output.message);
	expect_first_frame(0, &shown);
	for (unsigned i = 0; i < 3; i++) {
		for (uint32_t y = 0; y < TALL_HEIGHT; y++) {
			change(40, y);
			change(160, y);
		}
		damage(0, 0, TALL_WIDTH, TALL_HEIGHT);
		socket_rig_turns(3);
		socket_rig_expect_update(0, &shown, 32, 0, 160, TALL_HEIGHT);
	}
	damage(0, 0, TALL_WIDTH, TALL_HEIGHT);
	socket_rig_expect_silence();
	hide();
}

/* The last message was built and dropped, because the socket took no byte of it. */
static void pixels_of_an_update_that_did_not_fit_are_converted_once(void **state)
{
	uint32_t n = 0;

	(void)state;
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	show_raw(TALL_WIDTH, TALL_HEIGHT);
	expect_first_frame(0, &shown);
	while (!socket_rig_display()->is_full) {
		assert_true(n < TALL_HEIGHT);
		change(40, n);
		damage(0, n++, TALL_WIDTH, 1);
	}
	assert_null(socket_rig_display()->output.message);
	for (uint32_t y = 0; y < n; y++)
		socket_rig_expect_update(0, &shown, 32, y, 32, 1);
	damage(0, 0, TALL_WIDTH, TALL_HEIGHT);
	socket_rig_expect_silence();
	hide();
}

static void a_source_without_a_buffer_is_sent_whole(void **state)
{
	(void)state;
	show();
	shown.base.sent = NULL;
	damage_all();
	socket_rig_expect_update(0, &shown, 0, 0, WIDTH, HEIGHT);
	shown.base.sent = sent; /* the last frame was sent without a copy to it */
	damage_all();
	socket_rig_expect_update(0, &shown, 0, 0, WIDTH, HEIGHT);
	socket_rig_expect_silence();
	hide();
}

static void a_new_front_end_is_sent_the_whole_picture(void **state)
{
	(void)state;
	show();
	socket_rig_connect(0, NULL);
	socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	expect_first_frame(0, &shown);
	socket_rig_expect_silence();
	hide();
}

static void a_scanout_that_was_off_is_sent_whole(void **state)
{
	(void)state;
	show();
	display_scanout_pixels(socket_rig.display, 0, 0, 0, NULL);
	display_scanout_pixels(socket_rig.display, 0, WIDTH, HEIGHT, &shown.base);
	socket_rig_expect_update(0, &shown, 0, 0, WIDTH, HEIGHT);
	socket_rig_expect_silence();
	hide();
}

static void another_source_is_sent_whole(void **state)
{
	static uint32_t sent_of_other[WIDTH * HEIGHT];
	struct picture other;

	(void)state;
	show();
	picture_init(&other, WIDTH, HEIGHT, 2);
	other.base.ops = &picture_prepared_ops;
	other.base.sent = sent_of_other;
	memcpy(sent_of_other, other.pixels, sizeof(sent_of_other));
	display_scanout_pixels(socket_rig.display, 0, WIDTH, HEIGHT, &other.base);
	socket_rig_expect_update(0, &other, 0, 0, WIDTH, HEIGHT);
	socket_rig_expect_silence();
	hide();
	picture_finish(&other);
}

static void pixels_are_sent_whole_after_display_pixels_changed(void **state)
{
	(void)state;
	show();
	display_pixels_changed(socket_rig.display, &shown.base);
	memcpy(sent, shown.pixels, (size_t)WIDTH * HEIGHT * 4);
	damage_all();
	socket_rig_expect_update(0, &shown, 0, 0, WIDTH, HEIGHT);
	socket_rig_expect_silence();
	hide();
}

static void a_part_of_an_unknown_picture_is_not_compared(void **state)
{
	(void)state;
	show();
	display_pixels_changed(socket_rig.display, &shown.base);
	memcpy(sent, shown.pixels, (size_t)WIDTH * HEIGHT * 4);
	damage(0, 0, 32, 32);
	socket_rig_expect_update(0, &shown, 0, 0, 32, 32);
	damage_all();
	socket_rig_expect_update(0, &shown, 0, 0, WIDTH, HEIGHT);
	socket_rig_expect_silence();
	hide();
}

/* Sends a picture that differs everywhere. Returns whether the daemon kept a copy, to compare the
 * next one with. */
static bool play(uint32_t seed)
{
	picture_fill(&shown, seed);
	memset(sent, 0x55, sizeof(uint32_t));
	damage_all();
	socket_rig_expect_update(0, &shown, 0, 0, WIDTH, HEIGHT);
	return sent[0] != 0x55555555;
}

/* Comparing a video costs time and saves nothing. */
static void a_video_is_rarely_compared(void **state)
{
	unsigned kept = 0, announced = 0;

	(void)state;
	show();
	for (unsigned i = 0; i < 300; i++) {
		kept += play(2 + i);
		announced += shown.base.is_compared;
	}
	assert_in_range(kept, 3, 20);
	assert_in_range(announced, kept, 2 * kept);
	hide();
}

static void pictures_are_compared_again_after_a_video(void **state)
{
	unsigned rects = 0;

	(void)state;
	show();
	for (unsigned i = 0; i < 300; i++)
		play(2 + i);
	while (!play(1000))
		assert_true(++rects < 64);
	change(3, 4);
	damage_all();
	socket_rig_expect_update(0, &shown, 0, 4, 32, 1);
	socket_rig_expect_silence();
	hide();
}

static void one_picture_that_differs_does_not_stop_the_comparison(void **state)
{
	(void)state;
	show();
	for (unsigned i = 0; i < 5; i++) {
		assert_true(play(2 + i));
		change(3, 4);
		damage_all();
		socket_rig_expect_update(0, &shown, 0, 4, 32, 1);
	}
	hide();
}

/* The display has room for a part of the picture. */
static void show_partly(void)
{
	memset(sent, 0, sizeof(sent));
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	begin(0, &shown, sent, TALL_WIDTH, TALL_HEIGHT);
	socket_rig_turns(3);
	assert_non_null(socket_rig_display()->output.message);
}

static void a_picture_that_the_display_has_in_part_is_completed_before_it_is_compared(void **state)
{
	(void)state;
	show_partly();
	/* The rest of it is copied when it is sent: the first access to a page takes long. */
	assert_int_equal(sent[TALL_WIDTH * TALL_HEIGHT - 1], 0);
	damage(0, 0, TALL_WIDTH, TALL_HEIGHT);
	expect_first_frame(0, &shown);
	change(200, 400);
	damage(0, 0, TALL_WIDTH, TALL_HEIGHT);
	socket_rig_expect_update(0, &shown, 192, 400, 32, 1);
	socket_rig_expect_silence();
	hide();
}

/* The rest of the UPDATE comes from another source, which has no buffer. */
static void a_flip_to_pixels_in_memory_ends_the_copy_of_what_is_sent(void **state)
{
	struct picture first, other;

	(void)state;
	show_partly();
	picture_init(&first, TALL_WIDTH, TALL_HEIGHT, 1);
	picture_init(&other, TALL_WIDTH, TALL_HEIGHT, 2);
	display_scanout_pixels(socket_rig.display, 0, TALL_WIDTH, TALL_HEIGHT, &other.base);
	picture_finish(&shown);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, TALL_WIDTH, TALL_HEIGHT);
	socket_rig_expect_mixed_update(&first, &other);
	socket_rig_expect_update(0, &other, 0, 0, TALL_WIDTH, TALL_HEIGHT);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&first);
	picture_finish(&other);
}

/* The rest of the UPDATE is sent as zeros. */
static void a_picture_whose_rest_could_not_be_read_is_sent_whole(void **state)
{
	(void)state;
	show_partly();
	shown.rows_error = -EIO;
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, TALL_WIDTH, TALL_HEIGHT);
	socket_rig_expect_mixed_update(&shown, NULL);
	shown.rows_error = 0;
	damage(0, 0, TALL_WIDTH, TALL_HEIGHT);
	socket_rig_expect_update(0, &shown, 0, 0, TALL_WIDTH, TALL_HEIGHT);
	socket_rig_expect_silence();
	hide();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONNECTED(the_smallest_rectangle_with_all_changed_pixels_is_sent),
		CONNECTED(a_frame_without_a_changed_pixel_is_not_sent),
		CONNECTED(a_turn_compares_one_large_picture),
		CONNECTED(a_turn_compares_one_large_rectangle),
		CONNECTED(a_scanout_that_is_flushed_all_the_time_delays_no_other),
		CONNECTED(only_damaged_pixels_are_compared),
		CONNECTED(a_page_flip_sends_what_differs),
		CONNECTED(pixels_are_compared_before_they_are_converted),
		CONNECTED(pixels_in_another_format_than_before_are_all_sent),
		ALONE(pixels_are_converted_once_if_the_display_reads_slowly),
		ALONE(pixels_of_an_update_that_did_not_fit_are_converted_once),
		CONNECTED(a_source_without_a_buffer_is_sent_whole),
		CONNECTED(a_new_front_end_is_sent_the_whole_picture),
		CONNECTED(a_scanout_that_was_off_is_sent_whole),
		CONNECTED(another_source_is_sent_whole),
		CONNECTED(pixels_are_sent_whole_after_display_pixels_changed),
		CONNECTED(a_part_of_an_unknown_picture_is_not_compared),
		CONNECTED(a_video_is_rarely_compared),
		CONNECTED(pictures_are_compared_again_after_a_video),
		CONNECTED(one_picture_that_differs_does_not_stop_the_comparison),
		ALONE(a_picture_that_the_display_has_in_part_is_completed_before_it_is_compared),
		ALONE(a_flip_to_pixels_in_memory_ends_the_copy_of_what_is_sent),
		ALONE(a_picture_whose_rest_could_not_be_read_is_sent_whole),
	};

	return cmocka_run_group_tests_name("socket display: unchanged pixels", tests, NULL, NULL);
}
