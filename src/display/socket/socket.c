// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The display at the other end of the vhost-user-gpu socket. This file keeps the content that each
 * scanout should show, and which part of it the peer lacks. Every change calls socket_wake(), and
 * messages are sent at the end of that turn of the loop, so that the changes of one batch of guest
 * commands are sent together.
 *
 * The invariant: each scanout keeps its content when the peer goes away. Without a peer damage is
 * merged as usual (only a new dma-buf is refused), and when a new peer comes, everything is marked
 * as stale. QEMU passes a new socket at every start of the device, so a new peer is not an error.
 *
 * A pixel source (struct display_pixels) is borrowed: once a scanout shows another one, the scanout
 * has no pointer to the old one or its memory.
 */
#include "display/socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <drm_fourcc.h>

#include "base/container.h"
#include "base/fd.h"
#include "display/socket/socket_private.h"

#define LOG_MODULE "display"
#include "base/log.h"

static const struct display_ops socket_ops;

struct socket_display *socket_display_of(struct display *display)
{
	assert(display->ops == &socket_ops);
	return container_of(display, struct socket_display, base);
}

static bool has_peer(const struct socket_display *sd)
{
	return sd->fd >= 0;
}

static bool dmabuf_is_showable(const struct socket_display *sd, const struct dmabuf *dmabuf)
{
	return socket_has_features(sd, VHOST_USER_GPU_PROTOCOL_F_DMABUF2) ||
	       dmabuf->modifier == DRM_FORMAT_MOD_LINEAR ||
	       dmabuf->modifier == DRM_FORMAT_MOD_INVALID;
}

/* Ends the requests that this peer cannot answer. */
static void cancel_unanswerable_requests(struct socket_display *sd)
{
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		if (sd->scanouts[i].kind != SCANOUT_DMABUF)
			socket_request_end_all(sd, REQUEST_FLUSH_WAITS, i, 0, NULL);
	if (!sd->protocol_deadline && !socket_has_features(sd, VHOST_USER_GPU_PROTOCOL_F_EDID))
		socket_request_end_all(sd, REQUEST_EDID_WAITS, DISPLAY_MAX_SCANOUTS, -ENOTSUP,
				       NULL);
}

static int on_task(struct loop_task *task)
{
	struct socket_display *sd = container_of(task, struct socket_display, task);

	if (sd->requests)
		cancel_unanswerable_requests(sd);
	if (has_peer(sd) && !sd->is_full)
		socket_output_send_all(sd);
	/* Scanouts that this turn did not reach may begin their frame early in the next one. */
	if (!sd->task.loop)
		sd->flushed = 0;
	return 0;
}

void socket_wake(struct socket_display *sd, uint32_t scanouts)
{
	sd->awake |= scanouts;
	if (has_peer(sd))
		loop_queue(sd->loop, &sd->task, on_task);
}

static int on_socket(struct loop_source *source, uint32_t events)
{
	struct socket_display *sd = container_of(source, struct socket_display, socket);
	uint64_t generation = sd->generation;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		socket_reply_read(sd);
	if ((events & EPOLLERR) && sd->generation == generation)
		socket_drop_peer(sd); /* or its event would wake us for ever */
	if ((events & EPOLLOUT) && sd->generation == generation)
		socket_output_send_all(sd);
	return 0;
}

void socket_set_features(struct socket_display *sd, uint64_t features)
{
	sd->features =
		features & (VHOST_USER_GPU_PROTOCOL_F_EDID | VHOST_USER_GPU_PROTOCOL_F_DMABUF2);
	sd->protocol_deadline = 0;
	socket_report_features(sd);
	if (!sd->requests && sd->flush_order_len == 0)
		loop_timer_disarm(&sd->timer);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct socket_scanout *s = &sd->scanouts[i];

		if (s->kind == SCANOUT_DMABUF && !dmabuf_is_showable(sd, &s->dmabuf)) {
			log_warn("scanout %u: the display cannot show the guest's dma-buf", i);
			socket_scanout_off(sd, i);
		}
	}
}

/* Marks the whole scanout as damaged. */
static void damage_all(struct socket_scanout *s)
{
	socket_pace_drop(s);
	socket_pace_add(s, &(struct rect){ 0, 0, s->width, s->height });
}

/* Marks everything as unknown to the peer. */
static void mark_stale(struct socket_scanout *s)
{
	s->peer_width = s->peer_height = 0;
	s->peer_surface_is_unused = false;
	s->flush_is_asked = false;
	s->cursor.shape_is_stale = s->cursor.has_shape;
	s->cursor.position_is_stale = s->cursor.was_used;
	if (s->kind == SCANOUT_PIXELS) {
		s->next_frame = 0;
		damage_all(s);
	} else if (s->kind == SCANOUT_DMABUF) {
		s->dmabuf_is_stale = true;
		s->flush = (struct rect){ 0, 0, s->width, s->height };
	}
}

void socket_scanout_off(struct socket_display *sd, unsigned scanout)
{
	struct socket_scanout *s = &sd->scanouts[scanout];

	socket_output_replace(sd, scanout, NULL);
	socket_unchanged_forget(s);
	fd_close(&s->dmabuf.fd);
	s->kind = SCANOUT_OFF;
	s->width = s->height = 0;
	s->pixels = NULL;
	socket_pace_drop(s);
	s->flush = (struct rect){ 0 };
	s->dmabuf_is_stale = false;
	socket_wake(sd, SOCKET_EVERYTHING);
}

static void lose_requests(struct socket_display *sd)
{
	for (struct display_request *request = sd->requests; request; request = request->next)
		request->kind = REQUEST_LOST;
}

static void end_lost_requests(struct socket_display *sd)
{
	socket_request_end_all(sd, REQUEST_LOST, DISPLAY_MAX_SCANOUTS, -ENOTCONN, NULL);
}

void socket_disconnect(struct socket_display *sd)
{
	if (!has_peer(sd))
		return;
	loop_remove(&sd->socket);
	fd_close(&sd->fd);
	loop_unqueue(&sd->task);
	loop_timer_disarm(&sd->pace_timer);
	sd->generation++;
	sd->is_full = sd->has_warned = false;
	sd->protocol = PROTOCOL_TO_ASK;
	sd->protocol_deadline = sd->features = 0;
	sd->info_is_asked = sd->barrier_is_due = false;
	sd->flush_order_len = 0;
	sd->input_len = 0;
	sd->output.message = NULL;
	loop_set_writer(sd->loop, NULL, -1);
	lose_requests(sd);
}

void socket_drop_peer(struct socket_display *sd)
{
	socket_disconnect(sd);
	end_lost_requests(sd);
}

static int connect_peer(struct socket_display *sd, int fd)
{
	auto_fd owned = fd;
	int r = fd_prepare(fd);

	if (r == 0)
		r = loop_add(sd->loop, &sd->socket, fd, EPOLLIN, on_socket);
	if (r < 0)
		return r;
	/* The kernel limits the size to what the host allows. The system call is made by its
	 * number: where libc uses socketcall(), the seccomp filter cannot see the option and
	 * refuses the call. */
	(void)syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &(int){ SOCKET_SEND_BUFFER_BYTES },
		      sizeof(int));
	sd->fd = fd_steal(&owned);
	sd->generation++;
	sd->next_scanout = 0;
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		mark_stale(&sd->scanouts[i]);
	sd->protocol_deadline = socket_request_now() + sd->timeouts.protocol;
	socket_request_watch(sd, sd->protocol_deadline);
	socket_wake(sd, SOCKET_EVERYTHING);
	return 0;
}

/* The next front-end starts without the surfaces and dma-bufs that this one was sent. */
static void forget_front_end(struct socket_display *sd)
{
	sd->has_told = false;
	socket_pace_forget_edids(sd);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct socket_scanout *s = &sd->scanouts[i];

		s->peer_has_surface = s->peer_has_dmabuf = false;
		s->cursor.was_used = s->cursor.is_visible;
	}
}

static int socket_set_socket(struct display *display, int fd)
{
	struct socket_display *sd = socket_display_of(display);
	int r = 0;

	socket_disconnect(sd);
	if (fd >= 0)
		r = connect_peer(sd, fd);
	else
		forget_front_end(sd);
	end_lost_requests(sd);
	return r;
}

static void socket_reset(struct display *display)
{
	struct socket_display *sd = socket_display_of(display);

	lose_requests(sd);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct socket_cursor *cursor = &sd->scanouts[i].cursor;

		socket_scanout_off(sd, i);
		cursor->position_is_stale |= cursor->is_visible;
		cursor->has_shape = cursor->shape_is_stale = cursor->is_visible = false;
	}
	end_lost_requests(sd);
}

static void socket_free(struct display *display)
{
	struct socket_display *sd = socket_display_of(display);

	socket_drop_peer(sd);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		socket_scanout_off(sd, i);
	loop_timer_finish(&sd->pace_timer);
	loop_timer_finish(&sd->timer);
	g_free(sd);
}

static int socket_request_info(struct display *display, struct display_request *request)
{
	struct socket_display *sd = socket_display_of(display);

	if (!has_peer(sd))
		return -ENOTSUP;
	socket_request_add(sd, request, REQUEST_INFO_WAITS, 0, sd->timeouts.request);
	socket_wake(sd, SOCKET_EVERYTHING);
	return 0;
}

static int socket_request_edid(struct display *display, struct display_request *request,
			       unsigned scanout)
{
	struct socket_display *sd = socket_display_of(display);

	if (!has_peer(sd) ||
	    (!sd->protocol_deadline && !socket_has_features(sd, VHOST_USER_GPU_PROTOCOL_F_EDID)))
		return -ENOTSUP;
	socket_request_add(sd, request, REQUEST_EDID_WAITS, scanout, sd->timeouts.request);
	socket_wake(sd, SOCKET_EVERYTHING);
	return 0;
}

static void socket_cancel(struct display *display, struct display_request *request)
{
	socket_request_remove(socket_display_of(display), request);
}

/* A page flip: the rows of the old picture that were not sent yet are sent from the new one. A
 * guest may flip more often than a whole picture can be sent, and the lower rows must be sent too.
 */
static void flip_pixels(struct socket_display *sd, unsigned scanout, struct display_pixels *pixels)
{
	struct socket_scanout *s = &sd->scanouts[scanout];

	if (pixels != s->pixels) {
		socket_output_replace(sd, scanout, pixels);
		socket_unchanged_forget(s);
		if (!rect_is_empty(&s->sending)) {
			damage_add(&s->damage, &s->sending);
			/* UPDATEs of scanouts with the old source may have waited for this one. */
			sd->awake = SOCKET_EVERYTHING;
		}
		s->sending = (struct rect){ 0 };
	}
	s->pixels = pixels;
	s->waiting.count = 0;
	socket_pace_add(s, &(struct rect){ 0, 0, s->width, s->height });
	sd->drawn |= 1u << scanout;
	sd->flushed |= 1u << scanout;
	socket_wake(sd, 0);
}

static void socket_scanout_pixels(struct display *display, unsigned scanout, uint32_t width,
				  uint32_t height, struct display_pixels *pixels)
{
	struct socket_display *sd = socket_display_of(display);
	struct socket_scanout *s = &sd->scanouts[scanout];

	if (pixels && s->kind == SCANOUT_PIXELS && s->width == width && s->height == height) {
		flip_pixels(sd, scanout, pixels);
		return;
	}
	socket_scanout_off(sd, scanout);
	if (!pixels)
		return;
	s->kind = SCANOUT_PIXELS;
	s->width = width;
	s->height = height;
	s->pixels = pixels;
	damage_all(s);
}

static bool socket_shows_dmabufs(struct display *display)
{
	struct socket_display *sd = socket_display_of(display);

	return has_peer(sd) && !sd->protocol_deadline;
}

static int socket_scanout_dmabuf(struct display *display, unsigned scanout,
				 const struct dmabuf *dmabuf, const struct rect *r)
{
	struct socket_display *sd = socket_display_of(display);
	struct socket_scanout *s = &sd->scanouts[scanout];
	bool is_awaited = socket_request_find(sd, REQUEST_FLUSH_WAITS, scanout);
	auto_fd fd = -1;

	socket_scanout_off(sd, scanout);
	if (!socket_shows_dmabufs(display) || !dmabuf_is_showable(sd, dmabuf) || rect_is_empty(r))
		return -ENOTSUP;
	fd = fcntl(dmabuf->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	s->kind = SCANOUT_DMABUF;
	s->dmabuf = *dmabuf;
	s->dmabuf.fd = fd_steal(&fd);
	s->dmabuf_rect = *r;
	s->width = r->width;
	s->height = r->height;
	s->dmabuf_is_stale = true;
	if (is_awaited)
		s->flush = (struct rect){ 0, 0, s->width, s->height };
	return 0;
}

static void socket_damage(struct display *display, unsigned scanout, const struct rect *r)
{
	struct socket_display *sd = socket_display_of(display);
	struct socket_scanout *s = &sd->scanouts[scanout];
	struct rect clipped = rect_intersect(r, &(struct rect){ 0, 0, s->width, s->height });

	if (rect_is_empty(&clipped))
		return;
	if (s->kind == SCANOUT_DMABUF) {
		s->flush = rect_union(&s->flush, &clipped);
		socket_wake(sd, 1u << scanout);
	} else {
		socket_pace_add(s, &clipped);
		sd->drawn |= 1u << scanout;
		sd->flushed |= 1u << scanout;
		socket_wake(sd, 0);
	}
}

static int socket_flush_dmabuf(struct display *display, struct display_request *request,
			       unsigned scanout, const struct rect *r)
{
	struct socket_display *sd = socket_display_of(display);
	struct socket_scanout *s = &sd->scanouts[scanout];
	struct rect clipped = rect_intersect(r, &(struct rect){ 0, 0, s->width, s->height });

	if (!has_peer(sd) || s->kind != SCANOUT_DMABUF || rect_is_empty(&clipped))
		return -ENOTSUP;
	s->flush = rect_union(&s->flush, &clipped);
	socket_request_add(sd, request, REQUEST_FLUSH_WAITS, scanout, sd->timeouts.hold);
	socket_wake(sd, SOCKET_EVERYTHING);
	return 0;
}

static void socket_pixels_changed(struct display *display, struct display_pixels *pixels)
{
	struct socket_display *sd = socket_display_of(display);

	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct socket_scanout *s = &sd->scanouts[i];

		if (s->pixels != pixels)
			continue;
		socket_output_replace(sd, i, pixels);
		socket_unchanged_forget(s);
		if (rect_is_empty(&s->sending))
			continue;
		damage_add(&s->damage, &s->sending);
		s->sending = (struct rect){ 0 };
		socket_wake(sd, SOCKET_EVERYTHING);
	}
}

static bool socket_is_awaited(struct display *display)
{
	return socket_output_is_awaited(socket_display_of(display));
}

static void socket_cursor_set(struct display *display, unsigned scanout,
			      const struct display_cursor *cursor)
{
	struct socket_display *sd = socket_display_of(display);
	struct socket_cursor *c = &sd->scanouts[scanout].cursor;

	*c->shape = *cursor;
	c->was_used = c->has_shape = c->is_visible = c->shape_is_stale = true;
	socket_wake(sd, 1u << scanout);
}

static void socket_cursor_move(struct display *display, unsigned scanout, uint32_t x, uint32_t y,
			       bool is_visible)
{
	struct socket_display *sd = socket_display_of(display);
	struct socket_cursor *cursor = &sd->scanouts[scanout].cursor;

	cursor->shape->x = x;
	cursor->shape->y = y;
	cursor->is_visible = is_visible;
	cursor->was_used = cursor->position_is_stale = true;
	socket_wake(sd, 1u << scanout);
}

static const struct display_ops socket_ops = {
	.name = "vhost-user-gpu",
	.free = socket_free,
	.set_socket = socket_set_socket,
	.reset = socket_reset,
	.request_info = socket_request_info,
	.request_edid = socket_request_edid,
	.cancel = socket_cancel,
	.scanout_pixels = socket_scanout_pixels,
	.shows_dmabufs = socket_shows_dmabufs,
	.scanout_dmabuf = socket_scanout_dmabuf,
	.damage = socket_damage,
	.flush_dmabuf = socket_flush_dmabuf,
	.pixels_changed = socket_pixels_changed,
	.is_awaited = socket_is_awaited,
	.log_state = socket_log_state,
	.cursor_set = socket_cursor_set,
	.cursor_move = socket_cursor_move,
};

/* 0 or -errno. */
static int make_timers(struct socket_display *sd)
{
	int r = loop_timer_init(sd->loop, &sd->timer, socket_request_expire);

	if (r == 0)
		r = loop_timer_init(sd->loop, &sd->pace_timer, socket_pace_expire);
	if (r < 0)
		loop_timer_finish(&sd->timer);
	return r;
}

struct display *socket_display_new(struct loop *loop, uint32_t max_fps)
{
	struct socket_display *sd = g_new0(struct socket_display, 1);

	display_init(&sd->base, &socket_ops);
	sd->loop = loop;
	sd->fd = -1;
	sd->writer.fn = socket_output_send_rest;
	sd->timeouts = (struct socket_timeouts){ SOCKET_PROTOCOL_TIMEOUT, SOCKET_REQUEST_TIMEOUT,
						 SOCKET_FLUSH_TIMEOUT, SOCKET_HOLD_TIMEOUT };
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		sd->scanouts[i] =
			(struct socket_scanout){ .dmabuf.fd = -1, .cursor.shape = &sd->shapes[i] };
	socket_pace_init(sd, max_fps);
	int r = make_timers(sd);
	if (r < 0) {
		log_error("cannot create a timer: %s", g_strerror(-r));
		g_free(sd);
		return NULL;
	}
	return &sd->base;
}
