// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* How Venus (Vulkan for the guest) is started, and whether it can be. */
#include "render/virgl.h"
#include "render/virgl/virgl_private.h"

/* venus_options.c */
bool virgl_venus_is_wanted(const struct virgl_options *options);
/* Says once that there is none, and why. NULL; or, if the guest was to have nothing else, one
 * sentence (freed with g_free()). */
char *virgl_venus_refuse(const struct virgl_options *options, const char *why);

/* venus.c, or rings_absent.c */

/* Before the library starts: whether it is to start with Venus, which is tried in a child. As
 * virgl_venus_refuse(). */
char *virgl_venus_prepare(struct virgl *virgl, const struct virgl_options *options);
/* For virgl_renderer_init(). */
int virgl_venus_flags(const struct virgl *virgl);
/* The library does not start with native contexts, or is still to be asked without. */
void virgl_venus_give_up_drm(struct virgl *virgl, const char *why);
/* The library starts without Venus only, because of @why. As virgl_venus_refuse(). */
char *virgl_venus_give_up(struct virgl *virgl, const char *why);
/* The library runs. */
void virgl_venus_begin(struct virgl *virgl);
/* Whether contexts of @capset can be made. */
bool virgl_venus_offers(const struct virgl *virgl, uint32_t capset);
/* Whether the render server has ended. */
bool virgl_venus_is_dead(const struct virgl *virgl);
/* The library's callback, also in the child: a socket to a new server, which the library takes. */
int virgl_venus_get_server_fd(void *cookie, uint32_t version);

/* venus_probe.c: starts the server and makes a context, in a child; before this process has
 * threads. NULL, or why it does not work (freed with g_free()). */
char *virgl_venus_probe(const struct virgl_options *options);
