// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The display of a device that nobody looks at: a guest that only renders, or a VMM that brings no
 * display socket. It keeps no state, so a source that is replaced is free at once, and it takes no
 * request, so none can be left over: the device sees -ENOTSUP and answers the guest for itself.
 */
#include "display/headless.h"

#include <glib.h>

#include "display/display.h"

static void headless_free(struct display *display)
{
	g_free(display);
}

static void headless_reset(struct display *display)
{
	(void)display;
}

static void headless_scanout_pixels(struct display *display, unsigned scanout, uint32_t width,
				    uint32_t height, struct display_pixels *pixels)
{
	(void)display, (void)scanout, (void)width, (void)height, (void)pixels;
}

static void headless_damage(struct display *display, unsigned scanout, const struct rect *r)
{
	(void)display, (void)scanout, (void)r;
}

static void headless_cursor_set(struct display *display, unsigned scanout,
				const struct display_cursor *cursor)
{
	(void)display, (void)scanout, (void)cursor;
}

static void headless_cursor_move(struct display *display, unsigned scanout, uint32_t x, uint32_t y,
				 bool is_visible)
{
	(void)display, (void)scanout, (void)x, (void)y, (void)is_visible;
}

static const struct display_ops headless_ops = {
	.name = "headless",
	.free = headless_free,
	.reset = headless_reset,
	.scanout_pixels = headless_scanout_pixels,
	.damage = headless_damage,
	.cursor_set = headless_cursor_set,
	.cursor_move = headless_cursor_move,
};

struct display *headless_display_new(void)
{
	struct display *display = g_new0(struct display, 1);

	display_init(display, &headless_ops);
	return display;
}
