// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Commands that copy between resources, or write to the backing of one. Levels and layers are
 * compared with those of the resource, except for blobs, whose properties are not known here.
 */
#include <glib.h>

#include "render/block.h"
#include "render/virgl/stream_private.h"
#include "render/virgl/virgl_private.h"

/* struct virgl_memory_info */
#define MEMORY_INFO_BYTES 24

static const struct virgl_resource *find(const struct virgl *virgl, uint32_t id)
{
	return g_hash_table_lookup(virgl->resources, GUINT_TO_POINTER(id));
}

const struct virgl_resource *virgl_stream_find(const struct virgl *virgl, uint32_t id)
{
	const struct virgl_resource *resource = find(virgl, id);

	return resource && resource->args.width > 0 ? resource : NULL;
}

static uint32_t count_layers(const struct virgl_resource *resource, uint32_t level)
{
	if (!resource)
		return VIRGL_MAX_LAYER;
	if (resource->args.target == VIRGL_TARGET_3D)
		return MAX(resource->args.depth >> level, 1);
	return MAX(resource->args.array_size, 1);
}

/* @z and @depth are signed: a blit can mirror the image. */
static bool check_layers(const struct virgl *virgl, uint32_t id, uint32_t level, uint32_t z,
			 uint32_t depth)
{
	const struct virgl_resource *resource = virgl_stream_find(virgl, id);
	int64_t first = (int32_t)z, last = first + (int32_t)depth, layers;

	if (level > (resource ? resource->args.last_level : VIRGL_MAX_LEVEL))
		return false;
	layers = count_layers(resource, level);
	return MIN(first, last) >= 0 && MAX(first, last) <= layers;
}

/* Resource, level, usage, stride, layer stride, then x, y, z, width, height, depth of a box. The
 * library treats levels as signed, and writes to a wrong address for a negative one. It checks the
 * end of the layers, but neither the first layer nor their number. */
#define WORD_TRANSFER_RESOURCE     1
#define WORD_TRANSFER_LEVEL        2
#define WORD_TRANSFER_STRIDE       4
#define WORD_TRANSFER_LAYER_STRIDE 5
#define WORD_TRANSFER_Z            8
#define WORD_TRANSFER_HEIGHT       10
#define WORD_TRANSFER_DEPTH        11

bool virgl_stream_check_transfer(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	uint32_t id = command[WORD_TRANSFER_RESOURCE], level = command[WORD_TRANSFER_LEVEL];
	uint32_t depth = command[WORD_TRANSFER_DEPTH];

	(void)n;
	return depth <= VIRGL_MAX_LAYER &&
	       check_layers(virgl, id, level, command[WORD_TRANSFER_Z], depth) &&
	       virgl_check_transfer(
		       virgl_stream_find(virgl, id), level, command[WORD_TRANSFER_STRIDE],
		       command[WORD_TRANSFER_LAYER_STRIDE], command[WORD_TRANSFER_HEIGHT], depth);
}

/* A buffer has no texture: OpenGL would use the texture that has the buffer's number. */
bool virgl_stream_is_texture(const struct virgl *virgl, uint32_t id)
{
	const struct virgl_resource *resource = virgl_stream_find(virgl, id);

	return !resource || resource->args.target != VIRGL_TARGET_BUFFER;
}

/* OpenGL cannot draw to formats with a shared exponent. If @format is not the texture's, the
 * library makes a view of the texture. Mesa does not check the format of a view, and llvmpipe
 * crashes. */
bool virgl_stream_can_draw_as(const struct virgl *virgl, uint32_t id, uint32_t format)
{
	const struct virgl_resource *resource = virgl_stream_find(virgl, id);

	return format != VIRGL_FORMAT_R9G9B9E5 || !resource || resource->format == format;
}

/* Destination and source each have: resource, level, format, then a box. */
#define WORD_BLIT_DST 4
#define WORD_BLIT_SRC 13

static bool check_blit_side(const struct virgl *virgl, const uint32_t *side)
{
	return virgl_stream_is_texture(virgl, side[0]) &&
	       virgl_formats_has(&virgl->formats, side[2]) &&
	       check_layers(virgl, side[0], side[1], side[5], side[8]);
}

bool virgl_stream_check_blit(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	const uint32_t *dst = command + WORD_BLIT_DST;

	(void)n;
	return virgl_stream_can_draw_as(virgl, dst[0], dst[2]) && check_blit_side(virgl, dst) &&
	       check_blit_side(virgl, command + WORD_BLIT_SRC);
}

#define WORD_COPY_DST 1
#define WORD_COPY_SRC 6

static uint32_t count_samples(const struct virgl_resource *resource)
{
	return MAX(resource->args.nr_samples, 1);
}

static bool are_alike(const struct virgl_resource *to, const struct virgl_resource *from)
{
	return count_samples(to) == count_samples(from) &&
	       (to->args.target == VIRGL_TARGET_BUFFER) ==
		       (from->args.target == VIRGL_TARGET_BUFFER);
}

/* Between textures with different numbers of samples, the library copies uninitialised memory, so
 * that is refused. A copy between a buffer and a texture is refused too, because a buffer has
 * neither levels nor layers. */
bool virgl_stream_check_copy(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	const uint32_t *dst = command + WORD_COPY_DST, *src = command + WORD_COPY_SRC;
	const struct virgl_resource *to = virgl_stream_find(virgl, dst[0]);
	const struct virgl_resource *from = virgl_stream_find(virgl, src[0]);

	(void)n;
	if (to && from && !are_alike(to, from))
		return false;
	return check_layers(virgl, dst[0], dst[1], dst[4], src[7]) &&
	       check_layers(virgl, src[0], src[1], src[4], src[7]);
}

/* Resources for queries and staging have no OpenGL buffer. If one is bound, OpenGL may have no
 * buffer there, and then uses offsets as addresses. */
#define BIND_CUSTOM  (1u << 17)
#define BIND_STAGING (1u << 19)

static bool is_buffer(const struct virgl *virgl, uint32_t id)
{
	const struct virgl_resource *resource = virgl_stream_find(virgl, id);

	return !resource ||
	       (resource->args.target == VIRGL_TARGET_BUFFER &&
		resource->args.bind != BIND_CUSTOM && resource->args.bind != BIND_STAGING);
}

bool virgl_stream_check_buffers(const struct virgl *virgl, const uint32_t *command, uint32_t first,
				uint32_t step, uint32_t n)
{
	for (uint32_t at = first; at <= n; at += step)
		if (!is_buffer(virgl, command[at]))
			return false;
	return true;
}

#define COPY_WORDS 13

/* @first and @size are signed. Sizes are rounded up to whole blocks, because a small level may be
 * smaller than a block. */
static bool is_outside(uint32_t first, uint32_t size, uint32_t all, uint32_t block)
{
	int64_t end = (all + block - 1) / block * block;

	return (int32_t)first < 0 || (int32_t)size < 0 || (int64_t)first + size > end;
}

/* The library may copy on the CPU, and then does not clip the box. */
bool virgl_stream_is_outside(const struct virgl *virgl, const uint32_t *command)
{
	const uint32_t *src = command + WORD_COPY_SRC;
	const struct virgl_resource *from;
	struct block block = { .width = 1, .height = 1 };
	struct renderer_box all;

	if (VIRGL_COMMAND(command[0]) != VIRGL_RESOURCE_COPY_REGION ||
	    VIRGL_N_WORDS(command[0]) < COPY_WORDS)
		return false;
	from = virgl_stream_find(virgl, src[0]);
	if (!from)
		return false;
	(void)block_of_format(from->format, &block);
	all = virgl_resource_level(from, src[1]);
	return is_outside(src[2], src[5], all.width, block.width) ||
	       is_outside(src[3], src[6], all.height, block.height);
}

#define WORD_CLEAR 1

/* If OpenGL lacks the function, the loader that the library uses (epoxy) ends the process. */
bool virgl_stream_check_clear(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	const uint32_t *clear = command + WORD_CLEAR;

	(void)n;
	return virgl->can_clear_texture && virgl_stream_is_texture(virgl, clear[0]) &&
	       check_layers(virgl, clear[0], clear[1], clear[4], clear[7]);
}

/* The library writes to the first iovec of the backing without checking its size. */
bool virgl_stream_check_memory_info(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	const struct virgl_resource *resource = find(virgl, command[1]);

	(void)n;
	return !resource || (resource->n_iov > 0 && resource->iov[0].iov_len >= MEMORY_INFO_BYTES);
}

/* The library writes to the backing, or, if there is none, to memory of its own, which only some
 * buffers have: for all other resources it writes to address 0. */
bool virgl_stream_check_layout(const struct virgl *virgl, const uint32_t *command, uint32_t n)
{
	const struct virgl_resource *resource = find(virgl, command[1]);

	(void)n;
	return !resource || resource->n_iov > 0;
}
