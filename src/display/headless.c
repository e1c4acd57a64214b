// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The display of a device whose scanouts are not shown. It keeps no pointer to a scanout's pixels,
 * so the device may free them at once. It accepts no request, so none is ever pending: the device
 * gets -ENOTSUP and answers the guest itself.
 *
 * A front-end may pass a display socket all the same. It is kept open, and input is discarded: if
 * it were closed, QEMU 11.1 would poll it in a busy loop.
 */
#include "display/headless.h"

#include <errno.h>
#include <glib.h>
#include <sys/socket.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/loop.h"
#include "display/display.h"

struct headless_display {
	struct display base;
	struct loop *loop; /* borrowed */
	int fd;            /* owned; -1: none */
	struct loop_source source;
};

static struct headless_display *to_headless(struct display *display)
{
	return container_of(display, struct headless_display, base);
}

static void close_socket(struct headless_display *headless)
{
	loop_remove(&headless->source);
	fd_close(&headless->fd);
}

static void headless_free(struct display *display)
{
	close_socket(to_headless(display));
	g_free(to_headless(display));
}

static int on_socket(struct loop_source *source, uint32_t events)
{
	char dropped[4096];
	ssize_t n = recv(source->fd, dropped, sizeof(dropped), MSG_DONTWAIT);

	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_socket(container_of(source, struct headless_display, source));
	return 0;
}

static int headless_set_socket(struct display *display, int fd)
{
	struct headless_display *headless = to_headless(display);
	int r = 0;

	close_socket(headless);
	headless->fd = fd;
	if (fd >= 0)
		r = loop_add(headless->loop, &headless->source, fd, EPOLLIN, on_socket);
	if (r < 0)
		fd_close(&headless->fd);
	return r;
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
	.set_socket = headless_set_socket,
	.reset = headless_reset,
	.scanout_pixels = headless_scanout_pixels,
	.damage = headless_damage,
	.cursor_set = headless_cursor_set,
	.cursor_move = headless_cursor_move,
};

struct display *headless_display_new(struct loop *loop)
{
	struct headless_display *headless = g_new0(struct headless_display, 1);

	display_init(&headless->base, &headless_ops);
	headless->loop = loop;
	headless->fd = -1;
	return &headless->base;
}
