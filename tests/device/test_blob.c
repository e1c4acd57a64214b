// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Blobs of guest memory: their creation, their cost and other commands on them, on the CPU and
 * again with OpenGL, where they must behave in the same way. A refusal leaves nothing behind,
 * neither the id nor the charge. test_blob_scanout has blobs on screens.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <stdlib.h>
#include <string.h>

#define W            70
#define H            50
#define PAGE         4096u
#define GUEST        VIRTIO_GPU_BLOB_MEM_GUEST
#define KNOWN        7u /* all existing blob_flags */
#define CURSOR_BYTES (CURSOR_SIDE * CURSOR_SIDE * 4)

static const char *mode;

static struct vmm *boot_with(void **state, const char *option, const char *value,
			     uint64_t features_off)
{
	const char *args[] = { "--gpu-mode", mode, option, value, NULL };
	struct vmm_options options = { .args = args,
				       .features_off = features_off | BIT64(F_BLOB_ALIGNMENT) };

	return fixture_boot(state, &options);
}

static struct vmm *boot(void **state)
{
	return boot_with(state, NULL, NULL, 0);
}

static set_scanout_blob_t shown(uint32_t id)
{
	return (set_scanout_blob_t){ .r = gpu_rect(0, 0, W, H),
				     .resource_id = id,
				     .width = W,
				     .height = H,
				     .format = BGRX,
				     .strides = { W * 4 } };
}

/* ---- RESOURCE_CREATE_BLOB ---- */

/* The response to a blob of @memory, which is not GUEST. Without host blobs every such kind is
 * unknown; with them, the two HOST3D kinds need a context, which the command does not name. */
static uint32_t refusal_of(uint32_t memory, uint32_t n_entries)
{
	const bool is_known = memory == VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST ||
			      (memory == VIRTIO_GPU_BLOB_MEM_HOST3D && n_entries == 0);

	return vmm_is_gfxstream() && is_known ? RESP_INVALID_CONTEXT_ID : RESP_INVALID_PARAMETER;
}

static void invalid_blobs_are_refused(void **state)
{
	struct vmm *vmm = boot(state);
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, 4 * PAGE, PAGE);
	struct virtio_gpu_mem_entry entries[] = { { gpa, PAGE, 0 }, { gpa + 2 * PAGE, PAGE, 0 } };
	const struct virtio_gpu_mem_entry nowhere = { UINT64_C(0x700000000000), PAGE, 0 };
	const create_blob_t good = {
		.resource_id = 1, .blob_mem = GUEST, .nr_entries = 2, .size = 2 * PAGE
	};
	static const uint32_t memories[] = { 0, 2, 3, 4, 0xffffffff };
	static const uint32_t counts[] = { 0, 3, 16384, 16385, 0x10000002, 0xffffffff };
	static const uint64_t sizes[] = { 0, 2 * PAGE + 1, UINT64_C(1) << 32, UINT64_MAX };
	create_blob_t bad;

	for (unsigned k = 0; k < ARRAY_LENGTH(memories); k++) {
		bad = good;
		bad.blob_mem = memories[k];
		assert_response(gpu_create_blob(vmm, bad, entries, sizeof(entries)),
				refusal_of(memories[k], bad.nr_entries));
		bad.nr_entries = 0;
		assert_response(gpu_create_blob(vmm, bad, NULL, 0),
				refusal_of(memories[k], bad.nr_entries));
	}
	for (unsigned k = 0; k < ARRAY_LENGTH(counts); k++) {
		bad = good;
		bad.nr_entries = counts[k];
		assert_response(gpu_create_blob(vmm, bad, entries, sizeof(entries)),
				RESP_INVALID_PARAMETER);
	}
	for (unsigned k = 0; k < ARRAY_LENGTH(sizes); k++) {
		bad = good;
		bad.size = sizes[k];
		assert_response(gpu_create_blob(vmm, bad, entries, sizeof(entries)),
				RESP_INVALID_PARAMETER);
	}
	bad = good;
	bad.blob_flags = KNOWN + 1;
	assert_response(gpu_create_blob(vmm, bad, entries, sizeof(entries)),
			RESP_INVALID_PARAMETER);
	/* One byte less than claimed; and memory that does not exist. */
	assert_response(gpu_create_blob(vmm, good, entries, sizeof(entries) - 1),
			RESP_INVALID_PARAMETER);
	bad = good;
	bad.nr_entries = 1;
	bad.size = PAGE;
	assert_response(gpu_create_blob(vmm, bad, &nowhere, sizeof(nowhere)),
			RESP_INVALID_PARAMETER);
	bad = good;
	bad.resource_id = 0;
	assert_response(gpu_create_blob(vmm, bad, entries, sizeof(entries)),
			RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_unref(vmm, 1), RESP_INVALID_RESOURCE_ID);

	assert_ok(gpu_create_blob(vmm, good, entries, sizeof(entries)));
	assert_response(gpu_create_blob(vmm, good, entries, sizeof(entries)),
			RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_create_2d(vmm, 1, BGRX, 1, 1), RESP_INVALID_RESOURCE_ID);
	bad = good;
	bad.resource_id = 2;
	bad.size = 1; /* it need not use all of its memory */
	bad.blob_flags = KNOWN;
	assert_ok(gpu_create_blob(vmm, bad, entries, sizeof(entries)));
	assert_ok(gpu_unref(vmm, 1));
	assert_ok(gpu_unref(vmm, 2));
}

static void blobs_need_their_feature(void **state)
{
	struct vmm *vmm = boot_with(state, NULL, NULL, BIT64(VIRTIO_GPU_F_RESOURCE_BLOB));
	struct virtio_gpu_mem_entry entry = { memory_alloc(&vmm->memory, MEMORY_MAIN, PAGE, PAGE),
					      PAGE, 0 };
	create_blob_t args = { .resource_id = 1, .blob_mem = GUEST, .nr_entries = 1, .size = PAGE };

	assert_true(vmm->offered & BIT64(VIRTIO_GPU_F_RESOURCE_BLOB));
	assert_response(gpu_create_blob(vmm, args, &entry, sizeof(entry)), RESP_UNSPEC);
	assert_response(gpu_set_scanout_blob(vmm, shown(1)), RESP_UNSPEC);
	assert_response(gpu_set_scanout_blob(vmm, shown(0)), RESP_UNSPEC);
}

/* Backing lists are the daemon's memory, the pages are not. */
static void backing_lists_count_as_memory(void **state)
{
	enum { ENTRIES = 16384 };
	struct vmm *vmm = boot_with(state, "--max-hostmem", "1M", 0);
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, PAGE, PAGE);
	struct virtio_gpu_mem_entry *entries = calloc(ENTRIES, sizeof(*entries));
	create_blob_t args = { .blob_mem = GUEST,
			       .nr_entries = ENTRIES,
			       .size = (uint64_t)ENTRIES * PAGE };
	uint32_t n = 0;

	for (unsigned k = 0; k < ENTRIES; k++)
		entries[k] = (struct virtio_gpu_mem_entry){ gpa, PAGE, 0 };
	for (unsigned round = 0; round < 3; round++) {
		uint32_t type, id = 1;

		for (;; id++) {
			args.resource_id = id;
			type = gpu_create_blob(vmm, args, entries, ENTRIES * sizeof(*entries));
			if (type != RESP_OK)
				break;
		}
		assert_int_equal(type, RESP_OUT_OF_MEMORY);
		assert_in_range(id, 2, 4);
		assert_true(round == 0 || id == n); /* as many as the first time */
		n = id;
		/* A failed creation releases its charge. */
		args.size++;
		for (unsigned k = 0; k < 3; k++)
			assert_int_not_equal(
				gpu_create_blob(vmm, args, entries, ENTRIES * sizeof(*entries)),
				RESP_OK);
		args.size--;
		while (--id > 0)
			assert_ok(gpu_unref(vmm, id));
		args.resource_id = 1;
		args.size++;
		for (unsigned k = 0; k < 4; k++)
			assert_response(
				gpu_create_blob(vmm, args, entries, ENTRIES * sizeof(*entries)),
				RESP_INVALID_PARAMETER);
		args.size--;
	}
	free(entries);
}

static void other_commands_work_on_blobs_or_refuse_them(void **state)
{
	struct vmm *vmm = boot(state);
	uint8_t uuid[16];
	uint64_t gpa;

	blob_new(vmm, 1, W * H * 4, &gpa);
	struct virtio_gpu_mem_entry entry = { gpa, PAGE, 0 };
	/* Linux detaches the memory of a blob, and attaches it again, if it belongs to another
	 * driver. */
	assert_response(gpu_attach(vmm, 1, &entry, 1), RESP_UNSPEC);
	assert_ok(gpu_detach(vmm, 1));
	assert_response(gpu_detach(vmm, 1), RESP_UNSPEC);
	assert_response(gpu_attach(vmm, 1, &entry, 1), RESP_INVALID_PARAMETER);
	entry.length = W * H * 4;
	assert_ok(gpu_attach(vmm, 1, &entry, 1));
	/* It has no size in pixels. */
	assert_response(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, W, H)), RESP_INVALID_PARAMETER);
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, W, H)));
	/* There is nothing to copy; Linux sends this for its own pictures all the same. */
	assert_ok(gpu_transfer_2d(vmm, 1, gpu_rect(0, 0, W, H), 0));
	assert_ok(gpu_transfer_2d(vmm, 1, gpu_rect(0xffffffff, 0, 0xffffffff, 1), UINT64_MAX));
	assert_response(gpu_assign_uuid(vmm, 1, uuid), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
	/* A resource that is no blob is not shown as one. */
	assert_ok(gpu_create_2d(vmm, 2, BGRX, W, H));
	assert_response(gpu_set_scanout_blob(vmm, shown(2)), RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_set_scanout_blob(vmm, shown(3)), RESP_INVALID_RESOURCE_ID);
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_SCANOUT], 0);
}

/* ---- uses of blobs ---- */

/* Linux makes its cursors blobs as soon as the feature is there. */
static void a_cursor_can_be_a_blob(void **state)
{
	struct vmm *vmm = boot(state);
	const struct display_cursor *c = &vmm->display.cursors[0];
	uint8_t *blob = blob_new(vmm, 1, CURSOR_BYTES, NULL);

	for (uint32_t k = 0; k < CURSOR_BYTES; k++)
		blob[k] = (uint8_t)(k * 7 + k / 256);
	assert_ok(gpu_transfer_2d(vmm, 1, gpu_rect(0, 0, CURSOR_SIDE, CURSOR_SIDE), 0));
	assert_ok(gpu_update_cursor(vmm, 0, 5, 6, 1, 1, 2));
	vmm_wait_messages(vmm, DISPLAY_CURSOR_UPDATE, 1);
	assert_memory_equal(c->pixels, blob, CURSOR_BYTES);
	assert_int_equal(c->x, 5);
	assert_int_equal(c->hot_y, 2);
	blob_new(vmm, 2, CURSOR_BYTES - 1, NULL);
	assert_response(gpu_update_cursor(vmm, 0, 5, 6, 2, 1, 2), RESP_INVALID_PARAMETER);
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_CURSOR_UPDATE], 1);
}

/* ---- with OpenGL only ---- */

static void blobs_can_be_attached_to_contexts(void **state)
{
	struct vmm *vmm = boot(state);
	uint8_t *blob = blob_new(vmm, 1, W * H * 4, NULL), copy[W * H * 4];
	transfer_3d_t t = { .box = { 0, 0, 0, W, H, 1 }, .resource_id = 1 };

	memset(blob, 0x42, sizeof(copy));
	memcpy(copy, blob, sizeof(copy));
	assert_ok(gpu_ctx_create(vmm, 1, VIRTIO_GPU_CAPSET_VIRGL2));
	assert_ok(gpu_ctx_attach(vmm, 1, 1));
	/* The host has no storage for it: whatever the box, nothing moves. */
	for (t.hdr.ctx_id = 0; t.hdr.ctx_id < 2; t.hdr.ctx_id++) {
		gpu_to_host_3d(vmm, t);
		gpu_from_host_3d(vmm, t);
		t.box.w = t.box.z = 0xffffffff;
		gpu_from_host_3d(vmm, t);
	}
	gpu_paint(vmm, 1, 1, 0xff0000);
	assert_memory_equal(blob, copy, sizeof(copy));
	assert_ok(gpu_unref(vmm, 1)); /* attached still */
	assert_ok(gpu_ctx_destroy(vmm, 1));
	assert_alive(vmm);
}

/* There are no host blobs to map: guest blob 1 is refused, and so are ids without a resource. */
static void no_blob_can_be_mapped(void **state)
{
	struct vmm *vmm = boot(state);
	struct {
		struct virtio_gpu_ctrl_hdr hdr;
		uint32_t resource_id, padding;
		uint64_t offset;
	} c = { .hdr = { .flags = VIRTIO_GPU_FLAG_FENCE, .fence_id = 9 }, .resource_id = 1 };
	struct virtio_gpu_ctrl_hdr h;

	blob_new(vmm, 1, 8192, NULL);
	for (uint32_t id = 0; id < 3; id++) {
		uint32_t due = id == 1 ? RESP_UNSPEC : RESP_INVALID_RESOURCE_ID;

		c.resource_id = id;
		c.offset = id == 2 ? UINT64_MAX - 4095 : 0;
		c.hdr.type = VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB;
		assert_response(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)), due);
		c.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB;
		assert_response(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)), due);
	}
	assert_ok(gpu_unref(vmm, 1));
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(invalid_blobs_are_refused),
		DEVICE_TEST(blobs_need_their_feature),
		DEVICE_TEST(no_blob_can_be_mapped),
		DEVICE_TEST(backing_lists_count_as_memory),
		DEVICE_TEST(other_commands_work_on_blobs_or_refuse_them),
		DEVICE_TEST(a_cursor_can_be_a_blob),
	};
	const struct CMUnitTest more[] = {
		DEVICE_TEST(blobs_can_be_attached_to_contexts),
	};
	int failed;

	mode = vmm_renderer("2d");
	failed = cmocka_run_group_tests_name("blob, 2d", tests, NULL, NULL);
	if (vmm_is_gfxstream() || !gpu3d_works())
		return failed;
	mode = "virglrenderer";
	failed += cmocka_run_group_tests_name("blob, virglrenderer", tests, NULL, NULL);
	return failed + cmocka_run_group_tests_name("blob, 3d", more, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
