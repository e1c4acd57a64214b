// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Limits of the guest, and the release of all that is charged: the tear-down of the rig compares
 * every counter of the device with zero. Also that each command needs the feature that the
 * specification names.
 */
#include "gpu_rig.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "gpu_guest.h"
#include "vhost/ring_layout.h"

#define MANY 200 /* more dma-bufs than the device keeps open */

static int small_setup(void **state)
{
	struct gpu_limits limits = GPU_LIMITS_DEFAULT;

	(void)state;
	limits.max_hostmem = 65 * 1024; /* each resource is charged 1 KiB beside its pixels */
	limits.max_dimension = 128;
	limits.max_resources = 4;
	limits.max_backing_entries = 8;
	limits.max_contexts = 2;
	limits.max_submit = 64;
	return gpu_rig_setup_with(&limits);
}

static uint32_t create_buffer(uint32_t id, uint32_t bytes)
{
	const struct virtio_gpu_resource_create_3d request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_3D,
		.resource_id = id,
		.target = 0,
		.format = 64,
		.width = bytes,
		.height = 1,
		.depth = 1,
		.array_size = 1,
	};

	return RUN(request);
}

static void memory_is_charged_and_given_back(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(gpu_guest_create_2d(1, 128, 64), VIRTIO_GPU_RESP_OK_NODATA);
		assert_int_equal(gpu_guest_create_2d(2, 128, 65),
				 VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
		assert_int_equal(gpu_guest_create_2d(2, 128, 63), VIRTIO_GPU_RESP_OK_NODATA);
		uint64_t used_up = gpu_rig.device->hostmem.used;

		/* A backing list is charged too, and released if the command fails. */
		assert_int_equal(gpu_guest_attach(1, GPA + DATA_AT, 4096),
				 VIRTIO_GPU_RESP_OK_NODATA);
		assert_true(gpu_rig.device->hostmem.used > used_up);
		assert_int_equal(gpu_guest_attach(1, GPA + DATA_AT, 4096),
				 VIRTIO_GPU_RESP_ERR_UNSPEC);
		assert_int_equal(gpu_guest_attach(2, 1, 4096),
				 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
		assert_int_equal(gpu_guest_detach(1), VIRTIO_GPU_RESP_OK_NODATA);
		assert_int_equal(gpu_rig.device->hostmem.used, used_up);
		assert_int_equal(gpu_guest_attach(1, GPA + DATA_AT, 4096),
				 VIRTIO_GPU_RESP_OK_NODATA);
		assert_int_equal(gpu_guest_unref(1), VIRTIO_GPU_RESP_OK_NODATA);
		assert_int_equal(gpu_guest_unref(2), VIRTIO_GPU_RESP_OK_NODATA);
		assert_int_equal(gpu_rig.device->hostmem.used, 0);
	}
}

static void the_shadow_of_a_scanout_is_charged(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_create_2d(1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	uint64_t used = gpu_rig.device->hostmem.used;

	assert_int_equal(gpu_guest_set_scanout(0, 1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.device->hostmem.used - used, 64 * 64 * 4);
	assert_int_equal(gpu_guest_set_scanout(1, 1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_set_scanout(2, 1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_set_scanout(3, 1, 64, 64), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_null(gpu_rig.display.sources[3]);
	assert_int_equal(gpu_guest_set_scanout(2, 0, 0, 0), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_unref(1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_null(gpu_rig.display.sources[0]);
	assert_null(gpu_rig.display.sources[1]);
	assert_int_equal(gpu_rig.device->hostmem.used, 0);
}

static void a_reset_frees_all_charged_memory(void **state)
{
	(void)state;
	assert_int_equal(gpu_guest_create_2d(1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_attach(1, GPA + DATA_AT, 64 * 64 * 4),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_set_scanout(0, 1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_create_blob(2, GPA + DATA_AT, 4096), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 1),
			 VIRTIO_GPU_RESP_OK_NODATA);
	gpu_rig_reset_device();
	assert_int_equal(gpu_rig.device->hostmem.used, 0);
	assert_int_equal(gpu_rig.renderer.n_attached, 0);
	assert_int_equal(gpu_rig.renderer.n_contexts, 0);
}

static void resources_and_contexts_are_refused_at_their_limit(void **state)
{
	(void)state;
	for (uint32_t id = 1; id <= 4; id++)
		assert_int_equal(gpu_guest_create_2d(id, 1, 1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_create_2d(5, 1, 1), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 1),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 2),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 3),
			 VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_DESTROY, 1),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 3),
			 VIRTIO_GPU_RESP_OK_NODATA);
}

static void a_stream_above_its_limit_is_refused(void **state)
{
	struct {
		struct virtio_gpu_cmd_submit request;
		uint32_t words[32];
	} message = {
		.request = { .hdr = { .type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = 1 }, .size = 64 },
	};

	(void)state;
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 1),
			 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(RUN(message), VIRTIO_GPU_RESP_OK_NODATA);
	message.request.size = 68;
	assert_int_equal(RUN(message), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	message.request.size = UINT32_MAX - 3;
	assert_int_equal(RUN(message), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	message.request.size = 62;
	assert_int_equal(RUN(message), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

/* A buffer may be wider than any picture. QEMU asserts that it can create a surface of the size
 * that it is sent. */
static void no_scanout_is_larger_than_max_dimension(void **state)
{
	(void)state;
	assert_int_equal(create_buffer(1, 16384), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_set_scanout(0, 1, 128, 1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_set_scanout(0, 1, 129, 1),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(gpu_rig.display.widths[0], 128);
}

static void descriptors_of_dma_bufs_do_not_accumulate(void **state)
{
	(void)state;
	gpu_rig.renderer.has_dmabufs = gpu_rig.display.shows_dmabufs = true;
	for (unsigned round = 0; round < 2; round++) {
		int first = dup(gpu_rig.memory_fd); /* the lowest free descriptor */

		close(first);
		for (uint32_t id = 1; id <= MANY; id++) {
			assert_int_equal(gpu_guest_create_2d(id, 64, 64),
					 VIRTIO_GPU_RESP_OK_NODATA);
			assert_int_equal(gpu_guest_set_scanout(0, id, 64, 64),
					 VIRTIO_GPU_RESP_OK_NODATA);
			assert_int_equal(gpu_rig.display.widths[0], 64);
			assert_null(gpu_rig.display.sources[0]); /* all as dma-bufs */
		}
		int last = dup(gpu_rig.memory_fd);

		close(last);
		assert_in_range(last, first, first + MANY / 2);
		for (uint32_t id = 1; id <= MANY; id++)
			assert_int_equal(gpu_guest_unref(id), VIRTIO_GPU_RESP_OK_NODATA);
		last = dup(gpu_rig.memory_fd);
		close(last);
		assert_int_equal(last, first);
	}
}

static void a_shown_dma_buf_is_exported_once(void **state)
{
	(void)state;
	gpu_rig.renderer.has_dmabufs = gpu_rig.display.shows_dmabufs = true;
	assert_int_equal(gpu_guest_create_2d(1, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_create_2d(2, 64, 64), VIRTIO_GPU_RESP_OK_NODATA);
	for (unsigned flip = 0; flip < 6; flip++)
		assert_int_equal(gpu_guest_set_scanout(0, 1 + flip % 2, 64, 64),
				 VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_rig.renderer.n_exported, 2);
}

/* Serves the control queue; returns whether the device wants another turn. */
static bool serve_leaves_some(void)
{
	struct vhost_backend *backend = gpu_device_backend(gpu_rig.device);

	backend->ops->queue_kicked(backend, 0);
	return gpu_rig.device->queues[0].again.loop;
}

/* Invalid chains count as work: a guest that offers nothing else, as fast as they are skipped, must
 * not keep the loop busy. */
static void invalid_chains_count_towards_a_turn(void **state)
{
	(void)state;
	gpu_guest_descriptors(0)[0] = (struct vring_desc){ GPA, 16, VRING_DESC_F_NEXT, 0 };
	for (unsigned i = 0; i < RING_SIZE; i++)
		gpu_guest_offer_head(0, 0);
	assert_true(serve_leaves_some());
	gpu_rig_turn();
	assert_int_equal(gpu_guest_used(0)->idx, RING_SIZE);
	assert_null(gpu_rig.device->queues[0].again.loop);
}

static int unlimited_setup(void **state)
{
	struct gpu_limits limits = GPU_LIMITS_DEFAULT;

	(void)state;
	limits.max_hostmem = INT64_MAX;
	limits.max_backing_entries = INT32_MAX;
	return gpu_rig_setup_with(&limits);
}

/* An entry has 16 bytes. Where size_t has 32 bits, the size of this list wraps to 16 bytes. */
static void a_backing_list_whose_size_wraps_is_refused(void **state)
{
	const struct {
		struct virtio_gpu_resource_attach_backing request;
		struct virtio_gpu_mem_entry entry;
	} message = {
		.request = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
			     .resource_id = 1,
			     .nr_entries = (1u << 28) + 1 },
		.entry = { .addr = GPA + DATA_AT, .length = 4096 },
	};

	(void)state;
	assert_int_equal(gpu_guest_create_2d(1, 16, 16), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(RUN(message), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

/* Each entry of a long backing list counts as work. */
static void long_backing_lists_end_a_turn(void **state)
{
	enum { N_ENTRIES = 16384 };
	const uint32_t size = N_ENTRIES * sizeof(struct virtio_gpu_mem_entry);
	const struct virtio_gpu_resource_attach_backing request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
		.resource_id = 1,
		.nr_entries = N_ENTRIES,
	};
	struct vring_desc *d = gpu_guest_descriptors(0) + 3;
	(void)state;
	assert_int_equal(gpu_guest_create_2d(1, 16, 16), VIRTIO_GPU_RESP_OK_NODATA);
	gpu_guest_offer(0, 1, &request, sizeof(request));
	/* The list: entries with address 0 and length 0, then one page. */
	memset(gpu_rig.memory + DATA_AT, 0, size);
	((struct virtio_gpu_mem_entry *)(void *)(gpu_rig.memory + DATA_AT))[N_ENTRIES - 1] =
		(struct virtio_gpu_mem_entry){ GPA + DATA_AT, 4096, 0 };
	d[2] = (struct vring_desc){ GPA + DATA_AT, size, VRING_DESC_F_NEXT, 4 };
	d[0].next = 5;
	for (unsigned i = 0; i < 3; i++)
		gpu_guest_offer_head(0, 3);
	assert_true(serve_leaves_some());
	gpu_rig_turn();
	assert_int_equal(gpu_guest_reply(0, 1)->type,
			 VIRTIO_GPU_RESP_ERR_UNSPEC); /* the resource has a backing by now */
	assert_int_equal(gpu_guest_detach(1), VIRTIO_GPU_RESP_OK_NODATA);
}

/* The whole image counts, however small the box is that the guest names. */
static void transfers_that_always_move_the_whole_image_end_a_turn(void **state)
{
	struct renderer_ops ops = *gpu_rig.renderer.base.ops;
	const struct renderer_ops *usual = gpu_rig.renderer.base.ops;

	(void)state;
	assert_int_equal(gpu_guest_create_2d(1, 4096, 4096), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(gpu_guest_attach_repeated(1, GPA + DATA_AT, 1 << 20, 64),
			 VIRTIO_GPU_RESP_OK_NODATA);
	for (unsigned whole = 0; whole < 2; whole++) {
		ops.moves_whole_images = whole;
		gpu_rig.renderer.base.ops = &ops;
		for (unsigned slot = 1; slot <= 8; slot++)
			gpu_guest_offer_transfer(slot, 1, 1, 1);
		assert_int_equal(serve_leaves_some(), whole);
		gpu_rig_turn();
	}
	gpu_rig.renderer.base.ops = usual;
}

static void a_new_image_that_is_filled_as_a_whole_ends_a_turn(void **state)
{
	struct renderer_ops ops = *gpu_rig.renderer.base.ops;
	const struct renderer_ops *usual = gpu_rig.renderer.base.ops;
	struct virtio_gpu_resource_create_2d request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		.width = 4096,
		.height = 4096,
	};

	(void)state;
	for (unsigned whole = 0; whole < 2; whole++) {
		ops.moves_whole_images = whole;
		gpu_rig.renderer.base.ops = &ops;
		for (unsigned slot = 1; slot <= 4; slot++) {
			request.resource_id++;
			gpu_guest_offer(0, slot, &request, sizeof(request));
		}
		assert_int_equal(serve_leaves_some(), whole);
		gpu_rig_turn();
	}
	gpu_rig.renderer.base.ops = usual;
}

/* What a stream draws counts as work: of long streams that are kicked together, a turn runs only
 * some. */
static void long_streams_end_a_turn(void **state)
{
	struct {
		struct virtio_gpu_cmd_submit request;
		uint32_t words[400];
	} message = {
		.request = { .hdr = { .type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = 1 }, .size = 4 },
	};

	(void)state;
	assert_int_equal(gpu_guest_context(VIRTIO_GPU_CMD_CTX_CREATE, 1),
			 VIRTIO_GPU_RESP_OK_NODATA);
	for (unsigned large = 0; large < 2; large++) {
		message.request.size = large ? sizeof(message.words) : 4;
		uint16_t before = gpu_guest_used(0)->idx;

		gpu_guest_offer(0, 1, &message, sizeof(message));
		for (unsigned i = 1; i < 8; i++)
			gpu_guest_offer_head(0, 3);
		assert_int_equal(serve_leaves_some(), large);
		gpu_rig_turn();
		assert_int_equal((uint16_t)(gpu_guest_used(0)->idx - before), 8);
		assert_int_equal(gpu_guest_reply(0, 1)->type, VIRTIO_GPU_RESP_OK_NODATA);
	}
}

static const struct {
	uint32_t type;
	int feature;
} needs[] = {
	{ VIRTIO_GPU_CMD_GET_DISPLAY_INFO, -1 },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, -1 },
	{ VIRTIO_GPU_CMD_RESOURCE_UNREF, -1 },
	{ VIRTIO_GPU_CMD_SET_SCANOUT, -1 },
	{ VIRTIO_GPU_CMD_RESOURCE_FLUSH, -1 },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, -1 },
	{ VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, -1 },
	{ VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, -1 },
	{ VIRTIO_GPU_CMD_UPDATE_CURSOR, -1 },
	{ VIRTIO_GPU_CMD_MOVE_CURSOR, -1 },
	{ VIRTIO_GPU_CMD_GET_EDID, VIRTIO_GPU_F_EDID },
	{ VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID, VIRTIO_GPU_F_RESOURCE_UUID },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, VIRTIO_GPU_F_RESOURCE_BLOB },
	{ VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, VIRTIO_GPU_F_RESOURCE_BLOB },
	{ VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, VIRTIO_GPU_F_RESOURCE_BLOB },
	{ VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, VIRTIO_GPU_F_RESOURCE_BLOB },
	{ VIRTIO_GPU_CMD_GET_CAPSET_INFO, VIRTIO_GPU_F_VIRGL },
	{ VIRTIO_GPU_CMD_GET_CAPSET, VIRTIO_GPU_F_VIRGL },
	{ VIRTIO_GPU_CMD_CTX_CREATE, VIRTIO_GPU_F_VIRGL },
	{ VIRTIO_GPU_CMD_CTX_DESTROY, VIRTIO_GPU_F_VIRGL },
	{ VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, VIRTIO_GPU_F_VIRGL },
	{ VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, VIRTIO_GPU_F_VIRGL },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, VIRTIO_GPU_F_VIRGL },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, VIRTIO_GPU_F_VIRGL },
	{ VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, VIRTIO_GPU_F_VIRGL },
	{ VIRTIO_GPU_CMD_SUBMIT_3D, VIRTIO_GPU_F_VIRGL },
};

/* A request that is long enough for every command; none of its numbers leads to UNSPEC. */
static uint32_t try(uint32_t type)
{
	struct {
		struct virtio_gpu_ctrl_hdr hdr;
		uint32_t words[64];
	} request = { .hdr = { .type = type, .ctx_id = 77 } };

	memset(request.words, 0xff, sizeof(request.words));
	gpu_guest_offer(0, 1, &request, sizeof(request));
	gpu_guest_kick(0);
	while (gpu_rig.display.requests)
		fake_display_answer(&gpu_rig.display, -ENOTSUP, NULL);
	return gpu_guest_reply(0, 1)->type;
}

static void every_command_needs_its_feature(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(needs); i++) {
		uint64_t bit = needs[i].feature < 0 ? 0 : BIT64(needs[i].feature);

		gpu_rig_set_features(bit);
		assert_int_not_equal(try(needs[i].type), VIRTIO_GPU_RESP_ERR_UNSPEC);
		gpu_rig_set_features(ALL_FEATURES & ~bit);
		if (bit)
			assert_int_equal(try(needs[i].type), VIRTIO_GPU_RESP_ERR_UNSPEC);
	}
}

static void unknown_commands_are_answered_unspec(void **state)
{
	(void)state;
	for (uint32_t type = 0; type < 0x400; type++) {
		bool is_known = false;

		for (unsigned i = 0; i < G_N_ELEMENTS(needs); i++)
			is_known |= needs[i].type == type;
		if (!is_known)
			assert_int_equal(try(type), VIRTIO_GPU_RESP_ERR_UNSPEC);
	}
	assert_int_equal(try(VIRTIO_GPU_RESP_OK_NODATA), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(try(UINT32_MAX), VIRTIO_GPU_RESP_ERR_UNSPEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define SMALL(name) cmocka_unit_test_setup_teardown(name, small_setup, gpu_rig_teardown)
#define TEST(name)  cmocka_unit_test_setup_teardown(name, gpu_rig_setup, gpu_rig_teardown)
		SMALL(memory_is_charged_and_given_back),
		SMALL(the_shadow_of_a_scanout_is_charged),
		SMALL(a_reset_frees_all_charged_memory),
		SMALL(resources_and_contexts_are_refused_at_their_limit),
		SMALL(a_stream_above_its_limit_is_refused),
		SMALL(no_scanout_is_larger_than_max_dimension),
		TEST(descriptors_of_dma_bufs_do_not_accumulate),
		TEST(a_shown_dma_buf_is_exported_once),
		cmocka_unit_test_setup_teardown(a_backing_list_whose_size_wraps_is_refused,
						unlimited_setup, gpu_rig_teardown),
		TEST(invalid_chains_count_towards_a_turn),
		TEST(long_backing_lists_end_a_turn),
		TEST(transfers_that_always_move_the_whole_image_end_a_turn),
		TEST(a_new_image_that_is_filled_as_a_whole_ends_a_turn),
		TEST(long_streams_end_a_turn),
		TEST(every_command_needs_its_feature),
		TEST(unknown_commands_are_answered_unspec),
#undef SMALL
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
