// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Rejects transfers that crash the library. The library compares the bytes that a transfer spans
 * with the size of the memory, but in 32 bits: if the sum wraps, its check passes, and it then
 * reads gigabytes past the guest's memory. Any guest can send such strides, in a command of its own
 * or inside a command stream (stream.c). So the span of each transfer is computed here too, in 64
 * bits. A stride of 0 stands for tight rows or layers of the level, as in the library.
 */
#include "render/block.h"
#include "render/virgl/virgl_private.h"

/* Assumed where the resource or its format is not known: the largest texture, the largest pixel. */
static const struct renderer_box largest_level = { .width = VIRGL_MAX_SIZE,
						   .height = VIRGL_MAX_SIZE };
static const struct block largest_block = { .width = 1, .height = 1, .size = 16 };

/* Takes @n times @size from *@left. Returns false if that is more than is left. */
static bool take(uint64_t *left, uint64_t n, uint64_t size)
{
	if (n > 0 && size > *left / n)
		return false;
	*left -= n * size;
	return true;
}

bool virgl_check_transfer(const struct virgl_resource *resource, uint32_t level, uint32_t stride,
			  uint32_t layer_stride, uint32_t height, uint32_t depth)
{
	const struct renderer_box all =
		resource ? virgl_resource_level(resource, level) : largest_level;
	struct block block;
	uint64_t left = UINT32_MAX;

	if (!resource || !block_of_format(resource->format, &block))
		block = largest_block;
	uint64_t row = block_row_bytes(&block, all.width);
	uint64_t step = stride ? stride : row;
	uint64_t layer = layer_stride ? layer_stride : step * block_count_rows(&block, all.height);
	uint64_t rows = block_count_rows(&block, height);

	return take(&left, 1, row) && take(&left, rows > 0 ? rows - 1 : 0, step) &&
	       take(&left, depth > 0 ? depth - 1 : 0, layer);
}
