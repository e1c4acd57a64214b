// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Walks a command stream and refuses what the library does not survive. The library checks most of
 * what it reads; the words that it takes as an index, a count or a number of a kind without a look
 * are looked at here, one row of the table for each command. What is refused is never in a stream
 * of Mesa's: values that no OpenGL has. Commands that are too short, and those that we do not know,
 * are left to the library, which refuses them without harm.
 *
 * Objects are stream_object.c's, shaders stream_shader.c's, and what is compared with the resources
 * that the guest has made is stream_resource.c's.
 */
#include "render/virgl/stream_private.h"

#include <stdlib.h>

#include "render/virgl/virgl_private.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* A row needs @min_words behind the header for its check to read. */
struct row {
	uint8_t min_words;
	bool (*check)(const struct virgl *virgl, const uint32_t *command, uint32_t n);
};

/* Formats below this number are in each version of the library, but for the holes. */
#define N_COMMON_FORMATS 314

static const uint16_t holes[] = { 73, 78, 79, 80, 81, 86, 259, 260, 261, 262, 307, 309, 310 };

void virgl_formats_init(struct virgl_formats *formats)
{
	*formats = (struct virgl_formats){ 0 };
	for (uint32_t i = 0; i < N_COMMON_FORMATS; i++)
		formats->bits[i / 32] |= 1u << i % 32;
	for (unsigned i = 0; i < N_ELEMENTS(holes); i++)
		formats->bits[holes[i] / 32] &= ~(1u << holes[i] % 32);
}

void virgl_formats_add(struct virgl_formats *formats, const uint32_t *mask)
{
	for (unsigned i = 0; i < VIRGL_FORMAT_WORDS; i++)
		formats->bits[i] |= mask[i];
}

bool virgl_formats_has(const struct virgl_formats *formats, uint32_t format)
{
	return format < VIRGL_FORMAT_WORDS * 32 && (formats->bits[format / 32] >> format % 32 & 1);
}

/* Level, usage, stride, layer stride, then x, y, z, width, height, depth of a box. The library has
 * levels that are signed, and writes to the place of a negative one. */
#define WORD_TRANSFER_LEVEL        2
#define WORD_TRANSFER_STRIDE       4
#define WORD_TRANSFER_LAYER_STRIDE 5
#define WORD_TRANSFER_HEIGHT       10
#define WORD_TRANSFER_DEPTH        11

static bool check_transfer(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	(void)virgl;
	(void)n;
	return command[WORD_TRANSFER_LEVEL] <= VIRGL_MAX_LEVEL &&
	       virgl_check_transfer(command[WORD_TRANSFER_STRIDE],
				    command[WORD_TRANSFER_LAYER_STRIDE],
				    command[WORD_TRANSFER_HEIGHT], command[WORD_TRANSFER_DEPTH]);
}

#define WORD_DRAW_COUNT         2
#define WORD_DRAW_MODE          3
#define WORD_DRAW_INSTANCES     5
#define WORD_DRAW_COUNT_FROM_SO 12
#define WORD_DRAW_PATCH         13
#define WORD_DRAW_INDIRECT      18

static bool check_draw(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	uint64_t count = command[WORD_DRAW_COUNT], instances = command[WORD_DRAW_INSTANCES];

	(void)virgl;
	if (command[WORD_DRAW_MODE] > VIRGL_MAX_PRIMITIVE || count > VIRGL_MAX_VERTICES ||
	    command[WORD_DRAW_COUNT_FROM_SO] > VIRGL_MAX_VERTICES ||
	    instances > VIRGL_MAX_INSTANCES || count * instances > VIRGL_MAX_DRAWN)
		return false;
	if (n >= WORD_DRAW_PATCH && command[WORD_DRAW_PATCH] > VIRGL_MAX_PATCH)
		return false;
	return n < WORD_DRAW_INDIRECT || command[WORD_DRAW_INDIRECT] <= VIRGL_MAX_INSTANCES;
}

#define WORD_INDEX_SIZE 2

static bool check_index_buffer(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	uint32_t size = command[WORD_INDEX_SIZE];

	(void)virgl;
	(void)n;
	return size == 0 || size == 1 || size == 2 || size == 4;
}

#define MAX_RENDER_CONDITION 3

static bool check_render_condition(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	(void)virgl;
	(void)n;
	return command[1] == 0 || command[3] <= MAX_RENDER_CONDITION;
}

/* An image: format, access, layers or offset, level or size, resource. */
#define WORD_IMAGE_FIRST 3
#define IMAGE_WORDS      5
#define WORD_IMAGE_RES   4

static bool check_images(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	for (uint32_t at = WORD_IMAGE_FIRST; at + IMAGE_WORDS <= n + 1; at += IMAGE_WORDS)
		if (command[at + WORD_IMAGE_RES] != 0 &&
		    !virgl_formats_has(&virgl->formats, command[at]))
			return false;
	return true;
}

#define WORD_GRID 4

static bool check_grid(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	const uint32_t *grid = command + WORD_GRID;
	uint64_t plane = (uint64_t)grid[0] * grid[1];

	(void)virgl;
	(void)n;
	return plane <= VIRGL_MAX_GROUPS && (plane == 0 || grid[2] <= VIRGL_MAX_GROUPS / plane);
}

#define WORD_QBO_TYPE  4
#define MAX_QUERY_TYPE 3

static bool check_query_buffer(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	(void)virgl;
	(void)n;
	return command[WORD_QBO_TYPE] <= MAX_QUERY_TYPE;
}

/* It would wait for a blob of the host's memory to take it. There are none, and the library never
 * frees one that was not taken. */
static bool refuse_resource(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	(void)virgl;
	(void)command;
	(void)n;
	return false;
}

#define WORD_TYPE_FORMAT 2
#define WORD_TYPE_WIDTH  4
#define WORD_TYPE_HEIGHT 5

static bool check_resource_type(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	(void)n;
	return virgl_formats_has(&virgl->formats, command[WORD_TYPE_FORMAT]) &&
	       command[WORD_TYPE_WIDTH] <= VIRGL_MAX_SIZE &&
	       command[WORD_TYPE_HEIGHT] <= VIRGL_MAX_SIZE;
}

static bool accept(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	(void)virgl;
	(void)command;
	(void)n;
	return true;
}

/* Of those that are not here, or have no check, the library checks each word. */
static const struct row rows[VIRGL_N_COMMANDS] = {
	[VIRGL_CREATE_OBJECT] = { 1, virgl_stream_check_object },
	[VIRGL_DRAW_VBO] = { 12, check_draw },
	[VIRGL_RESOURCE_INLINE_WRITE] = { 11, check_transfer },
	[VIRGL_SET_INDEX_BUFFER] = { 3, check_index_buffer },
	[VIRGL_BLIT] = { 21, virgl_stream_check_blit },
	[VIRGL_RESOURCE_COPY_REGION] = { 13, virgl_stream_check_copy },
	[VIRGL_SET_RENDER_CONDITION] = { 3, check_render_condition },
	[VIRGL_CREATE_SUB_CTX] = { 1, accept },
	[VIRGL_DESTROY_SUB_CTX] = { 1, accept },
	[VIRGL_SET_SHADER_IMAGES] = { 2, check_images },
	[VIRGL_LAUNCH_GRID] = { 8, check_grid },
	[VIRGL_GET_QUERY_RESULT_QBO] = { 6, check_query_buffer },
	[VIRGL_TRANSFER3D] = { 13, check_transfer },
	[VIRGL_COPY_TRANSFER3D] = { 14, check_transfer },
	[VIRGL_CLEAR_TEXTURE] = { 12, virgl_stream_check_clear },
	[VIRGL_PIPE_RESOURCE_CREATE] = { 0, refuse_resource },
	[VIRGL_PIPE_RESOURCE_SET_TYPE] = { 8, check_resource_type },
	[VIRGL_GET_MEMORY_INFO] = { 1, virgl_stream_check_memory_info },
};

/* A shader of which more is to come, or that goes on. */
static bool is_part_of_shader(const uint32_t *command, uint32_t n)
{
	return VIRGL_COMMAND(command[0]) == VIRGL_CREATE_OBJECT &&
	       VIRGL_OBJECT(command[0]) == VIRGL_OBJECT_SHADER && virgl_stream_is_part(command, n);
}

bool virgl_check_stream(const struct virgl *virgl, const uint32_t *stream, size_t n_words,
			bool *ret_is_special)
{
	size_t n;

	*ret_is_special = false;
	for (; n_words > 0; stream += n, n_words -= n) {
		uint32_t command = VIRGL_COMMAND(stream[0]);

		n = (size_t)VIRGL_N_WORDS(stream[0]) + 1;
		if (n > n_words)
			return true; /* the library goes no further either */
		if (command >= N_ELEMENTS(rows) || !rows[command].check ||
		    n <= rows[command].min_words)
			continue;
		if (!rows[command].check(virgl, stream, (uint32_t)(n - 1)))
			return false;
		*ret_is_special |= is_part_of_shader(stream, (uint32_t)(n - 1));
	}
	return true;
}
