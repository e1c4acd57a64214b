// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The display on the other side of the vhost-user-gpu socket. This file keeps what each scanout is
 * to show and what of it is stale; every change ends in frontend_wake(), and the rest happens at
 * the end of that turn of the loop, so that what one batch of guest commands does to a scanout is
 * sent as one.
 *
 * The invariant: the state does not depend on there being a peer. Without one damage is merged as
 * always, and a new peer finds everything marked stale. QEMU hands over a new socket at every start
 * of the device, so a new peer is the normal case, not an error.
 *
 * A source is borrowed: once a scanout shows another one, nothing here points to it or its memory.
 */
#define LOG_MODULE "frontend"
#include "display/frontend.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <drm_fourcc.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/log.h"
#include "display/frontend_internal.h"

static const struct display_ops frontend_ops;

static struct frontend *frontend(struct display *display)
{
	assert(display->ops == &frontend_ops);
	return container_of(display, struct frontend, base);
}

static bool has_peer(const struct frontend *fe)
{
	return fe->fd >= 0;
}

static bool dmabuf_is_showable(const struct frontend *fe, const struct display_dmabuf *dmabuf)
{
	return frontend_has_features(fe, VHOST_USER_GPU_PROTOCOL_F_DMABUF2) ||
	       dmabuf->modifier == DRM_FORMAT_MOD_LINEAR ||
	       dmabuf->modifier == DRM_FORMAT_MOD_INVALID;
}

/* Requests that can no longer be asked. */
static void end_hopeless_requests(struct frontend *fe)
{
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		if (fe->scanouts[i].kind != SCANOUT_DMABUF)
			frontend_end_requests(fe, REQUEST_FLUSH_WAITS, i, 0, NULL);
	if (!fe->protocol_deadline && !frontend_has_features(fe, VHOST_USER_GPU_PROTOCOL_F_EDID))
		frontend_end_requests(fe, REQUEST_EDID_WAITS, DISPLAY_MAX_SCANOUTS, -ENOTSUP, NULL);
}

static int on_task(struct loop_task *task)
{
	struct frontend *fe = container_of(task, struct frontend, task);

	if (fe->requests)
		end_hopeless_requests(fe);
	if (has_peer(fe) && !fe->is_full)
		frontend_output_run(fe);
	return 0;
}

void frontend_wake(struct frontend *fe, uint32_t scanouts)
{
	fe->awake |= scanouts;
	if (has_peer(fe))
		loop_queue(fe->loop, &fe->task, on_task);
}

static int on_socket(struct loop_source *source, uint32_t events)
{
	struct frontend *fe = container_of(source, struct frontend, socket);
	uint64_t generation = fe->generation;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		frontend_reply_read(fe);
	if ((events & EPOLLOUT) && fe->generation == generation)
		frontend_output_run(fe);
	return 0;
}

void frontend_set_features(struct frontend *fe, uint64_t features)
{
	fe->features =
		features & (VHOST_USER_GPU_PROTOCOL_F_EDID | VHOST_USER_GPU_PROTOCOL_F_DMABUF2);
	fe->protocol_deadline = 0;
	if (!fe->requests && fe->flush_order_len == 0)
		loop_timer_disarm(&fe->timer);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct frontend_scanout *s = &fe->scanouts[i];

		if (s->kind == SCANOUT_DMABUF && !dmabuf_is_showable(fe, &s->dmabuf)) {
			log_warn("scanout %u: this display cannot show the guest's buffer", i);
			frontend_scanout_off(fe, i);
		}
	}
}

/* The peer has nothing of this yet. */
static void mark_stale(struct frontend_scanout *s)
{
	s->peer_width = s->peer_height = 0;
	s->peer_surface_is_unused = false;
	s->flush_is_asked = false;
	s->cursor.shape_is_stale = s->cursor.has_shape;
	s->cursor.position_is_stale = s->cursor.was_used;
	if (s->kind == SCANOUT_PIXELS) {
		s->damage.count = 1;
		s->damage.rects[0] = (struct rect){ 0, 0, s->width, s->height };
		s->sending = (struct rect){ 0 };
	} else if (s->kind == SCANOUT_DMABUF) {
		s->dmabuf_is_stale = true;
		s->flush = (struct rect){ 0, 0, s->width, s->height };
	}
}

void frontend_scanout_off(struct frontend *fe, unsigned scanout)
{
	struct frontend_scanout *s = &fe->scanouts[scanout];

	if (s->source)
		frontend_output_keep(fe, s->source);
	fd_close(&s->dmabuf.fd);
	s->kind = SCANOUT_OFF;
	s->width = s->height = 0;
	s->source = NULL;
	s->damage.count = 0;
	s->sending = s->flush = (struct rect){ 0 };
	s->dmabuf_is_stale = false;
	frontend_wake(fe, FRONTEND_EVERYTHING);
}

static void lose_requests(struct frontend *fe)
{
	for (struct display_request *request = fe->requests; request; request = request->next)
		request->kind = REQUEST_LOST;
}

static void end_lost_requests(struct frontend *fe)
{
	frontend_end_requests(fe, REQUEST_LOST, DISPLAY_MAX_SCANOUTS, -ENOTCONN, NULL);
}

void frontend_disconnect(struct frontend *fe)
{
	if (!has_peer(fe))
		return;
	loop_remove(&fe->socket);
	fd_close(&fe->fd);
	loop_unqueue(&fe->task);
	fe->generation++;
	fe->is_full = fe->has_warned = false;
	fe->protocol = PROTOCOL_TO_ASK;
	fe->protocol_deadline = fe->features = 0;
	fe->info_is_asked = fe->barrier_is_due = false;
	fe->flush_order_len = 0;
	fe->input_len = 0;
	fe->output.message = NULL;
	fe->output.source = NULL;
	lose_requests(fe);
}

void frontend_drop_peer(struct frontend *fe)
{
	frontend_disconnect(fe);
	end_lost_requests(fe);
}

static int connect_peer(struct frontend *fe, int fd)
{
	auto_fd owned = fd;
	int r = fd_prepare(fd);

	if (r == 0)
		r = loop_add(fe->loop, &fe->socket, fd, EPOLLIN, on_socket);
	if (r < 0)
		return r;
	/* No larger than the host allows. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ FRONTEND_SOCKET_BYTES }, sizeof(int));
	fe->fd = fd_steal(&owned);
	fe->generation++;
	fe->next_scanout = 0;
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		mark_stale(&fe->scanouts[i]);
	fe->protocol_deadline = frontend_now() + fe->timeouts.protocol;
	frontend_request_watch(fe, fe->protocol_deadline);
	frontend_wake(fe, FRONTEND_EVERYTHING);
	return 0;
}

/* The next VMM has seen nothing of what this one was shown. */
static void forget_vmm(struct frontend *fe)
{
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct frontend_scanout *s = &fe->scanouts[i];

		s->peer_has_surface = s->peer_has_dmabuf = false;
		s->cursor.was_used = s->cursor.is_visible;
	}
}

static int frontend_set_socket(struct display *display, int fd)
{
	struct frontend *fe = frontend(display);
	int r = 0;

	frontend_disconnect(fe);
	if (fd >= 0)
		r = connect_peer(fe, fd);
	else
		forget_vmm(fe);
	end_lost_requests(fe);
	return r;
}

static void frontend_reset(struct display *display)
{
	struct frontend *fe = frontend(display);

	lose_requests(fe);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct frontend_cursor *cursor = &fe->scanouts[i].cursor;

		frontend_scanout_off(fe, i);
		cursor->position_is_stale |= cursor->is_visible;
		cursor->has_shape = cursor->shape_is_stale = cursor->is_visible = false;
	}
	end_lost_requests(fe);
}

static void frontend_free(struct display *display)
{
	struct frontend *fe = frontend(display);

	frontend_drop_peer(fe);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		frontend_scanout_off(fe, i);
	loop_timer_finish(&fe->timer);
	g_free(fe);
}

static int frontend_request_info(struct display *display, struct display_request *request)
{
	struct frontend *fe = frontend(display);

	if (!has_peer(fe))
		return -ENOTSUP;
	frontend_request_add(fe, request, REQUEST_INFO_WAITS, 0, fe->timeouts.request);
	frontend_wake(fe, FRONTEND_EVERYTHING);
	return 0;
}

static int frontend_request_edid(struct display *display, struct display_request *request,
				 unsigned scanout)
{
	struct frontend *fe = frontend(display);

	if (!has_peer(fe) ||
	    (!fe->protocol_deadline && !frontend_has_features(fe, VHOST_USER_GPU_PROTOCOL_F_EDID)))
		return -ENOTSUP;
	frontend_request_add(fe, request, REQUEST_EDID_WAITS, scanout, fe->timeouts.request);
	frontend_wake(fe, FRONTEND_EVERYTHING);
	return 0;
}

static void frontend_cancel(struct display *display, struct display_request *request)
{
	frontend_request_remove(frontend(display), request);
}

static void frontend_scanout_pixels(struct display *display, unsigned scanout, uint32_t width,
				    uint32_t height, struct display_source *source)
{
	struct frontend *fe = frontend(display);
	struct frontend_scanout *s = &fe->scanouts[scanout];

	frontend_scanout_off(fe, scanout);
	if (!source)
		return;
	s->kind = SCANOUT_PIXELS;
	s->width = width;
	s->height = height;
	s->source = source;
	damage_add(&s->damage, &(struct rect){ 0, 0, width, height });
}

static bool frontend_shows_dmabufs(struct display *display)
{
	struct frontend *fe = frontend(display);

	return has_peer(fe) && !fe->protocol_deadline;
}

static int frontend_scanout_dmabuf(struct display *display, unsigned scanout,
				   const struct display_dmabuf *dmabuf)
{
	struct frontend *fe = frontend(display);
	struct frontend_scanout *s = &fe->scanouts[scanout];
	bool is_awaited = frontend_request_find(fe, REQUEST_FLUSH_WAITS, scanout);
	auto_fd fd = -1;

	frontend_scanout_off(fe, scanout);
	if (!frontend_shows_dmabufs(display) || !dmabuf_is_showable(fe, dmabuf) ||
	    rect_is_empty(&dmabuf->rect))
		return -ENOTSUP;
	fd = fcntl(dmabuf->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	s->kind = SCANOUT_DMABUF;
	s->dmabuf = *dmabuf;
	s->dmabuf.fd = fd_steal(&fd);
	s->width = dmabuf->rect.width;
	s->height = dmabuf->rect.height;
	s->dmabuf_is_stale = true;
	if (is_awaited)
		s->flush = (struct rect){ 0, 0, s->width, s->height };
	return 0;
}

static void frontend_damage(struct display *display, unsigned scanout, const struct rect *r)
{
	struct frontend *fe = frontend(display);
	struct frontend_scanout *s = &fe->scanouts[scanout];
	struct rect clipped = rect_intersect(r, &(struct rect){ 0, 0, s->width, s->height });

	if (rect_is_empty(&clipped))
		return;
	if (s->kind == SCANOUT_DMABUF) {
		s->flush = rect_union(&s->flush, &clipped);
		frontend_wake(fe, 1u << scanout);
	} else {
		damage_add(&s->damage, &clipped);
		fe->drawn |= 1u << scanout;
		frontend_wake(fe, 0);
	}
}

static int frontend_flush_dmabuf(struct display *display, struct display_request *request,
				 unsigned scanout, const struct rect *r)
{
	struct frontend *fe = frontend(display);
	struct frontend_scanout *s = &fe->scanouts[scanout];
	struct rect clipped = rect_intersect(r, &(struct rect){ 0, 0, s->width, s->height });

	if (!has_peer(fe) || s->kind != SCANOUT_DMABUF || rect_is_empty(&clipped))
		return -ENOTSUP;
	s->flush = rect_union(&s->flush, &clipped);
	frontend_request_add(fe, request, REQUEST_FLUSH_WAITS, scanout, fe->timeouts.flush);
	frontend_wake(fe, FRONTEND_EVERYTHING);
	return 0;
}

static void frontend_source_changed(struct display *display, struct display_source *source)
{
	struct frontend *fe = frontend(display);

	frontend_output_keep(fe, source);
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++) {
		struct frontend_scanout *s = &fe->scanouts[i];

		if (s->source != source || rect_is_empty(&s->sending))
			continue;
		damage_add(&s->damage, &s->sending);
		s->sending = (struct rect){ 0 };
		frontend_wake(fe, FRONTEND_EVERYTHING);
	}
}

static void frontend_cursor_set(struct display *display, unsigned scanout,
				const struct display_cursor *cursor)
{
	struct frontend *fe = frontend(display);
	struct frontend_cursor *c = &fe->scanouts[scanout].cursor;

	c->shape = *cursor;
	c->was_used = c->has_shape = c->is_visible = c->shape_is_stale = true;
	frontend_wake(fe, 1u << scanout);
}

static void frontend_cursor_move(struct display *display, unsigned scanout, uint32_t x, uint32_t y,
				 bool is_visible)
{
	struct frontend *fe = frontend(display);
	struct frontend_cursor *cursor = &fe->scanouts[scanout].cursor;

	cursor->shape.x = x;
	cursor->shape.y = y;
	cursor->is_visible = is_visible;
	cursor->was_used = cursor->position_is_stale = true;
	frontend_wake(fe, 1u << scanout);
}

static const struct display_ops frontend_ops = {
	.name = "vhost-user-gpu",
	.free = frontend_free,
	.set_socket = frontend_set_socket,
	.reset = frontend_reset,
	.request_info = frontend_request_info,
	.request_edid = frontend_request_edid,
	.cancel = frontend_cancel,
	.scanout_pixels = frontend_scanout_pixels,
	.shows_dmabufs = frontend_shows_dmabufs,
	.scanout_dmabuf = frontend_scanout_dmabuf,
	.damage = frontend_damage,
	.flush_dmabuf = frontend_flush_dmabuf,
	.source_changed = frontend_source_changed,
	.cursor_set = frontend_cursor_set,
	.cursor_move = frontend_cursor_move,
};

struct display *frontend_display_new(struct loop *loop)
{
	struct frontend *fe = g_new0(struct frontend, 1);

	display_init(&fe->base, &frontend_ops);
	fe->loop = loop;
	fe->fd = -1;
	fe->timeouts =
		(struct frontend_timeouts){ FRONTEND_PROTOCOL_TIMEOUT, FRONTEND_REQUEST_TIMEOUT,
					    FRONTEND_FLUSH_TIMEOUT };
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		fe->scanouts[i].dmabuf.fd = -1;
	int r = loop_timer_init(loop, &fe->timer, frontend_request_expire);
	if (r < 0) {
		log_error("cannot make a timer: %s", strerror(-r));
		g_free(fe);
		return NULL;
	}
	return &fe->base;
}
