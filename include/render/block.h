// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How a format lies in memory: rows of blocks. Formats that are not compressed have a block for
 * each pixel. */
struct block {
	uint32_t width, height; /* pixels */
	uint32_t size;          /* bytes */
};

/* The block of a 3D format, as virgl numbers them, in guest memory. False if it is not known: no
 * texture of such a format is read back. */
bool block_of_format(uint32_t format, struct block *ret);
