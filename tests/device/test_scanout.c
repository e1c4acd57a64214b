// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * SET_SCANOUT and RESOURCE_FLUSH: which part of which resource is on which screen, and that only
 * changed pixels are sent. The checks of display.c run along: an UPDATE outside the live scanout
 * fails every one of these tests.
 */
#include "fixture.h"

#include <string.h>

/* Everything that the daemon sent before now has been read. */
static void settle(struct vmm *vmm)
{
	assert_alive(vmm);
	assert_alive(vmm);
}

static struct image shown_image(struct vmm *vmm, uint32_t id, uint32_t w, uint32_t h)
{
	struct image i = image_new(vmm, id, BGRX, w, h);

	image_fill(&i, id);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, id, image_rect(&i)));
	assert_ok(gpu_flush(vmm, id, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	settle(vmm);
	return i;
}

static uint64_t updated_pixels(const struct display *d)
{
	uint64_t n = 0;

	for (size_t i = 0; i < d->log_count; i++) {
		if (d->log[i].request == DISPLAY_UPDATE)
			n += (uint64_t)d->log[i].words[3] * d->log[i].words[4];
	}
	return n;
}

/* ---- SET_SCANOUT ---- */

static void set_scanout_refuses_an_invalid_scanout(void **state)
{
	static const uint32_t bad[] = { 16, 17, 0x80000000, 0xffffffff };
	struct vmm *vmm = *state;

	assert_ok(gpu_create_2d(vmm, 1, BGRX, 64, 64));
	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		assert_response(gpu_set_scanout(vmm, bad[i], 1, gpu_rect(0, 0, 64, 64)),
				RESP_INVALID_SCANOUT_ID);
		assert_response(gpu_set_scanout(vmm, bad[i], 0, gpu_rect(0, 0, 0, 0)),
				RESP_INVALID_SCANOUT_ID);
	}
	assert_ok(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, 64, 64)));
}

static void set_scanout_refuses_an_unknown_resource_and_keeps_the_old_one(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown_image(vmm, 1, 64, 64);

	assert_response(gpu_set_scanout(vmm, 0, 9, gpu_rect(0, 0, 64, 64)),
			RESP_INVALID_RESOURCE_ID);
	image_fill(&i, 33);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
}

static void set_scanout_refuses_a_rectangle_outside_the_resource(void **state)
{
	static const struct virtio_gpu_rect bad[] = {
		{ 0, 0, 65, 48 },         { 0, 0, 64, 49 },
		{ 1, 0, 64, 48 },         { 0, 1, 64, 48 },
		{ 64, 0, 1, 1 },          { 0xffffffff, 0, 2, 1 },
		{ 0, 0xfffffff0, 1, 32 }, { 0, 0, 0xffffffff, 0xffffffff },
		{ 0, 0, 0, 0 },           { 0, 0, 64, 0 },
		{ 0, 0, 0, 48 },
	};
	struct vmm *vmm = *state;

	assert_ok(gpu_create_2d(vmm, 1, BGRX, 64, 48));
	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_response(gpu_set_scanout(vmm, 0, 1, bad[i]), RESP_INVALID_PARAMETER);
	settle(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);
	assert_int_equal(vmm->display.surfaces[0].width, 0);
}

static void resource_zero_switches_the_scanout_off(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown_image(vmm, 1, 64, 64);

	display_forget(&vmm->display);
	assert_ok(gpu_set_scanout(vmm, 0, 0, gpu_rect(0, 0, 0, 0)));
	vmm_wait_messages(vmm, DISPLAY_SCANOUT, 1);
	assert_int_equal(vmm->display.surfaces[0].width, 0);
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	settle(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);

	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	/* Off, and off again: no message is sent. */
	assert_ok(gpu_set_scanout(vmm, 0, 0, gpu_rect(0, 0, 64, 64)));
	assert_ok(gpu_set_scanout(vmm, 0, 0, gpu_rect(0, 0, 64, 64)));
}

static void a_scanout_shows_a_part_of_a_bigger_resource(void **state)
{
	static const struct virtio_gpu_rect parts[] = {
		{ 0, 0, 320, 240 }, { 320, 0, 320, 240 }, { 100, 50, 200, 100 },
		{ 639, 479, 1, 1 }, { 1, 479, 630, 1 },   { 0, 0, 640, 480 },
	};
	struct vmm *vmm = *state;
	struct image i = image_new(vmm, 1, BGRX, 640, 480);

	image_fill(&i, 4);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	for (unsigned k = 0; k < ARRAY_LENGTH(parts); k++) {
		assert_ok(gpu_set_scanout(vmm, 0, 1, parts[k]));
		assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
		image_wait_shown(vmm, &i, 0, parts[k]);
	}
}

static void one_resource_is_shown_on_several_scanouts(void **state)
{
	struct vmm *vmm = *state;
	struct virtio_gpu_rect left = gpu_rect(0, 0, 100, 80), right = gpu_rect(100, 0, 60, 80);
	struct image i = image_new(vmm, 1, BGRX, 160, 80);

	assert_ok(gpu_set_scanout(vmm, 0, 1, left));
	assert_ok(gpu_set_scanout(vmm, 1, 1, right));
	assert_ok(gpu_set_scanout(vmm, 15, 1, left));
	for (uint32_t seed = 0; seed < 5; seed++) {
		image_fill(&i, seed);
		assert_ok(image_transfer(vmm, &i, image_rect(&i)));
		assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
		image_wait_shown(vmm, &i, 0, left);
		image_wait_shown(vmm, &i, 1, right);
		image_wait_shown(vmm, &i, 15, left);
	}
	assert_ok(gpu_unref(vmm, 1));
	settle(vmm);
	assert_int_equal(vmm->display.surfaces[0].width, 0);
	assert_int_equal(vmm->display.surfaces[1].width, 0);
	assert_int_equal(vmm->display.surfaces[15].width, 0);
}

static void a_page_flip_of_the_same_size_sends_no_new_scanout(void **state)
{
	struct vmm *vmm = *state;
	struct image a = shown_image(vmm, 1, 64, 64), b = image_new(vmm, 2, BGRX, 64, 64);
	uint64_t scanouts = vmm->display.counts[DISPLAY_SCANOUT];

	image_fill(&b, 77);
	assert_ok(image_transfer(vmm, &b, image_rect(&b)));
	for (unsigned k = 0; k < 4; k++) {
		const struct image *i = k % 2 ? &a : &b;

		assert_ok(gpu_set_scanout(vmm, 0, i->id, image_rect(i)));
		assert_ok(gpu_flush(vmm, i->id, image_rect(i)));
		image_wait_shown(vmm, i, 0, image_rect(i));
	}
	assert_int_equal(vmm->display.counts[DISPLAY_SCANOUT], scanouts);
}

/* ---- RESOURCE_FLUSH ---- */

static void flush_of_an_unknown_resource_is_refused(void **state)
{
	assert_response(gpu_flush(*state, 3, gpu_rect(0, 0, 1, 1)), RESP_INVALID_RESOURCE_ID);
}

static void flush_refuses_a_rectangle_outside(void **state)
{
	static const struct virtio_gpu_rect bad[] = {
		{ 0, 0, 65, 64 }, { 0, 0, 64, 65 },         { 64, 0, 1, 1 },
		{ 0, 64, 1, 1 },  { 0xffffffff, 0, 2, 64 }, { 0, 0xffffffff, 64, 2 },
		{ 1, 1, 64, 64 }, { 0, 0, 0xffffffff, 1 },
	};
	struct vmm *vmm = *state;

	shown_image(vmm, 1, 64, 64);
	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_response(gpu_flush(vmm, 1, bad[i]), RESP_INVALID_PARAMETER);
	assert_alive(vmm);
}

static void flush_of_a_resource_that_is_not_shown_sends_nothing(void **state)
{
	struct vmm *vmm = *state;

	image_new(vmm, 1, BGRX, 64, 64);
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, 64, 64)));
	settle(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);
	assert_int_equal(vmm->display.counts[DISPLAY_SCANOUT], 0);
}

static void flush_sends_the_damaged_box_only(void **state)
{
	static const char *const args[] = { "--gpu-mode", "2d", "--max-fps", "0", NULL };
	struct vmm *vmm = fixture_boot(state, &(struct vmm_options){ .args = args });
	struct image i = shown_image(vmm, 1, 400, 300);

	display_forget(&vmm->display);
	image_fill(&i, 50);
	assert_ok(image_transfer(vmm, &i, gpu_rect(30, 40, 50, 60)));
	assert_ok(gpu_flush(vmm, 1, gpu_rect(30, 40, 50, 60)));
	vmm_wait_messages(vmm, DISPLAY_UPDATE, 1);
	settle(vmm);
	assert_int_equal(updated_pixels(&vmm->display), 50 * 60);
	for (size_t k = 0; k < vmm->display.log_count; k++) {
		const struct display_message *m = &vmm->display.log[k];

		if (m->request != DISPLAY_UPDATE)
			continue;
		assert_true(m->words[1] >= 30 && m->words[1] + m->words[3] <= 80);
		assert_true(m->words[2] >= 40 && m->words[2] + m->words[4] <= 100);
	}
	assert_int_equal(vmm->display.surfaces[0].pixels[40 * 400 + 30] & 0xffffff,
			 image_pixel(&i, 30, 40));
}

static void flush_clips_the_box_to_the_scanout(void **state)
{
	struct vmm *vmm = *state;
	struct image i = image_new(vmm, 1, BGRX, 200, 200);
	struct virtio_gpu_rect part = gpu_rect(50, 60, 70, 80);

	assert_ok(gpu_set_scanout(vmm, 0, 1, part));
	for (uint32_t seed = 1; seed < 4; seed++) {
		image_fill(&i, seed);
		assert_ok(image_transfer(vmm, &i, image_rect(&i)));
		/* A box from outside the scanout to its middle, then one with the rest and more. */
		assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, 200, 100)));
		assert_ok(gpu_flush(vmm, 1, gpu_rect(40, 100, 160, 100)));
		image_wait_shown(vmm, &i, 0, part);
	}
	display_forget(&vmm->display);
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, 50, 200))); /* beside it */
	assert_ok(gpu_flush(vmm, 1, gpu_rect(120, 0, 80, 200)));
	settle(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);
}

static void many_small_flushes_add_up_to_the_picture(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown_image(vmm, 1, 256, 256);

	image_fill(&i, 91);
	for (uint32_t y = 0; y < 256; y += 32) {
		for (uint32_t x = 0; x < 256; x += 64) {
			assert_ok(image_transfer(vmm, &i, gpu_rect(x, y, 64, 32)));
			assert_ok(gpu_flush(vmm, 1, gpu_rect(x, y, 64, 32)));
		}
	}
	image_wait_shown(vmm, &i, 0, image_rect(&i));
}

static void without_a_flush_nothing_is_sent(void **state)
{
	struct vmm *vmm = *state;
	struct image i = shown_image(vmm, 1, 64, 64);

	display_forget(&vmm->display);
	image_fill(&i, 8);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	settle(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);
}

static void a_large_frame_arrives_whole(void **state)
{
	struct vmm *vmm = *state;
	struct image i = image_new(vmm, 1, BGRX, 3840, 2160);

	image_fill(&i, 13);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED_TEST(set_scanout_refuses_an_invalid_scanout),
		BOOTED_TEST(set_scanout_refuses_an_unknown_resource_and_keeps_the_old_one),
		BOOTED_TEST(set_scanout_refuses_a_rectangle_outside_the_resource),
		BOOTED_TEST(resource_zero_switches_the_scanout_off),
		BOOTED_TEST(a_scanout_shows_a_part_of_a_bigger_resource),
		BOOTED_TEST(one_resource_is_shown_on_several_scanouts),
		BOOTED_TEST(a_page_flip_of_the_same_size_sends_no_new_scanout),
		BOOTED_TEST(flush_of_an_unknown_resource_is_refused),
		BOOTED_TEST(flush_refuses_a_rectangle_outside),
		BOOTED_TEST(flush_of_a_resource_that_is_not_shown_sends_nothing),
		DEVICE_TEST(flush_sends_the_damaged_box_only),
		BOOTED_TEST(flush_clips_the_box_to_the_scanout),
		BOOTED_TEST(many_small_flushes_add_up_to_the_picture),
		BOOTED_TEST(without_a_flush_nothing_is_sent),
		BOOTED_TEST(a_large_frame_arrives_whole),
	};

	return cmocka_run_group_tests_name("scanout", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
