// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Decides when the pixels of a scanout are sent: at most as many frames a second as the refresh
 * rate of the screen, or as max_fps says. A frame is the damage that was there when it began. Later
 * damage is merged and waits for the next frame, which begins when the current frame has been sent
 * and its interval is over: at once if the guest drew nothing for that long, else when the timer
 * fires. Pixels are read when they are sent, so the peer always gets the newest pixels, and pixels
 * that the guest overwrote before that are never sent.
 *
 * If the guest flushes in the second half of the interval, the frame begins at that flush, and the
 * one after it is due at the same time as otherwise. The renderer has normally drawn everything
 * then, and the guest prepares its next frame while pixels are read back; at any other moment the
 * read-back would wait for the renderer, and the guest for the read-back.
 *
 * The invariant: where damage waits, either there is no peer, or its socket is full, or the scanout
 * is marked as drawn, or the timer is armed. The guest's commands never wait for a frame, and while
 * the socket is full, the timer is not armed again.
 */
#include <time.h>

#include "base/container.h"
#include "display/socket.h"
#include "display/socket/socket_private.h"

#define SECOND_NS UINT64_C(1000000000)

/* Frames a second for a screen whose refresh rate is not known. */
#define DEFAULT_HZ 60

/* The range of refresh rates that is accepted from an EDID. */
#define MIN_HZ 20
#define MAX_HZ 1000

/* If a frame was late, the next one may begin early by up to 1/LATE_PART of an interval. Timers and
 * guests are often late, and the average rate must still be the screen's. */
#define LATE_PART 8

/* At a flush, the frame may begin early by up to 1/EARLY_PART of an interval. */
#define EARLY_PART 2

/* The first detailed timing (VESA E-EDID 1.4, 3.10.2). */
#define EDID_BASE_SIZE 128
#define EDID_TIMING    54

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* Returns the duration of one frame of the preferred mode, or 0 if @edid does not give it. */
static uint64_t read_interval(const struct display_edid *edid)
{
	const uint8_t *d = edid->data + EDID_TIMING;
	uint64_t clock = d[0] | (uint64_t)d[1] << 8; /* 10 kHz */
	uint64_t width = (d[2] | (d[4] >> 4) << 8) + (d[3] | (d[4] & 15) << 8);
	uint64_t height = (d[5] | (d[7] >> 4) << 8) + (d[6] | (d[7] & 15) << 8);

	if (edid->size < EDID_BASE_SIZE || clock == 0)
		return 0;
	uint64_t interval = width * height * (SECOND_NS / 10000) / clock;

	return interval >= SECOND_NS / MAX_HZ && interval <= SECOND_NS / MIN_HZ ? interval : 0;
}

void socket_pace_init(struct socket_display *sd, uint32_t max_fps)
{
	sd->paces_by_edid = max_fps == SOCKET_DISPLAY_FPS_OF_SCREEN;
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		sd->scanouts[i].interval = max_fps == 0 ? 0 : SECOND_NS / max_fps;
	socket_pace_forget_edids(sd);
}

void socket_pace_forget_edids(struct socket_display *sd)
{
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS && sd->paces_by_edid; i++)
		sd->scanouts[i].interval = SECOND_NS / DEFAULT_HZ;
}

void socket_pace_by_edid(struct socket_display *sd, unsigned scanout,
			 const struct display_edid *edid)
{
	uint64_t interval = read_interval(edid);

	if (sd->paces_by_edid)
		sd->scanouts[scanout].interval = interval ? interval : SECOND_NS / DEFAULT_HZ;
}

void socket_pace_add(struct socket_scanout *s, const struct rect *r)
{
	damage_add(s->interval > 0 ? &s->waiting : &s->damage, r);
}

void socket_pace_drop(struct socket_scanout *s)
{
	s->damage.count = s->waiting.count = 0;
	s->sending = (struct rect){ 0 };
}

static void wait_for_frame(struct socket_display *sd, uint64_t deadline, uint64_t now)
{
	if (sd->pace_timer.is_armed && sd->pace_deadline <= deadline)
		return;
	sd->pace_deadline = deadline;
	loop_timer_arm_ns(&sd->pace_timer, deadline - now);
}

/* How much earlier than its time the next frame of @s may begin now, in nanoseconds. */
static uint64_t find_head_start(const struct socket_display *sd, const struct socket_scanout *s)
{
	bool has_flushed = sd->flushed >> (s - sd->scanouts) & 1;

	return has_flushed ? s->interval / EARLY_PART : 0;
}

bool socket_pace_begin_frame(struct socket_display *sd, struct socket_scanout *s)
{
	uint64_t now;

	if (s->waiting.count == 0)
		return false;
	now = now_ns();
	if (now + find_head_start(sd, s) < s->next_frame) {
		wait_for_frame(sd, s->next_frame, now);
		return false;
	}
	uint64_t earliest = now - s->interval / LATE_PART;

	s->next_frame = MAX(s->next_frame, earliest) + s->interval;
	s->damage = s->waiting;
	s->waiting.count = 0;
	return true;
}

int socket_pace_expire(struct loop_timer *timer)
{
	struct socket_display *sd = container_of(timer, struct socket_display, pace_timer);

	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		if (sd->scanouts[i].waiting.count > 0)
			sd->drawn |= 1u << i;
	socket_wake(sd, 0);
	return 0;
}
