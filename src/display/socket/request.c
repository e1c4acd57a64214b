// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The requests of the device that wait for the peer. The invariant: a request is in the list from
 * the moment it is made until it is called back or cancelled, and it is removed from the list
 * before it is called back. The list is searched from its start after each callback; so a callback
 * may make and cancel any request, and none is called back twice.
 *
 * Every request has a deadline, whether it was sent or not: so a peer that does not answer never
 * holds a guest command for good. When a request times out, its message may still be in flight: a
 * GET_DISPLAY_INFO until it is answered (see reply.c), a DMABUF_UPDATE until it is answered or
 * until flush_deadline; a GET_EDID is forgotten. A late answer ends no request: the one that it is
 * for has ended. There is one exception: if a DMABUF_UPDATE is answered after its flush_deadline,
 * the answer ends the flush requests of the oldest DMABUF_UPDATE in flight, if there is one.
 *
 * One timer serves all requests. It stays armed when a request ends in time, and rechecks the list
 * when it fires, so a frame costs no timer call.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/container.h"
#include "display/socket/socket_private.h"

#define LOG_MODULE "display"
#include "base/log.h"

uint64_t socket_request_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

void socket_request_watch(struct socket_display *sd, uint64_t deadline)
{
	uint64_t now = socket_request_now();

	if (sd->timer.is_armed && sd->timer_deadline <= deadline)
		return;
	sd->timer_deadline = deadline;
	loop_timer_arm(&sd->timer, deadline > now ? (uint32_t)(deadline - now) : 1);
}

void socket_request_add(struct socket_display *sd, struct display_request *request,
			enum request_kind kind, unsigned scanout, uint32_t timeout)
{
	struct display_request **end = &sd->requests;

	while (*end)
		end = &(*end)->next;
	*end = request;
	request->display = &sd->base;
	request->kind = kind;
	request->scanout = scanout;
	request->deadline = socket_request_now() + timeout;
	request->next = NULL;
	socket_request_watch(sd, request->deadline);
}

void socket_request_remove(struct socket_display *sd, struct display_request *request)
{
	struct display_request **link = &sd->requests;

	assert(request->display == &sd->base);
	while (*link != request)
		link = &(*link)->next;
	*link = request->next;
	request->next = NULL;
	request->display = NULL;
}

static bool is_wanted(const struct display_request *request, enum request_kind kind,
		      unsigned scanout)
{
	return request->kind == kind &&
	       (scanout == DISPLAY_MAX_SCANOUTS || request->scanout == scanout);
}

struct display_request *socket_request_find(struct socket_display *sd, enum request_kind kind,
					    unsigned scanout)
{
	for (struct display_request *request = sd->requests; request; request = request->next)
		if (is_wanted(request, kind, scanout))
			return request;
	return NULL;
}

void socket_request_become(struct socket_display *sd, enum request_kind kind, unsigned scanout,
			   enum request_kind becomes)
{
	for (struct display_request *request = sd->requests; request; request = request->next)
		if (is_wanted(request, kind, scanout))
			request->kind = becomes;
}

static void end_request(struct socket_display *sd, struct display_request *request, int error,
			const void *reply)
{
	socket_request_remove(sd, request);
	request->fn(request, error, reply);
}

void socket_request_end_all(struct socket_display *sd, enum request_kind kind, unsigned scanout,
			    int error, const void *reply)
{
	struct display_request *request;

	while ((request = socket_request_find(sd, kind, scanout)))
		end_request(sd, request, error, reply);
}

/* Removes the flush at index @i from flush_order; it counts as done. */
static void flush_forget(struct socket_display *sd, unsigned i)
{
	sd->scanouts[sd->flush_order[i]].flush_is_asked = false;
	sd->flush_order_len--;
	memmove(&sd->flush_order[i], &sd->flush_order[i + 1], sd->flush_order_len - i);
}

void socket_request_flush_done(struct socket_display *sd)
{
	if (sd->flush_order_len == 0)
		return;
	unsigned scanout = sd->flush_order[0];

	flush_forget(sd, 0);
	socket_request_end_all(sd, REQUEST_FLUSH_ASKED, scanout, 0, NULL);
}

static struct display_request *find_due(struct socket_display *sd, uint64_t now)
{
	for (struct display_request *request = sd->requests; request; request = request->next)
		if (request->deadline <= now)
			return request;
	return NULL;
}

/* @scanout DISPLAY_MAX_SCANOUTS: the request concerns no scanout. */
static void warn_once(struct socket_display *sd, const char *what, unsigned scanout)
{
	static const char line[] = "the display did not answer in time";

	if (!sd->has_warned && scanout < DISPLAY_MAX_SCANOUTS)
		log_warn("scanout %u: %s (%s)", scanout, line, what);
	else if (!sd->has_warned)
		log_warn("%s (%s)", line, what);
	sd->has_warned = true;
}

static void warn_of_request(struct socket_display *sd, const struct display_request *request)
{
	switch (request->kind) {
	case REQUEST_EDID_WAITS:
	case REQUEST_EDID_ASKED:
		warn_once(sd, "EDID", request->scanout);
		break;
	case REQUEST_FLUSH_WAITS:
	case REQUEST_FLUSH_ASKED:
		break; /* no warning before flush_deadline, which is later */
	default:
		warn_once(sd, "display info", DISPLAY_MAX_SCANOUTS);
		break;
	}
}

static void watch_what_is_left(struct socket_display *sd)
{
	if (sd->protocol_deadline)
		socket_request_watch(sd, sd->protocol_deadline);
	for (unsigned i = 0; i < sd->flush_order_len; i++)
		socket_request_watch(sd, sd->scanouts[sd->flush_order[i]].flush_deadline);
	for (struct display_request *request = sd->requests; request; request = request->next)
		socket_request_watch(sd, request->deadline);
}

int socket_request_expire(struct loop_timer *timer)
{
	struct socket_display *sd = container_of(timer, struct socket_display, timer);
	uint64_t now = socket_request_now();
	struct display_request *request;

	if (sd->protocol_deadline && sd->protocol_deadline <= now) {
		warn_once(sd, "protocol features", DISPLAY_MAX_SCANOUTS);
		socket_set_features(sd, 0);
	}
	for (unsigned i = 0; i < sd->flush_order_len;) {
		if (sd->scanouts[sd->flush_order[i]].flush_deadline <= now) {
			warn_once(sd, "dma-buf update", sd->flush_order[i]);
			flush_forget(sd, i);
		} else {
			i++;
		}
	}
	while ((request = find_due(sd, now))) {
		warn_of_request(sd, request);
		end_request(sd, request, -ETIMEDOUT, NULL);
	}
	watch_what_is_left(sd);
	socket_wake(sd, SOCKET_EVERYTHING);
	return 0;
}
