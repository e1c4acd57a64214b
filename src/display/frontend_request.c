// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The requests of the device that wait for the peer. The invariant: a request is in the list from
 * the moment it is made until it is called back or cancelled, it is taken out before it is called
 * back, and it is called back from a fresh look at the list each time; so a callback may make and
 * cancel any request, and none is called twice.
 *
 * Every request has a deadline, whether it was sent or not: no guest command waits for ever because
 * a peer is stuck. What the peer was asked is forgotten with it, or kept in flight (see
 * frontend_reply.c); a late answer finds nobody and is ignored. One timer serves all. It is not
 * disarmed when a request ends in time but left to fire and look, so a frame costs no timer call.
 */
#define LOG_MODULE "frontend"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/container.h"
#include "base/log.h"
#include "display/frontend_internal.h"

uint64_t frontend_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

void frontend_request_watch(struct frontend *fe, uint64_t deadline)
{
	uint64_t now = frontend_now();

	if (fe->timer.is_armed && fe->timer_deadline <= deadline)
		return;
	fe->timer_deadline = deadline;
	loop_timer_arm(&fe->timer, deadline > now ? (uint32_t)(deadline - now) : 1);
}

void frontend_request_add(struct frontend *fe, struct display_request *request,
			  enum request_kind kind, unsigned scanout, uint32_t timeout)
{
	struct display_request **end = &fe->requests;

	while (*end)
		end = &(*end)->next;
	*end = request;
	request->display = &fe->base;
	request->kind = kind;
	request->scanout = scanout;
	request->deadline = frontend_now() + timeout;
	request->next = NULL;
	frontend_request_watch(fe, request->deadline);
}

void frontend_request_remove(struct frontend *fe, struct display_request *request)
{
	struct display_request **link = &fe->requests;

	assert(request->display == &fe->base);
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

struct display_request *frontend_request_find(struct frontend *fe, enum request_kind kind,
					      unsigned scanout)
{
	for (struct display_request *request = fe->requests; request; request = request->next)
		if (is_wanted(request, kind, scanout))
			return request;
	return NULL;
}

void frontend_requests_become(struct frontend *fe, enum request_kind kind, unsigned scanout,
			      enum request_kind becomes)
{
	for (struct display_request *request = fe->requests; request; request = request->next)
		if (is_wanted(request, kind, scanout))
			request->kind = becomes;
}

static void end_request(struct frontend *fe, struct display_request *request, int error,
			const void *reply)
{
	frontend_request_remove(fe, request);
	request->fn(request, error, reply);
}

void frontend_end_requests(struct frontend *fe, enum request_kind kind, unsigned scanout, int error,
			   const void *reply)
{
	struct display_request *request;

	while ((request = frontend_request_find(fe, kind, scanout)))
		end_request(fe, request, error, reply);
}

/* Takes the flush at @i out of the order; it counts as done. */
static void flush_forget(struct frontend *fe, unsigned i)
{
	fe->scanouts[fe->flush_order[i]].flush_is_asked = false;
	fe->flush_order_len--;
	memmove(&fe->flush_order[i], &fe->flush_order[i + 1], fe->flush_order_len - i);
}

void frontend_flush_done(struct frontend *fe)
{
	if (fe->flush_order_len == 0)
		return;
	unsigned scanout = fe->flush_order[0];

	flush_forget(fe, 0);
	frontend_end_requests(fe, REQUEST_FLUSH_ASKED, scanout, 0, NULL);
}

static struct display_request *find_due(struct frontend *fe, uint64_t now)
{
	for (struct display_request *request = fe->requests; request; request = request->next)
		if (request->deadline <= now)
			return request;
	return NULL;
}

/* @scanout: DISPLAY_MAX_SCANOUTS: of none. */
static void warn_once(struct frontend *fe, const char *what, unsigned scanout)
{
	static const char line[] = "the VMM's display does not answer in time";

	if (!fe->has_warned && scanout < DISPLAY_MAX_SCANOUTS)
		log_warn("scanout %u: %s (%s)", scanout, line, what);
	else if (!fe->has_warned)
		log_warn("%s (%s)", line, what);
	fe->has_warned = true;
}

static void warn_of_request(struct frontend *fe, const struct display_request *request)
{
	switch (request->kind) {
	case REQUEST_EDID_WAITS:
	case REQUEST_EDID_ASKED:
		warn_once(fe, "EDID", request->scanout);
		break;
	case REQUEST_FLUSH_WAITS:
	case REQUEST_FLUSH_ASKED:
		warn_once(fe, "dma-buf update", request->scanout);
		break;
	default:
		warn_once(fe, "display info", DISPLAY_MAX_SCANOUTS);
		break;
	}
}

static void watch_what_is_left(struct frontend *fe)
{
	if (fe->protocol_deadline)
		frontend_request_watch(fe, fe->protocol_deadline);
	for (unsigned i = 0; i < fe->flush_order_len; i++)
		frontend_request_watch(fe, fe->scanouts[fe->flush_order[i]].flush_deadline);
	for (struct display_request *request = fe->requests; request; request = request->next)
		frontend_request_watch(fe, request->deadline);
}

int frontend_request_expire(struct loop_timer *timer)
{
	struct frontend *fe = container_of(timer, struct frontend, timer);
	uint64_t now = frontend_now();
	struct display_request *request;

	if (fe->protocol_deadline && fe->protocol_deadline <= now) {
		warn_once(fe, "protocol features", DISPLAY_MAX_SCANOUTS);
		frontend_set_features(fe, 0);
	}
	for (unsigned i = 0; i < fe->flush_order_len;) {
		if (fe->scanouts[fe->flush_order[i]].flush_deadline <= now) {
			warn_once(fe, "dma-buf update", fe->flush_order[i]);
			flush_forget(fe, i);
		} else {
			i++;
		}
	}
	while ((request = find_due(fe, now))) {
		warn_of_request(fe, request);
		end_request(fe, request, -ETIMEDOUT, NULL);
	}
	watch_what_is_left(fe);
	frontend_wake(fe, FRONTEND_EVERYTHING);
	return 0;
}
