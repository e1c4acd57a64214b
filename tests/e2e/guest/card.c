// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The DRM device for the commands of kms.c: buffers, what is painted into them, modes. A buffer is
 * always complete (created, wrapped into a framebuffer and mapped) or all zero, so buffer_finish()
 * is right for both and is the only clean-up.
 *
 * The picture is computed from place, size and seed, as in tests/e2e/picture.py: every corner, edge
 * and block differs, so a shifted, mirrored, cropped or stale picture never equals the right one.
 */
#include "card.h"

#include <drm.h>
#include <drm_fourcc.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

int card = -1;

int drm(unsigned long request, void *arg)
{
	int ret;

	do
		ret = ioctl(card, request, arg);
	while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret < 0 ? -errno : 0;
}

static uint32_t rgb(uint32_t r, uint32_t g, uint32_t b)
{
	return (r & 255) << 16 | (g & 255) << 8 | (b & 255);
}

/* The pattern; the first rule that applies wins. */
uint32_t pattern_pixel(uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t seed)
{
	static const uint32_t corners[] = { 0xffffff, 0x00ffff, 0xff00ff, 0xff8000 };
	bool is_right = x >= w - 8, is_low = y >= h - 8;

	if ((x < 8 || is_right) && (y < 8 || is_low))
		return corners[is_low * 2 + is_right];
	if (y == 0)
		return 0xff0000;
	if (y == h - 1)
		return 0x00ff00;
	if (x == 0)
		return 0x0000ff;
	if (x == w - 1)
		return 0xffff00;
	if (y % 48 == 1)
		return 0x404040;
	if (x % 64 == 1)
		return 0xc0c0c0;
	if ((x / 32 + y / 32) % 5 == 0)
		return rgb(x / 32 * 7 + seed * 31, y / 32 * 11 + seed * 3, x / 32 * 3 + y / 32 * 5);
	return rgb(x * 3 + seed * 40, y * 5 + seed * 17, (x ^ y) + seed * 29);
}

uint32_t cursor_pixel(uint32_t x, uint32_t y, uint32_t seed)
{
	return (255 - x) << 24 | rgb(x * 4, y * 4, (x ^ y) * 4 + seed);
}

void paint_rows(struct buffer *buf, uint32_t from, uint32_t rows, uint32_t seed)
{
	for (uint32_t y = from; y < from + rows && y < buf->height; y++) {
		uint32_t *row = buf->pixels + (uint64_t)y * buf->pitch / 4;

		for (uint32_t x = 0; x < buf->width; x++)
			row[x] = pattern_pixel(x, y, buf->width, buf->height, seed);
	}
}

void fill_rect(struct buffer *buf, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t colour)
{
	for (uint32_t row = y; row < y + h && row < buf->height; row++)
		for (uint32_t col = x; col < x + w && col < buf->width; col++)
			buf->pixels[(uint64_t)row * buf->pitch / 4 + col] = colour;
}

void buffer_finish(struct buffer *buf)
{
	struct drm_mode_destroy_dumb destroy = { .handle = buf->handle };

	if (buf->pixels)
		munmap(buf->pixels, buf->size);
	if (buf->fb)
		drm(DRM_IOCTL_MODE_RMFB, &buf->fb);
	if (buf->handle)
		drm(DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
	memset(buf, 0, sizeof(*buf));
}

int buffer_init(struct buffer *buf, uint32_t width, uint32_t height, uint32_t format)
{
	struct drm_mode_create_dumb create = { .width = width, .height = height, .bpp = 32 };
	struct drm_mode_fb_cmd2 fb = { .width = width, .height = height, .pixel_format = format };
	struct drm_mode_map_dumb map = { 0 };
	void *pixels;
	int ret;

	memset(buf, 0, sizeof(*buf));
	ret = drm(DRM_IOCTL_MODE_CREATE_DUMB, &create);
	if (ret < 0)
		return ret;
	buf->handle = map.handle = fb.handles[0] = create.handle;
	buf->pitch = fb.pitches[0] = create.pitch;
	buf->width = width;
	buf->height = height;
	buf->size = create.size;
	ret = drm(DRM_IOCTL_MODE_ADDFB2, &fb);
	if (ret == 0) {
		buf->fb = fb.fb_id;
		ret = drm(DRM_IOCTL_MODE_MAP_DUMB, &map);
	}
	if (ret == 0) {
		pixels =
			mmap(NULL, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED, card, map.offset);
		if (pixels == MAP_FAILED)
			ret = -errno;
		else
			buf->pixels = pixels;
	}
	if (ret < 0)
		buffer_finish(buf);
	return ret;
}

int modes_of(uint32_t connector, struct drm_mode_get_connector *conn,
	     struct drm_mode_modeinfo *modes, uint32_t room)
{
	int ret;

	*conn = (struct drm_mode_get_connector){ .connector_id = connector };
	ret = drm(DRM_IOCTL_MODE_GETCONNECTOR, conn); /* without room for modes this call probes */
	if (ret < 0)
		return ret;
	if (conn->count_modes > room)
		return -ENOSPC;
	conn->modes_ptr = (uintptr_t)modes;
	conn->count_props = conn->count_encoders = 0;
	ret = drm(DRM_IOCTL_MODE_GETCONNECTOR, conn);
	return ret < 0 ? ret : (int)conn->count_modes;
}

struct drm_mode_modeinfo mode_for(uint32_t connector, uint32_t w, uint32_t h)
{
	static struct drm_mode_modeinfo modes[MAX_MODES];
	struct drm_mode_get_connector conn;
	struct drm_mode_modeinfo mode = {
		.clock = (w + 160) * (h + 40) * 60 / 1000, /* kHz */
		.hdisplay = w,
		.hsync_start = w + 48,
		.hsync_end = w + 80,
		.htotal = w + 160,
		.vdisplay = h,
		.vsync_start = h + 3,
		.vsync_end = h + 10,
		.vtotal = h + 40,
		.vrefresh = 60,
	};
	int n = modes_of(connector, &conn, modes, MAX_MODES);

	for (int i = 0; i < n; i++)
		if (modes[i].hdisplay == w && modes[i].vdisplay == h)
			return modes[i];
	snprintf(mode.name, sizeof(mode.name), "%ux%u", w, h);
	return mode;
}
