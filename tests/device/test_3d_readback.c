// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A transfer from the GPU returns the texture's contents, or nothing. The daemon's malloc() paints
 * its blocks, so memory that was never written is recognised: in guest memory after a transfer, and
 * in what the display gets.
 */
#include "fixture.h"
#include "painted.h"

#include <string.h>

#define FORMATS 320
#define TARGETS 9

/* ---- buffers ---- */

static void the_width_of_a_buffer_is_its_size_in_any_format(void **state)
{
	static const uint32_t formats[] = { BGRA, FORMAT_RGBA32_FLOAT, 27, FORMAT_DXT1,
					    FORMAT_Z32F };
	static const uint32_t widths[] = { 16, 4096, 1u << 16 };
	struct vmm *vmm = painted_boot(state);
	struct room room = room_new(vmm);

	for (unsigned i = 0; i < ARRAY_LENGTH(formats) * ARRAY_LENGTH(widths); i++) {
		uint32_t width = widths[i % ARRAY_LENGTH(widths)];
		transfer_3d_t t = { .resource_id = 1, .box = { 0, 0, 0, width, 1, 1 } };

		assert_ok(gpu_create_3d(vmm,
					painted_buffer(formats[i / ARRAY_LENGTH(widths)], width)));
		room_attach(vmm, 1, &room, 1);
		memset(room.bytes, 0x22, ROOM);
		assert_ok(gpu_to_host_3d(vmm, t));
		memset(room.bytes, ROOM_BYTE, ROOM);
		assert_ok(gpu_from_host_3d(vmm, t));
		assert_true(room_holds(&room, 0, width, 0x22));
		assert_true(room_holds(&room, width, ROOM, ROOM_BYTE));
		t.box.w++;
		assert_response(gpu_from_host_3d(vmm, t), RESP_INVALID_PARAMETER);
		assert_ok(gpu_unref(vmm, 1));
	}
}

/* ---- textures ---- */

static transfer_3d_t whole_of(const create_3d_t *args)
{
	uint32_t layers = args->target == TARGET_TEXTURE_3D ? args->depth : args->array_size;

	return (transfer_3d_t){ .resource_id = 1,
				.box = { 0, 0, 0, args->width, args->height, layers } };
}

struct tally {
	unsigned made, read, refused, painted;
};

static void read_and_look(struct vmm *vmm, const struct room *room, transfer_3d_t t,
			  const create_3d_t *args, struct tally *tally)
{
	memset(room->bytes, ROOM_BYTE, ROOM);
	bool is_read = gpu_from_host_3d(vmm, t) == RESP_OK;

	if (room_count_paint(room) > 0) {
		tally->painted++;
		print_message(
			"target %u format %u samples %u depth %u: %u words were never written\n",
			args->target, args->format, args->nr_samples, t.box.d,
			room_count_paint(room));
	}
	if (is_read)
		tally->read++;
	else
		tally->refused++;
}

/* Only one layer: with more the library may read past the end of the copy in which it joins a
 * backing in pieces, and so write paint into the texture. */
static void write_layer(struct vmm *vmm, const struct room *room, transfer_3d_t t)
{
	memset(room->bytes, ROOM_BYTE, ROOM);
	t.box.d = 1;
	gpu_to_host_3d(vmm, t);
}

/* Drivers keep writes to a new texture in memory of malloc(), with room for all of it. */
static void write_part(struct vmm *vmm, const struct room *room, transfer_3d_t t)
{
	t.box.w = t.box.w < 8 ? t.box.w : 8;
	t.box.h = t.box.h < 8 ? t.box.h : 8;
	write_layer(vmm, room, t);
}

/* Whole, one layer, and a part of one. */
static void try_texture(struct vmm *vmm, const struct room *room, const create_3d_t *args,
			struct tally *tally)
{
	transfer_3d_t t = whole_of(args);

	if (gpu_create_3d(vmm, *args) != RESP_OK)
		return;
	tally->made++;
	for (unsigned pieces = 1; pieces <= 2; pieces++) {
		room_attach(vmm, 1, room, pieces);
		t = whole_of(args);
		write_part(vmm, room, t);
		read_and_look(vmm, room, t, args, tally);
		write_layer(vmm, room, t);
		read_and_look(vmm, room, t, args, tally);
		t.box.z = t.box.d - 1;
		t.box.d = 1;
		read_and_look(vmm, room, t, args, tally);
		t.box.x = 4;
		t.box.w = 8;
		read_and_look(vmm, room, t, args, tally);
		assert_ok(gpu_detach(vmm, 1));
	}
	assert_ok(gpu_unref(vmm, 1));
}

static void transfers_return_no_unwritten_memory(void **state)
{
	static const uint32_t samples[] = { 0, 1, 4 };
	struct vmm *vmm = painted_boot(state);
	struct room room = room_new(vmm);
	uint64_t mark = vmm->memory.regions[MEMORY_MAIN].allocated;
	struct tally all = { 0 };

	for (uint32_t target = 1; target < TARGETS; target++) {
		struct tally tally = { 0 };

		for (uint32_t i = 0; i < FORMATS * ARRAY_LENGTH(samples); i++) {
			create_3d_t args = painted_texture(target, i / ARRAY_LENGTH(samples),
							   samples[i % ARRAY_LENGTH(samples)]);

			try_texture(vmm, &room, &args, &tally);
			vmm->memory.regions[MEMORY_MAIN].allocated = mark;
		}
		print_message("target %u: %u textures, %u transfers, %u refused, %u painted\n",
			      target, tally.made, tally.read, tally.refused, tally.painted);
		all.made += tally.made;
		all.read += tally.read;
		all.painted += tally.painted;
	}
	assert_true(all.made > 300 && all.read > 1000); /* some transfers must succeed */
	assert_int_equal(all.painted, 0);
}

/* What OpenGL can read back is not refused: contents that are written layer by layer are read back
 * in one transfer. */
static void written_textures_are_read_back(void **state)
{
	static const struct {
		uint32_t target, format, bytes; /* of all layers */
	} cases[] = {
		{ 1, BGRA, SIDE * 4 },
		{ 2, BGRA, SIDE * SIDE * 4 },
		{ 2, FORMAT_R8, SIDE * SIDE },
		{ 2, FORMAT_RGBA32_FLOAT, SIDE * SIDE * 16 },
		{ 2, FORMAT_Z32F, SIDE * SIDE * 4 },
		{ 2, FORMAT_DXT1, SIDE * SIDE / 2 },
		{ TARGET_TEXTURE_3D, BGRA, SIDE * SIDE * 4 * 4 },
		{ TARGET_CUBE, BGRA, SIDE * SIDE * 4 * 6 },
		{ TARGET_CUBE, FORMAT_R8, SIDE * SIDE * 6 },
		{ TARGET_2D_ARRAY, BGRA, SIDE * SIDE * 4 * 12 },
		{ TARGET_1D_ARRAY, BGRA, SIDE * 4 * 12 },
		{ TARGET_CUBE_ARRAY, BGRA, SIDE * SIDE * 4 * 12 },
	};
	static uint8_t written[SIDE * SIDE * 4 * 12];
	struct vmm *vmm = painted_boot(state);
	struct room room = room_new(vmm);

	for (unsigned i = 0; i < sizeof(written); i++)
		written[i] = (uint8_t)(i / 4 * 7 % 61 +
				       1); /* one byte four times: no NaN, any byte order */
	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		create_3d_t args = painted_texture(cases[i].target, cases[i].format, 0);
		transfer_3d_t t = whole_of(&args);
		uint32_t layers = t.box.d, size = cases[i].bytes / layers;

		if (gpu_create_3d(vmm, args) != RESP_OK)
			vmm_fail("target %u format %u cannot be made", args.target, args.format);
		room_attach(vmm, 1, &room, 1);
		t.box.d = 1;
		memcpy(room.bytes, written, cases[i].bytes);
		for (t.box.z = 0; t.box.z < layers; t.box.z++, t.offset += size)
			assert_ok(gpu_to_host_3d(vmm, t));
		memset(room.bytes, ROOM_BYTE, ROOM);
		assert_ok(gpu_from_host_3d(vmm, whole_of(&args)));
		if (memcmp(room.bytes, written, cases[i].bytes) != 0)
			vmm_fail("target %u format %u: what comes back is not what was written",
				 cases[i].target, cases[i].format);
		assert_true(room_holds(&room, cases[i].bytes, ROOM, ROOM_BYTE));
		assert_ok(gpu_unref(vmm, 1));
	}
}

/* ---- what the display is sent ---- */

/* The driver decides which: the library refuses to read the texture back, or OpenGL reports an
 * error. */
static void assert_not_shown(uint32_t type)
{
	if (type != RESP_INVALID_PARAMETER)
		assert_response(type, RESP_UNSPEC);
}

static void textures_that_cannot_be_read_back_are_not_shown(void **state)
{
	struct vmm *vmm = painted_boot(state);
	create_3d_t samples = gpu_texture(1, SIDE, SIDE), bytes = painted_buffer(BGRA, 4096);
	struct image good = image_new_3d(vmm, gpu_texture(3, SIDE, SIDE));

	bytes.resource_id = 2;
	samples.nr_samples = 4;
	assert_ok(gpu_create_3d(vmm, samples));
	assert_ok(gpu_create_3d(vmm, bytes));
	assert_not_shown(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, SIDE, SIDE)));
	assert_response(gpu_set_scanout(vmm, 0, 2, gpu_rect(0, 0, SIDE, 1)),
			RESP_INVALID_PARAMETER);
	assert_ok(gpu_flush(vmm, 1, gpu_rect(0, 0, SIDE, SIDE)));
	image_fill(&good, 5);
	assert_ok(gpu_to_host_3d(vmm, gpu_whole(&good)));
	assert_ok(gpu_set_scanout(vmm, 0, 3, image_rect(&good)));
	image_wait_shown(vmm, &good, 0, image_rect(&good));
	assert_not_shown(gpu_set_scanout(vmm, 0, 1, gpu_rect(0, 0, SIDE, SIDE)));
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(the_width_of_a_buffer_is_its_size_in_any_format),
		DEVICE_TEST(transfers_return_no_unwritten_memory),
		DEVICE_TEST(written_textures_are_read_back),
		DEVICE_TEST(textures_that_cannot_be_read_back_are_not_shown),
	};

	return gpu3d_works() ? cmocka_run_group_tests_name("3d readback", tests, NULL, NULL)
			     : EXIT_SKIPPED;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
