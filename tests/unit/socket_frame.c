// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "socket_frame.h"

#include <time.h>

struct picture socket_frame_shown;

struct socket_scanout *socket_frame_scanout(void)
{
	return &socket_rig_display()->scanouts[0];
}

bool socket_frame_timer_is_armed(void)
{
	return socket_rig_display()->pace_timer.is_armed;
}

void socket_frame_end_interval(void)
{
	struct loop_timer *timer = &socket_rig_display()->pace_timer;

	socket_frame_scanout()->next_frame = 0;
	if (!timer->is_armed)
		return;
	loop_timer_disarm(timer);
	socket_pace_expire(timer);
}

uint64_t socket_frame_wait_until_due_in(uint64_t ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	socket_frame_scanout()->next_frame =
		(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + ns;
	return socket_frame_scanout()->next_frame;
}

void socket_frame_damage(uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	display_damage(socket_rig.display, 0, &(struct rect){ x, y, width, height });
	socket_rig_turns(1);
}

void socket_frame_show(void)
{
	for (unsigned i = 0; i < DISPLAY_MAX_SCANOUTS; i++)
		socket_rig_display()->scanouts[i].interval = SOCKET_FRAME_HOUR;
	picture_init(&socket_frame_shown, 64, 64, 1);
	display_scanout_pixels(socket_rig.display, 0, 64, 64, &socket_frame_shown.base);
	socket_rig_expect_words(VHOST_USER_GPU_SCANOUT, 0, 64, 64);
	socket_rig_expect_update(0, &socket_frame_shown, 0, 0, 64, 64);
	socket_rig_expect_silence();
	assert_false(socket_frame_timer_is_armed());
}

void socket_frame_hide(void)
{
	display_scanout_pixels(socket_rig.display, 0, 0, 0, NULL);
	picture_finish(&socket_frame_shown);
}

void socket_frame_stick(const struct display_pixels_ops *ops)
{
	socket_rig_connect_and_negotiate(SOCKET_RIG_SMALL_BUFFER);
	socket_frame_scanout()->interval = SOCKET_FRAME_HOUR;
	picture_init(&socket_frame_shown, 256, 444, 1);
	if (ops)
		socket_frame_shown.base.ops = ops;
	display_scanout_pixels(socket_rig.display, 0, 256, 444, &socket_frame_shown.base);
	socket_rig_turns(3);
	assert_non_null(socket_rig_display()->output.message);
}
