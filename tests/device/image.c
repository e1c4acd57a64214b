// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Images: a 2D resource, its backing in guest memory, and what a screen must show of it. The
 * pattern differs between any two near pixels, between colour channels and between seeds, so a
 * wrong stride, a swapped channel, a stale frame and an offset by one are all noticed. Formats are
 * named by their bytes in memory, lowest address first (B8G8R8A8: blue, green, red, alpha), as in
 * VIRTIO. The screen's x8r8g8b8 is a little-endian word.
 */
#include "gpu.h"

#include <string.h>

/* The position of each byte of a pixel, by format. */
static const struct order {
	uint32_t format;
	uint8_t red, green, blue;
} orders[] = {
	{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, 2, 1, 0 },
	{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 2, 1, 0 },
	{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, 1, 2, 3 },
	{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, 1, 2, 3 },
	{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, 0, 1, 2 },
	{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, 3, 2, 1 },
	{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, 3, 2, 1 },
	{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, 0, 1, 2 },
};

struct image image_new(struct vmm *vmm, uint32_t id, uint32_t format, uint32_t w, uint32_t h)
{
	uint32_t size = w * h * 4;
	struct image i = { id, format, w, h, 0, NULL };
	struct virtio_gpu_mem_entry entry;
	uint32_t type;

	i.gpa = memory_alloc(&vmm->memory, MEMORY_MAIN, size, 4096);
	i.bytes = memory_at(&vmm->memory, i.gpa, size);
	entry = (struct virtio_gpu_mem_entry){ i.gpa, size, 0 };
	type = gpu_create_2d(vmm, id, format, w, h);
	if (type != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("RESOURCE_CREATE_2D of %ux%u, format %u: %#x", w, h, format, type);
	type = gpu_attach(vmm, id, &entry, 1);
	if (type != VIRTIO_GPU_RESP_OK_NODATA)
		vmm_fail("RESOURCE_ATTACH_BACKING to %u: %#x", id, type);
	return i;
}

struct virtio_gpu_rect image_rect(const struct image *i)
{
	return gpu_rect(0, 0, i->width, i->height);
}

void image_fill(struct image *i, uint32_t seed)
{
	uint8_t *p = i->bytes;

	for (uint32_t y = 0; y < i->height; y++) {
		for (uint32_t x = 0; x < i->width; x++) {
			uint32_t a = x + seed * 31, b = y + seed * 17 + (x >> 8);
			uint32_t c = x * 3 + y * 5 + seed, d = (x ^ y) + seed * 7 + (y >> 8);

			a = (a & 0xff) | (b & 0xff) << 8 | (c & 0xff) << 16 | d << 24;
			memcpy(p, &a, sizeof(a));
			p += sizeof(a);
		}
	}
}

static const struct order *order_of(uint32_t format)
{
	for (unsigned k = 0; k < ARRAY_LENGTH(orders); k++) {
		if (orders[k].format == format)
			return &orders[k];
	}
	vmm_fail("format %u is unknown", format);
}

static uint32_t pixel_at(const struct image *i, const struct order *o, uint32_t x, uint32_t y)
{
	const uint8_t *p = i->bytes + ((size_t)y * i->width + x) * 4;

	return (uint32_t)p[o->red] << 16 | (uint32_t)p[o->green] << 8 | p[o->blue];
}

uint32_t image_pixel(const struct image *i, uint32_t x, uint32_t y)
{
	return pixel_at(i, order_of(i->format), x, y);
}

uint32_t image_transfer(struct vmm *vmm, const struct image *i, struct virtio_gpu_rect r)
{
	return gpu_transfer_2d(vmm, i->id, r, ((uint64_t)r.y * i->width + r.x) * 4);
}

/* The part of an image that a scanout must show, and the first pixel that is known to be wrong. */
struct view {
	const struct image *image;
	uint32_t scanout;
	struct virtio_gpu_rect r;
	uint32_t x, y, is, due;
};

static bool row_is_shown(const struct display_surface *s, struct view *v, uint32_t y)
{
	const struct order *o = order_of(v->image->format);
	const uint32_t *row = &s->pixels[(size_t)y * s->width];

	for (uint32_t x = 0; x < v->r.width; x++) {
		uint32_t due = pixel_at(v->image, o, v->r.x + x, v->r.y + y);

		if ((row[x] & 0xffffff) == due)
			continue;
		v->x = x;
		v->y = y;
		v->is = row[x] & 0xffffff;
		v->due = due;
		return false;
	}
	return true;
}

/* Continues where it stopped last: a large frame comes in many pieces. */
static bool is_shown(const struct vmm *vmm, struct view *v)
{
	const struct display_surface *s = &vmm->display.surfaces[v->scanout];

	if (!s->pixels || s->width != v->r.width || s->height != v->r.height)
		return false;
	for (uint32_t k = 0, from = v->y; k < v->r.height; k++) {
		if (!row_is_shown(s, v, (from + k) % v->r.height))
			return false;
	}
	return true;
}

bool image_is_shown(struct vmm *vmm, const struct image *i, uint32_t scanout,
		    struct virtio_gpu_rect r)
{
	struct view v = { .image = i, .scanout = scanout, .r = r };

	return is_shown(vmm, &v);
}

static bool view_is_shown(struct vmm *vmm, const void *arg)
{
	return is_shown(vmm, *(struct view *const *)arg);
}

void image_wait_shown(struct vmm *vmm, const struct image *i, uint32_t scanout,
		      struct virtio_gpu_rect r)
{
	struct view v = { .image = i, .scanout = scanout, .r = r }, *arg = &v;
	const struct display_surface *s = &vmm->display.surfaces[scanout];

	if (!vmm_wait_ms(vmm, view_is_shown, &arg, vmm->timeout_ms))
		vmm_fail("scanout %u (%ux%u, %llu updates) does not show resource %u: pixel %u,%u "
			 "is %06x, due is %06x",
			 scanout, s->width, s->height, (unsigned long long)s->updates, i->id, v.x,
			 v.y, v.is, v.due);
}
