// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* OpenGL, Venus (Vulkan) and native contexts (DRM) for the guest, through virglrenderer. */

#include <stdbool.h>
#include <stdint.h>

struct renderer;

extern const struct renderer_kind virgl_renderer_kind;

/* Returns false in a build without virglrenderer. */
bool virgl_is_built_in(void);

/* The version of virglrenderer at build time, a static string. NULL in a build without it. */
const char *virgl_library_version(void);

/* The name of the OpenGL driver, for example "llvmpipe (LLVM 15.0.6, 256 bits), by Mesa", after
 * virgl_new() has succeeded. Freed with g_free(); NULL if the driver has no name. */
char *virgl_describe_driver(void);

/* The API of the host that carries out the guest's OpenGL. */
enum virgl_api {
	VIRGL_API_BEST, /* OpenGL, which has more features; OpenGL ES if it does not start */
	VIRGL_API_GL,
	VIRGL_API_GLES,
};

struct virgl_options {
	bool use_egl, use_glx; /* the ways to get a context; EGL is tried first */
	enum virgl_api api;
	bool use_surfaceless;   /* if no render node works, start without one */
	const char *gpu_device; /* the one render node to use; NULL: the first that works */
	uint32_t capsets;       /* 1 << id of each capset that the guest may see; 0: all */
	/* Starts the render server of Venus. Returns NULL and a socket to it (SOCK_SEQPACKET),
	 * which the renderer takes, or one sentence about the error, freed with g_free(). It is
	 * called more than once: the first time in a child process. If the pointer is NULL, there
	 * is no Venus. */
	char *(*start_server)(void *data, int *ret_socket);
	void *start_server_data;
	unsigned max_venus_contexts; /* each is a process */
};

/* Starts OpenGL in the calling thread, from which all later calls must come. A process can have one
 * such renderer at a time. On failure returns NULL, with one sentence in *@ret_message (freed with
 * g_free()). */
struct renderer *virgl_new(const struct virgl_options *options, char **ret_message);
