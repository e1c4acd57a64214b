// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Resources: created, backed, named and freed (VIRTIO 1.2, 5.7.6.8). A refused command changes
 * nothing: the test after a refusal uses what must still exist.
 */
#include "fixture.h"

#include <string.h>
#include <sys/resource.h>

static const uint32_t formats[] = {
	VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
	VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM,
	VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM,
	VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM,
};

/* ---- RESOURCE_CREATE_2D ---- */

static void create_refuses_id_zero(void **state)
{
	assert_response(gpu_create_2d(*state, 0, BGRX, 16, 16), RESP_INVALID_RESOURCE_ID);
	assert_alive(*state);
}

static void create_refuses_an_id_in_use_and_leaves_its_owner_alone(void **state)
{
	struct vmm *vmm = *state;
	struct image i = image_new(vmm, 7, BGRX, 16, 16);

	assert_response(gpu_create_2d(vmm, 7, BGRX, 32, 32), RESP_INVALID_RESOURCE_ID);
	image_fill(&i, 1);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	/* Still 16 wide, not 32. */
	assert_response(gpu_transfer_2d(vmm, 7, gpu_rect(0, 0, 17, 1), 0), RESP_INVALID_PARAMETER);
}

static void create_refuses_unknown_formats(void **state)
{
	static const uint32_t bad[] = { 0, 5, 66, 69, 120, 122, 133, 135, 0xffffffff };

	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_response(gpu_create_2d(*state, 1, bad[i], 16, 16), RESP_INVALID_PARAMETER);
	assert_response(gpu_unref(*state, 1), RESP_INVALID_RESOURCE_ID);
}

static void create_refuses_sizes_of_zero_and_beyond_the_limit(void **state)
{
	static const uint32_t bad[][2] = {
		{ 0, 16 },      { 16, 0 },          { 0, 0 },
		{ 16385, 1 },   { 1, 16385 },       { 0xffffffff, 0xffffffff },
		{ 0x10000, 1 }, { 0x40000001, 16 }, { 16, 0x40000001 },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_response(gpu_create_2d(*state, 1, BGRX, bad[i][0], bad[i][1]),
				RESP_INVALID_PARAMETER);
	assert_ok(gpu_create_2d(*state, 1, BGRX, 16384, 1));
	assert_ok(gpu_create_2d(*state, 2, BGRX, 1, 16384));
}

static void create_accepts_all_eight_formats(void **state)
{
	for (uint32_t i = 0; i < ARRAY_LENGTH(formats); i++)
		assert_ok(gpu_create_2d(*state, i + 1, formats[i], 64, 64));
	for (uint32_t i = 0; i < ARRAY_LENGTH(formats); i++)
		assert_ok(gpu_unref(*state, i + 1));
}

static void memory_has_a_limit_and_unref_gives_it_back(void **state)
{
	struct vmm *vmm = *state;
	uint32_t n = 0, type;

	/* 64 MiB each, never accessed. */
	do {
		n++;
		type = gpu_create_2d(vmm, n, BGRX, 4096, 4096);
	} while (type == RESP_OK && n < 1024);
	assert_response(type, RESP_OUT_OF_MEMORY);
	assert_true(n > 2);
	assert_response(gpu_unref(vmm, n), RESP_INVALID_RESOURCE_ID);
	assert_ok(gpu_unref(vmm, 1));
	assert_ok(gpu_create_2d(vmm, n, BGRX, 4096, 4096));
	assert_alive(vmm);
}

/* ---- RESOURCE_UNREF ---- */

static void unref_of_an_unknown_resource_is_refused(void **state)
{
	assert_response(gpu_unref(*state, 0), RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_unref(*state, 99), RESP_INVALID_RESOURCE_ID);
	assert_ok(gpu_create_2d(*state, 99, BGRX, 16, 16));
	assert_ok(gpu_unref(*state, 99));
	assert_response(gpu_unref(*state, 99), RESP_INVALID_RESOURCE_ID);
	assert_ok(gpu_create_2d(*state, 99, BGRA, 8, 8));
}

static void unref_of_the_shown_resource_switches_the_scanout_off(void **state)
{
	struct vmm *vmm = *state;
	struct image i = image_new(vmm, 1, BGRX, 64, 48);

	image_fill(&i, 3);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	display_forget(&vmm->display);
	assert_ok(gpu_unref(vmm, 1));
	vmm_wait_messages(vmm, DISPLAY_SCANOUT, 1);
	assert_int_equal(vmm->display.surfaces[0].width, 0);
	assert_response(gpu_flush(vmm, 1, image_rect(&i)), RESP_INVALID_RESOURCE_ID);
}

/* ---- RESOURCE_ATTACH_BACKING, RESOURCE_DETACH_BACKING ---- */

static void attach_to_an_unknown_resource_is_refused(void **state)
{
	struct virtio_gpu_mem_entry e = { 0x100000, 4096, 0 };

	assert_response(gpu_attach(*state, 5, &e, 1), RESP_INVALID_RESOURCE_ID);
	assert_response(gpu_detach(*state, 5), RESP_INVALID_RESOURCE_ID);
}

static void attach_refuses_zero_missing_and_too_many_entries(void **state)
{
	static struct virtio_gpu_mem_entry many[16385];
	struct vmm *vmm = *state;

	for (unsigned i = 0; i < ARRAY_LENGTH(many); i++)
		many[i] = (struct virtio_gpu_mem_entry){ 0x100000, 4096, 0 };
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 16, 16));
	assert_response(gpu_attach(vmm, 1, NULL, 0), RESP_INVALID_PARAMETER);
	assert_response(gpu_attach_raw(vmm, 1, many, 2, sizeof(many[0])), RESP_INVALID_PARAMETER);
	assert_response(gpu_attach_raw(vmm, 1, many, 2, 2 * sizeof(many[0]) - 1),
			RESP_INVALID_PARAMETER);
	assert_response(gpu_attach_raw(vmm, 1, NULL, 1, 0), RESP_INVALID_PARAMETER);
	assert_response(gpu_attach_raw(vmm, 1, many, 0xffffffff, 64), RESP_INVALID_PARAMETER);
	assert_response(gpu_attach_raw(vmm, 1, many, 0x10000001, 64), RESP_INVALID_PARAMETER);
	assert_response(gpu_attach(vmm, 1, many, ARRAY_LENGTH(many)), RESP_INVALID_PARAMETER);
	assert_ok(gpu_attach(vmm, 1, many, ARRAY_LENGTH(many) - 1));
}

static void attach_refuses_addresses_outside_guest_memory(void **state)
{
	/* Region ends: 0xa0000, 0x10000000, 0x104000000. */
	static const struct virtio_gpu_mem_entry bad[] = {
		{ 0xa0000, 4096, 0 },         { 0x9f001, 4096, 0 },
		{ 0x10000000, 4096, 0 },      { 0xffff001, 4096, 0 },
		{ 0x100000, 0xffffffff, 0 },  { 0xfffffffffffff000, 4096, 0 },
		{ 0xffffffffffffffff, 2, 0 },
	};
	struct virtio_gpu_mem_entry pair[2] = { { 0x100000, 4096, 0 }, { 0xa0000, 4096, 0 } };
	struct vmm *vmm = *state;

	assert_ok(gpu_create_2d(vmm, 1, BGRX, 16, 16));
	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_response(gpu_attach(vmm, 1, &bad[i], 1), RESP_INVALID_PARAMETER);
	assert_response(gpu_attach(vmm, 1, pair, 2), RESP_INVALID_PARAMETER);
	assert_response(gpu_detach(vmm, 1), RESP_UNSPEC);
	assert_ok(gpu_attach(vmm, 1, pair, 1));
}

static void attach_refuses_a_second_backing_and_keeps_the_first(void **state)
{
	struct vmm *vmm = *state;
	struct image i = image_new(vmm, 1, BGRX, 32, 32);
	struct virtio_gpu_mem_entry other = { 0x100000, 4096, 0 };

	assert_response(gpu_attach(vmm, 1, &other, 1), RESP_UNSPEC);
	image_fill(&i, 9);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
}

static void detach_without_a_backing_is_refused(void **state)
{
	struct vmm *vmm = *state;
	struct image i = image_new(vmm, 1, BGRX, 32, 32);
	struct virtio_gpu_mem_entry e = { i.gpa, 32 * 32 * 4, 0 };

	assert_ok(gpu_detach(vmm, 1));
	assert_response(gpu_detach(vmm, 1), RESP_UNSPEC);
	assert_response(image_transfer(vmm, &i, image_rect(&i)), RESP_UNSPEC);
	assert_ok(gpu_attach(vmm, 1, &e, 1));
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
}

static void detach_keeps_transferred_pixels(void **state)
{
	struct vmm *vmm = *state;
	struct image i = image_new(vmm, 1, BGRX, 100, 50);

	image_fill(&i, 5);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_detach(vmm, 1));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
}

/* ---- RESOURCE_ASSIGN_UUID ---- */

static void uuids_are_stable_and_unique(void **state)
{
	uint8_t first[16], again[16], other[16], none[16] = { 0 };
	struct vmm *vmm = *state;

	if (!(vmm->offered & BIT64(VIRTIO_GPU_F_RESOURCE_UUID)))
		skip();
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 16, 16));
	assert_ok(gpu_create_2d(vmm, 2, BGRX, 16, 16));
	assert_response(gpu_assign_uuid(vmm, 1, first), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
	assert_response(gpu_assign_uuid(vmm, 2, other), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
	assert_response(gpu_assign_uuid(vmm, 1, again), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
	assert_memory_equal(first, again, 16);
	assert_memory_not_equal(first, other, 16);
	assert_memory_not_equal(first, none, 16);
}

static void the_uuid_of_an_unknown_resource_is_refused(void **state)
{
	struct vmm *vmm = *state;
	struct virtio_gpu_resource_assign_uuid c = {
		{ .type = VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID }, 44, 0
	};
	struct virtio_gpu_ctrl_hdr h;

	if (!(vmm->offered & BIT64(VIRTIO_GPU_F_RESOURCE_UUID)))
		skip();
	assert_response(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)),
			RESP_INVALID_RESOURCE_ID);
}

/* ---- a host without memory ---- */

#define LEFT_BYTES (UINT64_C(64) << 20)

static void limit_memory(struct vmm *vmm, uint64_t left)
{
	uint64_t bytes = (uint64_t)daemon_size_kib(&vmm->daemon) * 1024 + left;
	const struct rlimit limit = { bytes, RLIM_INFINITY };

	assert_int_equal(prlimit(vmm->daemon.pid, RLIMIT_AS, &limit, NULL), 0);
}

/* Creates as many of each size as there is memory for, then smaller ones. Returns the last id. */
static uint32_t fill_with_resources(struct vmm *vmm)
{
	uint32_t id = 1;

	for (uint32_t width = 8192; width > 0; width /= 2) {
		while (gpu_create_2d(vmm, id, BGRX, width, 1) == RESP_OK)
			id++;
		assert_response(gpu_create_2d(vmm, id, BGRX, width, 1), RESP_OUT_OF_MEMORY);
	}
	return id - 1;
}

static void if_the_host_has_no_memory_the_guest_gets_an_error(void **state)
{
	const char *const args[] = { "--gpu-mode", "2d", "--max-hostmem", "8G", NULL };
	struct vmm_options options = { .args = args };
	struct vmm *vmm = fixture_boot(state, &options);
	uint8_t uuid[16];
	uint32_t last;

	if (daemon_has_sanitizer(&vmm->daemon))
		skip();
	struct image image = image_new(vmm, 1u << 20, BGRX, 64, 64);

	limit_memory(vmm, LEFT_BYTES);
	for (uint32_t side = 8192; side > 1024; side /= 2)
		(void)gpu_create_2d(vmm, 1u << 21 | side, BGRX, side, side);
	last = fill_with_resources(vmm);
	print_message("%u small resources\n", last);
	/* Existing resources still work. */
	assert_ok(image_transfer(vmm, &image, image_rect(&image)));
	assert_ok(gpu_set_scanout(vmm, 0, image.id, image_rect(&image)));
	assert_ok(gpu_flush(vmm, image.id, image_rect(&image)));
	image_wait_shown(vmm, &image, 0, image_rect(&image));
	assert_ok(gpu_update_cursor(vmm, 0, 1, 1, image.id, 0, 0));
	if (vmm->offered & BIT64(VIRTIO_GPU_F_RESOURCE_UUID))
		assert_response(gpu_assign_uuid(vmm, last, uuid), VIRTIO_GPU_RESP_OK_RESOURCE_UUID);
	for (uint32_t id = last; id > last / 2; id--)
		assert_ok(gpu_unref(vmm, id));
	assert_ok(gpu_create_2d(vmm, last, BGRX, 1, 1));
	assert_alive(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED_TEST(create_refuses_id_zero),
		BOOTED_TEST(create_refuses_an_id_in_use_and_leaves_its_owner_alone),
		BOOTED_TEST(create_refuses_unknown_formats),
		BOOTED_TEST(create_refuses_sizes_of_zero_and_beyond_the_limit),
		BOOTED_TEST(create_accepts_all_eight_formats),
		BOOTED_TEST(memory_has_a_limit_and_unref_gives_it_back),
		BOOTED_TEST(unref_of_an_unknown_resource_is_refused),
		BOOTED_TEST(unref_of_the_shown_resource_switches_the_scanout_off),
		BOOTED_TEST(attach_to_an_unknown_resource_is_refused),
		BOOTED_TEST(attach_refuses_zero_missing_and_too_many_entries),
		BOOTED_TEST(attach_refuses_addresses_outside_guest_memory),
		BOOTED_TEST(attach_refuses_a_second_backing_and_keeps_the_first),
		BOOTED_TEST(detach_without_a_backing_is_refused),
		BOOTED_TEST(detach_keeps_transferred_pixels),
		BOOTED_TEST(uuids_are_stable_and_unique),
		BOOTED_TEST(the_uuid_of_an_unknown_resource_is_refused),
		DEVICE_TEST(if_the_host_has_no_memory_the_guest_gets_an_error),
	};

	return cmocka_run_group_tests_name("resources", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
