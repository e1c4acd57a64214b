// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Which command streams the library is given. Each row of the tables has a command as Mesa sends
 * it, and a word in it that once killed the library, or that it would use as an index or a count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>

#include "render/virgl/virgl_private.h"

#define MAX_WORDS 24

/* Resources that the guest has made. */
enum { BUFFER = 1, TEXTURE, VOLUME, SAMPLES, SHORT, UNKNOWN };

static struct virgl virgl;
static struct virgl_resource resources[UNKNOWN];
static struct iovec backing = { .iov_len = 4096 };

static void add_resource(uint32_t id, struct renderer_resource_args args)
{
	resources[id].args = args;
	g_hash_table_insert(virgl.resources, GUINT_TO_POINTER(id), &resources[id]);
}

static int make_resources(void **state)
{
	(void)state;
	virgl_formats_init(&virgl.formats);
	virgl.resources = g_hash_table_new(NULL, NULL);
	add_resource(BUFFER, (struct renderer_resource_args){ .width = 4096, .array_size = 1 });
	resources[BUFFER].iov = &backing;
	resources[BUFFER].n_iov = 1;
	add_resource(TEXTURE, (struct renderer_resource_args){
				      .target = VIRGL_TARGET_2D, .width = 64, .array_size = 1 });
	add_resource(VOLUME, (struct renderer_resource_args){
				     .target = VIRGL_TARGET_3D, .width = 64, .depth = 8 });
	add_resource(SAMPLES, (struct renderer_resource_args){ .target = VIRGL_TARGET_2D,
							       .width = 64,
							       .array_size = 1,
							       .nr_samples = 4 });
	add_resource(SHORT, (struct renderer_resource_args){ .width = 8, .array_size = 1 });
	return 0;
}

static int free_resources(void **state)
{
	(void)state;
	g_hash_table_unref(virgl.resources);
	return 0;
}

static bool is_accepted(const uint32_t *words, size_t n)
{
	bool is_special;

	return virgl_check_stream(&virgl, words, n, &is_special);
}

/* A command that is accepted, until its word @at is @bad. */
struct refusal {
	const char *what;
	uint8_t command, object, n, at;
	uint32_t bad;
	uint32_t words[MAX_WORDS]; /* word 0 is the header's place */
};

#define OBJECT VIRGL_CREATE_OBJECT
#define BLEND  (1 | 1 << 4 | 0x11 << 9 | 1 << 17 | 0x11 << 22)

static const struct refusal refusals[] = {
	{ "an image's format",
	  VIRGL_SET_SHADER_IMAGES,
	  0,
	  7,
	  3,
	  0x3f000000,
	  { 0, 1, 0, 67, 0, 0, 0, TEXTURE } },
	{ "an image's format that is a hole",
	  VIRGL_SET_SHADER_IMAGES,
	  0,
	  7,
	  3,
	  309,
	  { 0, 1, 0, 67, 0, 0, 0, TEXTURE } },
	{ "a second image's format",
	  VIRGL_SET_SHADER_IMAGES,
	  0,
	  12,
	  8,
	  512,
	  { 0, 1, 0, 67, 0, 0, 0, TEXTURE, 67, 0, 0, 0, TEXTURE } },
	{ "a view's format",
	  OBJECT,
	  VIRGL_OBJECT_SAMPLER_VIEW,
	  6,
	  3,
	  0x400013b,
	  { 0, 1, TEXTURE, 67, 0, 0, 0 } },
	{ "a view's target",
	  OBJECT,
	  VIRGL_OBJECT_SAMPLER_VIEW,
	  6,
	  3,
	  67 | 9u << 24,
	  { 0, 1, TEXTURE, 67, 0, 0, 0 } },
	{ "a view of no level",
	  OBJECT,
	  VIRGL_OBJECT_SAMPLER_VIEW,
	  6,
	  5,
	  1,
	  { 0, 1, VOLUME, 125, 0, 1 << 8, 0 } },
	{ "a view of no layer",
	  OBJECT,
	  VIRGL_OBJECT_SAMPLER_VIEW,
	  6,
	  4,
	  1,
	  { 0, 1, TEXTURE, 67, 1 << 16, 0, 0 } },
	{ "a view's swizzle",
	  OBJECT,
	  VIRGL_OBJECT_SAMPLER_VIEW,
	  6,
	  6,
	  6,
	  { 0, 1, TEXTURE, 67, 0, 0, 5 } },
	{ "a surface's format",
	  OBJECT,
	  VIRGL_OBJECT_SURFACE,
	  5,
	  3,
	  322,
	  { 0, 1, TEXTURE, 1, 0, 0 } },
	{ "a surface of no layer",
	  OBJECT,
	  VIRGL_OBJECT_SURFACE,
	  5,
	  5,
	  1,
	  { 0, 1, TEXTURE, 1, 0, 0 } },
	{ "a surface's samples",
	  OBJECT,
	  VIRGL_OBJECT_MSAA_SURFACE,
	  6,
	  6,
	  33,
	  { 0, 1, TEXTURE, 1, 0, 0, 4 } },
	{ "a vertex element's format",
	  OBJECT,
	  VIRGL_OBJECT_VERTEX_ELEMENTS,
	  5,
	  5,
	  0x7fffffff,
	  { 0, 1, 0, 0, 0, 31 } },
	{ "a vertex element's buffer",
	  OBJECT,
	  VIRGL_OBJECT_VERTEX_ELEMENTS,
	  5,
	  4,
	  32,
	  { 0, 1, 0, 0, 31, 31 } },
	{ "a factor of a blend",
	  OBJECT,
	  VIRGL_OBJECT_BLEND,
	  11,
	  4,
	  BLEND | 0x1f << 4,
	  { 0, 1, 0, 0, BLEND } },
	{ "a function of a blend",
	  OBJECT,
	  VIRGL_OBJECT_BLEND,
	  11,
	  11,
	  BLEND | 5 << 1,
	  { 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, BLEND } },
	{ "a query's type", OBJECT, VIRGL_OBJECT_QUERY, 4, 2, 14, { 0, 1, 12, 0, BUFFER } },
	{ "a query's index", OBJECT, VIRGL_OBJECT_QUERY, 4, 2, 17 << 16, { 0, 1, 0, 0, BUFFER } },
	{ "a query's result that has no room",
	  OBJECT,
	  VIRGL_OBJECT_QUERY,
	  4,
	  4,
	  SHORT,
	  { 0, 1, 0, 0, BUFFER } },
	{ "a primitive", VIRGL_DRAW_VBO, 0, 12, 3, 15, { 0, 0, 3, 4, 0, 1 } },
	{ "the number of vertices", VIRGL_DRAW_VBO, 0, 12, 2, 0x7fffffff, { 0, 0, 3, 4, 0, 1 } },
	{ "the number of instances", VIRGL_DRAW_VBO, 0, 12, 5, 0x7fffffff, { 0, 0, 3, 4, 0, 1 } },
	{ "the number of vertices of all instances",
	  VIRGL_DRAW_VBO,
	  0,
	  12,
	  5,
	  1 << 20,
	  { 0, 0, 1 << 20, 4, 0, 1 } },
	{ "vertices of a patch",
	  VIRGL_DRAW_VBO,
	  0,
	  14,
	  13,
	  33,
	  { 0, 0, 3, 14, 0, 1, 0, 0, 0, 0, 0, 0, 0, 32 } },
	{ "the number of draws", VIRGL_DRAW_VBO, 0, 20, 18, 0xffffffff, { 0, 0, 3, 4, 0, 1 } },
	{ "an index's size", VIRGL_SET_INDEX_BUFFER, 0, 3, 2, 3, { 0, BUFFER, 2, 0 } },
	{ "the format that is blitted to",
	  VIRGL_BLIT,
	  0,
	  21,
	  6,
	  0xffff,
	  { 0, 0, 0, 0, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "the format that is blitted from",
	  VIRGL_BLIT,
	  0,
	  21,
	  15,
	  0x80000000,
	  { 0, 0, 0, 0, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "the layers that are blitted to",
	  VIRGL_BLIT,
	  0,
	  21,
	  12,
	  0x7fffffff,
	  { 0, 0, 0, 0, UNKNOWN, 0, 1, 0, 0, 0, 4, 4, 1, TEXTURE, 0, 1, 0, 0, 0, 4, 4, 1 } },
	{ "the level that is blitted from", VIRGL_BLIT, 0, 21, 14, 17, { 0, 0, 0, 0,       TEXTURE,
									 0, 1, 0, 0,       0,
									 4, 4, 1, UNKNOWN, 0,
									 1, 0, 0, 0,       4,
									 4, 1 } },
	{ "a layer behind the last one", VIRGL_BLIT, 0, 21, 9, 1, { 0, 0, 0, 0, TEXTURE, 0, 1, 0, 0,
								    0, 4, 4, 1, TEXTURE, 0, 1, 0, 0,
								    0, 4, 4, 1 } },
	{ "the layers that are copied",
	  VIRGL_RESOURCE_COPY_REGION,
	  0,
	  13,
	  13,
	  0x7fffffff,
	  { 0, UNKNOWN, 0, 0, 0, 0, UNKNOWN, 0, 0, 0, 0, 4, 4, 1 } },
	{ "more layers than there are",
	  VIRGL_RESOURCE_COPY_REGION,
	  0,
	  13,
	  13,
	  9,
	  { 0, VOLUME, 0, 0, 0, 0, VOLUME, 0, 0, 0, 0, 4, 4, 8 } },
	{ "more layers than a level has",
	  VIRGL_RESOURCE_COPY_REGION,
	  0,
	  13,
	  7,
	  2,
	  { 0, VOLUME, 1, 0, 0, 0, VOLUME, 1, 0, 0, 0, 4, 4, 4 } },
	{ "a copy from samples",
	  VIRGL_RESOURCE_COPY_REGION,
	  0,
	  13,
	  6,
	  SAMPLES,
	  { 0, TEXTURE, 0, 0, 0, 0, TEXTURE, 0, 0, 0, 0, 4, 4, 1 } },
	{ "the layers that are cleared",
	  VIRGL_CLEAR_TEXTURE,
	  0,
	  12,
	  8,
	  2,
	  { 0, TEXTURE, 0, 0, 0, 0, 4, 4, 1 } },
	{ "a condition's mode", VIRGL_SET_RENDER_CONDITION, 0, 3, 3, 4, { 0, 1, 0, 3 } },
	{ "a result's type", VIRGL_GET_QUERY_RESULT_QBO, 0, 6, 4, 4, { 0, 1, BUFFER, 0, 3, 0, 0 } },
	{ "the number of work groups",
	  VIRGL_LAUNCH_GRID,
	  0,
	  8,
	  6,
	  0xffff,
	  { 0, 1, 1, 1, 0xffff, 0xffff, 1 } },
	{ "an image's format (planes)",
	  VIRGL_PIPE_RESOURCE_SET_TYPE,
	  0,
	  10,
	  2,
	  0x1000,
	  { 0, TEXTURE, 1, 2, 64, 64 } },
	{ "memory information without a backing",
	  VIRGL_GET_MEMORY_INFO,
	  0,
	  1,
	  1,
	  TEXTURE,
	  { 0, BUFFER } },
	{ "a transfer's level",
	  VIRGL_TRANSFER3D,
	  0,
	  13,
	  2,
	  0x80000000,
	  { 0, TEXTURE, 0, 0, 256, 0, 0, 0, 0, 64, 64, 1, 0, 1 } },
	{ "a copy's level",
	  VIRGL_COPY_TRANSFER3D,
	  0,
	  14,
	  2,
	  17,
	  { 0, VOLUME, 16, 0, 256, 4096, 0, 0, 0, 64, 16, 2, BUFFER, 0, 0 } },
	{ "a write's level",
	  VIRGL_RESOURCE_INLINE_WRITE,
	  0,
	  12,
	  2,
	  0xffffffff,
	  { 0, TEXTURE, 0, 0, 4, 0, 0, 0, 0, 1, 64, 1, 0 } },
	{ "a transfer's stride",
	  VIRGL_TRANSFER3D,
	  0,
	  13,
	  4,
	  0x40000000,
	  { 0, TEXTURE, 0, 0, 256, 0, 0, 0, 0, 64, 64, 1, 0, 1 } },
	{ "a transfer's layer stride",
	  VIRGL_COPY_TRANSFER3D,
	  0,
	  14,
	  5,
	  0xfffffff0,
	  { 0, VOLUME, 0, 0, 256, 4096, 0, 0, 0, 64, 16, 2, BUFFER, 0, 0 } },
	{ "a write's stride",
	  VIRGL_RESOURCE_INLINE_WRITE,
	  0,
	  12,
	  4,
	  0x80000000,
	  { 0, TEXTURE, 0, 0, 4, 0, 0, 0, 0, 1, 64, 1, 0 } },
};

static void commands_are_refused_for_one_word(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(refusals); i++) {
		const struct refusal *refusal = &refusals[i];
		uint32_t words[MAX_WORDS];

		memcpy(words, refusal->words, sizeof(words));
		words[0] = VIRGL_HEADER(refusal->command, refusal->object, refusal->n);
		if (!is_accepted(words, refusal->n + 1))
			fail_msg("%s: refused as it should be", refusal->what);
		words[refusal->at] = refusal->bad;
		if (is_accepted(words, refusal->n + 1))
			fail_msg("%s: accepted as %x", refusal->what, refusal->bad);
	}
}

/* However little there is of it. */
static void resources_in_streams_are_refused(void **state)
{
	const uint32_t command[] = {
		VIRGL_HEADER(VIRGL_PIPE_RESOURCE_CREATE, 0, 11), 2, 1, 2, 64, 64, 1, 1, 0, 0, 0, 1
	};
	uint32_t none = VIRGL_HEADER(VIRGL_PIPE_RESOURCE_CREATE, 0, 0);

	(void)state;
	assert_false(is_accepted(command, G_N_ELEMENTS(command)));
	assert_false(is_accepted(&none, 1));
}

static void a_bad_command_is_found_behind_others(void **state)
{
	uint32_t words[] = { VIRGL_HEADER(VIRGL_NOP, 0, 2),
			     0xffffffff,
			     0xffffffff,
			     VIRGL_HEADER(VIRGL_SET_INDEX_BUFFER, 0, 3),
			     BUFFER,
			     7,
			     0 };

	(void)state;
	assert_false(is_accepted(words, G_N_ELEMENTS(words)));
	words[5] = 4;
	assert_true(is_accepted(words, G_N_ELEMENTS(words)));
}

/* The library refuses it, and nobody may read behind its end. */
static void a_command_that_is_cut_off_is_left_to_the_library(void **state)
{
	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(refusals); i++) {
		const struct refusal *refusal = &refusals[i];

		for (uint32_t n = 0; n < refusal->n; n++) {
			g_autofree uint32_t *words = g_memdup2(refusal->words, 4 * (n + 1));

			words[0] = VIRGL_HEADER(refusal->command, refusal->object, n);
			(void)is_accepted(words, n + 1);
			words[0] = VIRGL_HEADER(refusal->command, refusal->object, refusal->n);
			assert_true(is_accepted(words, n + 1));
		}
	}
}

static void commands_that_are_not_known_are_left_to_the_library(void **state)
{
	(void)state;
	for (uint32_t command = VIRGL_N_COMMANDS; command < 256; command++) {
		const uint32_t words[] = { VIRGL_HEADER(command, 0xff, 2), 0xffffffff, 0xffffffff };

		assert_true(is_accepted(words, G_N_ELEMENTS(words)));
	}
}

static void formats_that_the_library_announces_are_accepted(void **state)
{
	const uint32_t mask[VIRGL_FORMAT_WORDS] = { [12] = 1u << 16 }, format = 12 * 32 + 16;
	uint32_t words[] = {
		VIRGL_HEADER(OBJECT, VIRGL_OBJECT_SURFACE, 5), 1, TEXTURE, format, 0, 0
	};

	(void)state;
	assert_false(is_accepted(words, G_N_ELEMENTS(words)));
	virgl_formats_add(&virgl.formats, mask);
	assert_true(is_accepted(words, G_N_ELEMENTS(words)));
	words[3] = format + 1;
	assert_false(is_accepted(words, G_N_ELEMENTS(words)));
}

/* ---- what was recorded ---- */

/* A file of fuzz/session_to_stream.py's: behind 16 bytes, records of a kind, a size and a content;
 * kind 1 is room for a response and a request. */
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

		assert_true(is_accepted(words, submit.size / 4));
		n++;
	}
	return n;
}

static void recorded_streams_are_accepted(void **state)
{
	g_autofree char *bytes = NULL;
	size_t size;

	(void)state;
	assert_true(g_file_get_contents(RECORDED_STREAM, &bytes, &size, NULL));
	assert_true(check_recorded((const uint8_t *)bytes, size) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_refused_for_one_word),
		cmocka_unit_test(resources_in_streams_are_refused),
		cmocka_unit_test(a_bad_command_is_found_behind_others),
		cmocka_unit_test(a_command_that_is_cut_off_is_left_to_the_library),
		cmocka_unit_test(commands_that_are_not_known_are_left_to_the_library),
		cmocka_unit_test(recorded_streams_are_accepted),
		cmocka_unit_test(formats_that_the_library_announces_are_accepted),
	};

	return cmocka_run_group_tests(tests, make_resources, free_resources);
}
