// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * TRANSFER_TO_HOST_2D, seen on the screen: which bytes of a scattered backing become which pixel.
 * The rows of a backing are as wide as the resource, for any box, and the offset is that of the
 * box's first pixel (VIRTIO 1.2, 5.7.6.8).
 */
#include "fixture.h"

#include <string.h>

/* ---- refusals ---- */

static void transfer_to_an_unknown_resource_is_refused(void **state)
{
	assert_response(gpu_transfer_2d(*state, 1, gpu_rect(0, 0, 1, 1), 0),
			RESP_INVALID_RESOURCE_ID);
}

static void transfer_without_a_backing_is_refused(void **state)
{
	assert_ok(gpu_create_2d(*state, 1, BGRX, 16, 16));
	assert_response(gpu_transfer_2d(*state, 1, gpu_rect(0, 0, 16, 16), 0), RESP_UNSPEC);
}

static void transfer_of_a_box_outside_the_resource_is_refused(void **state)
{
	static const struct virtio_gpu_rect bad[] = {
		{ 0, 0, 65, 1 },         { 0, 0, 1, 33 },         { 64, 0, 1, 1 },
		{ 0, 32, 1, 1 },         { 1, 0, 64, 1 },         { 0, 1, 1, 32 },
		{ 0xffffffff, 0, 2, 1 }, { 0, 0xffffffff, 1, 2 }, { 0xffffffc0, 0, 128, 1 },
		{ 0, 0, 0xffffffff, 1 }, { 0, 0, 1, 0xffffffff },
	};
	struct image i = image_new(*state, 1, BGRX, 64, 32);

	for (unsigned k = 0; k < ARRAY_LENGTH(bad); k++)
		assert_response(gpu_transfer_2d(*state, 1, bad[k], 0), RESP_INVALID_PARAMETER);
	assert_ok(gpu_transfer_2d(*state, 1, image_rect(&i), 0));
}

static void a_transfer_without_pixels_is_ok(void **state)
{
	image_new(*state, 1, BGRX, 64, 32);
	assert_ok(gpu_transfer_2d(*state, 1, gpu_rect(0, 0, 0, 0), 0));
	assert_ok(gpu_transfer_2d(*state, 1, gpu_rect(64, 0, 0, 32), 0));
	assert_ok(gpu_transfer_2d(*state, 1, gpu_rect(0, 32, 64, 0), UINT64_MAX));
	assert_response(gpu_transfer_2d(*state, 1, gpu_rect(65, 0, 0, 1), 0),
			RESP_INVALID_PARAMETER);
}

static void transfer_beyond_the_backing_is_refused(void **state)
{
	struct vmm *vmm = *state;
	struct virtio_gpu_rect whole = gpu_rect(0, 0, 64, 32), corner = gpu_rect(63, 31, 1, 1);
	struct virtio_gpu_mem_entry e = { 0x200000, 64 * 32 * 4 - 1, 0 };

	image_new(vmm, 1, BGRX, 64, 32);
	assert_response(gpu_transfer_2d(vmm, 1, whole, 1), RESP_INVALID_PARAMETER);
	assert_response(gpu_transfer_2d(vmm, 1, corner, 64 * 32 * 4), RESP_INVALID_PARAMETER);
	assert_response(gpu_transfer_2d(vmm, 1, corner, 64 * 32 * 4 - 3), RESP_INVALID_PARAMETER);
	assert_response(gpu_transfer_2d(vmm, 1, corner, UINT64_MAX), RESP_INVALID_PARAMETER);
	assert_response(gpu_transfer_2d(vmm, 1, corner, UINT64_MAX - 3), RESP_INVALID_PARAMETER);
	assert_response(gpu_transfer_2d(vmm, 1, whole, UINT64_MAX - 64 * 32 * 4 + 1),
			RESP_INVALID_PARAMETER);
	assert_response(gpu_transfer_2d(vmm, 1, gpu_rect(0, 0, 1, 32), 64 * 4),
			RESP_INVALID_PARAMETER);
	assert_ok(gpu_transfer_2d(vmm, 1, corner, 64 * 32 * 4 - 4));

	/* One byte is missing: the whole does not fit, everything except the last pixel does. */
	assert_ok(gpu_create_2d(vmm, 2, BGRX, 64, 32));
	assert_ok(gpu_attach(vmm, 2, &e, 1));
	assert_response(gpu_transfer_2d(vmm, 2, whole, 0), RESP_INVALID_PARAMETER);
	assert_response(gpu_transfer_2d(vmm, 2, corner, 64 * 32 * 4 - 4), RESP_INVALID_PARAMETER);
	assert_ok(gpu_transfer_2d(vmm, 2, gpu_rect(0, 0, 64, 31), 0));
	assert_ok(gpu_transfer_2d(vmm, 2, gpu_rect(0, 31, 63, 1), 64 * 31 * 4));
}

/* ---- pixels ---- */

static void every_format_arrives_as_x8r8g8b8(void **state)
{
	static const uint32_t formats[] = {
		VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM,
		VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM,
		VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM,
	};
	struct vmm *vmm = *state;

	for (uint32_t f = 0; f < ARRAY_LENGTH(formats); f++) {
		struct image i = image_new(vmm, f + 1, formats[f], 61, 43);

		image_fill(&i, f);
		assert_ok(image_transfer(vmm, &i, image_rect(&i)));
		assert_ok(gpu_set_scanout(vmm, 0, f + 1, image_rect(&i)));
		assert_ok(gpu_flush(vmm, f + 1, image_rect(&i)));
		image_wait_shown(vmm, &i, 0, image_rect(&i));
		/* And a part of it, from the middle. */
		assert_ok(gpu_set_scanout(vmm, 0, f + 1, gpu_rect(10, 20, 30, 15)));
		assert_ok(gpu_flush(vmm, f + 1, image_rect(&i)));
		image_wait_shown(vmm, &i, 0, gpu_rect(10, 20, 30, 15));
	}
}

/* The screen must show @due: the image after the transfers so far. */
static void show(struct vmm *vmm, const struct image *due)
{
	assert_ok(gpu_flush(vmm, due->id, image_rect(due)));
	image_wait_shown(vmm, due, 0, image_rect(due));
}

static void copy_box(struct image *to, const struct image *from, struct virtio_gpu_rect r)
{
	for (uint32_t y = r.y; y < r.y + r.height; y++) {
		size_t at = ((size_t)y * to->width + r.x) * 4;

		memcpy(to->bytes + at, from->bytes + at, (size_t)r.width * 4);
	}
}

static void a_box_changes_its_own_pixels_only(void **state)
{
	static const struct virtio_gpu_rect boxes[] = {
		{ 0, 0, 80, 1 },  { 0, 59, 80, 1 }, { 0, 0, 1, 60 }, { 79, 0, 1, 60 },
		{ 17, 9, 31, 7 }, { 0, 20, 80, 3 }, { 5, 5, 1, 1 },  { 0, 0, 80, 60 },
	};
	static uint8_t shadow[80 * 60 * 4];
	struct vmm *vmm = *state;
	struct image i = image_new(vmm, 1, BGRX, 80, 60), due = i;

	due.bytes = shadow;
	image_fill(&i, 0);
	memcpy(shadow, i.bytes, sizeof(shadow));
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	show(vmm, &due);
	for (uint32_t k = 0; k < ARRAY_LENGTH(boxes); k++) {
		image_fill(&i, k + 1);
		assert_ok(image_transfer(vmm, &i, boxes[k]));
		copy_box(&due, &i, boxes[k]);
		show(vmm, &due);
	}
}

static void the_box_begins_at_the_offset(void **state)
{
	struct vmm *vmm = *state;
	struct image i = image_new(vmm, 1, BGRX, 16, 32), due = i;
	static uint8_t shadow[16 * 32 * 4];

	/* Rows 8 to 11 of the backing become rows 20 to 23, columns 1 to 5 become 9 to 13. */
	due.bytes = shadow;
	image_fill(&i, 2);
	memcpy(shadow, i.bytes, sizeof(shadow));
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_transfer_2d(vmm, 1, gpu_rect(9, 20, 5, 4), (8 * 16 + 1) * 4));
	for (uint32_t y = 0; y < 4; y++)
		memcpy(shadow + ((20 + y) * 16 + 9) * 4, i.bytes + ((8 + y) * 16 + 1) * 4, 20);
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	show(vmm, &due);
}

/* A backing in pieces of @sizes, at unaligned addresses, in turn in each of the three regions of
 * guest memory. */
static void scatter(struct vmm *vmm, struct image *i, uint8_t **pieces,
		    struct virtio_gpu_mem_entry *entries, const uint32_t *sizes, uint32_t count)
{
	for (uint32_t k = 0; k < count; k++) {
		unsigned region = k % 3 == 1 ? MEMORY_HIGH : k % 3 == 2 ? MEMORY_LOW : MEMORY_MAIN;
		uint64_t gpa = memory_alloc(&vmm->memory, region, sizes[k] + 64, 1) + k % 5;

		entries[k] = (struct virtio_gpu_mem_entry){ gpa, sizes[k], 0 };
		pieces[k] = memory_at(&vmm->memory, gpa, sizes[k]);
	}
	assert_ok(gpu_create_2d(vmm, i->id, i->format, i->width, i->height));
	assert_ok(gpu_attach(vmm, i->id, entries, count));
}

static void fill_pieces(const struct image *i, uint8_t **pieces, const uint32_t *sizes,
			uint32_t count)
{
	const uint8_t *from = i->bytes;

	for (uint32_t k = 0; k < count; from += sizes[k], k++)
		memcpy(pieces[k], from, sizes[k]);
}

static void a_backing_in_odd_pieces_is_joined(void **state)
{
	/* 37 * 29 * 4 = 4292 bytes; pieces end in the middle of rows, and of pixels. */
	static const uint32_t sizes[] = { 1, 2, 148, 147, 3, 1000, 6, 150, 149, 2000, 5, 681 };
	static uint8_t shadow[37 * 29 * 4], copy[37 * 29 * 4];
	struct virtio_gpu_mem_entry entries[ARRAY_LENGTH(sizes)];
	uint8_t *pieces[ARRAY_LENGTH(sizes)];
	struct vmm *vmm = *state;
	struct image i = { 1, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 37, 29, 0, shadow };
	struct image due = { 1, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 37, 29, 0, copy };

	scatter(vmm, &i, pieces, entries, sizes, ARRAY_LENGTH(sizes));
	image_fill(&i, 11);
	fill_pieces(&i, pieces, sizes, ARRAY_LENGTH(sizes));
	memcpy(copy, shadow, sizeof(copy));
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	show(vmm, &due);

	image_fill(&i, 12);
	fill_pieces(&i, pieces, sizes, ARRAY_LENGTH(sizes));
	assert_ok(image_transfer(vmm, &i, gpu_rect(7, 3, 23, 19)));
	copy_box(&due, &i, gpu_rect(7, 3, 23, 19));
	show(vmm, &due);
}

static void a_backing_of_single_pages_in_reverse_order_works(void **state)
{
	enum { PAGES = 1024 }; /* 1024 x 1024 pixels */
	static struct virtio_gpu_mem_entry entries[PAGES];
	static uint8_t shadow[PAGES * 4096];
	struct vmm *vmm = *state;
	struct image i = { 1, BGRX, 1024, PAGES, 0, shadow };
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, sizeof(shadow), 4096);

	image_fill(&i, 21);
	for (uint32_t k = 0; k < PAGES; k++) {
		entries[k].addr = gpa + (PAGES - 1 - k) * 4096;
		entries[k].length = 4096;
		memcpy(memory_at(&vmm->memory, entries[k].addr, 4096), shadow + k * 4096, 4096);
	}
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 1024, PAGES));
	assert_ok(gpu_attach(vmm, 1, entries, PAGES));
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	show(vmm, &i);
}

static void empty_entries_do_no_harm(void **state)
{
	struct vmm *vmm = *state;
	static uint8_t shadow[8 * 8 * 4];
	struct image i = { 1, BGRX, 8, 8, 0, shadow };
	uint64_t gpa = memory_alloc(&vmm->memory, MEMORY_HIGH, 256, 4096);
	struct virtio_gpu_mem_entry e[3] = { { gpa, 100, 0 },
					     { gpa, 0, 0 },
					     { gpa + 100, 156, 0 } };

	image_fill(&i, 1);
	memcpy(memory_at(&vmm->memory, gpa, 256), shadow, 256);
	assert_ok(gpu_create_2d(vmm, 1, BGRX, 8, 8));
	if (gpu_attach(vmm, 1, e, 3) != RESP_OK)
		return; /* refusing it is accepted too */
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	show(vmm, &i);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		BOOTED_TEST(transfer_to_an_unknown_resource_is_refused),
		BOOTED_TEST(transfer_without_a_backing_is_refused),
		BOOTED_TEST(transfer_of_a_box_outside_the_resource_is_refused),
		BOOTED_TEST(a_transfer_without_pixels_is_ok),
		BOOTED_TEST(transfer_beyond_the_backing_is_refused),
		BOOTED_TEST(every_format_arrives_as_x8r8g8b8),
		BOOTED_TEST(a_box_changes_its_own_pixels_only),
		BOOTED_TEST(the_box_begins_at_the_offset),
		BOOTED_TEST(a_backing_in_odd_pieces_is_joined),
		BOOTED_TEST(a_backing_of_single_pages_in_reverse_order_works),
		BOOTED_TEST(empty_entries_do_no_harm),
	};

	return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
