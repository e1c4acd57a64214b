// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Walks a command stream and refuses commands that would crash the library. The library checks most
 * words of a stream. The words that it uses unchecked as an index, a count or an enum value are
 * checked here, with one row of the table for each command. Only these are refused: values that no
 * OpenGL accepts, draws and grids that would run for too long, and the commands that prepare a host
 * blob. So other streams of Mesa always pass. Commands that are too short or unknown are passed on,
 * because the library refuses them without harm.
 *
 * stream_object.c checks objects, stream_shader.c shaders, and stream_resource.c the commands that
 * depend on the guest's resources.
 */
#include "render/virgl/stream_private.h"

#include <stdlib.h>

#include "render/virgl/virgl_private.h"

#define LOG_MODULE "virgl"
#include "base/log.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* A check is called only if at least @min_words follow the header. */
struct row {
	const char *name;
	uint8_t min_words;
	bool (*check)(const struct virgl *virgl, const uint32_t *command, uint32_t n);
};

/* Formats below this number exist in every version of the library, except for gaps in the
 * numbering. */
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

#define WORD_DRAW_COUNT         2
#define WORD_DRAW_MODE          3
#define WORD_DRAW_INSTANCES     5
#define WORD_DRAW_COUNT_FROM_SO 12
#define WORD_DRAW_PATCH         13
#define WORD_DRAW_INDIRECT      18
#define WORD_DRAW_COMMANDS      15
#define WORD_DRAW_COUNTER       20

static bool check_draw(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	uint64_t count = command[WORD_DRAW_COUNT], instances = command[WORD_DRAW_INSTANCES];

	if (command[WORD_DRAW_MODE] > VIRGL_MAX_PRIMITIVE || count > VIRGL_MAX_VERTICES ||
	    command[WORD_DRAW_COUNT_FROM_SO] > VIRGL_MAX_VERTICES ||
	    instances > VIRGL_MAX_INSTANCES || count * instances > VIRGL_MAX_DRAWN)
		return false;
	if (n >= WORD_DRAW_PATCH && command[WORD_DRAW_PATCH] > VIRGL_MAX_PATCH)
		return false;
	return (n < WORD_DRAW_INDIRECT || command[WORD_DRAW_INDIRECT] <= VIRGL_MAX_INSTANCES) &&
	       virgl_stream_check_buffers(virgl, command, WORD_DRAW_COMMANDS,
					  WORD_DRAW_COUNTER - WORD_DRAW_COMMANDS,
					  MIN(n, WORD_DRAW_COUNTER));
}

#define WORD_INDEX_SIZE 2

static bool check_index_buffer(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	uint32_t size = command[WORD_INDEX_SIZE];

	(void)n;
	return (size == 0 || size == 1 || size == 2 || size == 4) &&
	       virgl_stream_check_buffers(virgl, command, 1, 1, 1);
}

/* Stride, offset, resource. */
static bool check_vertex_buffers(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	return virgl_stream_check_buffers(virgl, command, 3, 3, n);
}

/* Type, index, offset, length, resource. */
static bool check_uniform_buffer(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	(void)n;
	return virgl_stream_check_buffers(virgl, command, 5, 1, 5);
}

/* Words: type (not for atomic buffers) and first slot; then offset, length, resource of each. */
static bool check_shader_buffers(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	return virgl_stream_check_buffers(virgl, command, 5, 3, n);
}

static bool check_atomic_buffers(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	return virgl_stream_check_buffers(virgl, command, 4, 3, n);
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

#define WORD_GRID          4
#define WORD_GRID_COMMANDS 7

static bool check_grid(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	const uint32_t *grid = command + WORD_GRID;
	uint64_t plane = (uint64_t)grid[0] * grid[1];

	(void)n;
	return plane <= VIRGL_MAX_GROUPS && (plane == 0 || grid[2] <= VIRGL_MAX_GROUPS / plane) &&
	       virgl_stream_check_buffers(virgl, command, WORD_GRID_COMMANDS, 1,
					  WORD_GRID_COMMANDS);
}

#define WORD_QBO       2
#define WORD_QBO_TYPE  4
#define MAX_QUERY_TYPE 3

static bool check_query_buffer(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	(void)n;
	return command[WORD_QBO_TYPE] <= MAX_QUERY_TYPE &&
	       virgl_stream_check_buffers(virgl, command, WORD_QBO, 1, WORD_QBO);
}

/* Refuses a command that makes a resource for a later host blob. OpenGL contexts have no host
 * blobs, and the library never frees a resource that no blob has taken. */
static bool refuse(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	(void)virgl;
	(void)command;
	(void)n;
	return false;
}

/* For commands without a row or a check, the library checks each word itself. */
static const struct row rows[VIRGL_N_COMMANDS] = {
	[VIRGL_CREATE_OBJECT] = { "CREATE_OBJECT", 1, virgl_stream_check_object },
	[VIRGL_DRAW_VBO] = { "DRAW_VBO", 12, check_draw },
	[VIRGL_RESOURCE_INLINE_WRITE] = { "RESOURCE_INLINE_WRITE", 11,
					  virgl_stream_check_transfer },
	[VIRGL_SET_VERTEX_BUFFERS] = { "SET_VERTEX_BUFFERS", 3, check_vertex_buffers },
	[VIRGL_SET_INDEX_BUFFER] = { "SET_INDEX_BUFFER", 3, check_index_buffer },
	[VIRGL_BLIT] = { "BLIT", 21, virgl_stream_check_blit },
	[VIRGL_RESOURCE_COPY_REGION] = { "RESOURCE_COPY_REGION", 13, virgl_stream_check_copy },
	[VIRGL_SET_RENDER_CONDITION] = { "SET_RENDER_CONDITION", 3, check_render_condition },
	[VIRGL_SET_UNIFORM_BUFFER] = { "SET_UNIFORM_BUFFER", 5, check_uniform_buffer },
	[VIRGL_SET_SHADER_BUFFERS] = { "SET_SHADER_BUFFERS", 5, check_shader_buffers },
	[VIRGL_SET_ATOMIC_BUFFERS] = { "SET_ATOMIC_BUFFERS", 4, check_atomic_buffers },
	[VIRGL_SET_SHADER_IMAGES] = { "SET_SHADER_IMAGES", 2, check_images },
	[VIRGL_LAUNCH_GRID] = { "LAUNCH_GRID", 8, check_grid },
	[VIRGL_GET_QUERY_RESULT_QBO] = { "GET_QUERY_RESULT_QBO", 6, check_query_buffer },
	[VIRGL_TRANSFER3D] = { "TRANSFER3D", 13, virgl_stream_check_transfer },
	[VIRGL_COPY_TRANSFER3D] = { "COPY_TRANSFER3D", 14, virgl_stream_check_transfer },
	[VIRGL_CLEAR_TEXTURE] = { "CLEAR_TEXTURE", 12, virgl_stream_check_clear },
	[VIRGL_PIPE_RESOURCE_CREATE] = { "PIPE_RESOURCE_CREATE", 0, refuse },
	[VIRGL_PIPE_RESOURCE_SET_TYPE] = { "PIPE_RESOURCE_SET_TYPE", 0, refuse },
	[VIRGL_GET_MEMORY_INFO] = { "GET_MEMORY_INFO", 1, virgl_stream_check_memory_info },
	[VIRGL_GET_RESOURCE_LAYOUT] = { "GET_PIPE_RESOURCE_LAYOUT", 2, virgl_stream_check_layout },
};

static bool refuse_stream(uint32_t header)
{
	log_debug("refused a command stream because of its command %s (number %u, object %u)",
		  rows[VIRGL_COMMAND(header)].name, VIRGL_COMMAND(header), VIRGL_OBJECT(header));
	return false;
}

bool virgl_check_stream(const struct virgl *virgl, const uint32_t *stream, size_t n_words)
{
	size_t n;

	for (; n_words > 0; stream += n, n_words -= n) {
		uint32_t command = VIRGL_COMMAND(stream[0]);

		n = (size_t)VIRGL_N_WORDS(stream[0]) + 1;
		if (n > n_words)
			return true; /* the library stops here too */
		if (command >= N_ELEMENTS(rows) || !rows[command].check ||
		    n <= rows[command].min_words)
			continue;
		if (!rows[command].check(virgl, stream, (uint32_t)(n - 1)))
			return refuse_stream(stream[0]);
	}
	return true;
}
