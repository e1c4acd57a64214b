// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The display at the other end of the vhost-user-gpu socket (QEMU's
 * docs/interop/vhost-user-gpu.rst). */

#include <stdint.h>

struct display;
struct loop;

/* A value of @max_fps below: the refresh rate that the EDID of the screen gives; 60 if it gives
 * none. */
#define SOCKET_DISPLAY_FPS_OF_SCREEN UINT32_MAX

/* The new display has no peer until display_set_socket(). @max_fps limits the frames a second of
 * each scanout that is sent as pixels; 0: no limit. Returns NULL if no timer descriptor can be
 * made. */
struct display *socket_display_new(struct loop *loop, uint32_t max_fps);
