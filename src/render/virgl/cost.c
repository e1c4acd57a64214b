// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Estimates the host memory, in bytes, that the driver allocates for resources and objects. Drivers
 * on the CPU (llvmpipe) round the bytes of a row up to a multiple of 64 and the rows of a layer up
 * to a multiple of four, for all levels and samples, and write to all of them. GPUs have tiles of 4
 * KiB, often in host memory too.
 *
 * The costs of objects were measured with virglrenderer 0.10 and 1.1 and Mesa 22.3 and 25.0, with
 * 20 to 20,000 objects of each kind, and rounded up.
 */
#include "render/pixels.h"
#include "render/virgl/virgl_private.h"

/* The largest result of multiply(), so that the sum of the costs of all levels fits 63 bits. */
#define MAX_BYTES (UINT64_C(1) << 58)

#define RESOURCE_BYTES 4096 /* beside its pixels */
#define PAGE_BYTES     4096
#define MAP_MIN_BYTES  (128 * 1024) /* from here on an allocation has pages of its own */

struct tile {
	uint32_t row_bytes, rows;
};

static const struct tile cpu_tile = { 64, 4 };
static const struct tile gpu_tile = { 128, 32 };

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static uint64_t multiply(uint64_t a, uint64_t b)
{
	return b > 0 && a > MAX_BYTES / b ? MAX_BYTES : a * b;
}

static bool is_1d(const struct renderer_resource_args *args)
{
	return args->target == RENDERER_TARGET_1D || args->target == RENDERER_TARGET_1D_ARRAY;
}

static uint64_t count_layers(const struct renderer_resource_args *args, uint32_t level)
{
	if (args->target == RENDERER_TARGET_3D)
		return MAX(args->depth >> level, 1);
	return multiply(multiply(args->depth, args->array_size), MAX(args->nr_samples, 1));
}

static uint64_t level_cost(const struct renderer_resource_args *args, const struct tile *tile,
			   uint32_t level)
{
	uint64_t width = MAX(args->width >> level, 1), height = MAX(args->height >> level, 1);
	uint64_t row = round_up(round_up(width, 4) * pixels_size(args->format), tile->row_bytes);
	uint64_t rows = is_1d(args) ? height : round_up(height, tile->rows);

	return multiply(multiply(row, rows), count_layers(args, level));
}

uint64_t virgl_cost_of_resource(struct renderer *renderer,
				const struct renderer_resource_args *args)
{
	const struct tile *tile =
		virgl_of(renderer)->driver == VIRGL_DRIVER_CPU ? &cpu_tile : &gpu_tile;
	uint64_t bytes = 0;

	if (args->target == RENDERER_TARGET_BUFFER)
		bytes = args->width;
	else
		for (uint32_t level = 0; level <= args->last_level; level++)
			bytes += level_cost(args, tile, level);
	/* The allocator's header makes it one page more. */
	return RESOURCE_BYTES + (bytes < MAP_MIN_BYTES ? bytes : round_up(bytes + 1, PAGE_BYTES));
}

#define OWN_BYTES 64 /* our own record of an object */

/* For a view or a surface the library may make a separate texture. */
static const uint16_t object_bytes[VIRGL_N_OBJECTS] = {
	[VIRGL_OBJECT_BLEND] = 256,
	[VIRGL_OBJECT_RASTERIZER] = 256,
	[VIRGL_OBJECT_DSA] = 256,
	[VIRGL_OBJECT_SHADER] = 12 * 1024,
	[VIRGL_OBJECT_VERTEX_ELEMENTS] = 4096,
	[VIRGL_OBJECT_SAMPLER_VIEW] = 2048,
	[VIRGL_OBJECT_SAMPLER_STATE] = 512,
	[VIRGL_OBJECT_SURFACE] = 2048,
	[VIRGL_OBJECT_QUERY] = 512,
	[VIRGL_OBJECT_STREAMOUT_TARGET] = 256,
	[VIRGL_OBJECT_MSAA_SURFACE] = 2048,
};

/* Bytes for each byte of a shader's text: memory that the library keeps, and compiled code. */
#define KEPT_PER_BYTE     16
#define COMPILED_PER_BYTE 192

uint64_t virgl_cost_of_object(uint32_t object, uint32_t text_bytes)
{
	if (object >= VIRGL_N_OBJECTS)
		return OWN_BYTES;
	return OWN_BYTES + object_bytes[object] + (uint64_t)text_bytes * KEPT_PER_BYTE;
}

uint64_t virgl_cost_of_code(uint32_t text_bytes)
{
	return (uint64_t)text_bytes * COMPILED_PER_BYTE;
}
