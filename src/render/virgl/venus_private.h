// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Starting Venus (Vulkan for the guest), and checking whether it works. */
#include "render/virgl.h"
#include "render/virgl/virgl_private.h"

/* venus_options.c */
bool virgl_venus_is_wanted(const struct virgl_options *options);
/* Logs once that there is no Venus, because of @why. Returns NULL; or, if Venus was the only capset
 * asked for, one sentence (freed with g_free()). */
char *virgl_venus_refuse(const struct virgl_options *options, const char *why);

/* venus.c, or rings_absent.c */

/* Called before the library starts: tries Venus in a child, and decides whether the library starts
 * with it. Returns as virgl_venus_refuse(). */
char *virgl_venus_prepare(struct virgl *virgl, const struct virgl_options *options);
/* Returns the flags for virgl_renderer_init(). */
int virgl_venus_flags(const struct virgl *virgl);
/* Turns native contexts off, so that the library is started without them. */
void virgl_venus_give_up_drm(struct virgl *virgl, const char *why);
/* Turns Venus off, because of @why, so that the library is started without it. Returns as
 * virgl_venus_refuse(). */
char *virgl_venus_give_up(struct virgl *virgl, const char *why);
/* Called when the library runs. */
void virgl_venus_begin(struct virgl *virgl);
/* Whether contexts of @capset can be made. */
bool virgl_venus_offers(const struct virgl *virgl, uint32_t capset);
/* Whether the render server has ended. */
bool virgl_venus_is_dead(const struct virgl *virgl);
/* The library's callback, also in the child: returns a socket to a new server, which the library
 * takes. */
int virgl_venus_get_server_fd(void *cookie, uint32_t version);

/* venus_probe.c: starts the server and makes a context, in a child. To be called before this
 * process has threads. Returns NULL, or why Venus does not work (freed with g_free()). */
char *virgl_venus_probe(const struct virgl_options *options);
