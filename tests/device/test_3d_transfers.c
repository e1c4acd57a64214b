// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * TRANSFER_TO_HOST_3D and TRANSFER_FROM_HOST_3D. The guest chooses the box: it is compared with the
 * width, height and number of layers at its level, and its first byte with the backing, before the
 * library gets it. The place of its last byte depends on the format, so the library refuses what
 * ends past the backing; this is tested here too, for every claimed stride.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <string.h>

#define W 40
#define H 24

static struct vmm *boot(void **state)
{
	struct vmm_options options = { .args = gpu3d_args };

	return fixture_boot(state, &options);
}

static void assert_refused(uint32_t type)
{
	assert_in_range(type, VIRTIO_GPU_RESP_ERR_UNSPEC, RESP_INVALID_PARAMETER);
}

/* ---- valid transfers ---- */

static void transfers_work_in_both_directions(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = image_new_3d(vmm, gpu_texture(1, W, H)), due = image_due(vmm, W, H);
	transfer_3d_t part = { .resource_id = 1, .box = { 7, 3, 0, 11, 9, 1 } };

	image_fill(&i, 1);
	memcpy(due.bytes, i.bytes, W * H * 4);
	assert_ok(gpu_to_host_3d(vmm, gpu_whole(&i)));
	image_check_host(vmm, &i, &due);

	/* A part of it, as a driver sends it: rows as long as the resource's, and an offset. */
	image_fill(&i, 2);
	part.stride = W * 4;
	part.offset = (3 * W + 7) * 4;
	for (uint32_t y = 3; y < 12; y++)
		memcpy(due.bytes + (y * W + 7) * 4, i.bytes + (y * W + 7) * 4, 11 * 4);
	assert_ok(gpu_to_host_3d(vmm, part));
	image_check_host(vmm, &i, &due);

	/* In the other direction only the part is written. */
	memset(i.bytes, 0x77, W * H * 4);
	assert_ok(gpu_from_host_3d(vmm, part));
	for (uint32_t k = 0; k < W * H; k++) {
		bool is_in = k % W >= 7 && k % W < 18 && k / W >= 3 && k / W < 12;
		const uint8_t *p = i.bytes + k * 4;

		if (is_in ? memcmp(p, due.bytes + k * 4, 4) : memcmp(p, "\x77\x77\x77\x77", 4))
			vmm_fail("pixel %u,%u of the part is wrong", k % W, k / W);
	}
	/* In a context that has the resource attached, too. */
	assert_ok(gpu_ctx_create(vmm, 1, 0));
	assert_ok(gpu_ctx_attach(vmm, 1, 1));
	part.hdr.ctx_id = 1;
	assert_ok(gpu_to_host_3d(vmm, part));
	assert_ok(gpu_from_host_3d(vmm, part));
}

static void backings_in_pieces_are_joined(void **state)
{
	struct vmm *vmm = boot(state);
	struct image due = image_due(vmm, W, H);
	struct virtio_gpu_mem_entry entries[W * H * 4 / 60];
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_HIGH, 2 * sizeof(entries) * 16, 4096);

	image_fill(&due, 3);
	assert_ok(gpu_create_3d(vmm, gpu_texture(1, W, H)));
	for (unsigned k = 0; k < ARRAY_LENGTH(entries); k++) {
		entries[k] = (struct virtio_gpu_mem_entry){ gpa + k * 100, 60, 0 };
		memcpy(memory_at(&vmm->memory, gpa + k * 100, 60), due.bytes + k * 60, 60);
	}
	assert_ok(gpu_attach(vmm, 1, entries, ARRAY_LENGTH(entries)));
	due.id = 1;
	assert_ok(gpu_to_host_3d(vmm, gpu_whole(&due)));
	for (unsigned k = 0; k < ARRAY_LENGTH(entries); k++)
		memset(memory_at(&vmm->memory, entries[k].addr, 60), 0, 60);
	assert_ok(gpu_from_host_3d(vmm, gpu_whole(&due)));
	for (unsigned k = 0; k < ARRAY_LENGTH(entries); k++)
		assert_memory_equal(memory_at(&vmm->memory, entries[k].addr, 60),
				    due.bytes + k * 60, 60);
}

static void assert_both_refused(struct vmm *vmm, transfer_3d_t t, uint32_t due)
{
	uint32_t to = gpu_to_host_3d(vmm, t), from = gpu_from_host_3d(vmm, t);

	if (to != due || from != due)
		vmm_fail("resource %u level %u box %u,%u,%u %ux%ux%u offset %#llx context %u: %#x "
			 "and %#x, due is %#x",
			 t.resource_id, t.level, t.box.x, t.box.y, t.box.z, t.box.w, t.box.h,
			 t.box.d, (unsigned long long)t.offset, t.hdr.ctx_id, to, from, due);
}

static void transfers_outside_the_resource_are_refused(void **state)
{
	static const struct virtio_gpu_box bad[] = {
		{ 0, 0, 0, W + 1, 1, 1 },
		{ 0, 0, 0, 1, H + 1, 1 },
		{ 0, 0, 0, 1, 1, 2 },
		{ W, 0, 0, 1, 1, 1 },
		{ 0, H, 0, 1, 1, 1 },
		{ 0, 0, 1, 1, 1, 1 },
		{ 1, 1, 0, W, H, 1 },
		{ 0xffffffff, 0, 0, 2, 1, 1 },
		{ 0, 0xffffffff, 0, 1, 2, 1 },
		{ 0, 0, 0xffffffff, 1, 1, 2 },
		{ 1, 0, 0, 0xffffffff, 1, 1 },
		{ 0, 1, 0, 1, 0xffffffff, 1 },
		{ 0, 0, 0, 1, 1, 0xffffffff },
		{ 0x80000000, 0, 0, 1, 1, 1 },
		{ 0, 0, 0, 0x80000000, 1, 1 },
		{ 0, 0, 0, 0, 1, 1 },
		{ 0, 0, 0, 1, 0, 1 },
		{ 0, 0, 0, 1, 1, 0 },
		{ 0, 0, 0, 0, 0, 0 },
		{ 0xffffffff, 0xffffffff, 0, 1, 1, 1 },
		{ 0, 0, 0, 0xffffffff, H, 1 },
		{ 0, 0, 0, W, 0xffffffff, 1 },
		{ W - 1, H - 1, 0, 0xffffffff, 0xffffffff, 0xffffffff },
	};
	/* The levels of a texture of 40x24: 20x12, 10x6, 5x3, 2x1, 1x1. */
	static const struct virtio_gpu_box bad_by_level[][2] = {
		{ { 0, 0, 0, 21, 1, 1 }, { 0, 0, 0, 1, 13, 1 } },
		{ { 0, 0, 0, 11, 1, 1 }, { 9, 0, 0, 2, 1, 1 } },
		{ { 0, 0, 0, 6, 1, 1 }, { 0, 0, 0, 1, 4, 1 } },
		{ { 0, 0, 0, 3, 1, 1 }, { 0, 1, 0, 1, 1, 1 } },
		{ { 0, 0, 0, 2, 1, 1 }, { 1, 0, 0, 1, 1, 1 } },
	};
	struct vmm *vmm = boot(state);
	create_3d_t args = gpu_texture(1, W, H);

	args.last_level = 5;
	image_new_3d(vmm, args);
	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_both_refused(vmm, (transfer_3d_t){ .resource_id = 1, .box = bad[i] },
				    RESP_INVALID_PARAMETER);
	for (uint32_t i = 0; i < 2 * ARRAY_LENGTH(bad_by_level); i++)
		assert_both_refused(vmm,
				    (transfer_3d_t){ .resource_id = 1,
						     .level = i / 2 + 1,
						     .box = bad_by_level[i / 2][i % 2] },
				    RESP_INVALID_PARAMETER);
	transfer_3d_t t = { .resource_id = 1, .box = { 0, 0, 0, 1, 1, 1 } };
	for (t.level = 0; t.level <= 5; t.level++)
		assert_ok(gpu_to_host_3d(vmm, t));
	assert_both_refused(vmm, t, RESP_INVALID_PARAMETER);
	t.level = 32; /* a shift by 32 is a shift by 0 */
	assert_both_refused(vmm, t, RESP_INVALID_PARAMETER);
	t.level = 0xffffffff;
	assert_both_refused(vmm, t, RESP_INVALID_PARAMETER);
}

static void transfers_of_layers_are_limited_to_the_layers(void **state)
{
	struct vmm *vmm = boot(state);
	create_3d_t cube = gpu_texture(1, 16, 16), solid = gpu_texture(2, 16, 16);
	struct virtio_gpu_mem_entry entry = { memory_alloc(&vmm->memory, MEMORY_MAIN, 65536, 4096),
					      65536, 0 };
	transfer_3d_t t = { .box = { 0, 0, 5, 16, 16, 1 } };

	cube.target = 4;
	cube.array_size = 6;
	solid.target = TARGET_TEXTURE_3D;
	solid.depth = 8;
	solid.last_level = 2;
	assert_ok(gpu_create_3d(vmm, cube));
	assert_ok(gpu_create_3d(vmm, solid));
	assert_ok(gpu_attach(vmm, 1, &entry, 1));
	assert_ok(gpu_attach(vmm, 2, &entry, 1));
	t.resource_id = 1;
	assert_ok(gpu_to_host_3d(vmm, t));
	assert_ok(gpu_from_host_3d(vmm, t));
	t.box.d = 2;
	assert_both_refused(vmm, t, RESP_INVALID_PARAMETER);
	t.box = (struct virtio_gpu_box){ 0, 0, 6, 16, 16, 1 };
	assert_both_refused(vmm, t, RESP_INVALID_PARAMETER);
	/* A 3D texture has fewer layers at each level. */
	t = (transfer_3d_t){ .resource_id = 2, .level = 1, .box = { 0, 0, 3, 8, 8, 1 } };
	assert_ok(gpu_to_host_3d(vmm, t));
	t.box.z = 4;
	assert_both_refused(vmm, t, RESP_INVALID_PARAMETER);
	t.level = 0;
	assert_ok(gpu_to_host_3d(vmm, t));
}

static void transfers_need_memory_a_resource_and_a_context(void **state)
{
	struct vmm *vmm = boot(state);
	struct image i = image_new_3d(vmm, gpu_texture(1, W, H));
	transfer_3d_t t = gpu_whole(&i);
	uint64_t size = W * H * 4;

	t.resource_id = 2;
	assert_both_refused(vmm, t, RESP_INVALID_RESOURCE_ID);
	t.resource_id = 0;
	assert_both_refused(vmm, t, RESP_INVALID_RESOURCE_ID);
	t.resource_id = 1;
	t.hdr.ctx_id = 3;
	assert_both_refused(vmm, t, RESP_INVALID_CONTEXT_ID);
	assert_ok(gpu_ctx_create(vmm, 3, 0));
	assert_refused(gpu_to_host_3d(vmm, t)); /* not attached there */
	assert_refused(gpu_from_host_3d(vmm, t));
	assert_ok(gpu_ctx_attach(vmm, 3, 1));
	t.hdr.ctx_id = 0;

	static const uint64_t far[] = { W * H * 4,
					W * H * 4 + 1,
					1ull << 32,
					(1ull << 32) + 8,
					1ull << 63,
					UINT64_MAX,
					UINT64_MAX - W * H * 4 + 1 };
	for (unsigned k = 0; k < ARRAY_LENGTH(far); k++) {
		t.offset = far[k];
		assert_both_refused(vmm, t, RESP_INVALID_PARAMETER);
	}
	/* It begins inside the memory and ends past it. */
	for (t.offset = size - 4; t.offset > 0; t.offset -= t.offset > 400 ? 400 : t.offset) {
		assert_refused(gpu_to_host_3d(vmm, t));
		assert_refused(gpu_from_host_3d(vmm, t));
	}
	assert_ok(gpu_detach(vmm, 1));
	assert_both_refused(vmm, t, RESP_UNSPEC);
	assert_ok(gpu_create_3d(vmm, gpu_texture(5, W, H)));
	t.resource_id = 5;
	assert_both_refused(vmm, t, RESP_UNSPEC);
	assert_alive(vmm);
}

/* Wrong strides: whatever the library does with them, it stays within the backing. */
static void transfers_with_any_stride_do_no_harm(void **state)
{
	static const uint32_t strides[] = { 1,          3,          W,          W * 4 - 1,
					    W * 4 + 1,  W * 8,      W * H * 4,  0x7fffffff,
					    0x80000000, 0xfffffffc, 0xffffffff, 1u << 30 };
	struct vmm *vmm = boot(state);
	struct image i = image_new_3d(vmm, gpu_texture(1, W, H));
	/* The memory after the backing, and after the one entry that was sent, must not be
	 * accessed. */
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, 65536, 16);
	uint8_t *behind = memory_at(&vmm->memory, gpa, 65536);

	assert_int_equal(gpa, i.gpa + W * H * 4 + sizeof(struct virtio_gpu_mem_entry));
	memset(behind, 0x3c, 65536);
	for (unsigned k = 0; k < ARRAY_LENGTH(strides) * 2; k++) {
		transfer_3d_t t = gpu_whole(&i);

		t.stride = k % 2 ? strides[k / 2] : 0;
		t.layer_stride = k % 2 ? 0 : strides[k / 2];
		gpu_to_host_3d(vmm, t);
		gpu_from_host_3d(vmm, t);
		t.layer_stride = strides[k / 2];
		gpu_to_host_3d(vmm, t);
		gpu_from_host_3d(vmm, t);
	}
	for (unsigned k = 0; k < 65536; k++)
		assert_int_equal(behind[k], 0x3c);
	assert_ok(gpu_to_host_3d(vmm, gpu_whole(&i)));
}

/* The rows of the last layer make the span 2^32 + 2 MiB, of which the library sees 2 MiB. The
 * contiguous backing would be read by OpenGL itself, 4 GiB past its start. */
static void a_span_that_wraps_because_of_tight_rows_is_refused(void **state)
{
	enum { SIDE = 1024, LAYERS = 2, BYTES = SIDE * SIDE * LAYERS * 4 };
	struct vmm *vmm = boot(state);
	create_3d_t args = gpu_texture(1, SIDE, SIDE);
	struct virtio_gpu_mem_entry entry = { memory_alloc(&vmm->memory, MEMORY_MAIN, BYTES, 4096),
					      BYTES, 0 };
	transfer_3d_t t = { .resource_id = 1, .box = { 0, 0, 0, SIDE, SIDE, LAYERS } };

	args.target = TARGET_TEXTURE_3D;
	args.depth = LAYERS;
	assert_ok(gpu_create_3d(vmm, args));
	assert_ok(gpu_attach(vmm, 1, &entry, 1));
	t.layer_stride = 0xffe00000;
	assert_both_refused(vmm, t, RESP_INVALID_PARAMETER);
	t.layer_stride = 0;
	assert_ok(gpu_to_host_3d(vmm, t));
	assert_alive(vmm);
}

static void transfers_of_buffers_move_bytes(void **state)
{
	struct vmm *vmm = boot(state);
	create_3d_t args = gpu_texture(1, 4096, 1);
	struct virtio_gpu_mem_entry entry = { memory_alloc(&vmm->memory, MEMORY_MAIN, 4096, 4096),
					      4096, 0 };
	uint8_t *bytes = memory_at(&vmm->memory, entry.addr, 4096);
	transfer_3d_t t = { .resource_id = 1, .box = { 100, 0, 0, 1000, 1, 1 }, .offset = 100 };

	args.target = TARGET_BUFFER;
	args.format = FORMAT_R8;
	args.bind = BIND_VERTEX_BUFFER;
	assert_ok(gpu_create_3d(vmm, args));
	assert_ok(gpu_attach(vmm, 1, &entry, 1));
	for (unsigned k = 0; k < 4096; k++)
		bytes[k] = (uint8_t)(k * 7);
	assert_ok(gpu_to_host_3d(vmm, t));
	memset(bytes, 0, 4096);
	assert_ok(gpu_from_host_3d(vmm, t));
	for (unsigned k = 0; k < 4096; k++)
		assert_int_equal(bytes[k], k >= 100 && k < 1100 ? (uint8_t)(k * 7) : 0);
	t.box.w = 3997;
	assert_both_refused(vmm, t, RESP_INVALID_PARAMETER);
	/* A buffer is no picture, so nothing of it is shown. */
	gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, 64, 1));
	gpu_flush(vmm, 1, gpu_rect(0, 0, 64, 1));
	assert_refused(gpu_update_cursor(vmm, 0, 0, 0, 1, 0, 0));
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);
}

/* The library keeps pointers to the backing: none may be left when the memory is removed. */
static void transfers_fail_until_removed_memory_is_back(void **state)
{
	struct vmm *vmm = boot(state);
	unsigned hot = memory_add(&vmm->memory, 0x200000000ull, 1u << 20, 0);
	struct virtio_gpu_mem_entry e = { 0x200000000ull, W * H * 4, 0 };
	struct image i = { 1, BGRA, W, H, e.addr, vmm->memory.regions[hot].host };
	struct image due = image_due(vmm, W, H);

	vhost_add_region(vmm, hot);
	assert_ok(gpu_create_3d(vmm, gpu_texture(1, W, H)));
	assert_ok(gpu_attach(vmm, 1, &e, 1));
	assert_ok(gpu_ctx_create(vmm, 1, 0));
	assert_ok(gpu_ctx_attach(vmm, 1, 1));
	for (uint32_t round = 0; round < 3; round++) {
		image_fill(&i, round);
		memcpy(due.bytes, i.bytes, W * H * 4);
		assert_ok(gpu_to_host_3d(vmm, gpu_whole(&i)));
		vhost_remove_region(vmm, hot);
		assert_refused(gpu_to_host_3d(vmm, gpu_whole(&i)));
		assert_refused(gpu_from_host_3d(vmm, gpu_whole(&i)));
		assert_refused(image_transfer(vmm, &i, image_rect(&i)));
		assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
		assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
		image_wait_shown(vmm, &due, 0, image_rect(&i));
		vhost_add_region(vmm, hot);
		image_check_host(vmm, &i, &due);
	}
	vhost_remove_region(vmm, hot);
	assert_ok(gpu_unref(vmm, 1));
	assert_alive(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(transfers_work_in_both_directions),
		DEVICE_TEST(backings_in_pieces_are_joined),
		DEVICE_TEST(transfers_outside_the_resource_are_refused),
		DEVICE_TEST(transfers_of_layers_are_limited_to_the_layers),
		DEVICE_TEST(transfers_need_memory_a_resource_and_a_context),
		DEVICE_TEST(transfers_with_any_stride_do_no_harm),
		DEVICE_TEST(a_span_that_wraps_because_of_tight_rows_is_refused),
		DEVICE_TEST(transfers_of_buffers_move_bytes),
		DEVICE_TEST(transfers_fail_until_removed_memory_is_back),
	};

	return gpu3d_works() ? cmocka_run_group_tests_name("3d transfers", tests, NULL, NULL)
			     : EXIT_SKIPPED;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
