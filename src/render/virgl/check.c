// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Keeps from the library what it is known not to survive. It compares the bytes that a transfer
 * spans with the bytes that there are, but in 32 bits: strides whose sum wraps pass its check, and
 * it then reads gigabytes past the guest's memory. Any guest can send such strides, in a command of
 * its own or inside of a command stream (stream.c). So each transfer is added up here as well, in
 * 64 bits.
 *
 * What is inside of a box, and rows and layers that are tight (stride 0), are the library's to
 * check: it does so well for all resources of less than 4 GiB.
 */
#include "render/virgl/virgl_private.h"

/* Nothing is taller than that in OpenGL; what a row takes at most, rounded up. */
#define MAX_HEIGHT 16384
#define MAX_ROW    (1 << 20)

bool virgl_check_transfer(uint32_t stride, uint32_t layer_stride, uint32_t height, uint32_t depth)
{
	const uint64_t most = UINT32_MAX - MAX_ROW;
	uint64_t rows = height > 0 ? height - 1 : 0, layers = depth > 0 ? depth - 1 : 0;
	uint64_t layer = layer_stride ? layer_stride : (uint64_t)stride * MAX_HEIGHT;

	return rows * stride <= most && (layers == 0 || layer <= (most - rows * stride) / layers);
}
