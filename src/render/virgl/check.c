// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Rejects transfers that crash the library. The library compares the bytes that a transfer spans
 * with the size of the memory, but in 32 bits: if the sum wraps, its check passes, and it then
 * reads gigabytes past the guest's memory. Any guest can send such strides, in a command of its own
 * or inside a command stream (stream.c). So the span of each transfer is computed here too, in 64
 * bits.
 *
 * The library checks the box itself, and tight rows and layers (stride 0), correctly for all
 * resources of less than 4 GiB.
 */
#include "render/virgl/virgl_private.h"

/* The height assumed for layers whose stride is 0 (the default of --max-dimension); the largest
 * size of a row in bytes, rounded up. */
#define MAX_HEIGHT 16384
#define MAX_ROW    (1 << 20)

bool virgl_check_transfer(uint32_t stride, uint32_t layer_stride, uint32_t height, uint32_t depth)
{
	const uint64_t most = UINT32_MAX - MAX_ROW;
	uint64_t rows = height > 0 ? height - 1 : 0, layers = depth > 0 ? depth - 1 : 0;
	uint64_t layer = layer_stride ? layer_stride : (uint64_t)stride * MAX_HEIGHT;

	return rows * stride <= most && (layers == 0 || layer <= (most - rows * stride) / layers);
}
