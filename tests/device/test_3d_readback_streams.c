// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Transfers from the GPU within a stream: like other transfers they return the contents or nothing,
 * and they keep their order.
 */
#include "fixture.h"
#include "painted.h"

#include <string.h>

#define OP_TRANSFER3D       43
#define OP_COPY_TRANSFER3D  45
#define FROM_HOST           2
#define FLAG_READ_FROM_HOST 2

/* Only the library compares sizes here. */
static void the_width_of_a_buffer_is_its_size_in_streams_too(void **state)
{
	struct vmm *vmm = painted_boot(state);
	struct room room = room_new(vmm);
	uint32_t words[] = {
		13u << 16 | OP_TRANSFER3D, 1, 0, 0, 0, 0, 0, 0, 0, 4096, 1, 1, 0, FROM_HOST
	};

	assert_ok(gpu_ctx_create(vmm, 1, 0));
	assert_ok(gpu_create_3d(vmm, painted_buffer(BGRA, 4096)));
	room_attach(vmm, 1, &room, 1);
	assert_ok(gpu_ctx_attach(vmm, 1, 1));
	memset(room.bytes, ROOM_BYTE, ROOM);
	assert_ok(gpu_stream_raw(vmm, 1, words, sizeof(words), sizeof(words)));
	assert_true(room_holds(&room, 0, 4096, 0));
	assert_true(room_holds(&room, 4096, ROOM, ROOM_BYTE));
}

/* Reads resource @id back: to @offset of its own memory, or of that of resource @to. */
static void add_readback(struct stream *s, uint32_t id, uint32_t to, uint32_t offset)
{
	const uint32_t own[] = {
		13u << 16 | OP_TRANSFER3D, id, 0, 0, 0, 0, 0, 0, 0, SIDE, SIDE, 1, offset, FROM_HOST
	};
	const uint32_t other[] = { 14u << 16 | OP_COPY_TRANSFER3D,
				   id,
				   0,
				   0,
				   0,
				   0,
				   0,
				   0,
				   0,
				   SIDE,
				   SIDE,
				   1,
				   to,
				   offset,
				   FLAG_READ_FROM_HOST };

	memcpy(s->words + s->count, to ? other : own, to ? sizeof(other) : sizeof(own));
	s->count += to ? ARRAY_LENGTH(other) : ARRAY_LENGTH(own);
}

static void assert_colour(const struct room *room, uint32_t offset, uint32_t rgb)
{
	uint32_t due = 0xff000000 | rgb;

	for (uint32_t i = 0; i < SIDE * SIDE; i++)
		assert_memory_equal(room->bytes + offset + (size_t)i * 4, &due, 4);
}

#define HALF (ROOM / 2)

static void transfers_in_streams_keep_their_order(void **state)
{
	struct vmm *vmm = painted_boot(state);
	struct room room = room_new(vmm), other = room_new(vmm);
	struct stream s = { .count = 0 };
	create_3d_t args = painted_buffer(FORMAT_R8, ROOM);

	args.resource_id = 2;
	assert_ok(gpu_ctx_create(vmm, 1, 0));
	assert_ok(gpu_create_3d(vmm, gpu_texture(1, SIDE, SIDE)));
	assert_ok(gpu_create_3d(vmm, args));
	room_attach(vmm, 1, &room, 1);
	room_attach(vmm, 2, &other, 1);
	assert_ok(gpu_ctx_attach(vmm, 1, 1));
	assert_ok(gpu_ctx_attach(vmm, 1, 2));
	stream_surface(&s, 1, 1);
	stream_framebuffer(&s, 1);
	for (uint32_t i = 0; i < 2; i++) {
		stream_clear(&s, 0x804020 + i);
		add_readback(&s, 1, 0, i * HALF);
		stream_clear(&s, 0x102030 + i);
		add_readback(&s, 1, 2, i * HALF);
	}
	assert_ok(gpu_stream(vmm, 1, &s));
	for (uint32_t i = 0; i < 2; i++) {
		assert_colour(&room, i * HALF, 0x804020 + i);
		assert_colour(&other, i * HALF, 0x102030 + i);
	}
}

static void transfers_in_streams_return_no_unwritten_memory(void **state)
{
	static const struct {
		uint32_t target, format, samples;
	} cases[] = { { 2, BGRA, 4 }, { 1, FORMAT_DXT1, 0 }, { 2, FORMAT_X24S8, 0 } };
	struct vmm *vmm = painted_boot(state);
	struct room room = room_new(vmm);

	assert_ok(gpu_ctx_create(vmm, 1, 0));
	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		create_3d_t args =
			painted_texture(cases[i].target, cases[i].format, cases[i].samples);
		struct stream s = { .count = 0 };

		if (gpu_create_3d(vmm, args) != RESP_OK)
			continue;
		room_attach(vmm, 1, &room, 2);
		assert_ok(gpu_ctx_attach(vmm, 1, 1));
		memset(room.bytes, ROOM_BYTE, ROOM);
		add_readback(&s, 1, 0, 0);
		s.words[10] = args.height;
		gpu_stream(vmm, 1, &s);
		assert_int_equal(room_count_paint(&room), 0);
		assert_ok(gpu_unref(vmm, 1));
	}
	assert_alive(vmm);
}

static void invalid_transfers_in_streams_are_refused(void **state)
{
	struct vmm *vmm = painted_boot(state);
	struct room room = room_new(vmm);
	create_3d_t staging = painted_buffer(FORMAT_R8, 4096);
	struct stream s = { .count = 0 };

	staging.resource_id = 2;
	staging.bind = BIND_STAGING;
	assert_ok(gpu_ctx_create(vmm, 1, 0));
	assert_ok(gpu_create_3d(vmm, gpu_texture(1, SIDE, SIDE)));
	assert_ok(gpu_create_3d(vmm, staging));
	assert_ok(gpu_ctx_attach(vmm, 1, 1));
	assert_ok(gpu_ctx_attach(vmm, 1, 2));
	add_readback(&s, 1, 0, 0); /* it has no memory */
	assert_response(gpu_stream(vmm, 1, &s), RESP_INVALID_PARAMETER);
	room_attach(vmm, 1, &room, 2);
	memset(room.bytes, ROOM_BYTE, ROOM);
	add_readback(&s, 9, 1, 0); /* unknown resource */
	assert_response(gpu_stream(vmm, 1, &s), RESP_INVALID_PARAMETER);
	s.count = 0;
	add_readback(&s, 2, 1, 0); /* from a buffer without memory */
	s.words[9] = 4096;
	s.words[10] = 1;
	assert_response(gpu_stream(vmm, 1, &s), RESP_INVALID_PARAMETER);
	/* First the box reaches out of the texture, then the transfer out of the backing. */
	for (uint32_t word = 6; word <= 12; word++) {
		s.count = 0;
		add_readback(&s, 1, 0, 0);
		s.words[word] = word == 12 ? ROOM - SIDE * SIDE * 4 + 4 : 0xfffffff0;
		assert_response(gpu_stream(vmm, 1, &s), RESP_INVALID_PARAMETER);
	}
	assert_int_equal(room_count_paint(&room), 0);
	assert_alive(vmm);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(the_width_of_a_buffer_is_its_size_in_streams_too),
		DEVICE_TEST(transfers_in_streams_keep_their_order),
		DEVICE_TEST(transfers_in_streams_return_no_unwritten_memory),
		DEVICE_TEST(invalid_transfers_in_streams_are_refused),
	};

	return gpu3d_works() ? cmocka_run_group_tests_name("3d readback streams", tests, NULL, NULL)
			     : EXIT_SKIPPED;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
