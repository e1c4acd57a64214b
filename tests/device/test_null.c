// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The null renderer: its responses do not differ from another renderer's. Invalid commands are
 * refused as usual, because the code in src/gpu does that, not the renderer. A screen stays empty,
 * unless a blob of guest memory is shown.
 */
#include "fixture.h"
#include "gpu3d.h"

#define W 64
#define H 48

static struct vmm *boot(void **state)
{
	static const char *const args[] = { "--gpu-mode", "null", NULL };
	struct vmm_options options = { .args = args };

	return fixture_boot(state, &options);
}

static void every_2d_command_succeeds(void **state)
{
	struct vmm *vmm = boot(state);
	struct virtio_gpu_resp_display_info info;
	struct virtio_gpu_resp_edid edid;
	struct image i = image_new(vmm, 1, BGRX, W, H), cursor = image_new(vmm, 2, BGRA, 64, 64);
	uint8_t uuid[16];

	for (unsigned round = 0; round < 2; round++) {
		assert_response(gpu_display_info(vmm, &info), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
		assert_response(gpu_edid(vmm, 0, &edid), VIRTIO_GPU_RESP_OK_EDID);
		assert_ok(image_transfer(vmm, &i, image_rect(&i)));
		assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
		assert_ok(gpu_set_scanout(vmm, 1, 1, gpu_rect(1, 2, 3, 4)));
		assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
		assert_response(gpu_assign_uuid(vmm, 1, uuid), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
		assert_ok(image_transfer(vmm, &cursor, image_rect(&cursor)));
		assert_ok(gpu_update_cursor(vmm, 0, 1, 2, 2, 3, 4));
		assert_ok(gpu_move_cursor(vmm, 0, 5, 6, 2));
		assert_ok(gpu_update_cursor(vmm, 0, 1, 2, 0, 0, 0));
		/* After stop and cont it works as before. */
		vmm_stop(vmm);
		vmm_start(vmm);
		assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
		vmm->fences_all = true;
	}
	assert_ok(gpu_detach(vmm, 1));
	assert_ok(gpu_set_scanout(vmm, 0, 0, gpu_rect(0, 0, 0, 0)));
	assert_ok(gpu_unref(vmm, 1)); /* it is still on scanout 1 */
	assert_ok(gpu_unref(vmm, 2));
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);
}

static void invalid_commands_are_refused_in_null_mode(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = image_new(vmm, 1, BGRX, W, H);

	assert_response(gpu_create_2d(vmm, 1, BGRX, W, H), RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_create_2d(vmm, 2, 99, W, H), RESP_INVALID_PARAMETER);
	assert_response(gpu_create_2d(vmm, 2, BGRX, 0, H), RESP_INVALID_PARAMETER);
	assert_response(gpu_transfer_2d(vmm, 1, gpu_rect(1, 0, W, H), 0), RESP_INVALID_PARAMETER);
	assert_response(gpu_transfer_2d(vmm, 1, image_rect(&i), 4), RESP_INVALID_PARAMETER);
	assert_response(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, W, H + 1)),
			RESP_INVALID_PARAMETER);
	assert_response(gpu_flush(vmm, 2, image_rect(&i)), RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_update_cursor(vmm, 16, 0, 0, 1, 0, 0), RESP_INVALID_SCANOUT_ID);
	assert_ok(gpu_detach(vmm, 1));
	assert_response(image_transfer(vmm, &i, image_rect(&i)), RESP_UNSPEC);
}

/* It offers no 3D; its blobs are the guest's own memory, and are shown. */
static void blobs_are_offered_and_3d_is_not(void **state)
{
	struct vmm *vmm = boot(state);
	struct image due = image_due(vmm, W, H);
	struct virtio_gpu_mem_entry entry = { due.gpa, W * H * 4, 0 };
	create_blob_t args = { .resource_id = 1,
			       .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
			       .nr_entries = 1,
			       .size = W * H * 4 };
	set_scanout_blob_t shown = { .r = image_rect(&due),
				     .resource_id = 1,
				     .width = W,
				     .height = H,
				     .format = BGRX,
				     .strides = { W * 4 } };

	assert_false(vmm->offered & BIT64(VIRTIO_GPU_F_VIRGL));
	assert_response(gpu_ctx_create(vmm, 1, 0), RESP_UNSPEC);
	assert_response(gpu_create_3d(vmm, gpu_texture(1, W, H)), RESP_UNSPEC);
	image_fill(&due, 1);
	assert_ok(gpu_create_blob(vmm, args, &entry, sizeof(entry)));
	assert_ok(gpu_set_scanout_blob(vmm, shown));
	assert_ok(gpu_flush(vmm, 1, image_rect(&due)));
	image_wait_shown(vmm, &due, 0, image_rect(&due));
	vmm_reset(vmm);
	vmm_start(vmm);
	assert_response(gpu_unref(vmm, 1), RESP_INVALID_RESOURCE_ID);
}

static void limits_apply_without_real_memory(void **state)
{
	static const char *const args[] = {
		"--gpu-mode", "null", "--max-hostmem", "66048", "--max-resources", "4", NULL
	};
	struct vmm_options options = { .args = args };
	struct vmm *vmm = fixture_boot(state, &options);

	for (unsigned round = 0; round < 3; round++) {
		assert_response(gpu_create_2d(vmm, 1, BGRX, 128, 129), RESP_OUT_OF_MEMORY);
		assert_ok(gpu_create_2d(vmm, 1, BGRX, 128, 128));
		assert_response(gpu_create_2d(vmm, 2, BGRX, 1, 1), RESP_OUT_OF_MEMORY);
		assert_ok(gpu_unref(vmm, 1));
		for (uint32_t id = 1; id <= 4; id++)
			assert_ok(gpu_create_2d(vmm, id, BGRX, 1, 1));
		assert_response(gpu_create_2d(vmm, 5, BGRX, 1, 1), RESP_OUT_OF_MEMORY);
		for (uint32_t id = 1; id <= 4; id++)
			assert_ok(gpu_unref(vmm, id));
	}
}

/* Work is complete when it is answered, so a fence never waits: one kick, one interrupt, all in
 * order. The same holds in 2D mode. */
static void fences_complete_with_their_commands(void **state)
{
	static const char *const modes[] = { "null", "2d" };

	for (unsigned m = 0; m < ARRAY_LENGTH(modes); m++) {
		const char *args[] = { "--gpu-mode", modes[m], NULL };
		struct vmm_options options = { .args = args,
					       .features_off = BIT64(VIRTIO_RING_F_EVENT_IDX) };
		struct vmm *vmm = fixture_boot(state, &options);
		struct ring *r = &vmm->rings[CONTROL];
		struct chain *chains[30];

		assert_alive(vmm); /* the interrupt of the start has come */
		uint64_t before = r->interrupts;
		uint16_t start = r->used_idx;
		for (unsigned k = 0; k < 30; k++) {
			struct virtio_gpu_resource_unref c = {
				.hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
					 .flags = k % 3 ? VIRTIO_GPU_FLAG_FENCE : 0,
					 .fence_id = UINT64_MAX - k },
				.resource_id = k,
			};

			chains[k] = gpu_submit(vmm, CONTROL, &c, sizeof(c), sizeof(c.hdr), NULL, 0);
		}
		ring_kick(r);
		for (unsigned k = 0; k < 30; k++)
			assert_response(gpu_finish(vmm, chains[k], NULL, 0),
					RESP_INVALID_RESOURCE_ID);
		for (unsigned k = 0; k < 30; k++)
			assert_int_equal(r->vring.used->ring[(start + k) % r->size].id,
					 chains[k]->head);
		assert_int_equal(r->interrupts - before, 1);
		vmm->fences_all = true;
		assert_ok(gpu_create_2d(vmm, 1, BGRX, 16, 16));
		assert_alive(vmm);
		fixture_end(state);
	}
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(every_2d_command_succeeds),
		DEVICE_TEST(invalid_commands_are_refused_in_null_mode),
		DEVICE_TEST(blobs_are_offered_and_3d_is_not),
		DEVICE_TEST(fences_complete_with_their_commands),
		DEVICE_TEST(limits_apply_without_real_memory),
	};

	return cmocka_run_group_tests_name("null", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
