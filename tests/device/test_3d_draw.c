// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What OpenGL draws, and what a screen shows of it, pixel by pixel. Colours are cleared and copied,
 * so they are exact on every driver. Places are chosen so that an upside-down, mirrored, shifted or
 * stale picture differs. The first row in guest memory is the top row on the screen, also for a
 * resource that OpenGL keeps with its origin at the bottom (Y_0_TOP); the host handles that for
 * transfers and screens. The screen here gets pixels that are read back, as on every host without
 * dma-bufs.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <string.h>

#define W      96
#define H      64
#define RED    0xff0000
#define GREEN  0x00ff00
#define BLUE   0x0000ff
#define ORANGE 0xff8040

/* As pixels, so that the tests mean the same where the GPU has dma-bufs. */
static struct vmm *boot(void **state)
{
	static const char *const args[] = { "--gpu-mode", "virglrenderer", "--scanout",
					    "pixels",     "--max-fps",     "0",
					    NULL };
	struct vmm_options options = { .args = args };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_ok(gpu_ctx_create(vmm, 1, VIRTIO_GPU_CAPSET_VIRGL2));
	return vmm;
}

static struct image new_target(struct vmm *vmm, uint32_t id, uint32_t w, uint32_t h, uint32_t flags)
{
	create_3d_t args = gpu_texture(id, w, h);

	args.flags = flags;
	struct image i = image_new_3d(vmm, args);
	assert_ok(gpu_ctx_attach(vmm, 1, id));
	return i;
}

static struct image one_colour(struct vmm *vmm, uint32_t w, uint32_t h, uint32_t rgb)
{
	struct image due = image_due(vmm, w, h);

	image_paint(&due, image_rect(&due), rgb);
	return due;
}

static void show(struct vmm *vmm, uint32_t scanout, uint32_t id, const struct image *due)
{
	assert_ok(gpu_set_scanout(vmm, scanout, id, image_rect(due)));
	assert_ok(gpu_flush(vmm, id, image_rect(due)));
	image_wait_shown(vmm, due, scanout, image_rect(due));
}

/* Draws only @r of @id: a clear covers the whole resource, a copy does not. */
static void paint_part(struct vmm *vmm, uint32_t id, struct virtio_gpu_rect r, uint32_t rgb)
{
	const uint32_t scratch = 99;
	struct stream s = { .count = 0 };

	assert_ok(gpu_create_3d(vmm, gpu_texture(scratch, r.width, r.height)));
	assert_ok(gpu_ctx_attach(vmm, 1, scratch));
	assert_ok(gpu_paint(vmm, 1, scratch, rgb));
	stream_copy(&s, id, r.x, r.y, scratch, gpu_rect(0, 0, r.width, r.height));
	assert_ok(gpu_stream(vmm, 1, &s));
	assert_ok(gpu_unref(vmm, scratch));
}

/* ---- drawing ---- */

static void a_clear_is_read_back(void **state)
{
	static const uint32_t colours[] = { 0x000000, 0xffffff, ORANGE, 0x010203, 0x7f8081 };
	struct vmm *vmm = boot(state);
	struct image i = new_target(vmm, 1, W, H, 0);

	for (unsigned k = 0; k < ARRAY_LENGTH(colours); k++) {
		struct image due = one_colour(vmm, W, H, colours[k]);

		assert_ok(gpu_paint(vmm, 1, 1, colours[k]));
		image_check_host(vmm, &i, &due);
	}
}

static void copies_on_the_gpu_are_read_back(void **state)
{
	struct vmm *vmm = boot(state);
	struct image from = new_target(vmm, 1, W, H, 0), to = new_target(vmm, 2, W, H, 0);
	struct image due = one_colour(vmm, W, H, BLUE);
	struct stream s = { .count = 0 };

	image_fill(&from, 5);
	assert_ok(gpu_to_host_3d(vmm, gpu_whole(&from)));
	assert_ok(gpu_paint(vmm, 1, 2, BLUE));
	stream_copy(&s, 2, 50, 40, 1, gpu_rect(10, 3, 30, 20));
	assert_ok(gpu_stream(vmm, 1, &s));
	for (uint32_t y = 0; y < 20; y++)
		memcpy(due.bytes + ((40 + y) * W + 50) * 4, from.bytes + ((3 + y) * W + 10) * 4,
		       30 * 4);
	image_check_host(vmm, &to, &due);
	show(vmm, 0, 2, &due);
}

/* ---- on the screen ---- */

static void opengl_drawings_are_shown(void **state)
{
	struct vmm *vmm = boot(state);

	new_target(vmm, 1, W, H, 0);
	for (uint32_t k = 0; k < 5; k++) {
		struct image due = one_colour(vmm, W, H, k * 0x132f21 + 0x20);

		assert_ok(gpu_paint(vmm, 1, 1, k * 0x132f21 + 0x20));
		show(vmm, 0, 1, &due);
	}
}

/* The marked corner is at the top left of the guest's memory, and of the screen. */
static void pictures_are_upright_for_both_origins(void **state)
{
	struct vmm *vmm = boot(state);

	for (uint32_t flags = 0; flags <= VIRTIO_GPU_RESOURCE_FLAG_Y_0_TOP; flags++) {
		uint32_t id = flags + 1;
		struct image i = new_target(vmm, id, W, H, flags);
		struct image due = image_due(vmm, W, H);

		/* By transfers: the upper half, then the lower half. */
		image_paint(&i, gpu_rect(0, 0, W, H / 2), RED);
		image_paint(&i, gpu_rect(0, H / 2, W, H / 2), GREEN);
		image_paint(&i, gpu_rect(0, 0, 5, 3), BLUE);
		memcpy(due.bytes, i.bytes, W * H * 4);
		transfer_3d_t t = gpu_whole(&i);
		t.box.h = H / 2;
		assert_ok(gpu_to_host_3d(vmm, t));
		t.box.y = H / 2;
		t.offset = W * H / 2 * 4;
		assert_ok(gpu_to_host_3d(vmm, t));
		image_check_host(vmm, &i, &due);
		show(vmm, 0, id, &due);
		/* A part of the resource is that part of the picture. */
		assert_ok(gpu_set_scanout(vmm, 1, id, gpu_rect(2, 1, 60, 40)));
		assert_ok(gpu_flush(vmm, id, image_rect(&i)));
		image_wait_shown(vmm, &due, 1, gpu_rect(2, 1, 60, 40));

		/* By OpenGL. Where a copy ends up in a resource with its origin at the bottom
		 * depends on the library's version; screen and guest must see it in one place. */
		assert_ok(gpu_paint(vmm, 1, id, ORANGE));
		paint_part(vmm, id, gpu_rect(3, 4, 20, 10), BLUE);
		image_paint(&due, image_rect(&due), ORANGE);
		image_paint(&due, gpu_rect(3, 4, 20, 10), BLUE);
		if (flags == 0)
			image_check_host(vmm, &i, &due);
		assert_ok(gpu_from_host_3d(vmm, gpu_whole(&i)));
		show(vmm, 0, id, &i);
	}
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

/* Makes @count red textures, and shows the first. What the display got is forgotten. */
static struct image show_red(struct vmm *vmm, uint32_t count)
{
	struct image due = one_colour(vmm, W, H, RED);

	for (uint32_t id = 1; id <= count; id++) {
		new_target(vmm, id, W, H, 0);
		assert_ok(gpu_paint(vmm, 1, id, RED));
	}
	show(vmm, 0, 1, &due);
	assert_alive(vmm);
	display_forget(&vmm->display);
	return due;
}

static void flush_reads_and_sends_the_damaged_box_only(void **state)
{
	struct vmm *vmm = boot(state);
	struct image due = show_red(vmm, 1);
	struct virtio_gpu_rect box = gpu_rect(30, 40, 17, 9);

	/* All of it changes, but only that box is flushed. */
	assert_ok(gpu_paint(vmm, 1, 1, GREEN));
	assert_ok(gpu_flush(vmm, 1, box));
	image_paint(&due, box, GREEN);
	image_wait_shown(vmm, &due, 0, image_rect(&due));
	assert_alive(vmm);
	assert_int_equal(updated_pixels(&vmm->display), 17 * 9);

	display_forget(&vmm->display);
	assert_ok(gpu_paint(vmm, 1, 1, BLUE));
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0); /* no flush, no update */
	assert_response(gpu_flush(vmm, 1, gpu_rect(0, 0, W + 1, 1)), RESP_INVALID_PARAMETER);
	assert_response(gpu_flush(vmm, 1, gpu_rect(0, 1, 1, H)), RESP_INVALID_PARAMETER);
}

static void several_screens_show_one_resource(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = new_target(vmm, 1, W, H, 0);
	struct virtio_gpu_rect parts[] = { gpu_rect(0, 0, W, H), gpu_rect(40, 20, 56, 44) };

	for (uint32_t k = 0; k < 2; k++)
		assert_ok(gpu_set_scanout(vmm, k, 1, parts[k]));
	for (uint32_t seed = 0; seed < 3; seed++) {
		image_fill(&i, seed);
		assert_ok(gpu_to_host_3d(vmm, gpu_whole(&i)));
		assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
		for (uint32_t k = 0; k < 2; k++)
			image_wait_shown(vmm, &i, k, parts[k]);
	}
	/* One is switched off, the other stays. */
	assert_ok(gpu_set_scanout(vmm, 0, 0, gpu_rect(0, 0, 0, 0)));
	image_fill(&i, 7);
	assert_ok(gpu_to_host_3d(vmm, gpu_whole(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 1, parts[1]);
	assert_int_equal(vmm->display.surfaces[0].width, 0);
}

static void pages_are_flipped(void **state)
{
	struct vmm *vmm = boot(state);

	new_target(vmm, 1, W, H, 0);
	new_target(vmm, 2, W, H, 0);
	for (uint32_t k = 0; k < 8; k++) {
		uint32_t rgb = 0x301020 * (k + 1) & 0xffffff;
		struct image due = one_colour(vmm, W, H, rgb);

		assert_ok(gpu_paint(vmm, 1, 1 + k % 2, rgb));
		show(vmm, 0, 1 + k % 2, &due);
		/* Drawings on the other page are not seen. */
		assert_ok(gpu_paint(vmm, 1, 2 - k % 2, 0x999999));
		assert_ok(gpu_flush(vmm, 2 - k % 2, image_rect(&due)));
		assert_alive(vmm);
		assert_true(image_is_shown(vmm, &due, 0, image_rect(&due)));
	}
	assert_int_equal(vmm->display.counts[DISPLAY_SCANOUT], 1);
}

/* The guest damages the whole screen in each flip. Columns are compared 32 at a time. */
static void a_page_flip_sends_only_what_the_display_lacks(void **state)
{
	struct vmm *vmm = boot(state);
	struct image due = show_red(vmm, 2);
	struct virtio_gpu_rect changed = gpu_rect(35, 40, 17, 9);

	paint_part(vmm, 2, changed, GREEN);
	image_paint(&due, changed, GREEN);
	show(vmm, 0, 2, &due);
	assert_alive(vmm);
	assert_int_equal(updated_pixels(&vmm->display), 32 * 9);

	/* The old page shows again what the display does not have any more. */
	display_forget(&vmm->display);
	image_paint(&due, changed, RED);
	show(vmm, 0, 1, &due);
	assert_alive(vmm);
	assert_int_equal(updated_pixels(&vmm->display), 32 * 9);
}

static void a_frame_like_the_last_one_is_not_sent(void **state)
{
	struct vmm *vmm = boot(state);
	struct image due = show_red(vmm, 1);

	assert_ok(gpu_paint(vmm, 1, 1, RED));
	assert_ok(gpu_flush(vmm, 1, image_rect(&due)));
	paint_part(vmm, 1, gpu_rect(0, 0, 1, 1), GREEN);
	image_paint(&due, gpu_rect(0, 0, 1, 1), GREEN);
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, 1, 1)));
	image_wait_shown(vmm, &due, 0, image_rect(&due));
	assert_alive(vmm);
	assert_int_equal(updated_pixels(&vmm->display), 1);
}

/* A new display socket, as at every `cont`, gets the current picture without a request. */
static void a_new_display_is_sent_the_picture(void **state)
{
	struct vmm *vmm = boot(state);
	struct image due = one_colour(vmm, W, H, ORANGE);

	new_target(vmm, 1, W, H, 0);
	assert_ok(gpu_paint(vmm, 1, 1, ORANGE));
	show(vmm, 0, 1, &due);
	for (unsigned k = 0; k < 3; k++) {
		vmm_stop(vmm);
		vmm_start(vmm);
		image_wait_shown(vmm, &due, 0, image_rect(&due));
	}
}

/* While the display does not read, many frames are drawn; it gets the last one. */
static void a_display_that_does_not_read_delays_no_command(void **state)
{
	struct vmm *vmm = boot(state);
	struct image due = one_colour(vmm, 1024, 768, BLUE);

	new_target(vmm, 1, 1024, 768, 0);
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&due)));
	vmm->display.is_paused = true;
	for (uint32_t k = 0; k < 10; k++) {
		assert_ok(gpu_paint(vmm, 1, 1, k == 9 ? BLUE : RED + k));
		assert_ok(gpu_flush(vmm, 1, image_rect(&due)));
		assert_session_alive(vmm);
	}
	vmm->display.is_paused = false;
	image_wait_shown(vmm, &due, 0, image_rect(&due));
}

static void a_cursor_can_be_drawn_by_opengl(void **state)
{
	struct vmm *vmm = boot(state);
	const struct display_cursor *c = &vmm->display.cursors[0];

	new_target(vmm, 1, 64, 64, 0);
	assert_ok(gpu_paint(vmm, 1, 1, ORANGE));
	paint_part(vmm, 1, gpu_rect(0, 0, 8, 4), BLUE);
	assert_ok(gpu_update_cursor(vmm, 0, 11, 12, 1, 2, 3));
	vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, 1);
	assert_int_equal(c->x, 11);
	assert_int_equal(c->y, 12);
	for (uint32_t k = 0; k < 64 * 64; k++)
		assert_int_equal(c->pixels[k],
				 0xff000000 | (k % 64 < 8 && k / 64 < 4 ? BLUE : ORANGE));
	new_target(vmm, 2, 65, 64, 0);
	assert_response(gpu_update_cursor(vmm, 0, 0, 0, 2, 0, 0), RESP_INVALID_PARAMETER);
	/* A smaller cursor, in the corner of a transparent one. */
	new_target(vmm, 3, 20, 10, 0);
	assert_ok(gpu_paint(vmm, 1, 3, GREEN));
	assert_ok(gpu_update_cursor(vmm, 0, 0, 0, 3, 0, 0));
	vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, 2);
	for (uint32_t k = 0; k < 64 * 64; k++)
		assert_int_equal(c->pixels[k], k % 64 < 20 && k / 64 < 10 ? 0xff000000 | GREEN : 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(a_clear_is_read_back),
		DEVICE_TEST(copies_on_the_gpu_are_read_back),
		DEVICE_TEST(opengl_drawings_are_shown),
		DEVICE_TEST(pictures_are_upright_for_both_origins),
		DEVICE_TEST(flush_reads_and_sends_the_damaged_box_only),
		DEVICE_TEST(several_screens_show_one_resource),
		DEVICE_TEST(pages_are_flipped),
		DEVICE_TEST(a_page_flip_sends_only_what_the_display_lacks),
		DEVICE_TEST(a_frame_like_the_last_one_is_not_sent),
		DEVICE_TEST(a_new_display_is_sent_the_picture),
		DEVICE_TEST(a_display_that_does_not_read_delays_no_command),
		DEVICE_TEST(a_cursor_can_be_drawn_by_opengl),
	};

	return gpu3d_works() ? cmocka_run_group_tests_name("3d draw", tests, NULL, NULL)
			     : EXIT_SKIPPED;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
