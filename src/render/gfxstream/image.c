// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Which images and buffers the library is asked for. It ends the process if Vulkan cannot make one,
 * and does not tell in advance: it claims to support formats that the driver lacks. So the formats
 * are tried in a child at the start (probe.c), and the largest size is asked of the driver (gpu.c).
 *
 * The eight 2D formats are four bytes a pixel. The library knows four of them. The others are
 * created as one of these, because the library need not interpret the bytes.
 */
#include <linux/virtio_gpu.h>

#include "base/pixel.h"
#include "render/gfxstream/gfxstream_private.h"

/* Gallium's bind flags, as in the protocol. */
#define BIND_RENDER_TARGET (1u << 1)
#define BIND_SAMPLER_VIEW  (1u << 3)
#define BIND_CURSOR        (1u << 16)
#define BIND_CUSTOM        (1u << 17)
#define BIND_SCANOUT       (1u << 18)
#define BIND_LINEAR        (1u << 22)
#define FORMAT_B5G6R5      7
#define FORMAT_R8          64

/* The library counts a buffer's bytes in 32 bits. */
#define MAX_BUFFER_BYTES (1u << 30)

static const struct {
	uint32_t format, pixel_bytes;
} formats[GFXSTREAM_N_FORMATS] = {
	{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, PIXEL_BYTES },
	{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, PIXEL_BYTES },
	{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, PIXEL_BYTES },
	{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, PIXEL_BYTES },
	{ FORMAT_B5G6R5, 2 },
	{ FORMAT_R8, 1 },
};

/* Returns 0 if the library or the driver does not know the format. */
static uint32_t size_of_pixel(const struct gfxstream *gfxstream, uint32_t format)
{
	for (unsigned i = 0; i < GFXSTREAM_N_FORMATS; i++)
		if (formats[i].format == format && (gfxstream->host.formats >> i & 1))
			return formats[i].pixel_bytes;
	return 0;
}

/* Whether the library makes a buffer and not an image. */
static bool is_buffer(const struct renderer_resource_args *args)
{
	const uint32_t of_images =
		BIND_SAMPLER_VIEW | BIND_RENDER_TARGET | BIND_SCANOUT | BIND_CURSOR;

	return args->format == FORMAT_R8 && (args->bind & BIND_LINEAR) && !(args->bind & of_images);
}

/* "Pipes" (target buffer, BIND_CUSTOM) are refused: reading one waits for the service behind it,
 * and an unknown service name ends the process. Guests that use Vulkan have rings in blobs instead.
 */
uint32_t gfxstream_image_check(const struct gfxstream *gfxstream,
			       const struct renderer_resource_args *args)
{
	const bool is_simple = args->depth == 1 && args->array_size == 1 && args->last_level == 0 &&
			       args->nr_samples <= 1;

	if (args->width == 0 || args->height == 0 || !is_simple || (args->bind & BIND_CUSTOM))
		return 0;
	if (is_buffer(args) &&
	    (args->target == RENDERER_TARGET_BUFFER || args->target == RENDERER_TARGET_2D))
		return args->width <= MAX_BUFFER_BYTES / args->height ? 1 : 0;
	if (args->target != RENDERER_TARGET_2D ||
	    args->width > gfxstream->host.gpus.max_dimension ||
	    args->height > gfxstream->host.gpus.max_dimension)
		return 0;
	return args->is_2d ? PIXEL_BYTES : size_of_pixel(gfxstream, args->format);
}

struct gfxstream_resource_args gfxstream_image_args(const struct gfxstream *gfxstream,
						    const struct renderer_resource_args *args)
{
	return (struct gfxstream_resource_args){
		.id = args->id,
		.target = args->target,
		.format = args->is_2d && !size_of_pixel(gfxstream, args->format)
				  ? VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM
				  : args->format,
		.bind = args->is_2d ? BIND_RENDER_TARGET | BIND_SCANOUT : args->bind,
		.width = args->width,
		.height = args->height,
		.depth = 1,
		.array_size = 1,
		.nr_samples = args->nr_samples,
		.flags = args->flags,
	};
}

struct gfxstream_resource_args gfxstream_image_example(unsigned row, uint32_t id, uint32_t side)
{
	return (struct gfxstream_resource_args){
		.id = id,
		.target = RENDERER_TARGET_2D,
		.format = formats[row].format,
		.bind = BIND_RENDER_TARGET | BIND_SCANOUT,
		.width = side,
		.height = side,
		.depth = 1,
		.array_size = 1,
	};
}
