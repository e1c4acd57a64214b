// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What the socket display sends: each byte of each message. Bands are in
 * test_socket_display_bands.c.
 */
#include "socket_rig.h"

#include <drm_fourcc.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"

static void unreadable_pixels_are_not_sent(void **state)
{
	struct picture picture;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 64, 64, 1);
	picture.rows_error = -EFAULT;
	display_scanout_pixels(socket_rig.display, 0, 64, 64, &picture.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 64, 64);
	socket_rig_expect_silence();
	picture.rows_error = 0;
	picture.base.ops = &picture_prepared_ops;
	picture.error = -EIO;
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 8, 8 });
	socket_rig_expect_silence();
	assert_int_equal(picture.prepares, 1);
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void an_unused_surface_gets_one_pixel_so_that_qemu_frees_it(void **state)
{
	struct picture picture;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 64, 64, 1);
	picture.rows_error = -EFAULT;
	display_scanout_pixels(socket_rig.display, 3, 64, 64, &picture.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 3, 64, 64);
	display_scanout_pixels(socket_rig.display, 3, 32, 32, &picture.base);
	socket_rig_expect_words(VHOST_USER_GPU_UPDATE, 3, 0, 0, 1, 1, 0);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 3, 32, 32);
	display_scanout_pixels(socket_rig.display, 3, 0, 0, NULL);
	socket_rig_expect_words(VHOST_USER_GPU_UPDATE, 3, 0, 0, 1, 1, 0);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 3, 0, 0);
	socket_rig_expect_silence();
	picture_finish(&picture);
}

static void damage_outside_the_scanout_is_clipped(void **state)
{
	struct picture picture;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 100, 80, 1);
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 10, 10 });
	socket_rig_expect_silence();
	display_scanout_pixels(socket_rig.display, 0, 100, 80, &picture.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 100, 80);
	socket_rig_expect_update(0, &picture, 0, 0, 100, 80);
	display_damage(socket_rig.display, 0, &(struct rect){ 100, 0, 5, 5 });
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 80, UINT32_MAX, UINT32_MAX });
	display_damage(socket_rig.display, 0, &(struct rect){ 5, 5, 0, 10 });
	socket_rig_expect_silence();
	display_damage(socket_rig.display, 0, &(struct rect){ 90, 70, UINT32_MAX, UINT32_MAX });
	socket_rig_expect_update(0, &picture, 90, 70, 10, 10);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void scanout_is_sent_only_when_the_size_changes(void **state)
{
	struct picture a, b;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&a, 40, 30, 1);
	picture_init(&b, 40, 30, 2);
	display_scanout_pixels(socket_rig.display, 2, 40, 30, &a.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 2, 40, 30);
	socket_rig_expect_update(2, &a, 0, 0, 40, 30);
	display_scanout_pixels(socket_rig.display, 2, 40, 30, &b.base);
	socket_rig_expect_update(2, &b, 0, 0, 40, 30);
	display_scanout_pixels(socket_rig.display, 2, 40, 20, &b.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 2, 40, 20);
	socket_rig_expect_update(2, &b, 0, 0, 40, 20);
	/* Off and on again in one turn: only the new frame is sent. */
	display_scanout_pixels(socket_rig.display, 2, 0, 0, NULL);
	display_scanout_pixels(socket_rig.display, 2, 40, 20, &a.base);
	socket_rig_expect_update(2, &a, 0, 0, 40, 20);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&a);
	picture_finish(&b);
}

static void show_prepared(struct picture *picture, const struct display_pixels_ops *ops)
{
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	picture_init(picture, 256, 444, 1);
	picture->base.ops = ops;
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &picture->base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 256, 444);
	socket_rig_turns(3);
}

static void a_rectangle_is_prepared_once(void **state)
{
	struct picture picture;

	(void)state;
	show_prepared(&picture, &picture_prepared_ops);
	assert_int_equal(picture.prepares, 1);
	assert_true(rect_is_equal(&picture.prepared, &(struct rect){ 0, 0, 256, 444 }));
	socket_rig_expect_update(0, &picture, 0, 0, 256, 444);
	socket_rig_expect_silence();
	assert_int_equal(picture.prepares, 1);
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

/* To prepare it again might take long, and the peer waits for the rest of the message. */
static void what_was_prepared_and_lost_in_an_update_is_sent_again_after_it(void **state)
{
	struct picture picture;

	(void)state;
	show_prepared(&picture, &picture_prepared_ops);
	display_pixels_changed(socket_rig.display, &picture.base);
	socket_rig_expect_mixed_update(&picture, NULL);
	socket_rig_turns(3);
	assert_int_equal(picture.prepares, 2);
	struct rect again = picture.prepared;
	assert_true(again.x == 0 && again.width == 256 && again.y + again.height == 444);
	socket_rig_expect_update(0, &picture, 0, again.y, 256, again.height);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void pixels_can_be_prepared_band_by_band(void **state)
{
	struct picture picture;

	(void)state;
	show_prepared(&picture, &picture_banded_ops); /* picture_prepare() checks the size */
	assert_int_equal(picture.prepares, 1);
	socket_rig_expect_update(0, &picture, 0, 0, 256, 444);
	assert_int_equal(picture.prepares, 3);
	socket_rig_expect_silence();
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 200, 444 });
	socket_rig_expect_update(0, &picture, 0, 0, 200, 444);
	display_damage(socket_rig.display, 0, &(struct rect){ 255, 0, 1, 444 });
	socket_rig_expect_update(0, &picture, 255, 0, 1, 444);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

/* The watchdog has the state lock while it sends, and such a source would give the lock away. */
static void another_thread_prepares_no_pixels_that_need_the_lock_released(void **state)
{
	struct display_pixels_ops ops = picture_banded_ops;
	const size_t size = 12 + 20 + 256 * 444 * 4;
	uint8_t *bytes = calloc(1, size);
	struct picture picture;
	size_t at = 0;
	ssize_t n;

	(void)state;
	ops.releases_lock = true;
	show_prepared(&picture, &ops);
	assert_true(loop_find_writer(&socket_rig.loop) >= 0);
	while ((n = socket_rig_recv(bytes + at, size - at)) > 0) {
		at += (size_t)n;
		loop_write(&socket_rig.loop);
	}
	assert_int_equal(picture.prepares, 1);
	assert_int_equal(at, size);
	assert_int_equal(bytes[size - 1] | bytes[size - 2] | bytes[size - 3], 0);
	/* The main thread sends what was lost. */
	socket_rig_turns(3);
	assert_true(picture.prepares > 1);
	free(bytes);
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void two_scanouts_of_one_resource_are_prepared_separately(void **state)
{
	struct picture picture;

	(void)state;
	show_prepared(&picture, &picture_prepared_ops); /* picture_rows() checks what is read */
	display_scanout_pixels(socket_rig.display, 1, 256, 400, &picture.base);
	display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 1, 1 });
	socket_rig_expect_update(0, &picture, 0, 0, 256, 444);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 1, 256, 400);
	socket_rig_expect_update(0, &picture, 0, 0, 1, 1);
	socket_rig_expect_update(1, &picture, 0, 0, 256, 400);
	socket_rig_expect_silence();
	assert_int_equal(picture.prepares, 3);
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

/* Scanout 1 has its turn first when there is room again, but the rectangle that was prepared for
 * scanout 0 must be sent before. */
static void an_update_that_waits_for_another_one_of_its_resource_is_sent(void **state)
{
	const struct socket_display *sd = socket_rig_display();
	struct picture picture;
	unsigned n = 0;

	(void)state;
	show_prepared(&picture, &picture_prepared_ops);
	socket_rig_expect_update(0, &picture, 0, 0, 256, 444);
	display_scanout_pixels(socket_rig.display, 1, 256, 400, &picture.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 1, 256, 400);
	socket_rig_expect_update(1, &picture, 0, 0, 256, 400);
	for (; !sd->is_full; n++) {
		display_damage(socket_rig.display, 0, &(struct rect){ 0, 0, 1, 1 });
		socket_rig_turns(1);
	}
	assert_false(rect_is_empty(&sd->scanouts[0].sending));
	display_damage(socket_rig.display, 1, &(struct rect){ 0, 0, 2, 2 });
	for (; n > 0; n--)
		socket_rig_expect_update(0, &picture, 0, 0, 1, 1);
	socket_rig_expect_update(1, &picture, 0, 0, 2, 2);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void expect_dmabuf(unsigned scanout, const struct dmabuf *d, bool has_modifier)
{
	struct vhost_user_gpu_dmabuf_scanout2 wire = {
		.scanout = { scanout, 1, 2, 640, 480, 700, 500, 2800, 1, DRM_FORMAT_XRGB8888 },
		.modifier = d->modifier,
	};
	struct stat sent, got;

	if (has_modifier)
		socket_rig_expect(VHOST_USER_GPU_DMABUF_SCANOUT2, &wire, 48);
	else
		socket_rig_expect(VHOST_USER_GPU_DMABUF_SCANOUT, &wire, 40);
	assert_true(socket_rig.last_fd >= 0);
	assert_int_equal(fstat(socket_rig.last_fd, &got), 0);
	assert_int_equal(fstat(d->fd, &sent), 0);
	assert_int_equal(got.st_ino, sent.st_ino);
	fd_close(&socket_rig.last_fd);
}

static void expect_dmabuf_off(unsigned scanout)
{
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_SCANOUT, scanout, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(socket_rig.last_fd, -1);
}

static void a_scanout_changes_from_pixels_to_a_dma_buf_and_back(void **state)
{
	auto_fd fd = memfd_create("dmabuf", MFD_CLOEXEC);
	struct dmabuf dmabuf = socket_rig_dmabuf(fd, 0x1234);
	struct picture picture;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 20, 10, 1);
	display_scanout_pixels(socket_rig.display, 1, 20, 10, &picture.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 1, 20, 10);
	socket_rig_expect_update(1, &picture, 0, 0, 20, 10);
	assert_int_equal(
		display_scanout_dmabuf(socket_rig.display, 1, &dmabuf, &socket_rig_dmabuf_rect), 0);
	expect_dmabuf(1, &dmabuf, true);
	/* QEMU would abort if its old surface came back, so SCANOUT must be sent. */
	display_scanout_pixels(socket_rig.display, 1, 20, 10, &picture.base);
	expect_dmabuf_off(1);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 1, 20, 10);
	socket_rig_expect_update(1, &picture, 0, 0, 20, 10);
	assert_int_equal(
		display_scanout_dmabuf(socket_rig.display, 1, &dmabuf, &socket_rig_dmabuf_rect), 0);
	expect_dmabuf(1, &dmabuf, true);
	display_reset(socket_rig.display);
	expect_dmabuf_off(1);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 1, 0, 0);
	socket_rig_expect_silence();
	picture_finish(&picture);
}

static void a_new_display_is_sent_everything(void **state)
{
	auto_fd fd = memfd_create("dmabuf", MFD_CLOEXEC);
	struct dmabuf dmabuf = socket_rig_dmabuf(fd, 0);
	struct display_cursor cursor = { .x = 1, .y = 2 };
	struct picture picture;

	(void)state;
	picture_init(&picture, 20, 10, 1);
	socket_rig_connect_and_negotiate(0);
	display_scanout_pixels(socket_rig.display, 0, 20, 10, &picture.base);
	display_cursor_set(socket_rig.display, 0, &cursor);
	display_cursor_move(socket_rig.display, 3, 4, 5, false);
	display_scanout_pixels(socket_rig.display, 4, 20, 10, &picture.base);
	assert_int_equal(
		display_scanout_dmabuf(socket_rig.display, 2, &dmabuf, &socket_rig_dmabuf_rect), 0);
	fd_close(&fd);
	fd = memfd_create("another", MFD_CLOEXEC); /* the display has its own descriptor */
	socket_rig_turns(3);
	fd_close(&socket_rig.peer); /* everything is lost; the next change finds no display */
	socket_rig_turns(3);
	display_scanout_pixels(socket_rig.display, 4, 0, 0, NULL);
	display_damage(socket_rig.display, 0, &(struct rect){ 1, 1, 1, 1 });

	socket_rig_connect(0, NULL);
	socket_rig_expect(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 20, 10);
	socket_rig_expect_words(VHOST_USER_GPU_CURSOR_POS_HIDE, 3, 4, 5);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 4, 0, 0);
	socket_rig_expect_cursor(0, &cursor);
	socket_rig_expect_update(0, &picture, 0, 0, 20, 10);
	socket_rig_expect_silence(); /* dma-bufs wait for the features */
	assert_false(display_shows_dmabufs(socket_rig.display));
	socket_rig_reply(VHOST_USER_GPU_GET_PROTOCOL_FEATURES, &(uint64_t){ 0 }, 8);
	socket_rig_expect_words(VHOST_USER_GPU_SET_PROTOCOL_FEATURES, 0, 0);
	socket_rig_expect_header(VHOST_USER_GPU_DMABUF_SCANOUT, 40);
	socket_rig_read(&(uint8_t[40]){ 0 }, 40);
	assert_true(socket_rig.last_fd >= 0);
	socket_rig_expect_words(VHOST_USER_GPU_DMABUF_UPDATE, 2, 0, 0, 640, 480);
	socket_rig_expect_silence();
	display_reset(socket_rig.display);
	picture_finish(&picture);
}

static void the_next_front_end_gets_nothing_of_the_last_one(void **state)
{
	auto_fd fd = memfd_create("dmabuf", MFD_CLOEXEC);
	struct dmabuf dmabuf = socket_rig_dmabuf(fd, 0);
	struct picture picture;

	(void)state;
	socket_rig_connect_and_negotiate(0);
	picture_init(&picture, 20, 10, 1);
	display_scanout_pixels(socket_rig.display, 0, 20, 10, &picture.base);
	display_cursor_move(socket_rig.display, 0, 1, 1, true);
	assert_int_equal(
		display_scanout_dmabuf(socket_rig.display, 1, &dmabuf, &socket_rig_dmabuf_rect), 0);
	socket_rig_turns(3);
	display_reset(socket_rig.display);
	assert_int_equal(display_set_socket(socket_rig.display, -1), 0);
	assert_false(display_shows_dmabufs(socket_rig.display));
	socket_rig_connect_and_negotiate(0);
	socket_rig_expect_silence();
	picture_finish(&picture);
}

static void a_tiled_buffer_is_refused_without_the_modifier_feature(void **state)
{
	auto_fd fd = memfd_create("dmabuf", MFD_CLOEXEC);
	struct dmabuf tiled = socket_rig_dmabuf(fd, 0x77),
		      linear = socket_rig_dmabuf(fd, DRM_FORMAT_MOD_LINEAR),
		      implied = socket_rig_dmabuf(fd, DRM_FORMAT_MOD_INVALID);

	(void)state;
	assert_int_equal(
		display_scanout_dmabuf(socket_rig.display, 0, &linear, &socket_rig_dmabuf_rect),
		-ENOTSUP);
	socket_rig_connect(0, NULL);
	assert_int_equal(
		display_scanout_dmabuf(socket_rig.display, 0, &linear, &socket_rig_dmabuf_rect),
		-ENOTSUP);
	socket_rig_negotiate(1);
	assert_int_equal(
		display_scanout_dmabuf(socket_rig.display, 0, &linear, &socket_rig_dmabuf_rect), 0);
	expect_dmabuf(0, &linear, false);
	assert_int_equal(
		display_scanout_dmabuf(socket_rig.display, 0, &implied, &socket_rig_dmabuf_rect),
		0);
	expect_dmabuf(0, &implied, false);
	assert_int_equal(
		display_scanout_dmabuf(socket_rig.display, 0, &tiled, &socket_rig_dmabuf_rect),
		-ENOTSUP);
	expect_dmabuf_off(0);
	socket_rig_expect_silence();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALONE(unreadable_pixels_are_not_sent),
		ALONE(an_unused_surface_gets_one_pixel_so_that_qemu_frees_it),
		ALONE(damage_outside_the_scanout_is_clipped),
		ALONE(scanout_is_sent_only_when_the_size_changes),
		ALONE(a_rectangle_is_prepared_once),
		ALONE(what_was_prepared_and_lost_in_an_update_is_sent_again_after_it),
		ALONE(pixels_can_be_prepared_band_by_band),
		ALONE(another_thread_prepares_no_pixels_that_need_the_lock_released),
		ALONE(two_scanouts_of_one_resource_are_prepared_separately),
		ALONE(an_update_that_waits_for_another_one_of_its_resource_is_sent),
		ALONE(a_scanout_changes_from_pixels_to_a_dma_buf_and_back),
		ALONE(a_new_display_is_sent_everything),
		ALONE(the_next_front_end_gets_nothing_of_the_last_one),
		ALONE(a_tiled_buffer_is_refused_without_the_modifier_feature),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
