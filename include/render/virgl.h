// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* OpenGL for the guest, by virglrenderer. */

#include <stdbool.h>
#include <stdint.h>

struct renderer;

extern const struct renderer_kind virgl_renderer_kind;

/* False in a build without virglrenderer. */
bool virgl_is_built_in(void);

/* Of virglrenderer, as it was when this was built; static. NULL without it. */
const char *virgl_library_version(void);

/* "llvmpipe (LLVM 15.0.6, 256 bits), Mesa": what draws, once virgl_new() has succeeded. Freed with
 * g_free(); NULL: it does not say. */
char *virgl_describe_driver(void);

/* The API of the host that the guest's OpenGL is drawn with. */
enum virgl_api {
	VIRGL_API_BEST, /* OpenGL, which gives the guest more; OpenGL ES if that does not start */
	VIRGL_API_GL,
	VIRGL_API_GLES,
};

struct virgl_options {
	bool use_egl, use_glx; /* where a context comes from; EGL goes first */
	enum virgl_api api;
	bool use_surfaceless;   /* without a render node, if there is none that works */
	const char *gpu_device; /* the one render node to use; NULL: the first that works */
	uint32_t capsets;       /* 1 << id of each that the guest may see; 0: all */
	/* Starts the render server of Venus: NULL and a socket to it (SOCK_SEQPACKET), which the
	 * renderer takes, or one sentence, freed with g_free(). Called more than once: the first
	 * time in a child. NULL: there is no Venus. */
	char *(*start_server)(void *data, int *ret_socket);
	void *start_server_data;
	unsigned max_venus_contexts; /* each is a process */
};

/* Starts OpenGL, here and now, in this thread; all calls must come from it. There is one at a time
 * in a process. NULL with one sentence in *@ret_message (freed with g_free()) if it cannot be. */
struct renderer *virgl_new(const struct virgl_options *options, char **ret_message);
