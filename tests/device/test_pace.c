// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Frames that no screen would show are not sent, and the guest never waits for one: a flush is
 * answered whatever the display does. The expected counts are bounded by the elapsed time, so a
 * slow machine changes nothing.
 */
#include "fixture.h"

#include <string.h>
#include <unistd.h>

#define RESOURCE 1
#define WIDTH    640
#define HEIGHT   480
#define FLUSHES  300

#define FIVE_A_SECOND                                                                              \
	((const char *const[]){ "--gpu-mode", vmm_renderer("2d"), "--max-fps", "5", NULL })

static void draw(struct vmm *vmm, struct image *image, uint32_t seed)
{
	image_fill(image, seed);
	assert_ok(image_transfer(vmm, image, image_rect(image)));
	assert_ok(gpu_flush(vmm, image->id, image_rect(image)));
}

static struct image show(struct vmm *vmm)
{
	struct image image = image_new(vmm, RESOURCE, BGRX, WIDTH, HEIGHT);

	assert_ok(gpu_set_scanout(vmm, 0, RESOURCE, image_rect(&image)));
	draw(vmm, &image, 1);
	image_wait_shown(vmm, &image, 0, image_rect(&image));
	return image;
}

/* Pixels that were received, in frames. */
static double frames(const struct vmm *vmm)
{
	return (double)vmm->display.bytes / (WIDTH * HEIGHT * 4);
}

static void flushes_faster_than_the_refresh_rate_are_merged(void **state)
{
	struct vmm *vmm = fixture_boot(state, &(struct vmm_options){ .args = FIVE_A_SECOND });
	struct image image = show(vmm);
	int64_t start = vmm_now_ms();

	display_forget(&vmm->display);
	vmm->display.bytes = 0;
	for (uint32_t i = 0; i < FLUSHES; i++)
		draw(vmm, &image, 2 + i);
	image_wait_shown(vmm, &image, 0, image_rect(&image));

	/* The rest of one may be unread at the start, and the next one may be sent at once; headers
	 * are less than a hundredth. */
	double due = (double)(vmm_now_ms() - start) / 200 + 2.1;

	if (frames(vmm) > due)
		vmm_fail("%.1f frames came, due are %.1f", frames(vmm), due);
}

/* Draws after a pause, and again when half of the interval of a second is over. Returns whether the
 * second picture came before it was due. */
static bool comes_before_it_is_due(struct vmm *vmm, struct image *image, uint32_t seed)
{
	int64_t start;

	usleep(2100000);
	start = vmm_now_ms();
	draw(vmm, image, seed);
	image_wait_shown(vmm, image, 0, image_rect(image));
	usleep(500000);
	draw(vmm, image, seed + 1);
	image_wait_shown(vmm, image, 0, image_rect(image));
	return vmm_now_ms() - start < 870; /* after a pause an interval is an eighth shorter */
}

static void a_flush_in_the_second_half_of_the_interval_is_sent_at_once(void **state)
{
	static const char *const args[] = { "--gpu-mode", "2d", "--max-fps", "1", NULL };
	struct vmm *vmm = fixture_boot(state, &(struct vmm_options){ .args = args });
	struct image image = show(vmm);

	for (uint32_t i = 0; i < 10; i++) /* a busy machine may be too slow to tell */
		if (comes_before_it_is_due(vmm, &image, 2 + 2 * i))
			return;
	vmm_fail("no picture came before it was due");
}

static void page_flips_faster_than_the_refresh_rate_are_merged(void **state)
{
	struct vmm *vmm = fixture_boot(state, &(struct vmm_options){ .args = FIVE_A_SECOND });
	struct image images[2] = { show(vmm), image_new(vmm, RESOURCE + 1, BGRX, WIDTH, HEIGHT) };
	int64_t start = vmm_now_ms();
	struct image *last = NULL;

	vmm->display.bytes = 0;
	for (uint32_t i = 0; i < FLUSHES; i++) {
		last = &images[i % 2];
		image_fill(last, i);
		assert_ok(image_transfer(vmm, last, image_rect(last)));
		assert_ok(gpu_set_scanout(vmm, 0, last->id, image_rect(last)));
		assert_ok(gpu_flush(vmm, last->id, image_rect(last)));
	}
	image_wait_shown(vmm, last, 0, image_rect(last));

	double due = (double)(vmm_now_ms() - start) / 200 + 2.1;

	if (frames(vmm) > due)
		vmm_fail("%.1f frames came, due are %.1f", frames(vmm), due);
}

/* The display reads nothing before the last flush is answered: if a flush waited for the display,
 * the test would not end. */
static void a_display_that_does_not_read_delays_no_flush(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);
	struct image image = show(vmm);

	vmm->display.is_paused = true;
	for (uint32_t i = 0; i < FLUSHES; i++)
		draw(vmm, &image, 2 + i);
	vmm->display.is_paused = false;
	image_wait_shown(vmm, &image, 0, image_rect(&image));
}

static void a_resource_destroyed_while_its_frame_waits_is_not_read(void **state)
{
	struct vmm *vmm = fixture_boot(state, &(struct vmm_options){ .args = FIVE_A_SECOND });
	struct image image = show(vmm), next;

	draw(vmm, &image, 2);
	assert_ok(gpu_unref(vmm, RESOURCE));
	next = image_new(vmm, RESOURCE + 1, BGRX, WIDTH, HEIGHT);
	assert_ok(gpu_set_scanout(vmm, 0, RESOURCE + 1, image_rect(&next)));
	draw(vmm, &next, 3);
	draw(vmm, &next, 4);
	image_wait_shown(vmm, &next, 0, image_rect(&next));
}

static void a_reset_and_a_new_start_show_the_new_picture(void **state)
{
	struct vmm *vmm = fixture_boot(state, &(struct vmm_options){ .args = FIVE_A_SECOND });
	struct image image = show(vmm);

	draw(vmm, &image, 2);
	draw(vmm, &image, 3);
	vmm_reset(vmm);
	vmm_start(vmm);
	image = show(vmm);
	draw(vmm, &image, 4);
	image_wait_shown(vmm, &image, 0, image_rect(&image));
}

static void the_last_frame_of_a_stopped_machine_is_sent(void **state)
{
	struct vmm *vmm = fixture_boot(state, &(struct vmm_options){ .args = FIVE_A_SECOND });
	struct image image = show(vmm);

	draw(vmm, &image, 2);
	draw(vmm, &image, 3);
	vhost_stop_ring(vmm, CONTROL);
	vhost_stop_ring(vmm, CURSOR);
	image_wait_shown(vmm, &image, 0, image_rect(&image));
}

static int run(void)
{
	static const struct CMUnitTest tests[] = {
		DEVICE_TEST(flushes_faster_than_the_refresh_rate_are_merged),
		DEVICE_TEST(a_flush_in_the_second_half_of_the_interval_is_sent_at_once),
		DEVICE_TEST(page_flips_faster_than_the_refresh_rate_are_merged),
		DEVICE_TEST(a_display_that_does_not_read_delays_no_flush),
		DEVICE_TEST(a_resource_destroyed_while_its_frame_waits_is_not_read),
		DEVICE_TEST(a_reset_and_a_new_start_show_the_new_picture),
		DEVICE_TEST(the_last_frame_of_a_stopped_machine_is_sent),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
