// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Commands that take many turns of the event loop, and what can happen between two of these turns:
 * the queue stops, the device is reset, the front-end disconnects, the command's resource is freed
 * or replaced, or the memory of the resource is removed. Also memory that is freed over many turns.
 */
#include "gpu_rig.h"

#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "gpu/command.h"
#include "gpu/resource.h"
#include "gpu_guest.h"
#include "vhost/vhost_user.h"

/* 64 MiB, which take at least eight turns; one kick of the rig runs four. */
#define SIDE      4096u
#define N_ENTRIES 64u
#define ENTRY     (1024 * 1024u)

/* A second region after the guest's memory, over the same file, without any ring. */
#define OTHER_GPA (GPA + MEM_SIZE)

static void tell_other_memory(uint32_t request)
{
	const struct vhost_user_mem_reg reg = { 0, { OTHER_GPA, MEM_SIZE, USER + MEM_SIZE, 0 } };

	gpu_rig_tell(request, &reg, sizeof(reg),
		     request == VHOST_USER_ADD_MEM_REG ? gpu_rig.memory_fd : -1);
}

static int setup(void **state)
{
	int r = gpu_rig_setup_cpu(state);

	tell_other_memory(VHOST_USER_ADD_MEM_REG);
	assert_int_equal(gpu_guest_create_2d(1, SIDE, SIDE), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_attach_repeated(1, OTHER_GPA, ENTRY, N_ENTRIES),
			 VIRTIO_GPU_RESP_OK_NODATA);
	return r;
}

static uint16_t n_used(void)
{
	return gpu_guest_used(0)->idx;
}

static void finish_all(void)
{
	for (unsigned i = 0; i < 400 && gpu_rig.device->queues[0].unfinished.length > 0; i++)
		gpu_rig_turn();
}

/* The transfer is not done, and continues later. */
static void begin_transfer(void)
{
	gpu_guest_offer_transfer(1, 1, SIDE, SIDE);
	gpu_guest_kick(0);
	assert_in_range(gpu_rig.renderer.n_rows, 1, SIDE - 1);
}

static void a_long_transfer_takes_many_turns_and_moves_each_row_once(void **state)
{
	uint16_t before = n_used();

	(void)state;
	begin_transfer();
	assert_int_equal(n_used(), before);
	finish_all();
	assert_int_equal(n_used(), (uint16_t)(before + 1));
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.renderer.n_rows, SIDE);
	assert_int_equal(gpu_rig.renderer.next_row, SIDE);
	assert_in_range(gpu_rig.renderer.largest_piece, 1, COMMAND_PIECE_BYTES);
}

/* The two commands take two turns if the scheduler stops the process for a millisecond in between,
 * so the test tries twenty times. */
static void a_frame_of_1080p_and_its_flush_take_one_turn(void **state)
{
	struct vhost_backend *backend = gpu_device_backend(gpu_rig.device);
	unsigned n_whole = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		uint16_t before = n_used();

		gpu_guest_offer_transfer(1, 1, 1920, 1080);
		gpu_guest_offer_flush(2, 1, 0, 0);
		backend->ops->queue_kicked(backend, 0);
		n_whole += (uint16_t)(n_used() - before) == 2;
		gpu_rig_turn();
	}
	assert_in_range(n_whole, 1, 20);
}

static void several_transfers_share_a_turn(void **state)
{
	struct vhost_backend *backend = gpu_device_backend(gpu_rig.device);

	(void)state;
	for (unsigned slot = 1; slot <= 8; slot++)
		gpu_guest_offer_transfer(slot, 1, SIDE, 384); /* 6 MiB */
	backend->ops->queue_kicked(backend, 0);
	assert_in_range(gpu_rig.renderer.n_rows, 1, 520);
	for (unsigned i = 0; i < 400 && gpu_rig.renderer.n_rows < 8 * 384; i++)
		gpu_rig_turn();
	assert_int_equal(gpu_rig.renderer.n_rows, 8 * 384);
}

/* When QEMU has begun to read a message, it waits for the rest and does nothing else. So the device
 * ends its turn early, and the display sends the rest. */
static void a_turn_is_short_while_the_rest_of_a_message_is_awaited(void **state)
{
	struct vhost_backend *backend = gpu_device_backend(gpu_rig.device);
	uint16_t before = n_used();

	(void)state;
	gpu_rig.display.is_awaited = true;
	for (unsigned slot = 1; slot <= 8; slot++)
		gpu_guest_offer_transfer(slot, 1, 128, 128); /* 64 KiB */
	backend->ops->queue_kicked(backend, 0);
	/* A guest sends a flush after a transfer, so two commands are one update. */
	assert_int_equal((uint16_t)(n_used() - before), 2);
	finish_all();
	for (unsigned i = 0; i < 4; i++)
		gpu_rig_turn();
	assert_int_equal((uint16_t)(n_used() - before), 8);
	for (unsigned slot = 1; slot <= 8; slot++)
		gpu_guest_offer_transfer(slot, 1, 8, 8);
	backend->ops->queue_kicked(backend, 0);
	assert_int_equal((uint16_t)(n_used() - before), 16);
}

/* A turn handles the kick and then the queued tasks. Work that the kick leaves to the next turn
 * must not run as a task of the same turn. */
static void a_kick_and_the_tasks_after_it_are_one_turn(void **state)
{
	const uint64_t one = 1;

	(void)state;
	gpu_guest_offer_transfer(1, 1, SIDE, SIDE);
	assert_int_equal(write(gpu_rig.kick_fds[0], &one, sizeof(one)), sizeof(one));
	assert_int_equal(loop_turn(&gpu_rig.loop, 0), 0);
	assert_in_range(gpu_rig.renderer.n_rows, 1, 520);
	uint32_t n_rows = gpu_rig.renderer.n_rows;

	assert_int_equal(loop_turn(&gpu_rig.loop, 0), 0);
	assert_in_range(gpu_rig.renderer.n_rows, n_rows + 1, n_rows + 520);
	finish_all();
}

static void a_flush_never_overtakes_its_transfer(void **state)
{
	uint16_t before = n_used();

	(void)state;
	assert_int_equal(gpu_guest_set_scanout(0, 1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	gpu_guest_offer_transfer(1, 1, SIDE, SIDE);
	gpu_guest_offer_flush(2, 1, 0, 0);
	gpu_guest_kick(0);
	assert_int_equal(gpu_rig.display.n_damages, 0);
	gpu_guest_kick(0); /* the kick must not let the flush overtake it */
	assert_true(gpu_rig.display.n_damages <= (gpu_rig.renderer.n_rows == SIDE));
	finish_all();
	gpu_rig_turn();
	assert_int_equal(gpu_rig.display.n_damages, 1);
	assert_int_equal(n_used(), (uint16_t)(before + 3));
}

static void the_transfer_of_a_stopped_queue_pauses_and_goes_on(void **state)
{
	uint16_t before = n_used();

	(void)state;
	begin_transfer();
	gpu_rig_stop();
	uint32_t n_rows = gpu_rig.renderer.n_rows;

	gpu_rig_turn();
	assert_int_equal(gpu_rig.renderer.n_rows, n_rows);
	gpu_rig_cont();
	finish_all();
	assert_int_equal(gpu_rig.renderer.n_rows, SIDE);
	assert_int_equal(n_used(), (uint16_t)(before + 1));
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
}

static void a_reset_drops_a_transfer(void **state)
{
	(void)state;
	begin_transfer();
	gpu_rig_reset_device();
	uint32_t n_rows = gpu_rig.renderer.n_rows;

	gpu_rig_turn();
	assert_int_equal(gpu_rig.renderer.n_rows, n_rows);
	assert_int_equal(n_used(), 0);
	assert_int_equal(gpu_guest_create_2d(1, 16, 16), VIRTIO_GPU_RESP_OK_NODATA);
}

static void a_session_that_ends_drops_a_transfer(void **state)
{
	(void)state;
	begin_transfer();
	gpu_rig_close_session();
	uint32_t n_rows = gpu_rig.renderer.n_rows;

	gpu_rig_turn();
	assert_int_equal(gpu_rig.renderer.n_rows, n_rows);
	gpu_rig_open_session();
	assert_int_equal(gpu_guest_create_2d(1, 16, 16), VIRTIO_GPU_RESP_OK_NODATA);
}

static void removed_memory_ends_its_transfer(void **state)
{
	(void)state;
	begin_transfer();
	tell_other_memory(VHOST_USER_REM_MEM_REG);
	finish_all();
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_in_range(gpu_rig.renderer.n_rows, 1, SIDE - 1);
	tell_other_memory(VHOST_USER_ADD_MEM_REG);
	gpu_guest_offer_transfer(1, 1, 16, 16);
	gpu_guest_kick(0);
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
}

static void memory_that_moves_during_a_transfer_does_not_break_the_resource(void **state)
{
	(void)state;
	begin_transfer();
	tell_other_memory(VHOST_USER_REM_MEM_REG);
	tell_other_memory(VHOST_USER_ADD_MEM_REG);
	finish_all();
	/* Turns between the two messages may have found that the memory is gone. */
	uint32_t type = gpu_guest_reply(0, 1)->type;

	assert_true(type == VIRTIO_GPU_RESP_OK_NODATA || type == VIRTIO_GPU_RESP_ERR_UNSPEC);
	gpu_guest_offer_transfer(1, 1, 64, 64);
	gpu_guest_kick(0);
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
}

/* A guest may send any command on any queue. */
static void offer_unref_elsewhere(unsigned slot, uint32_t id)
{
	const struct virtio_gpu_resource_unref request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
		.resource_id = id,
	};

	gpu_guest_offer(1, slot, &request, sizeof(request));
	gpu_guest_kick(1);
	assert_int_equal(gpu_guest_reply(1, slot)->type, VIRTIO_GPU_RESP_OK_NODATA);
}

static void freeing_a_resource_ends_its_transfer(void **state)
{
	(void)state;
	begin_transfer();
	offer_unref_elsewhere(1, 1);
	finish_all();
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
}

static void a_smaller_resource_with_the_same_id_ends_a_transfer(void **state)
{
	const struct virtio_gpu_resource_create_2d create = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		.resource_id = 1,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = SIDE,
		.height = 16,
	};
	const struct virtio_gpu_resource_unref unref = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
		.resource_id = 1,
	};
	const struct {
		struct virtio_gpu_resource_attach_backing request;
		struct virtio_gpu_mem_entry entry;
	} attach = {
		.request = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
			     .resource_id = 1,
			     .nr_entries = 1 },
		.entry = { .addr = OTHER_GPA, .length = ENTRY },
	};

	(void)state;
	begin_transfer();
	gpu_guest_offer(1, 1, &unref, sizeof(unref));
	gpu_guest_offer(1, 2, &create, sizeof(create));
	gpu_guest_offer(1, 3, &attach, sizeof(attach));
	gpu_guest_kick(1);
	finish_all();
	/* Turns in between may have found no resource, or one without a backing. */
	assert_int_not_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_in_range(gpu_rig.renderer.n_rows, 1, SIDE - 1);
}

static void a_transfer_without_pixels_succeeds(void **state)
{
	(void)state;
	gpu_guest_offer_transfer(1, 1, 0, 16);
	gpu_guest_offer_transfer(2, 1, 16, 0);
	gpu_guest_offer_transfer(3, 1, SIDE + 1, 0);
	gpu_guest_kick(0);
	assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_reply(0, 2)->type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_reply(0, 3)->type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(gpu_rig.renderer.n_rows, 0);
}

/* ---- memory that changes ---- */

static void a_backing_is_looked_up_when_it_is_next_used(void **state)
{
	struct resource *resource = resource_find(gpu_rig.device, 1);
	const struct iovec *old = resource->backing.iov;

	(void)state;
	tell_other_memory(VHOST_USER_REM_MEM_REG);
	assert_ptr_equal(resource->backing.iov, old); /* not accessed, and not readable */
	assert_false(resource_find_memory(gpu_rig.device, resource));
	assert_null(resource->backing.iov);
	tell_other_memory(VHOST_USER_ADD_MEM_REG);
	assert_null(resource->backing.iov);
	assert_true(resource_find_memory(gpu_rig.device, resource));
}

/* ---- pixels that are converted ---- */

static void a_converted_blob_takes_the_memory_of_one_band(void **state)
{
	const struct virtio_gpu_set_scanout_blob show = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
		.r = { 0, 0, 512, 512 },
		.resource_id = 2,
		.width = 512,
		.height = 512,
		.format = VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM,
		.strides = { 512 * 4 },
	};
	struct rect r = { 0, 312, 512, DISPLAY_BAND_BYTES / 512 / 4 };
	struct iovec iov[1];

	(void)state;
	assert_int_equal(gpu_guest_create_blob(2, OTHER_GPA, ENTRY), VIRTIO_GPU_RESP_OK_NODATA);
	uint64_t before = gpu_rig.device->hostmem.used;

	assert_int_equal(RUN(show), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.device->hostmem.used - before, DISPLAY_BAND_BYTES);
	struct display_pixels *pixels = gpu_rig.display.sources[0];

	assert_int_equal(pixels->ops->prepare(pixels, &r), 0);
	assert_int_equal(pixels->ops->rows(pixels, &r, iov, 1), 1);
	r.height++;
	r.y--;
	assert_true(pixels->ops->prepare(pixels, &r) < 0);
	unsigned changes = gpu_rig.display.n_changes;

	tell_other_memory(VHOST_USER_REM_MEM_REG);
	assert_int_equal(gpu_rig.display.n_changes, changes + 1);
	r.height = 1;
	assert_true(pixels->ops->prepare(pixels, &r) < 0);
}

/* ---- memory that is freed ---- */

/* A turn in which the scheduler stops the process may free nothing. */
static void free_all(void)
{
	for (unsigned i = 0; i < 400 && gpu_rig.renderer.n_resources > 0; i++)
		gpu_rig_turn();
	assert_int_equal(gpu_rig.renderer.n_resources, 0);
}

static void memory_is_freed_over_many_turns(void **state)
{
	(void)state;
	gpu_rig.renderer.shrinks = 20;
	assert_int_equal(gpu_guest_unref(1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.renderer.n_resources, 1);
	assert_int_not_equal(gpu_rig.device->hostmem.used, 0);
	free_all();
	assert_int_equal(gpu_rig.device->hostmem.used, 0);
}

/* Otherwise a guest that resizes its only large resource would sometimes find no room. */
static void memory_that_is_being_freed_counts_as_free(void **state)
{
	const struct virtio_gpu_resource_unref unref = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
		.resource_id = 2,
	};
	const struct virtio_gpu_resource_create_2d create = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		.resource_id = 3,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = 12000,
		.height = 16384,
	};

	(void)state;
	gpu_rig.renderer.shrinks = 20;
	assert_int_equal(gpu_guest_create_2d(2, 12000, 16384), VIRTIO_GPU_RESP_OK_NODATA);
	uint16_t before = n_used();

	gpu_guest_offer(0, 1, &unref, sizeof(unref));
	gpu_guest_offer(0, 2, &create, sizeof(create));
	gpu_guest_kick(0);
	assert_int_equal(n_used(), (uint16_t)(before + 1));
	for (unsigned i = 0; i < 400 && n_used() == (uint16_t)(before + 1); i++)
		gpu_rig_turn();
	assert_int_equal(n_used(), (uint16_t)(before + 2));
	assert_int_equal(gpu_guest_reply(0, 2)->type, VIRTIO_GPU_RESP_OK_NODATA);
}

static void a_reset_frees_memory_over_many_turns(void **state)
{
	(void)state;
	for (uint32_t id = 2; id < 6; id++)
		assert_int_equal(gpu_guest_create_2d(id, 16, 16), VIRTIO_GPU_RESP_OK_NODATA);
	gpu_rig.renderer.shrinks = 10;
	gpu_rig_stop();
	gpu_rig_tell(VHOST_USER_RESET_DEVICE, NULL, 0, -1);
	assert_in_range(gpu_rig.renderer.n_resources, 1, 5);
	gpu_rig_close_session();
	assert_in_range(gpu_rig.renderer.n_resources, 1, 5);
	free_all();
}

static void freeing_the_device_completes_all_pending_frees(void **state)
{
	(void)state;
	gpu_rig.renderer.shrinks = 10;
	assert_int_equal(gpu_guest_unref(1), VIRTIO_GPU_RESP_OK_NODATA);
	gpu_rig_close_session(); /* the renderer checks its counters when it is freed */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, gpu_rig_teardown)
		TEST(a_long_transfer_takes_many_turns_and_moves_each_row_once),
		TEST(a_frame_of_1080p_and_its_flush_take_one_turn),
		TEST(several_transfers_share_a_turn),
		TEST(a_turn_is_short_while_the_rest_of_a_message_is_awaited),
		TEST(a_kick_and_the_tasks_after_it_are_one_turn),
		TEST(a_flush_never_overtakes_its_transfer),
		TEST(the_transfer_of_a_stopped_queue_pauses_and_goes_on),
		TEST(a_reset_drops_a_transfer),
		TEST(a_session_that_ends_drops_a_transfer),
		TEST(removed_memory_ends_its_transfer),
		TEST(memory_that_moves_during_a_transfer_does_not_break_the_resource),
		TEST(freeing_a_resource_ends_its_transfer),
		TEST(a_smaller_resource_with_the_same_id_ends_a_transfer),
		TEST(a_transfer_without_pixels_succeeds),
		TEST(a_backing_is_looked_up_when_it_is_next_used),
		TEST(a_converted_blob_takes_the_memory_of_one_band),
		TEST(memory_is_freed_over_many_turns),
		TEST(memory_that_is_being_freed_counts_as_free),
		TEST(a_reset_frees_memory_over_many_turns),
		TEST(freeing_the_device_completes_all_pending_frees),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
