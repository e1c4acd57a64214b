// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Commands that take the daemon many turns: a transfer of 1 GiB, made of some pages that the
 * backing names again and again, and what may happen in the middle of it. The front-end is answered
 * all the time, and what belongs together stays in order.
 *
 * gfxstream's renderer moves all of an image in one call, which the stand-in makes long
 * ("slow-transfers"). A message of the front-end that needs the renderer waits until it returns.
 */
#include "fixture.h"

#include <string.h>

#define WIDTH    (vmm_is_gfxstream() ? 2048u : 16384u)
#define HEIGHT   (vmm_is_gfxstream() ? 2048u : 15000u) /* one entry for each row */
#define HOT_GPA  0x200000000ull
#define HOT_SIZE 0x100000ull
#define ATTEMPTS 10

/* A resource whose backing is in a region of its own, which can be removed. All rows of the backing
 * are the same memory. */
struct large {
	struct vmm *vmm;
	unsigned region;
	struct chain *transfer;
};

static struct virtio_gpu_rect whole(void)
{
	return gpu_rect(0, 0, WIDTH, HEIGHT);
}

static void paint(struct large *l, uint32_t colour)
{
	uint32_t *row = memory_at(&l->vmm->memory, HOT_GPA, WIDTH * 4);

	for (uint32_t x = 0; x < WIDTH; x++)
		row[x] = colour;
}

static struct large new_large(struct vmm *vmm)
{
	static struct virtio_gpu_mem_entry entries[15000];
	struct large l = { vmm, memory_add(&vmm->memory, HOT_GPA, HOT_SIZE, 0), NULL };

	vhost_add_region(vmm, l.region);
	for (unsigned i = 0; i < HEIGHT; i++)
		entries[i] = (struct virtio_gpu_mem_entry){ HOT_GPA, WIDTH * 4, 0 };
	assert_ok(gpu_create_2d(vmm, 1, BGRX, WIDTH, HEIGHT));
	assert_ok(gpu_attach(vmm, 1, entries, HEIGHT));
	paint(&l, 1);
	return l;
}

static struct chain *submit_transfer(struct vmm *vmm)
{
	struct virtio_gpu_transfer_to_host_2d c = {
		{ .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D }, whole(), 0, 1, 0
	};

	return gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
}

static void ask(struct vmm *vmm)
{
	uint8_t config[16];

	assert_true(vhost_get_config(vmm, 0, sizeof(config), config));
}

static bool is_done(struct large *l)
{
	ring_collect(&l->vmm->rings[CONTROL]);
	return l->transfer->is_done;
}

/* Begins a transfer, and lets the front-end be answered while it is in progress. A test that waits
 * for a CPU may see only the end of a transfer; then another one begins. */
static void begin(struct large *l)
{
	for (unsigned k = 0; k < ATTEMPTS; k++) {
		l->transfer = submit_transfer(l->vmm);
		ring_kick(&l->vmm->rings[CONTROL]);
		for (unsigned i = 0; i < (vmm_is_gfxstream() ? 3 : 20); i++)
			ask(l->vmm);
		if (!is_done(l))
			return;
		assert_ok(gpu_finish(l->vmm, l->transfer, NULL, 0));
	}
	vmm_fail("each transfer was done before the front-end was answered");
}

static void the_front_end_is_answered_during_a_long_transfer(void **state)
{
	struct large l = new_large(*state);

	begin(&l);
	assert_ok(gpu_finish(l.vmm, l.transfer, NULL, 0));
	assert_ok(gpu_unref(l.vmm, 1));
	assert_alive(l.vmm);
}

/* Whether the scanout has the colour @arg. It shows only the lower right corner of the resource,
 * which is transferred last. */
static bool has_colour(struct vmm *vmm, const void *arg)
{
	const struct display_surface *s = &vmm->display.surfaces[0];
	uint32_t colour = *(const uint32_t *)arg;

	return s->pixels && s->width == 64 && s->pixels[0] == colour &&
	       s->pixels[64 * 64 - 1] == colour;
}

static void a_flush_after_a_long_transfer_shows_the_new_pixels(void **state)
{
	struct large l = new_large(*state);
	uint32_t colours[] = { 0x123456, 0x654321 };
	struct virtio_gpu_rect corner = gpu_rect(WIDTH - 64, HEIGHT - 64, 64, 64);
	struct virtio_gpu_resource_flush flush = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH }, corner, 1, 0
	};

	assert_ok(gpu_set_scanout(l.vmm, 0, 1, corner));
	for (unsigned i = 0; i < ARRAY_LENGTH(colours); i++) {
		paint(&l, colours[i]);
		struct chain *transfer = submit_transfer(l.vmm);
		struct chain *c = gpu_submit(l.vmm, CONTROL, &flush, sizeof(flush),
					     sizeof(flush.hdr), NULL, 0);

		display_forget(&l.vmm->display);
		ring_kick(&l.vmm->rings[CONTROL]);
		assert_ok(gpu_finish(l.vmm, c, NULL, 0));
		assert_true(transfer->is_done); /* it came first */
		assert_ok(gpu_finish(l.vmm, transfer, NULL, 0));
		vmm_wait(l.vmm, has_colour, &colours[i], "the new pixels");
	}
}

static void a_long_transfer_is_finished_after_cont(void **state)
{
	struct large l = new_large(*state);

	bool was_done = true;

	for (unsigned k = 0; k < ATTEMPTS && was_done; k++) {
		begin(&l);
		vmm_stop(l.vmm);
		was_done = is_done(&l);
		ask(l.vmm);
		vmm_start(l.vmm);
		assert_ok(gpu_finish(l.vmm, l.transfer, NULL, 0));
		if (vmm_is_gfxstream())
			break;
	}
	assert_int_equal(was_done, vmm_is_gfxstream());
	assert_alive(l.vmm);
}

static void a_reset_drops_a_long_transfer(void **state)
{
	struct large l = new_large(*state);

	begin(&l);
	vmm_reset(l.vmm);
	vmm_start(l.vmm);
	assert_alive(l.vmm);
	/* Its memory is free again. */
	assert_ok(gpu_create_2d(l.vmm, 1, BGRX, WIDTH, HEIGHT));
	assert_alive(l.vmm);
}

static void the_end_of_the_session_drops_a_long_transfer(void **state)
{
	struct large l = new_large(*state);

	begin(&l);
	vmm_disconnect(l.vmm);
	ring_clear(&l.vmm->rings[CONTROL]);
	ring_clear(&l.vmm->rings[CURSOR]);
	vmm_connect(l.vmm);
	vmm_realize(l.vmm);
	vmm_start(l.vmm);
	assert_ok(gpu_create_2d(l.vmm, 1, BGRX, WIDTH, HEIGHT));
	assert_alive(l.vmm);
}

static void removed_memory_ends_a_long_transfer(void **state)
{
	struct large l = new_large(*state);

	const uint32_t due = vmm_is_gfxstream() ? RESP_OK : RESP_UNSPEC;
	uint32_t type = 0;

	for (unsigned k = 0; k < ATTEMPTS && type != due; k++) {
		begin(&l);
		vhost_remove_region(l.vmm, l.region);
		type = gpu_finish(l.vmm, l.transfer, NULL, 0);
		assert_true(type == due || type == RESP_OK);
		assert_alive(l.vmm);
		vhost_add_region(l.vmm, l.region);
	}
	assert_response(type, due);
	assert_ok(gpu_transfer_2d(l.vmm, 1, gpu_rect(0, 0, WIDTH, 1), 0));
}

/* ---- the cursor ---- */

static struct chain *submit_4_mib(struct vmm *vmm, uint32_t id)
{
	struct virtio_gpu_transfer_to_host_2d c = {
		{ .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D }, gpu_rect(0, 0, 1024, 1024), 0, id, 0
	};

	return gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
}

static void a_cursor_after_transfers_shows_the_new_image_every_time(void **state)
{
	struct vmm *vmm = *state;
	struct image large = image_new(vmm, 1, BGRX, 1024, 1024);
	struct image cursor = image_new(vmm, 2, BGRA, 64, 64);
	struct virtio_gpu_transfer_to_host_2d transfer = {
		{ .type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D }, image_rect(&cursor), 0, 2, 0
	};
	unsigned n_new = 0;

	for (uint32_t k = 0; k < 100; k++) {
		struct virtio_gpu_update_cursor update = {
			.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR,
			.resource_id = 2,
		};
		uint64_t shown = vmm->display.counts[DISPLAY_CURSOR_UPDATE];

		memset(cursor.bytes, (int)k + 1, 64 * 64 * 4);
		struct chain *chains[] = {
			submit_4_mib(vmm, large.id),
			submit_4_mib(vmm, large.id),
			gpu_submit(vmm, CONTROL, &transfer, sizeof(transfer), sizeof(transfer.hdr),
				   NULL, 0),
			gpu_submit(vmm, CURSOR, &update, sizeof(update), sizeof(update.hdr), NULL,
				   0),
		};

		ring_kick(&vmm->rings[CONTROL]);
		ring_kick(&vmm->rings[CURSOR]);
		for (unsigned i = 0; i < ARRAY_LENGTH(chains); i++)
			assert_ok(gpu_finish(vmm, chains[i], NULL, 0));
		vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, shown + 1);
		n_new += (vmm->display.cursors[0].pixels[0] & 0xff) == k + 1;
	}
	assert_int_equal(n_new, 100);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED_TEST(the_front_end_is_answered_during_a_long_transfer),
		BOOTED_TEST(a_flush_after_a_long_transfer_shows_the_new_pixels),
		BOOTED_TEST(a_long_transfer_is_finished_after_cont),
		BOOTED_TEST(a_reset_drops_a_long_transfer),
		BOOTED_TEST(the_end_of_the_session_drops_a_long_transfer),
		BOOTED_TEST(removed_memory_ends_a_long_transfer),
		BOOTED_TEST(a_cursor_after_transfers_shows_the_new_image_every_time),
	};

	return cmocka_run_group_tests_name("long", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
