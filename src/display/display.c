// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The part that all displays share. The device calls only these wrappers. They assert that the
 * scanout index is in range, because the device has checked the guest's request, and they answer
 * for optional hooks that an implementation leaves out. So an implementation may trust its
 * arguments, and a fake in a test fills in the required hooks only.
 *
 * This file keeps no state: each implementation keeps its own pending requests.
 */
#include "display/display.h"

#include <assert.h>
#include <errno.h>

#include "base/fd.h"

void display_init(struct display *display, const struct display_ops *ops)
{
	assert(ops->name && ops->free && ops->reset && ops->scanout_pixels && ops->damage &&
	       ops->cursor_set && ops->cursor_move);
	display->ops = ops;
}

void display_free(struct display *display)
{
	if (display)
		display->ops->free(display);
}

int display_set_socket(struct display *display, int fd)
{
	auto_fd owned = fd;

	if (!display->ops->set_socket)
		return -ENOTSUP;
	return display->ops->set_socket(display, fd_steal(&owned));
}

void display_reset(struct display *display)
{
	display->ops->reset(display);
}

int display_request_info(struct display *display, struct display_request *request)
{
	assert(!request->display && request->fn);
	if (!display->ops->request_info)
		return -ENOTSUP;
	return display->ops->request_info(display, request);
}

int display_request_edid(struct display *display, struct display_request *request, unsigned scanout)
{
	assert(!request->display && request->fn && scanout < DISPLAY_MAX_SCANOUTS);
	if (!display->ops->request_edid)
		return -ENOTSUP;
	return display->ops->request_edid(display, request, scanout);
}

void display_cancel(struct display_request *request)
{
	struct display *display = request->display;

	if (display && display->ops->cancel)
		display->ops->cancel(display, request);
}

void display_scanout_pixels(struct display *display, unsigned scanout, uint32_t width,
			    uint32_t height, struct display_pixels *pixels)
{
	assert(scanout < DISPLAY_MAX_SCANOUTS);
	assert(!pixels || (pixels->ops->rows && width > 0 && height > 0));
	display->ops->scanout_pixels(display, scanout, width, height, pixels);
}

bool display_is_awaited(struct display *display)
{
	return display->ops->is_awaited && display->ops->is_awaited(display);
}

bool display_shows_dmabufs(struct display *display)
{
	return display->ops->shows_dmabufs && display->ops->scanout_dmabuf &&
	       display->ops->shows_dmabufs(display);
}

int display_scanout_dmabuf(struct display *display, unsigned scanout, const struct dmabuf *dmabuf,
			   const struct rect *r)
{
	assert(scanout < DISPLAY_MAX_SCANOUTS && dmabuf->fd >= 0 && dmabuf->n_planes == 1);
	if (!display->ops->scanout_dmabuf)
		return -ENOTSUP;
	return display->ops->scanout_dmabuf(display, scanout, dmabuf, r);
}

void display_damage(struct display *display, unsigned scanout, const struct rect *r)
{
	assert(scanout < DISPLAY_MAX_SCANOUTS);
	if (!rect_is_empty(r))
		display->ops->damage(display, scanout, r);
}

int display_flush_dmabuf(struct display *display, struct display_request *request, unsigned scanout,
			 const struct rect *r)
{
	assert(!request->display && request->fn && scanout < DISPLAY_MAX_SCANOUTS);
	if (!display->ops->flush_dmabuf)
		return -ENOTSUP;
	return display->ops->flush_dmabuf(display, request, scanout, r);
}

void display_pixels_changed(struct display *display, struct display_pixels *pixels)
{
	if (display->ops->pixels_changed)
		display->ops->pixels_changed(display, pixels);
}

void display_log_state(struct display *display)
{
	if (display->ops->log_state)
		display->ops->log_state(display);
}

void display_cursor_set(struct display *display, unsigned scanout,
			const struct display_cursor *cursor)
{
	assert(scanout < DISPLAY_MAX_SCANOUTS);
	display->ops->cursor_set(display, scanout, cursor);
}

void display_cursor_move(struct display *display, unsigned scanout, uint32_t x, uint32_t y,
			 bool is_visible)
{
	assert(scanout < DISPLAY_MAX_SCANOUTS);
	display->ops->cursor_move(display, scanout, x, y, is_visible);
}
