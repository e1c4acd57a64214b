// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The sizes of virgl's formats in guest memory. The protocol (virgl_hw.h) defines them, so they are
 * the same for every version of the library. The size that a driver uses for a format is given by
 * pixels_size(). A wrong size here would corrupt the pixels that a guest reads back. And
 * virgl/check.c computes with these sizes which transfers are too large for the library: a size
 * that is too small would let a transfer pass whose span wraps in the library.
 */
#include "render/block.h"

#include <glib.h>

#define FIRST_ASTC      279
#define FIRST_ASTC_SRGB 293

/* X24S8_UINT (136) is left out: the library makes OpenGL copy only one of its four bytes. */

/* Each format from first to last has size bytes a pixel. If size is 0, each has channel_size bytes
 * a channel, and the formats have one, two, three and four channels in turn. */
static const struct {
	uint16_t first, last;
	uint8_t size, channel_size;
} plain[] = {
	{ 1, 4, 4, 0 },      { 5, 7, 2, 0 },     { 8, 8, 4, 0 },     { 9, 11, 1, 0 },
	{ 12, 13, 2, 0 },    { 16, 16, 2, 0 },   { 17, 22, 4, 0 },   { 23, 23, 1, 0 },
	{ 24, 27, 0, 8 },    { 28, 47, 0, 4 },   { 48, 63, 0, 2 },   { 64, 66, 0, 1 },
	{ 67, 68, 4, 0 },    { 69, 72, 0, 1 },   { 74, 77, 0, 1 },   { 82, 85, 0, 1 },
	{ 87, 90, 0, 4 },    { 91, 94, 0, 2 },   { 95, 97, 0, 1 },   { 98, 104, 4, 0 },
	{ 121, 121, 4, 0 },  { 122, 122, 2, 0 }, { 123, 125, 4, 0 }, { 126, 126, 8, 0 },
	{ 128, 129, 4, 0 },  { 130, 130, 1, 0 }, { 131, 131, 4, 0 }, { 134, 134, 4, 0 },
	{ 135, 135, 2, 0 },  { 137, 137, 4, 0 }, { 138, 138, 8, 0 }, { 139, 139, 1, 0 },
	{ 140, 140, 4, 0 },  { 141, 142, 2, 0 }, { 147, 148, 1, 0 }, { 149, 149, 2, 0 },
	{ 150, 150, 1, 0 },  { 151, 152, 2, 0 }, { 153, 153, 4, 0 }, { 154, 156, 2, 0 },
	{ 157, 157, 4, 0 },  { 158, 158, 2, 0 }, { 159, 160, 4, 0 }, { 161, 161, 8, 0 },
	{ 162, 162, 4, 0 },  { 168, 169, 1, 0 }, { 170, 171, 2, 0 }, { 172, 176, 4, 0 },
	{ 177, 184, 0, 1 },  { 185, 192, 0, 2 }, { 193, 200, 0, 4 }, { 201, 203, 1, 0 },
	{ 204, 204, 2, 0 },  { 205, 207, 1, 0 }, { 208, 211, 2, 0 }, { 212, 212, 4, 0 },
	{ 213, 215, 2, 0 },  { 216, 219, 4, 0 }, { 220, 220, 8, 0 }, { 221, 223, 4, 0 },
	{ 224, 224, 8, 0 },  { 225, 225, 4, 0 }, { 229, 233, 4, 0 }, { 234, 238, 8, 0 },
	{ 239, 241, 16, 0 }, { 242, 242, 2, 0 }, { 243, 245, 4, 0 }, { 246, 246, 8, 0 },
	{ 247, 248, 2, 0 },  { 249, 250, 4, 0 }, { 251, 252, 8, 0 }, { 253, 253, 4, 0 },
	{ 254, 254, 2, 0 },  { 263, 264, 2, 0 }, { 265, 268, 4, 0 }, { 308, 308, 4, 0 },
	{ 311, 311, 2, 0 },  { 312, 312, 1, 0 }, { 313, 313, 2, 0 }, { 319, 321, 2, 0 },
};

/* Compressed: 4 x 4 pixels in this many bytes. */
static const struct {
	uint16_t first, last;
	uint8_t size;
} compressed[] = {
	{ 105, 106, 8 },  { 107, 108, 16 }, { 109, 110, 8 },  { 111, 112, 16 }, { 113, 114, 8 },
	{ 115, 116, 16 }, { 143, 144, 8 },  { 145, 146, 16 }, { 226, 226, 8 },  { 255, 258, 16 },
	{ 269, 272, 8 },  { 273, 274, 16 }, { 275, 276, 8 },  { 277, 278, 16 },
};

/* ASTC: always 16 bytes. */
static const struct {
	uint8_t width, height;
} astc[] = {
	{ 4, 4 }, { 5, 4 },  { 5, 5 },  { 6, 5 },  { 6, 6 },   { 8, 5 },   { 8, 6 },
	{ 8, 8 }, { 10, 5 }, { 10, 6 }, { 10, 8 }, { 10, 10 }, { 12, 10 }, { 12, 12 },
};

static bool find_plain(uint32_t format, struct block *ret)
{
	for (size_t i = 0; i < G_N_ELEMENTS(plain); i++) {
		uint32_t channels = (format - plain[i].first) % 4 + 1;

		if (format < plain[i].first || format > plain[i].last)
			continue;
		*ret = (struct block){ 1, 1, plain[i].size };
		if (plain[i].size == 0)
			ret->size = channels * plain[i].channel_size;
		return true;
	}
	return false;
}

static bool find_compressed(uint32_t format, struct block *ret)
{
	for (size_t i = 0; i < G_N_ELEMENTS(compressed); i++) {
		if (format < compressed[i].first || format > compressed[i].last)
			continue;
		*ret = (struct block){ 4, 4, compressed[i].size };
		return true;
	}
	return false;
}

static bool find_astc(uint32_t format, struct block *ret)
{
	uint32_t i = format - (format < FIRST_ASTC_SRGB ? FIRST_ASTC : FIRST_ASTC_SRGB);

	if (format < FIRST_ASTC || i >= G_N_ELEMENTS(astc))
		return false;
	*ret = (struct block){ astc[i].width, astc[i].height, 16 };
	return true;
}

bool block_of_format(uint32_t format, struct block *ret)
{
	return find_plain(format, ret) || find_compressed(format, ret) || find_astc(format, ret);
}

static uint64_t divide_up(uint64_t n, uint32_t by)
{
	return (n + by - 1) / by;
}

uint64_t block_row_bytes(const struct block *block, uint32_t width)
{
	return divide_up(width, block->width) * block->size;
}

uint64_t block_count_rows(const struct block *block, uint32_t height)
{
	return divide_up(height, block->height);
}
