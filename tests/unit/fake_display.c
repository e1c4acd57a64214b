// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "fake_display.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/container.h"
#include "base/fd.h"

static struct fake_display *get_fake(struct display *display)
{
	return container_of(display, struct fake_display, base);
}

static void free_display(struct display *display)
{
	assert_null(get_fake(display)->requests);
}

static int add_request(struct display *display, struct display_request *request)
{
	struct fake_display *fake = get_fake(display);
	struct display_request **end = &fake->requests;

	while (*end)
		end = &(*end)->next;
	*end = request;
	request->next = NULL;
	request->display = display;
	fake->n_requests++;
	return 0;
}

static void cancel_request(struct display *display, struct display_request *request)
{
	struct fake_display *fake = get_fake(display);
	struct display_request **link = &fake->requests;

	while (*link != request)
		link = &(*link)->next;
	*link = request->next;
	request->display = NULL;
	fake->n_requests--;
}

void fake_display_answer(struct fake_display *fake, int error, const void *reply)
{
	struct display_request *request = fake->requests;

	assert_non_null(request);
	cancel_request(&fake->base, request);
	request->fn(request, error, reply);
}

static int set_socket(struct display *display, int fd)
{
	struct fake_display *fake = get_fake(display);

	fd_close(&fake->socket);
	fake->socket = fd;
	while (fake->requests)
		fake_display_answer(fake, -ENOTCONN, NULL);
	return fd >= 0 ? fake->socket_error : 0;
}

static void reset_display(struct display *display)
{
	struct fake_display *fake = get_fake(display);

	assert_null(fake->requests); /* the device must have cancelled all requests */
	memset(fake->sources, 0, sizeof(fake->sources));
	memset(fake->widths, 0, sizeof(fake->widths));
	memset(fake->dmabufs, 0, sizeof(fake->dmabufs));
}

static int request_edid(struct display *display, struct display_request *request, unsigned scanout)
{
	(void)scanout;
	return add_request(display, request);
}

static void show_pixels(struct display *display, unsigned scanout, uint32_t width, uint32_t height,
			struct display_pixels *source)
{
	(void)height;
	get_fake(display)->sources[scanout] = source;
	get_fake(display)->widths[scanout] = width;
	get_fake(display)->dmabufs[scanout] = (struct dmabuf){ 0 };
}

static bool shows_dmabufs(struct display *display)
{
	return get_fake(display)->shows_dmabufs;
}

static int show_dmabuf(struct display *display, unsigned scanout, const struct dmabuf *dmabuf,
		       const struct rect *r)
{
	show_pixels(display, scanout, r->width, r->height, NULL);
	get_fake(display)->dmabufs[scanout] = *dmabuf;
	return 0;
}

static void add_damage(struct display *display, unsigned scanout, const struct rect *r)
{
	(void)scanout, (void)r;
	get_fake(display)->n_damages++;
}

static int flush_dmabuf(struct display *display, struct display_request *request, unsigned scanout,
			const struct rect *r)
{
	(void)scanout, (void)r;
	return add_request(display, request);
}

static void note_change(struct display *display, struct display_pixels *source)
{
	(void)source;
	get_fake(display)->n_changes++;
}

static bool is_awaited(struct display *display)
{
	return get_fake(display)->is_awaited;
}

static void set_cursor(struct display *display, unsigned scanout,
		       const struct display_cursor *cursor)
{
	(void)scanout;
	get_fake(display)->n_cursors++;
	get_fake(display)->cursor_pixel = cursor->pixels[0];
}

static void move_cursor(struct display *display, unsigned scanout, uint32_t x, uint32_t y,
			bool is_visible)
{
	(void)scanout, (void)x, (void)y, (void)is_visible;
	get_fake(display)->n_moves++;
}

static const struct display_ops fake_ops = {
	.name = "fake",
	.free = free_display,
	.set_socket = set_socket,
	.reset = reset_display,
	.request_info = add_request,
	.request_edid = request_edid,
	.cancel = cancel_request,
	.scanout_pixels = show_pixels,
	.shows_dmabufs = shows_dmabufs,
	.scanout_dmabuf = show_dmabuf,
	.damage = add_damage,
	.flush_dmabuf = flush_dmabuf,
	.pixels_changed = note_change,
	.is_awaited = is_awaited,
	.cursor_set = set_cursor,
	.cursor_move = move_cursor,
};

void fake_display_init(struct fake_display *fake)
{
	memset(fake, 0, sizeof(*fake));
	display_init(&fake->base, &fake_ops);
	fake->socket = -1;
}
