// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Checks the words that create objects, with a row for each kind of object, as stream.c has one for
 * each command.
 */
#include "render/virgl/stream_private.h"
#include "render/virgl/virgl_private.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#define FIELD(word, shift, bits) ((word) >> (shift) & ((1u << (bits)) - 1))

/* Eight words, one for each render target: enabled, functions and factors. */
#define WORD_BLEND_TARGET 4
#define N_BLEND_TARGETS   8
#define MAX_BLEND         4
/* Factors 1 to 10, 0x11 to 0x15 and 0x17 to 0x1a. */
#define BLEND_FACTORS 0x07be07feu

static bool is_factor(uint32_t factor)
{
	return BLEND_FACTORS >> factor & 1;
}

static bool check_blend(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	(void)virgl;
	(void)n;
	for (unsigned i = 0; i < N_BLEND_TARGETS; i++) {
		uint32_t target = command[WORD_BLEND_TARGET + i];

		if (!(target & 1))
			continue;
		if (FIELD(target, 1, 3) > MAX_BLEND || FIELD(target, 14, 3) > MAX_BLEND ||
		    !is_factor(FIELD(target, 4, 5)) || !is_factor(FIELD(target, 9, 5)) ||
		    !is_factor(FIELD(target, 17, 5)) || !is_factor(FIELD(target, 22, 5)))
			return false;
	}
	return true;
}

/* Each vertex element has four words, after the handle; the format is the last. */
#define WORD_ELEMENT_BUFFER 4
#define WORD_ELEMENT_FORMAT 5
#define ELEMENT_WORDS       4

static bool check_vertex_elements(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	if (n > 1 + VIRGL_MAX_ATTRIBUTES * ELEMENT_WORDS)
		return false;
	for (uint32_t at = 0; at + WORD_ELEMENT_FORMAT <= n; at += ELEMENT_WORDS)
		if (command[at + WORD_ELEMENT_BUFFER] >= VIRGL_MAX_ATTRIBUTES ||
		    !virgl_formats_has(&virgl->formats, command[at + WORD_ELEMENT_FORMAT]))
			return false;
	return true;
}

#define WORD_VIEW_RESOURCE 2
#define WORD_VIEW_FORMAT   3
#define WORD_VIEW_LAYERS   4
#define WORD_VIEW_LEVELS   5
#define WORD_VIEW_SWIZZLE  6
#define MAX_SWIZZLE        5

/* Whether the first and the last index in @word, of @bits bits each, are in order: OpenGL drivers
 * do not handle an empty view. */
static bool is_range(uint32_t word, unsigned bits)
{
	return FIELD(word, 0, bits) <= FIELD(word, bits, bits);
}

/* The high byte of the format is the target; 0 (a buffer) means the target of the texture. */
static bool check_sampler_view(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	const struct virgl_resource *resource =
		virgl_stream_find(virgl, command[WORD_VIEW_RESOURCE]);
	uint32_t format = command[WORD_VIEW_FORMAT] & 0xffffff;
	uint32_t target = command[WORD_VIEW_FORMAT] >> 24;
	uint32_t swizzle = command[WORD_VIEW_SWIZZLE];

	(void)n;
	for (unsigned i = 0; i < 4; i++)
		if (FIELD(swizzle, 3 * i, 3) > MAX_SWIZZLE)
			return false;
	if (resource && target == VIRGL_TARGET_BUFFER)
		target = resource->args.target;
	if (target != VIRGL_TARGET_BUFFER &&
	    (!is_range(command[WORD_VIEW_LEVELS], 8) || !is_range(command[WORD_VIEW_LAYERS], 16)))
		return false;
	return virgl_formats_has(&virgl->formats, format) && target < VIRGL_N_TARGETS;
}

#define WORD_SURFACE_RESOURCE 2
#define WORD_SURFACE_FORMAT   3
#define WORD_SURFACE_LAYERS   5
#define WORD_SURFACE_SAMPLES  6

static bool check_surface(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	uint32_t id = command[WORD_SURFACE_RESOURCE], format = command[WORD_SURFACE_FORMAT];

	return virgl_stream_is_texture(virgl, id) && virgl_formats_has(&virgl->formats, format) &&
	       virgl_stream_can_draw_as(virgl, id, format) &&
	       is_range(command[WORD_SURFACE_LAYERS], 16) &&
	       (n < WORD_SURFACE_SAMPLES || command[WORD_SURFACE_SAMPLES] <= VIRGL_MAX_SAMPLES);
}

#define WORD_QUERY_TYPE     2
#define WORD_QUERY_RESOURCE 4
#define MAX_QUERY           13
#define MAX_QUERY_INDEX     16
#define QUERY_BYTES         16

/* The library writes the whole result; if the resource has no backing, it writes to memory of its
 * own that is as large as the resource. So the resource must have room for the result. */
static bool check_query(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	uint32_t type = command[WORD_QUERY_TYPE] & 0xffff, index = command[WORD_QUERY_TYPE] >> 16;
	const struct virgl_resource *resource =
		virgl_stream_find(virgl, command[WORD_QUERY_RESOURCE]);

	(void)n;
	return type <= MAX_QUERY && index <= MAX_QUERY_INDEX &&
	       (!resource || resource->args.width >= QUERY_BYTES);
}

/* Resource, offset, size. */
static bool check_output_target(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	(void)n;
	return virgl_stream_check_buffers(virgl, command, 2, 1, 2);
}

static const struct {
	uint8_t min_words;
	bool (*check)(const struct virgl *virgl, const uint32_t *command, uint32_t n);
} rows[VIRGL_N_OBJECTS] = {
	[VIRGL_OBJECT_BLEND] = { 11, check_blend },
	[VIRGL_OBJECT_SHADER] = { 5, virgl_stream_check_shader },
	[VIRGL_OBJECT_VERTEX_ELEMENTS] = { 1, check_vertex_elements },
	[VIRGL_OBJECT_SAMPLER_VIEW] = { 6, check_sampler_view },
	[VIRGL_OBJECT_SURFACE] = { 5, check_surface },
	[VIRGL_OBJECT_QUERY] = { 4, check_query },
	[VIRGL_OBJECT_STREAMOUT_TARGET] = { 4, check_output_target },
	[VIRGL_OBJECT_MSAA_SURFACE] = { 6, check_surface },
};

bool virgl_stream_check_object(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	uint32_t object = VIRGL_OBJECT(command[0]);

	if (object >= N_ELEMENTS(rows) || !rows[object].check || n < rows[object].min_words)
		return true;
	return rows[object].check(virgl, command, n);
}
