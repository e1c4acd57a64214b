// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Keeps from the library what it is known not to survive. It compares the bytes that a transfer
 * spans with the bytes that there are, but in 32 bits: strides whose sum wraps pass its check, and
 * it then reads gigabytes past the guest's memory. Any guest can send such strides, in a command of
 * its own or inside of a command stream, where three commands carry them. So each transfer is added
 * up here as well, in 64 bits, and streams are walked, header by header, for the three.
 *
 * What is inside of a box, and rows and layers that are tight (stride 0), are the library's to
 * check: it does so well for all resources of less than 4 GiB.
 */
#include "render/virgl/virgl_private.h"

/* virgl's protocol: the header's low byte is the command, its high half the words that follow. */
#define COMMAND_INLINE_WRITE    9
#define COMMAND_TRANSFER3D      43
#define COMMAND_COPY_TRANSFER3D 45

/* Words of these three, the header being word 0. */
#define WORD_STRIDE       4
#define WORD_LAYER_STRIDE 5
#define WORD_HEIGHT       10
#define WORD_DEPTH        11

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

bool virgl_check_stream(const uint32_t *stream, size_t n_words)
{
	size_t n;

	for (; n_words > 0; stream += n, n_words -= n) {
		uint8_t command = (uint8_t)stream[0];

		n = (size_t)(stream[0] >> 16) + 1;
		if (n > n_words)
			return true; /* the library goes no further either */
		if (command != COMMAND_INLINE_WRITE && command != COMMAND_TRANSFER3D &&
		    command != COMMAND_COPY_TRANSFER3D)
			continue;
		if (n > WORD_DEPTH &&
		    !virgl_check_transfer(stream[WORD_STRIDE], stream[WORD_LAYER_STRIDE],
					  stream[WORD_HEIGHT], stream[WORD_DEPTH]))
			return false;
	}
	return true;
}
