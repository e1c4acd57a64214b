// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The form of commands and responses: fences, unknown types, truncated requests, short response
 * buffers. In every case the chain is returned and the next command is served.
 */
#include "fixture.h"

#include <string.h>

static void assert_unspec(struct vmm *vmm, unsigned queue, const void *request, uint32_t size)
{
	struct virtio_gpu_ctrl_hdr h;

	assert_response(gpu_call(vmm, queue, request, size, &h, sizeof(h)), RESP_UNSPEC);
}

/* ---- invalid commands ---- */

static void unknown_commands_are_refused_with_their_fence(void **state)
{
	static const uint32_t types[] = {
		0,      0x0001, 0x00ff, 0x0110, 0x01ff, 0x0210,  0x02ff,     0x0302,
		0x0400, 0x1100, 0x1200, 0x1000, 0xffff, 0x10000, 0x01000100, 0xffffffff,
	};
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < ARRAY_LENGTH(types); i++) {
		struct virtio_gpu_ctrl_hdr h = { .type = types[i] };

		vmm->fences_all = i % 2;
		assert_unspec(vmm, CONTROL, &h, sizeof(h));
		assert_unspec(vmm, CURSOR, &h, sizeof(h));
	}
	assert_alive(vmm);
}

/* Well formed, but the driver has not accepted their features. */
static void commands_of_features_not_accepted_are_refused(void **state)
{
	static const uint32_t types[] = {
		VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
		VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
		VIRTIO_GPU_CMD_CTX_CREATE,
		VIRTIO_GPU_CMD_CTX_DESTROY,
		VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE,
		VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE,
		VIRTIO_GPU_CMD_RESOURCE_CREATE_3D,
		VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D,
		VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D,
		VIRTIO_GPU_CMD_SUBMIT_3D,
		VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
		VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB,
		VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID,
		VIRTIO_GPU_CMD_GET_EDID,
	};
	struct vmm_options options = {
		.features_off = BIT64(VIRTIO_GPU_F_VIRGL) | BIT64(VIRTIO_GPU_F_EDID) |
				BIT64(VIRTIO_GPU_F_RESOURCE_UUID) |
				BIT64(VIRTIO_GPU_F_RESOURCE_BLOB) |
				BIT64(VIRTIO_GPU_F_CONTEXT_INIT),
	};
	struct vmm *vmm = fixture_boot(state, &options);

	vmm->fences_all = true;
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 64, 64));
	for (unsigned i = 0; i < ARRAY_LENGTH(types); i++) {
		struct {
			struct virtio_gpu_ctrl_hdr h;
			uint32_t words[32];
		} c = { .h.type = types[i], .words = { 1, 1, 1, 1 } };
		struct virtio_gpu_ctrl_hdr h;
		uint32_t type = gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h));

		if (type != RESP_UNSPEC && type != RESP_INVALID_PARAMETER)
			vmm_fail("command %#x without its feature: %#x", types[i], type);
	}
	assert_alive(vmm);
}

static void truncated_commands_are_refused(void **state)
{
	static const struct {
		uint32_t type, size;
	} commands[] = {
		{ VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, 40 },
		{ VIRTIO_GPU_CMD_RESOURCE_UNREF, 32 },
		{ VIRTIO_GPU_CMD_SET_SCANOUT, 48 },
		{ VIRTIO_GPU_CMD_RESOURCE_FLUSH, 48 },
		{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, 56 },
		{ VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, 32 },
		{ VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 32 },
		{ VIRTIO_GPU_CMD_GET_EDID, 32 },
		{ VIRTIO_GPU_CMD_UPDATE_CURSOR, 56 },
		{ VIRTIO_GPU_CMD_MOVE_CURSOR, 56 },
	};
	struct vmm *vmm = *state;

	vmm->fences_all = true;
	for (unsigned i = 0; i < ARRAY_LENGTH(commands); i++) {
		struct {
			struct virtio_gpu_ctrl_hdr h;
			uint32_t words[16];
		} c = { .h.type = commands[i].type, .words = { 1, 1, 1, 1 } };

		assert_unspec(vmm, CONTROL, &c, sizeof(c.h));
		assert_unspec(vmm, CONTROL, &c, commands[i].size - 1);
	}
	assert_response(gpu_unref(vmm, 1), RESP_INVALID_RESOURCE_ID);
}

static void truncated_headers_are_refused(void **state)
{
	struct virtio_gpu_ctrl_hdr h = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct vmm *vmm = *state;

	for (uint32_t size = 1; size < sizeof(h); size++)
		assert_unspec(vmm, CONTROL, &h, size);
	assert_alive(vmm);
}

static void a_request_longer_than_its_type_is_accepted(void **state)
{
	struct {
		struct virtio_gpu_resource_create_2d c;
		uint8_t more[500];
	} c = { .c = { { .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D }, 1, BGRX, 16, 16 } };
	struct virtio_gpu_ctrl_hdr h;
	struct vmm *vmm = *state;

	assert_ok(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)));
	assert_ok(gpu_unref(vmm, 1));
}

static void control_commands_on_the_cursor_queue_do_no_harm(void **state)
{
	struct virtio_gpu_resource_create_2d c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D }, 1, BGRX, 16, 16
	};
	struct virtio_gpu_ctrl_hdr h;
	struct vmm *vmm = *state;

	vmm->fences_all = true;
	gpu_call(vmm, CURSOR, &c, sizeof(c), &h, sizeof(h));
	assert_ok(gpu_move_cursor(vmm, 0, 1, 2, 0));
	assert_alive(vmm);
}

/* ---- fences ---- */

static void every_command_echoes_its_fence(void **state)
{
	struct virtio_gpu_resp_display_info info;
	struct virtio_gpu_resp_edid edid;
	struct vmm *vmm = *state;
	struct image i;

	vmm->fences_all = true;
	assert_response(gpu_display_info(vmm, &info), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_response(gpu_edid(vmm, 0, &edid), VIRTIO_GPU_RESP_OK_EDID);
	i = image_new(vmm, 1, BGRA, 64, 64);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	assert_ok(gpu_update_cursor(vmm, 0, 1, 1, 1, 0, 0));
	assert_ok(gpu_move_cursor(vmm, 0, 1, 1, 1));
	assert_ok(gpu_detach(vmm, 1));
	assert_response(gpu_transfer_2d(vmm, 1, image_rect(&i), 0), RESP_UNSPEC);
	assert_response(gpu_set_scanout(vmm, 99, 1, image_rect(&i)), RESP_INVALID_SCANOUT_ID);
	assert_ok(gpu_unref(vmm, 1));
	assert_response(gpu_flush(vmm, 1, image_rect(&i)), RESP_INVALID_RESOURCE_ID);
}

static void fences_have_64_bits_and_any_order(void **state)
{
	static const uint64_t ids[] = {
		0, 1, UINT32_MAX, BIT64(32), BIT64(32) + 1, UINT64_MAX, BIT64(63), 5, 5, 4,
	};
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < ARRAY_LENGTH(ids); i++) {
		struct virtio_gpu_resource_flush c = {
			.hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
				 .flags = VIRTIO_GPU_FLAG_FENCE,
				 .fence_id = ids[i],
				 .ctx_id = i * 1000 },
			.resource_id = 1,
		};
		struct virtio_gpu_ctrl_hdr h;

		assert_response(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)),
				RESP_INVALID_RESOURCE_ID);
	}
}

static void unknown_flags_are_not_echoed(void **state)
{
	struct virtio_gpu_ctrl_hdr c = {
		.type = 0x7777, .flags = 0xfffffffc, .fence_id = 12, .ctx_id = 3, .ring_idx = 9
	};
	struct virtio_gpu_ctrl_hdr h;
	struct vmm *vmm = *state;

	/* gpu_finish checks that no flag and no fence is returned. */
	assert_response(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)), RESP_UNSPEC);
}

/* ---- room for the response ---- */

static void commands_without_room_for_a_response_are_carried_out(void **state)
{
	struct virtio_gpu_resource_create_2d c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D }, 1, BGRX, 16, 16
	};
	struct vmm *vmm = *state;
	struct chain *chain = gpu_submit(vmm, CONTROL, &c, sizeof(c), 0, NULL, 0);

	c.hdr.flags = VIRTIO_GPU_FLAG_FENCE;
	c.resource_id = 2;
	ring_kick(&vmm->rings[CONTROL]);
	gpu_finish(vmm, chain, NULL, 0);
	assert_int_equal(chain->used_len, 0);
	chain = gpu_submit(vmm, CONTROL, &c, sizeof(c), 0, NULL, 0);
	ring_kick(&vmm->rings[CONTROL]);
	gpu_finish(vmm, chain, NULL, 0);
	assert_int_equal(chain->used_len, 0);
	assert_ok(gpu_unref(vmm, 1));
	assert_ok(gpu_unref(vmm, 2));
}

/* As Linux sends cursor commands: one readable descriptor only. */
static void cursor_commands_without_a_response_work(void **state)
{
	struct vmm *vmm = *state;

	for (uint32_t k = 0; k < 100; k++) {
		struct virtio_gpu_update_cursor c = {
			{ .type = VIRTIO_GPU_CMD_MOVE_CURSOR }, { 0, k, 2 * k, 0 }, 1, 0, 0, 0
		};
		struct chain *chain = gpu_submit(vmm, CURSOR, &c, sizeof(c), 0, NULL, 0);

		ring_kick(&vmm->rings[CURSOR]);
		gpu_finish(vmm, chain, NULL, 0);
		assert_int_equal(chain->used_len, 0);
	}
	assert_alive(vmm);
}

static void a_short_response_buffer_gets_a_part_or_nothing(void **state)
{
	static const uint32_t types[] = { VIRTIO_GPU_CMD_GET_DISPLAY_INFO, VIRTIO_GPU_CMD_GET_EDID,
					  0x7777 };
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < ARRAY_LENGTH(types); i++) {
		for (uint32_t room = 1; room < 24; room++) {
			struct virtio_gpu_cmd_get_edid c = { .hdr.type = types[i] };
			struct chain *chain =
				gpu_submit(vmm, CONTROL, &c, sizeof(c), room, NULL, 0);

			ring_kick(&vmm->rings[CONTROL]);
			gpu_finish(vmm, chain, NULL, 0);
			assert_true(chain->used_len <= room);
			/* Nothing was written past the buffer. */
			assert_int_equal(chain->response[room], GPU_UNTOUCHED);
		}
	}
	assert_alive(vmm);
}

static void a_response_buffer_of_a_header_gets_an_error(void **state)
{
	struct virtio_gpu_cmd_get_edid c = { .hdr.type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	uint8_t response[407];
	struct virtio_gpu_ctrl_hdr h;
	struct vmm *vmm = *state;

	vmm->fences_all = true;
	assert_response(gpu_call(vmm, CONTROL, &c, sizeof(c), response, sizeof(response)),
			RESP_UNSPEC);
	c.hdr.type = VIRTIO_GPU_CMD_GET_EDID;
	assert_response(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)), RESP_UNSPEC);
	assert_alive(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED_TEST(unknown_commands_are_refused_with_their_fence),
		DEVICE_TEST(commands_of_features_not_accepted_are_refused),
		BOOTED_TEST(truncated_commands_are_refused),
		BOOTED_TEST(truncated_headers_are_refused),
		BOOTED_TEST(a_request_longer_than_its_type_is_accepted),
		BOOTED_TEST(control_commands_on_the_cursor_queue_do_no_harm),
		BOOTED_TEST(every_command_echoes_its_fence),
		BOOTED_TEST(fences_have_64_bits_and_any_order),
		BOOTED_TEST(unknown_flags_are_not_echoed),
		BOOTED_TEST(commands_without_room_for_a_response_are_carried_out),
		BOOTED_TEST(cursor_commands_without_a_response_work),
		BOOTED_TEST(a_short_response_buffer_gets_a_part_or_nothing),
		BOOTED_TEST(a_response_buffer_of_a_header_gets_an_error),
	};

	return cmocka_run_group_tests_name("responses", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
