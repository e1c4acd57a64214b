// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The display on the other side of the vhost-user-gpu socket (QEMU's
 * docs/interop/vhost-user-gpu.rst). */

struct display;
struct loop;

/* It has no peer until display_set_socket(). NULL if the host has no timer descriptor left. */
struct display *socket_display_new(struct loop *loop);
