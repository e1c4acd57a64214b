// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The pixels of a scanout over a page flip: what was read back for a frame, of which the display
 * has sent a part, stays as it is to the end of that frame.
 */
#include "gpu_rig.h"

#include "base/state_lock.h"
#include "gpu_guest.h"

#define SIDE 64

static const struct rect all = { 0, 0, SIDE, SIDE };

/* Two resources on the GPU; the first is shown. */
static int setup(void **state)
{
	int r = gpu_rig_setup(state);

	gpu_rig.device->scanout_mode = GPU_SCANOUT_PIXELS;
	for (uint32_t id = 1; id <= 2; id++)
		assert_int_equal(gpu_guest_create_2d(id, SIDE, SIDE), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_set_scanout(0, 1, SIDE, SIDE), VIRTIO_GPU_RESP_OK_NODATA);
	return r;
}

/* As the display does before it sends the first byte. */
static void read_back(uint8_t pixel)
{
	struct display_pixels *source = gpu_rig.display.sources[0];

	gpu_rig.renderer.pixel = pixel;
	assert_int_equal(source->ops->prepare(source, &all), 0);
}

static const uint8_t *rows(const struct rect *r)
{
	struct display_pixels *source = gpu_rig.display.sources[0];
	struct iovec iov;

	assert_int_equal(source->ops->rows(source, r, &iov, 1), 1);
	assert_int_equal(iov.iov_len, (size_t)r->width * r->height * 4);
	return iov.iov_base;
}

static void assert_pixel(uint32_t x, uint32_t y, uint32_t little_endian)
{
	const uint8_t *pixel = rows(&(struct rect){ x, y, 1, 1 });

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pixel[i], little_endian >> 8 * i & 0xff);
}

static void convert(const struct rect *r)
{
	struct display_pixels *source = gpu_rig.display.sources[0];

	source->ops->convert(source, r);
}

static void what_was_read_back_stays_over_a_page_flip(void **state)
{
	const struct rect rest = { 0, 10, SIDE, SIDE - 10 };
	unsigned n_changes = gpu_rig.display.n_changes;

	(void)state;
	read_back(1);
	const uint8_t *before = rows(&rest);
	struct display_pixels *source = gpu_rig.display.sources[0];

	gpu_rig.renderer.pixel = 2;
	for (uint32_t flip = 0; flip < 5; flip++) {
		assert_int_equal(gpu_guest_set_scanout(0, 2 - flip % 2, SIDE, SIDE),
				 VIRTIO_GPU_RESP_OK_NODATA);
		assert_ptr_equal(gpu_rig.display.sources[0], source);
		assert_ptr_equal(rows(&rest), before);
		assert_int_equal(before[0], 1);
		assert_int_equal(before[SIDE * (SIDE - 10) * 4 - 1], 1);
	}
	/* The display was told of no change, so it does not read it back again either. */
	assert_int_equal(gpu_rig.display.n_changes, n_changes);
	read_back(3);
	assert_int_equal(rows(&all)[0], 3);
}

static void what_was_read_back_may_outlive_its_resource(void **state)
{
	(void)state;
	read_back(1);
	assert_int_equal(gpu_guest_set_scanout(0, 2, SIDE, SIDE), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_unref(1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rows(&all)[SIDE * SIDE * 4 - 1], 1);
}

static void a_flip_to_another_size_tells_the_display(void **state)
{
	unsigned n_changes = gpu_rig.display.n_changes;

	(void)state;
	read_back(1);
	assert_int_equal(gpu_guest_set_scanout(0, 2, SIDE, SIDE / 2), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.display.n_changes, n_changes + 1);
}

static uint64_t used_memory(void)
{
	return gpu_rig.device->hostmem.used;
}

static void memory_of_shadows_is_counted_once_over_page_flips(void **state)
{
	uint64_t with_shadow = used_memory();

	(void)state;
	for (uint32_t flip = 0; flip < 5; flip++) {
		read_back(1);
		assert_int_equal(gpu_guest_set_scanout(0, 2 - flip % 2, SIDE, SIDE),
				 VIRTIO_GPU_RESP_OK_NODATA);
		/* The display keeps what it sent in a second buffer. */
		assert_int_equal(used_memory(), with_shadow + sizeof(uint32_t[SIDE * SIDE]));
	}
	assert_int_equal(gpu_guest_set_scanout(0, 0, 0, 0), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(used_memory(), with_shadow - sizeof(uint32_t[SIDE * SIDE]));
}

static void what_the_display_has_stays_known_over_a_page_flip(void **state)
{
	struct display_pixels *source = gpu_rig.display.sources[0];

	(void)state;
	read_back(1);
	uint32_t *sent = source->sent;

	assert_non_null(sent);
	assert_int_equal(gpu_guest_set_scanout(0, 2, SIDE, SIDE), VIRTIO_GPU_RESP_OK_NODATA);
	assert_ptr_equal(source->sent, sent);
	read_back(2);
	assert_ptr_equal(source->sent, sent);
}

/* A flip needs no memory, and the buffer of what was sent is made only if memory for another
 * picture is left after that. */
static void the_last_memory_of_a_guest_is_left_to_it(void **state)
{
	const uint64_t picture = sizeof(uint32_t[SIDE * SIDE]);

	(void)state;
	gpu_rig.device->hostmem.max = used_memory() + 2 * picture - 1;
	read_back(1);
	assert_null(gpu_rig.display.sources[0]->sent);
	gpu_rig.device->hostmem.max = used_memory() + 2 * picture;
	read_back(1);
	assert_non_null(gpu_rig.display.sources[0]->sent);
	gpu_rig.device->hostmem.max = used_memory();
	assert_int_equal(gpu_guest_set_scanout(0, 2, SIDE, SIDE), VIRTIO_GPU_RESP_OK_NODATA);
	assert_non_null(gpu_rig.display.sources[0]->sent);
}

static void without_memory_to_compare_with_pixels_are_read_back_all_the_same(void **state)
{
	(void)state;
	gpu_rig.renderer.stores_rgba = true;
	gpu_rig.display.sources[0]->is_compared = true;
	gpu_rig.device->hostmem.max = used_memory();
	read_back(1);
	assert_null(gpu_rig.display.sources[0]->sent);
	assert_pixel(0, 0, 0x01010101); /* all are sent, so they are in the display's format */
}

static void only_what_is_sent_is_converted(void **state)
{
	(void)state;
	gpu_rig.renderer.stores_rgba = true;
	gpu_rig.display.sources[0]->is_compared = true;
	read_back(1);
	convert(&(struct rect){ 3, 5, 2, 2 });
	for (uint32_t y = 4; y < 8; y++)
		for (uint32_t x = 2; x < 6; x++) {
			bool is_sent = x >= 3 && x < 5 && y >= 5 && y < 7;

			assert_pixel(x, y, is_sent ? 0x04010203 : 0x04030201);
		}
	assert_int_equal(gpu_guest_set_scanout(0, 2, SIDE, SIDE), VIRTIO_GPU_RESP_OK_NODATA);
	convert(&(struct rect){ SIDE - 1, SIDE - 1, 1, 1 });
	assert_pixel(SIDE - 1, SIDE - 1, 0x04010203);
}

static void pixels_that_are_not_compared_are_read_in_the_displays_format(void **state)
{
	struct display_pixels *source = gpu_rig.display.sources[0];

	(void)state;
	gpu_rig.renderer.stores_rgba = true;
	source->is_compared = false;
	read_back(1);
	convert(&all);
	assert_pixel(0, 0, 0x01010101);
}

static void a_cursor_is_converted(void **state)
{
	const struct virtio_gpu_update_cursor request = {
		.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR,
		.resource_id = 1,
	};

	(void)state;
	gpu_rig.renderer.pixel = 1;
	gpu_rig.renderer.has_only_rgba = true;
	assert_int_equal(RUN(request), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.display.cursor_pixel, 0x04010203);
}

static uint32_t get_capset(void)
{
	const struct virtio_gpu_get_capset request = {
		.hdr.type = VIRTIO_GPU_CMD_GET_CAPSET,
		.capset_id = VIRTIO_GPU_CAPSET_VIRGL,
		.capset_version = 1,
	};

	return RUN(request);
}

/* The library may wait for the GPU, and the watchdog needs the lock meanwhile. */
static void the_renderer_is_asked_without_the_state_lock(void **state)
{
	static struct state_lock lock; /* the teardown uses it if the test fails */

	(void)state;
	state_lock_init(&lock); /* and takes it */
	gpu_rig.renderer.base.lock = &lock;
	assert_int_equal(gpu_guest_set_scanout(0, 2, SIDE, SIDE), VIRTIO_GPU_RESP_OK_NODATA);
	read_back(1);
	assert_int_equal(get_capset(), VIRTIO_GPU_RESP_OK_CAPSET);
	assert_int_equal(gpu_rig.renderer.n_locked, 0);
	assert_false(state_lock_take_within(&lock, 0));
	gpu_rig.renderer.base.lock = NULL;
	state_lock_finish(&lock);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, gpu_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_read_back_stays_over_a_page_flip),
		TEST(what_was_read_back_may_outlive_its_resource),
		TEST(a_flip_to_another_size_tells_the_display),
		TEST(memory_of_shadows_is_counted_once_over_page_flips),
		TEST(what_the_display_has_stays_known_over_a_page_flip),
		TEST(the_last_memory_of_a_guest_is_left_to_it),
		TEST(without_memory_to_compare_with_pixels_are_read_back_all_the_same),
		TEST(only_what_is_sent_is_converted),
		TEST(pixels_that_are_not_compared_are_read_in_the_displays_format),
		TEST(a_cursor_is_converted),
		TEST(the_renderer_is_asked_without_the_state_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
