// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The display accepts one layout of pixels: 32 bits, a8r8g8b8 or x8r8g8b8. The other formats are
 * converted in place, R8G8B8A8 here and the rest by pixman. Source and destination are the same
 * rows and their pixels have the same size, so each pixel is read before it is written.
 */
#include "render/pixels.h"
#include "base/pixel.h"

#include <drm_fourcc.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <pixman.h>

/* The spec's names are in memory order, pixman's in the order of a 32-bit word, and DRM's in that
 * of a little-endian one. */
static const struct {
	uint32_t format;
	pixman_format_code_t little, big;
	uint32_t fourcc;
} formats[] = {
	{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, PIXMAN_a8r8g8b8, PIXMAN_b8g8r8a8, DRM_FORMAT_ARGB8888 },
	{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, PIXMAN_x8r8g8b8, PIXMAN_b8g8r8x8, DRM_FORMAT_XRGB8888 },
	{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, PIXMAN_b8g8r8a8, PIXMAN_a8r8g8b8, DRM_FORMAT_BGRA8888 },
	{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, PIXMAN_b8g8r8x8, PIXMAN_x8r8g8b8, DRM_FORMAT_BGRX8888 },
	{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, PIXMAN_a8b8g8r8, PIXMAN_r8g8b8a8, DRM_FORMAT_ABGR8888 },
	{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, PIXMAN_r8g8b8x8, PIXMAN_x8b8g8r8, DRM_FORMAT_RGBX8888 },
	{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, PIXMAN_r8g8b8a8, PIXMAN_a8b8g8r8, DRM_FORMAT_RGBA8888 },
	{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, PIXMAN_x8b8g8r8, PIXMAN_r8g8b8x8, DRM_FORMAT_XBGR8888 },
};

/* The two orders that every driver imports. The screen ignores alpha. */
static uint32_t find_fourcc(uint32_t format)
{
	switch (format) {
	case VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM:
	case VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM:
		return DRM_FORMAT_XRGB8888;
	case VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM:
	case VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM:
		return DRM_FORMAT_XBGR8888;
	default:
		return 0;
	}
}

bool pixels_describe_memory(uint32_t format, struct dmabuf *dmabuf)
{
	uint32_t fourcc = find_fourcc(format);

	if (fourcc == 0)
		return false;
	dmabuf->fourcc = fourcc;
	dmabuf->modifier = DRM_FORMAT_MOD_LINEAR;
	return true;
}

static pixman_format_code_t pixman_format(uint32_t format)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++)
		if (formats[i].format == format)
			return G_BYTE_ORDER == G_LITTLE_ENDIAN ? formats[i].little : formats[i].big;
	return 0;
}

/* virgl's formats of more than four bytes a pixel, and the smaller ones of the same groups. The
 * formats of a group have one, two, three and four channels in turn. */
static const struct {
	uint16_t first, last;
	uint8_t channel_size; /* 0: this is no group, and pixels have .. */
	uint8_t size;         /* .. this many bytes */
} large_formats[] = {
	{ 24, 27, 8, 0 },   { 28, 47, 4, 0 },    { 48, 63, 2, 0 },   { 87, 90, 4, 0 },
	{ 91, 94, 2, 0 },   { 185, 192, 2, 0 },  { 193, 200, 4, 0 }, { 126, 126, 0, 8 },
	{ 138, 138, 0, 8 }, { 161, 161, 0, 8 },  { 220, 220, 0, 8 }, { 224, 224, 0, 8 },
	{ 234, 238, 0, 8 }, { 239, 241, 0, 16 }, { 246, 246, 0, 8 }, { 251, 252, 0, 8 },
};

uint32_t pixels_size(uint32_t format)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(large_formats); i++) {
		uint32_t first = large_formats[i].first, size = large_formats[i].size;

		if (format < first || format > large_formats[i].last)
			continue;
		if (large_formats[i].channel_size) {
			uint32_t channels = (format - first) % 4 + 1;

			/* Drivers store three channels as four. */
			size = (channels == 3 ? 4 : channels) * large_formats[i].channel_size;
		}
		return MAX(size, PIXEL_BYTES);
	}
	return PIXEL_BYTES;
}

const char *pixels_library_version(void)
{
	return pixman_version_string();
}

bool pixels_has_format(uint32_t format)
{
	return pixman_format(format) != 0;
}

void pixels_describe_dmabuf(uint32_t format, struct dmabuf *dmabuf)
{
	dmabuf->modifier = DRM_FORMAT_MOD_INVALID;
	for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++)
		if (formats[i].format == format)
			dmabuf->fourcc = formats[i].fourcc;
}

/* Four pixels, wherever they lie: compilers make vector instructions of operations on them. */
typedef uint32_t four_pixels
	__attribute__((vector_size(4 * PIXEL_BYTES), aligned(PIXEL_BYTES), may_alias));

/* Swaps bytes 0 and 2 of each pixel. pixman takes seven times as long. */
static void swap_red_and_blue(uint32_t *pixels, uint32_t n)
{
	const uint32_t outer = GUINT32_FROM_LE(0x00ff00ff);
	const uint32_t half = 1u << 16;
	uint32_t i = 0;

	for (; n - i >= 4; i += 4) {
		four_pixels *p = (four_pixels *)&pixels[i];
		const four_pixels moved = *p & outer;

		/* gcc's analyzer rejects shifts of vectors; this compiles to shifts. */
		*p = (*p & ~outer) | moved * half | moved / half;
	}
	for (; i < n; i++)
		pixels[i] = (pixels[i] & ~outer) | (pixels[i] & outer) << 16 |
			    (pixels[i] & outer) >> 16;
}

void pixels_to_display(uint32_t format, void *data, uint32_t width, uint32_t height,
		       uint32_t stride)
{
	pixman_format_code_t from = pixman_format(format);
	pixman_format_code_t to = pixman_format(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM);

	if (format == VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM ||
	    format == VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM || !from)
		return;
	if (format == VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM) {
		for (uint32_t y = 0; y < height; y++)
			swap_red_and_blue((uint32_t *)((uint8_t *)data + (size_t)y * stride),
					  width);
		return;
	}

	pixman_image_t *src =
		pixman_image_create_bits_no_clear(from, (int)width, (int)height, data, (int)stride);
	pixman_image_t *dst =
		pixman_image_create_bits_no_clear(to, (int)width, (int)height, data, (int)stride);

	if (src && dst)
		pixman_image_composite32(PIXMAN_OP_SRC, src, NULL, dst, 0, 0, 0, 0, 0, 0,
					 (int)width, (int)height);
	if (src)
		pixman_image_unref(src);
	if (dst)
		pixman_image_unref(dst);
}
