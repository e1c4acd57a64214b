// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* OpenGL for the guest, by virglrenderer. */

#include <stdbool.h>
#include <stdint.h>

struct renderer;

struct virgl_options {
	bool use_egl, use_glx;  /* where a context comes from; EGL goes first */
	bool use_gles;          /* OpenGL ES on the host, not OpenGL */
	bool use_surfaceless;   /* without a render node, if there is none that works */
	const char *gpu_device; /* the one render node to use; NULL: the first that works */
	uint32_t capsets;       /* 1 << id of each that the guest may see; 0: all */
};

/* Starts OpenGL, here and now, in this thread; all calls must come from it. There is one at a time
 * in a process. NULL with one sentence in *@ret_message (freed with g_free()) if it cannot be. */
struct renderer *virgl_new(const struct virgl_options *options, char **ret_message);
