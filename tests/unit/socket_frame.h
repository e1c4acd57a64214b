// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A picture whose frames are paced, on scanout 0. An interval is an hour, and the test says how
 * much of it is over. */

#include "socket_rig.h"

#define SOCKET_FRAME_HOUR   (UINT64_C(3600) * 1000000000)
#define SOCKET_FRAME_MINUTE (UINT64_C(60) * 1000000000)

extern struct picture socket_frame_shown;

struct socket_scanout *socket_frame_scanout(void);
bool socket_frame_timer_is_armed(void);
/* Shows 64x64; the first frame is sent. */
void socket_frame_show(void);
/* Shows a picture of which the peer's socket has room for a part only. @ops: of the picture; NULL:
 * as picture_init() sets them. */
void socket_frame_stick(const struct display_pixels_ops *ops);
void socket_frame_hide(void);
/* Marks damage and turns the loop. */
void socket_frame_damage(uint32_t x, uint32_t y, uint32_t width, uint32_t height);
/* Ends the interval, and fires the timer if it is armed. */
void socket_frame_end_interval(void);
/* Lets as much time pass as if the next frame were due in @ns nanoseconds. Returns when that is. */
uint64_t socket_frame_wait_until_due_in(uint64_t ns);
