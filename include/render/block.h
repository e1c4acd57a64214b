// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The memory layout of a format: rows of blocks. In formats that are not compressed, a block is one
 * pixel. */
struct block {
	uint32_t width, height; /* pixels */
	uint32_t size;          /* bytes */
};

/* Sets *@ret to the block that a 3D format, in virgl's numbering, has in guest memory. Returns
 * false if the format is not known; no texture of such a format is read back. The bounds of
 * transfers depend on it (virgl/check.c). */
bool block_of_format(uint32_t format, struct block *ret);
/* The bytes of a row of blocks that covers @width pixels, without padding. */
uint64_t block_row_bytes(const struct block *block, uint32_t width);
/* How many rows of blocks cover @height rows of pixels. */
uint64_t block_count_rows(const struct block *block, uint32_t height);
