// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Starts the sandbox that the options ask for, then the renderer inside it. The daemon and the
 * child of --check both use this file, so --check finds what the daemon would find.
 */
#include "start.h"

#include <glib.h>
#include <glob.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/needs.h"
#include "base/stderr_pipe.h"
#include "base/udmabuf.h"
#include "options.h"
#include "render/gfxstream.h"
#include "render/node.h"
#include "render/null.h"
#include "render/renderer.h"
#include "render/soft2d.h"
#include "render/virgl.h"
#include "sandbox/sandbox.h"
#include "vhost/memory.h"
#include "vulkan.h"

#define LOG_MODULE "main"
#include "base/log.h"

/* For the limits of descriptors and threads: what the daemon, its drivers and each context of
 * --max-contexts may need. */
#define OWN_FDS             256 /* queues, sessions, timers, dma-bufs (scanout.c): fewer than 200 */
#define OWN_THREADS         2   /* this one and the watchdog */
#define DRIVER_FDS          1024
#define FDS_PER_CONTEXT     4
#define DRIVER_THREADS      512
#define THREADS_PER_CONTEXT 4
/* More contexts than this do not raise a limit further. No host has so many threads, and the
 * products fit 32 bits. */
#define MAX_COUNTED_CONTEXTS (1u << 20)

int start_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_autofree char *sentence = g_strdup_vprintf(format, args);
	va_end(args);
	stderr_pipe_drain();
	log_fatal("%s", sentence);
	return EXIT_FAILURE;
}

static struct renderer *make_virgl(const struct options *options, struct vulkan *vulkan,
				   char **ret_message)
{
	const enum virgl_api given = options->use_gles ? VIRGL_API_GLES : VIRGL_API_GL;
	const struct virgl_options virgl = {
		.use_egl = options->use_egl,
		.use_glx = options->use_glx,
		.api = options->has_use_gles ? given : VIRGL_API_BEST,
		.use_surfaceless = options->use_surfaceless,
		.gpu_device = options->gpu_device,
		.capsets = options->capsets,
		.start_server = vulkan_start_server,
		.start_server_data = vulkan,
		.max_venus_contexts = options->max_venus_contexts,
	};

	return virgl_new(&virgl, ret_message);
}

static struct renderer *make_best_renderer(const struct options *options, struct vulkan *vulkan,
					   int udmabuf)
{
	g_autofree char *message = NULL;
	struct renderer *renderer = make_virgl(options, vulkan, &message);

	if (renderer)
		return renderer;
	log_warn("%s; using 2D on the CPU instead (--gpu-mode 2d)", message);
	return soft2d_renderer_new(udmabuf);
}

static struct renderer *make_gfxstream(const struct options *options, char **ret_message)
{
	const struct gfxstream_options gfxstream = {
		.library = options->gfxstream_library,
		.gpu_device = options->gpu_device,
		.features = options->gfxstream_features,
		.capsets = options->capsets,
	};

	return gfxstream_new(&gfxstream, ret_message);
}

/* What the renderer of @mode may need, before it is created (enum needs). */
static unsigned needs_of_mode(enum gpu_mode mode)
{
	switch (mode) {
	case GPU_MODE_NULL:
		return null_renderer_kind.needs;
	case GPU_MODE_2D:
		return soft2d_renderer_kind.needs;
	case GPU_MODE_AUTO:
		return virgl_renderer_kind.needs | soft2d_renderer_kind.needs;
	case GPU_MODE_VIRGLRENDERER:
		return virgl_renderer_kind.needs;
	case GPU_MODE_GFXSTREAM:
		return gfxstream_renderer_kind.needs;
	}
	return 0;
}

struct renderer *start_renderer(const struct options *options, struct vulkan *vulkan, int udmabuf,
				char **ret_message)
{
	switch (options->gpu_mode) {
	case GPU_MODE_NULL:
		return null_renderer_new(options->capsets);
	case GPU_MODE_2D:
		return soft2d_renderer_new(udmabuf);
	case GPU_MODE_VIRGLRENDERER:
		return make_virgl(options, vulkan, ret_message);
	case GPU_MODE_AUTO:
		return make_best_renderer(options, vulkan, udmabuf);
	case GPU_MODE_GFXSTREAM:
		return make_gfxstream(options, ret_message);
	}
	g_assert_not_reached();
}

static unsigned count_contexts(const struct options *options)
{
	return MIN(options->device.limits.max_contexts, MAX_COUNTED_CONTEXTS);
}

/* Descriptors that a renderer may have open: a driver's, or the null renderer's host blobs. */
static unsigned count_renderer_fds(const struct options *options, unsigned needs)
{
	if (options->gpu_mode == GPU_MODE_GFXSTREAM)
		return DRIVER_FDS + GFXSTREAM_FDS_PER_RESOURCE * GFXSTREAM_MAX_RESOURCES;
	if (needs & NEEDS_FILES)
		return DRIVER_FDS + FDS_PER_CONTEXT * count_contexts(options);
	return options->capsets ? DRIVER_FDS : 0;
}

/* Whether the 2D renderer's pictures, and blobs of guest memory, may be sent as dma-bufs. Only with
 * --scanout dmabuf, by which the user says that QEMU's display can show them: QEMU accepts them
 * even if its display cannot. */
static bool wants_udmabuf(const struct options *options)
{
	return options->device.scanout_mode == GPU_SCANOUT_DMABUF && !options->is_headless;
}

int start_udmabuf(const struct options *options)
{
	int fd = wants_udmabuf(options) ? udmabuf_open() : 0;

	if (fd >= 0)
		return fd;
	log_info("--scanout dmabuf: /dev/udmabuf cannot be opened (%s), so the 2D renderer's "
		 "pictures and blobs of guest memory are sent as pixels",
		 g_strerror(-fd));
	return 0;
}

bool start_sandbox(struct sandbox *sandbox, const struct options *options)
{
	const unsigned needs = needs_of_mode(options->gpu_mode) |
			       (vulkan_is_wanted(options) ? NEEDS_RENDER_SERVER : 0) |
			       (wants_udmabuf(options) ? NEEDS_UDMABUF : 0);
	const unsigned contexts = count_contexts(options);
	const struct sandbox_options sandbox_options = {
		.level = options->sandbox,
		.needs = needs,
		.uses_x11 = options->use_glx && !options->use_egl,
		.keep_fd = options->fd,
		.max_fds = OWN_FDS + count_renderer_fds(options, needs) + vulkan_max_fds(options) +
			   (wants_udmabuf(options) ? GUEST_MEMORY_MAX_REGIONS : 0),
		.max_threads =
			OWN_THREADS +
			(needs & NEEDS_THREADS ? DRIVER_THREADS + THREADS_PER_CONTEXT * contexts
					       : 0) +
			vulkan_max_threads(options),
		.gpu_device = options->gpu_device,
		.library = options->gfxstream_library,
	};

	return sandbox_start(sandbox, &sandbox_options);
}

bool start_look_at_nodes(const struct options *options)
{
	const bool may_use = needs_of_mode(options->gpu_mode) & NEEDS_GPU_DEVICES;
	glob_t found = { 0 };

	if (!may_use || !options->use_egl)
		return true;
	if (options->gpu_device) {
		g_autofree char *problem = render_node_find_problem(options->gpu_device);

		if (problem)
			start_fail("--gpu-device %s cannot be used: %s", options->gpu_device,
				   problem);
		return !problem;
	}
	glob("/dev/dri/renderD*", 0, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		g_autofree char *problem = render_node_find_problem(found.gl_pathv[i]);

		if (problem)
			log_warn("%s cannot be used: %s", found.gl_pathv[i], problem);
	}
	globfree(&found);
	return true;
}
