// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Which command streams are passed to the library. Each row of the table has a command as Mesa
 * sends it, and a word in it that crashed the library, or that it would use as an index or a count.
 */
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>

#include "stream_rig.h"

/* clang-format off */
static const struct refusal refusals[] = {
	{ "an image's format", VIRGL_SET_SHADER_IMAGES, 0, 7, 3, 0x3f000000,
	  { 0, 1, 0, 67, 0, 0, 0, TEXTURE } },
	{ "an image's format that is a hole", VIRGL_SET_SHADER_IMAGES, 0, 7, 3, 309,
	  { 0, 1, 0, 67, 0, 0, 0, TEXTURE } },
	{ "a second image's format", VIRGL_SET_SHADER_IMAGES, 0, 12, 8, 512,
	  { 0, 1, 0, 67, 0, 0, 0, TEXTURE, 67, 0, 0, 0, TEXTURE } },
	{ "a primitive", VIRGL_DRAW_VBO, 0, 12, 3, 15,
	  { 0, 0, 3, 4, 0, 1 } },
	{ "the number of vertices", VIRGL_DRAW_VBO, 0, 12, 2, 0x7fffffff,
	  { 0, 0, 3, 4, 0, 1 } },
	{ "the number of instances", VIRGL_DRAW_VBO, 0, 12, 5, 0x7fffffff,
	  { 0, 0, 3, 4, 0, 1 } },
	{ "the number of vertices of all instances", VIRGL_DRAW_VBO, 0, 12, 5, 1 << 20,
	  { 0, 0, 1 << 20, 4, 0, 1 } },
	{ "vertices of a patch", VIRGL_DRAW_VBO, 0, 14, 13, 33,
	  { 0, 0, 3, 14, 0, 1, 0, 0, 0, 0, 0, 0, 0, 32 } },
	{ "the number of draws", VIRGL_DRAW_VBO, 0, 20, 18, 0xffffffff,
	  { 0, 0, 3, 4, 0, 1 } },
	{ "an index's size", VIRGL_SET_INDEX_BUFFER, 0, 3, 2, 3,
	  { 0, BUFFER, 2, 0 } },
	{ "the format that is blitted to", VIRGL_BLIT, 0, 21, 6, 0xffff,
	  { 0, 0, 0, 0, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "the format that is blitted from", VIRGL_BLIT, 0, 21, 15, 0x80000000,
	  { 0, 0, 0, 0, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "a format that is not drawn to", VIRGL_BLIT, 0, 21, 6, VIRGL_FORMAT_R9G9B9E5,
	  { 0, 0, 0, 0, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "the layers that are blitted to", VIRGL_BLIT, 0, 21, 12, 0x7fffffff,
	  { 0, 0, 0, 0, UNKNOWN, 0, 1, 0, 0, 0, 4, 4, 1, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "the level that is blitted from", VIRGL_BLIT, 0, 21, 14, 17,
	  { 0, 0, 0, 0, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1, UNKNOWN, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "a level behind the last one that is blitted to", VIRGL_BLIT, 0, 21, 5, 7,
	  { 0, 0, 0, 0, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "a level behind the last one that is written", VIRGL_TRANSFER3D, 0, 13, 2, 7,
	  { 0, TEXTURE, 0, 0, 256, 0, 0, 0, 0, 64, 64, 1, 0, 1 } },
	{ "a layer behind the last one", VIRGL_BLIT, 0, 21, 9, 1,
	  { 0, 0, 0, 0, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "the layers that are copied", VIRGL_RESOURCE_COPY_REGION, 0, 13, 13, 0x7fffffff,
	  { 0, UNKNOWN, 0, 0, 0, 0, UNKNOWN, 0, 0, 0, 0, 4, 4, 1 } },
	{ "more layers than there are", VIRGL_RESOURCE_COPY_REGION, 0, 13, 13, 9,
	  { 0, VOLUME, 0, 0, 0, 0, VOLUME, 0, 0, 0, 0, 4, 4, 8 } },
	{ "more layers than a level has", VIRGL_RESOURCE_COPY_REGION, 0, 13, 7, 2,
	  { 0, VOLUME, 1, 0, 0, 0, VOLUME, 1, 0, 0, 0, 4, 4, 4 } },
	{ "a copy from samples", VIRGL_RESOURCE_COPY_REGION, 0, 13, 6, SAMPLES,
	  { 0, TEXTURE, 0, 0, 0, 0, TEXTURE, 0, 0, 0, 0, 4, 4, 1 } },
	{ "the layers that are cleared", VIRGL_CLEAR_TEXTURE, 0, 12, 8, 2,
	  { 0, TEXTURE, 0, 0, 0, 0, 4, 4, 1 } },
	{ "a condition's mode", VIRGL_SET_RENDER_CONDITION, 0, 3, 3, 4,
	  { 0, 1, 0, 3 } },
	{ "a result's type", VIRGL_GET_QUERY_RESULT_QBO, 0, 6, 4, 4,
	  { 0, 1, BUFFER, 0, 3, 0, 0 } },
	{ "the number of work groups", VIRGL_LAUNCH_GRID, 0, 8, 6, 0xffff,
	  { 0, 1, 1, 1, 0xffff, 0xffff, 1 } },
	{ "memory information without a backing", VIRGL_GET_MEMORY_INFO, 0, 1, 1, TEXTURE,
	  { 0, BUFFER } },
	{ "a layout without a backing to write it to", VIRGL_GET_RESOURCE_LAYOUT, 0, 2, 1, TEXTURE,
	  { 0, BUFFER, TEXTURE } },
	{ "a transfer's level", VIRGL_TRANSFER3D, 0, 13, 2, 0x80000000,
	  { 0, TEXTURE, 0, 0, 256, 0, 0, 0, 0, 64, 64, 1, 0, 1 } },
	{ "a copy's level", VIRGL_COPY_TRANSFER3D, 0, 14, 2, 17,
	  { 0, VOLUME, 16, 0, 256, 4096, 0, 0, 0, 64, 16, 1, BUFFER, 0, 0 } },
	{ "a write's level", VIRGL_RESOURCE_INLINE_WRITE, 0, 12, 2, 0xffffffff,
	  { 0, TEXTURE, 0, 0, 4, 0, 0, 0, 0, 1, 64, 1, 0 } },
	{ "a transfer's stride", VIRGL_TRANSFER3D, 0, 13, 4, 0x40000000,
	  { 0, TEXTURE, 0, 0, 256, 0, 0, 0, 0, 64, 64, 1, 0, 1 } },
	{ "a transfer's layer stride", VIRGL_COPY_TRANSFER3D, 0, 14, 5, 0xfffffff0,
	  { 0, VOLUME, 0, 0, 256, 4096, 0, 0, 0, 64, 16, 2, BUFFER, 0, 0 } },
	{ "a write's stride", VIRGL_RESOURCE_INLINE_WRITE, 0, 12, 4, 0x80000000,
	  { 0, TEXTURE, 0, 0, 4, 0, 0, 0, 0, 1, 64, 1, 0 } },
	{ "a layer in front of the first one", VIRGL_TRANSFER3D, 0, 13, 8, 0xffffffff,
	  { 0, VOLUME, 0, 0, 256, 4096, 0, 0, 0, 64, 16, 2, 0, 1 } },
	{ "a negative number of layers", VIRGL_COPY_TRANSFER3D, 0, 14, 11, 0xfffffff0,
	  { 0, VOLUME, 0, 0, 0, 0, 0, 0, 0, 64, 16, 2, BUFFER, 0, 0 } },
	{ "layers of a texture that is not known", VIRGL_TRANSFER3D, 0, 13, 11, 0x80000000,
	  { 0, UNKNOWN, 0, 0, 0, 0, 0, 0, 0, 4, 4, 1, 0, 1 } },
	{ "a layer behind the last one that is written", VIRGL_RESOURCE_INLINE_WRITE, 0, 12, 8, 1,
	  { 0, TEXTURE, 0, 0, 4, 0, 0, 0, 0, 1, 64, 1, 0 } },
	{ "a draw's commands", VIRGL_DRAW_VBO, 0, 20, 15, QUERIES,
	  { 0, 0, 3, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, BUFFER } },
	{ "where the number of draws is", VIRGL_DRAW_VBO, 0, 20, 20, TEXTURE,
	  { 0, 0, 3, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, BUFFER, 0, 0, 1, 0, BUFFER } },
	{ "the commands of a grid", VIRGL_LAUNCH_GRID, 0, 8, 7, QUERIES,
	  { 0, 1, 1, 1, 1, 1, 1, BUFFER, 0 } },
	{ "an index buffer that is none of OpenGL's", VIRGL_SET_INDEX_BUFFER, 0, 3, 1, QUERIES,
	  { 0, BUFFER, 2, 0 } },
	{ "an index buffer that is a texture", VIRGL_SET_INDEX_BUFFER, 0, 3, 1, TEXTURE,
	  { 0, BUFFER, 2, 0 } },
	{ "a second vertex buffer", VIRGL_SET_VERTEX_BUFFERS, 0, 6, 6, QUERIES,
	  { 0, 16, 0, BUFFER, 16, 0, BUFFER } },
	{ "a buffer of constants", VIRGL_SET_UNIFORM_BUFFER, 0, 5, 5, QUERIES,
	  { 0, 1, 1, 0, 64, BUFFER } },
	{ "a second buffer of a shader", VIRGL_SET_SHADER_BUFFERS, 0, 8, 8, TEXTURE,
	  { 0, 1, 0, 0, 64, BUFFER, 0, 64, BUFFER } },
	{ "a buffer of counters", VIRGL_SET_ATOMIC_BUFFERS, 0, 4, 4, QUERIES,
	  { 0, 0, 0, 64, BUFFER } },
	{ "a buffer for results", VIRGL_GET_QUERY_RESULT_QBO, 0, 6, 2, QUERIES,
	  { 0, 1, BUFFER, 0, 3, 0, 0 } },
	{ "a buffer that is blitted from", VIRGL_BLIT, 0, 21, 13, BUFFER,
	  { 0, 0, 0, 0, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "a buffer that is blitted to", VIRGL_BLIT, 0, 21, 4, BUFFER,
	  { 0, 0, 0, 0, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "a buffer that is copied to a texture", VIRGL_RESOURCE_COPY_REGION, 0, 13, 6, BUFFER,
	  { 0, TEXTURE, 0, 0, 0, 0, TEXTURE, 0, 0, 0, 0, 4, 4, 1 } },
	{ "a buffer that is cleared as a texture", VIRGL_CLEAR_TEXTURE, 0, 12, 1, BUFFER,
	  { 0, TEXTURE, 0, 0, 0, 0, 4, 4, 1 } },
};
/* clang-format on */

static void commands_are_refused_for_one_word(void **state)
{
	(void)state;
	stream_check_refusals(refusals, G_N_ELEMENTS(refusals));
}

static void a_truncated_command_is_passed_to_the_library(void **state)
{
	(void)state;
	stream_cut_refusals(refusals, G_N_ELEMENTS(refusals));
}

/* Even if only a little of the command is there. */
static void resources_in_streams_are_refused(void **state)
{
	const uint32_t create[] = {
		VIRGL_HEADER(VIRGL_PIPE_RESOURCE_CREATE, 0, 11), 2, 1, 2, 64, 64, 1, 1, 0, 0, 0, 1
	};
	const uint32_t type[] = { VIRGL_HEADER(VIRGL_PIPE_RESOURCE_SET_TYPE, 0, 10),
				  TEXTURE,
				  1,
				  2,
				  64,
				  64,
				  0,
				  0,
				  0,
				  256,
				  0 };

	(void)state;
	assert_false(stream_is_accepted(create, G_N_ELEMENTS(create)));
	assert_false(stream_is_accepted(type, G_N_ELEMENTS(type)));
	for (unsigned i = 0; i < 2; i++) {
		const uint32_t none = VIRGL_HEADER(VIRGL_PIPE_RESOURCE_CREATE + i, 0, 0);

		assert_false(stream_is_accepted(&none, 1));
	}
}

static void textures_are_cleared_only_where_opengl_can(void **state)
{
	const uint32_t clear[] = {
		VIRGL_HEADER(VIRGL_CLEAR_TEXTURE, 0, 12), TEXTURE, 0, 0, 0, 0, 4, 4, 1, 0, 0, 0, 0
	};

	(void)state;
	assert_true(stream_is_accepted(clear, G_N_ELEMENTS(clear)));
	stream_virgl.can_clear_texture = false;
	assert_false(stream_is_accepted(clear, G_N_ELEMENTS(clear)));
	stream_virgl.can_clear_texture = true;
}

/* Whether a copy of @box (x, y, width, height) in @level of resource @id reads outside it. */
static bool is_outside(uint32_t id, uint32_t level, const uint32_t *box)
{
	const uint32_t copy[] = { VIRGL_HEADER(VIRGL_RESOURCE_COPY_REGION, 0, 13),
				  id,
				  0,
				  0,
				  0,
				  0,
				  id,
				  level,
				  box[0],
				  box[1],
				  0,
				  box[2],
				  box[3],
				  1 };

	assert_true(stream_is_accepted(copy, G_N_ELEMENTS(copy)));
	return virgl_stream_is_outside(&stream_virgl, copy);
}

#define BOX(...) ((const uint32_t[4]){ __VA_ARGS__ })

static void copies_from_outside_a_texture_are_found(void **state)
{
	const uint32_t cut_off[] = { VIRGL_HEADER(VIRGL_RESOURCE_COPY_REGION, 0, 0) };

	(void)state;
	assert_false(is_outside(TEXTURE, 0, BOX(0, 0, 64, 64)));
	assert_false(is_outside(TEXTURE, 0, BOX(60, 63, 4, 1)));
	assert_true(is_outside(TEXTURE, 0, BOX(0, 0, 65, 64)));
	assert_true(is_outside(TEXTURE, 0, BOX(0, 1, 64, 64)));
	assert_true(is_outside(TEXTURE, 0, BOX(0xffffffff, 0, 4, 4)));
	assert_true(is_outside(TEXTURE, 0, BOX(0, 0, 4, 0x80000000)));
	assert_true(is_outside(TEXTURE, 0, BOX(0x7fffffff, 0, 0x7fffffff, 4)));
	assert_false(is_outside(TEXTURE, 5, BOX(0, 0, 2, 2)));
	assert_true(is_outside(TEXTURE, 5, BOX(0, 0, 4, 4)));
	/* Blocks are copied whole. */
	assert_false(is_outside(BLOCKS, 5, BOX(0, 0, 4, 4)));
	assert_true(is_outside(BLOCKS, 5, BOX(0, 0, 8, 4)));
	assert_false(is_outside(BUFFER, 0, BOX(4000, 0, 96, 1)));
	assert_false(is_outside(UNKNOWN, 0, BOX(0, 0, 1000, 1000)));
	assert_false(virgl_stream_is_outside(&stream_virgl, cut_off));
}

static void an_invalid_command_after_valid_ones_is_found(void **state)
{
	uint32_t words[] = { VIRGL_HEADER(VIRGL_NOP, 0, 2),
			     0xffffffff,
			     0xffffffff,
			     VIRGL_HEADER(VIRGL_SET_INDEX_BUFFER, 0, 3),
			     BUFFER,
			     7,
			     0 };

	(void)state;
	assert_false(stream_is_accepted(words, G_N_ELEMENTS(words)));
	words[5] = 4;
	assert_true(stream_is_accepted(words, G_N_ELEMENTS(words)));
}

static void unknown_commands_are_passed_to_the_library(void **state)
{
	(void)state;
	for (uint32_t command = VIRGL_N_COMMANDS; command < 256; command++) {
		const uint32_t words[] = { VIRGL_HEADER(command, 0xff, 2), 0xffffffff, 0xffffffff };

		assert_true(stream_is_accepted(words, G_N_ELEMENTS(words)));
	}
}

/* ---- recorded streams ---- */

/* A file of fuzz/session_to_stream.py: after 16 bytes, records of kind, size and content. In
 * kind 1 the content is the size of the response's room (32 bits) and then a request. */
#define HEAD_BYTES   16
#define KIND_COMMAND 1
#define REQUEST_AT   4
#define SUBMIT_AT    (REQUEST_AT + sizeof(struct virtio_gpu_cmd_submit))

static unsigned check_recorded(const uint8_t *bytes, size_t size)
{
	struct virtio_gpu_cmd_submit submit;
	uint32_t head[2];
	unsigned n = 0;

	for (size_t at = HEAD_BYTES; at + sizeof(head) <= size; at += sizeof(head) + head[1]) {
		const uint8_t *content = bytes + at + sizeof(head);

		memcpy(head, bytes + at, sizeof(head));
		if (head[0] != KIND_COMMAND || head[1] < SUBMIT_AT)
			continue;
		memcpy(&submit, content + REQUEST_AT, sizeof(submit));
		if (submit.hdr.type != VIRTIO_GPU_CMD_SUBMIT_3D)
			continue;
		g_autofree uint32_t *words = g_memdup2(content + SUBMIT_AT, submit.size);

		assert_true(stream_is_accepted(words, submit.size / 4));
		n++;
	}
	return n;
}

/* GPUs have textures of this height; the daemon accepts them with --max-dimension. */
static void layers_of_tall_textures_do_not_wrap(void **state)
{
	const struct virgl_resource tall = {
		.args = { .target = VIRGL_TARGET_2D,
			  .width = 16,
			  .height = 32766,
			  .array_size = 2 },
		.format = VIRGL_FORMAT_R8_UNORM,
	};

	(void)state;
	assert_true(virgl_check_transfer(&tall, 0, 0, 0, 32766, 2));
	assert_true(virgl_check_transfer(&tall, 0, 131000, 0, 1, 2));
	assert_false(virgl_check_transfer(&tall, 0, 131082, 0, 1, 2)); /* 131082 * 32766 > 2^32 */
	assert_false(virgl_check_transfer(&tall, 0, 0, UINT32_MAX - 15, 2, 2));
}

static void recorded_streams_are_accepted(void **state)
{
	GHashTable *before = stream_virgl.resources;
	g_autofree char *bytes = NULL;
	size_t size;

	(void)state;
	assert_true(g_file_get_contents(RECORDED_STREAM, &bytes, &size, NULL));
	/* Its resources do not exist here. */
	stream_virgl.resources = g_hash_table_new(NULL, NULL);
	assert_true(check_recorded((const uint8_t *)bytes, size) > 0);
	g_hash_table_unref(stream_virgl.resources);
	stream_virgl.resources = before;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_refused_for_one_word),
		cmocka_unit_test(a_truncated_command_is_passed_to_the_library),
		cmocka_unit_test(resources_in_streams_are_refused),
		cmocka_unit_test(textures_are_cleared_only_where_opengl_can),
		cmocka_unit_test(copies_from_outside_a_texture_are_found),
		cmocka_unit_test(an_invalid_command_after_valid_ones_is_found),
		cmocka_unit_test(unknown_commands_are_passed_to_the_library),
		cmocka_unit_test(layers_of_tall_textures_do_not_wrap),
		cmocka_unit_test(recorded_streams_are_accepted),
	};

	return cmocka_run_group_tests(tests, stream_make_resources, stream_free_resources);
}
