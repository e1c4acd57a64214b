// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The display on the other side of the vhost-user-gpu socket (QEMU's
 * docs/interop/vhost-user-gpu.rst). */

#include <stdint.h>

struct display;
struct loop;

/* As many as the screen shows, which its EDID says; 60 if it does not. */
#define SOCKET_DISPLAY_FPS_OF_SCREEN UINT32_MAX

/* It has no peer until display_set_socket(). @max_fps: of each scanout that is sent as pixels, at
 * most so many updates a second leave; 0: each. NULL if the host has no timer descriptor left. */
struct display *socket_display_new(struct loop *loop, uint32_t max_fps);
