// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Starts virglrenderer. The library's state is global, so there is at most one such renderer at a
 * time, and its OpenGL contexts belong to the thread that started it.
 *
 * The library is started before the daemon's socket exists, because only a start shows whether a
 * render node, a driver and the library work together. With EGL and without --gpu-device the nodes
 * are tried in order, then EGL without a node (if --use-surfaceless is on). With --gpu-device only
 * that node is tried. GLX uses no node. The last line that the library prints before a failure
 * becomes part of the error message.
 */
#include "render/virgl.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/needs.h"
#include "render/virgl/egl.h"
#include "render/virgl/rings_private.h"
#include "render/virgl/venus_private.h"

#define LOG_MODULE "virgl"
#include "base/log.h"

#define LINE_SIZE 256

/* Older headers of virglrenderer define this flag only if VIRGL_RENDERER_UNSTABLE_APIS is defined,
 * with the same value. */
#ifndef VIRGL_RENDERER_USE_EXTERNAL_BLOB
#define VIRGL_RENDERER_USE_EXTERNAL_BLOB (1 << 5)
#endif

/* Memory that the library, the driver and its compiler take when in use. */
#define LIBRARY_BYTES_OF_CPU (UINT64_C(64) << 20)
#define LIBRARY_BYTES_OF_GPU (UINT64_C(256) << 20)

static bool is_running;

/* The last line that the library printed in this thread. */
static _Thread_local char last_line[LINE_SIZE];

static void keep_line(const char *text)
{
	char line[LINE_SIZE];

	g_strlcpy(line, text, sizeof(line));
	g_strstrip(line);
	if (line[0] == '\0')
		return;
	memcpy(last_line, line, sizeof(line));
	log_debug("%s", line);
}

#ifdef VIRGL_HAS_LOG_CALLBACK
static void on_log(enum virgl_log_level_flags level, const char *message, void *data)
{
	(void)level;
	(void)data;
	keep_line(message);
}

static void take_log(void)
{
	virgl_set_log_callback(on_log, NULL, NULL);
}
#else
static void on_log(const char *format, va_list args)
{
	char line[LINE_SIZE];

	if (vsnprintf(line, sizeof(line), format, args) >= 0)
		keep_line(line);
}

static void take_log(void)
{
	virgl_set_debug_callback(on_log);
}
#endif

/* Returns a duplicate: the library closes the descriptor. */
static int get_drm_fd(void *cookie)
{
	const struct virgl *virgl = cookie;

	return virgl->node < 0 ? -1 : fcntl(virgl->node, F_DUPFD_CLOEXEC, 0);
}

static const char *failure_reason(void)
{
	return last_line[0] ? last_line : "it gives no reason (EGL_LOG_LEVEL=debug prints more)";
}

static bool init_library(struct virgl *virgl, int flags)
{
	last_line[0] = '\0';
	return virgl_renderer_init(virgl, flags, &virgl->callbacks) == 0;
}

/* Starts the library with OpenGL (@flags) and, if they were asked for, Venus and native contexts.
 * On failure retries without native contexts, then without Venus too. */
static bool init_with_more(struct virgl *virgl, int flags)
{
	const int more = virgl_venus_flags(virgl);

	if (init_library(virgl, flags | more))
		return true;
	g_autofree char *why = g_strdup(failure_reason());

	virgl_venus_give_up_drm(virgl, why);
	if (virgl_venus_flags(virgl) != more &&
	    init_library(virgl, flags | virgl_venus_flags(virgl)))
		return true;
	if (!virgl_venus_flags(virgl) || !init_library(virgl, flags))
		return false;
	g_autofree char *sentence = virgl_venus_give_up(virgl, why);

	if (!sentence)
		return true;
	/* Only Venus was asked for, so a start without it is a failure. */
	virgl_renderer_cleanup(virgl);
	keep_line(sentence);
	return false;
}

/* Starts the library on @virgl->node, or without one. Without the flag EXTERNAL_BLOB, a guest that
 * has the shared memory region for host blobs would make host blobs from OpenGL's buffers, which
 * cannot be exported. */
static bool start_library(struct virgl *virgl, const struct virgl_options *options)
{
	int flags = VIRGL_RENDERER_THREAD_SYNC | VIRGL_RENDERER_USE_EXTERNAL_BLOB;

	flags |= options->use_egl ? VIRGL_RENDERER_USE_EGL : VIRGL_RENDERER_USE_GLX;
	if (options->use_egl && virgl->node < 0)
		flags |= VIRGL_RENDERER_USE_SURFACELESS;
	virgl->is_gles = options->api == VIRGL_API_GLES;
	if (virgl->is_gles)
		flags |= VIRGL_RENDERER_USE_GLES;
	return init_with_more(virgl, flags);
}

/* Tries only the node that the user named. Returns NULL, or one sentence about the error. */
static char *start_on_node(struct virgl *virgl, const struct virgl_options *options)
{
	const char *path = options->gpu_device;

	virgl->node = virgl_egl_open_node(path);
	if (virgl->node == -ENODEV)
		return g_strdup_printf("--gpu-device %s is not a DRM render node", path);
	if (virgl->node < 0)
		return g_strdup_printf("--gpu-device %s cannot be opened: %s", path,
				       g_strerror(-virgl->node));
	if (!start_library(virgl, options))
		return g_strdup_printf("virglrenderer cannot use --gpu-device %s: %s", path,
				       failure_reason());
	return NULL;
}

static bool start_on_any_node(struct virgl *virgl, const struct virgl_options *options)
{
	g_autoptr(GPtrArray) nodes = virgl_egl_list_nodes();

	for (unsigned i = 0; i < nodes->len; i++) {
		const char *path = g_ptr_array_index(nodes, i);

		virgl->node = virgl_egl_open_node(path);
		if (virgl->node < 0) {
			log_warn("%s cannot be opened: %s", path, g_strerror(-virgl->node));
			continue;
		}
		if (start_library(virgl, options)) {
			log_info("rendering on %s", path);
			return true;
		}
		log_warn("virglrenderer cannot use %s: %s", path, failure_reason());
		fd_close(&virgl->node);
	}
	virgl->node = -1;
	return false;
}

/* Starts the library with options::api, which is not VIRGL_API_BEST. Returns NULL, or one
 * sentence. */
static char *start_api(struct virgl *virgl, const struct virgl_options *options)
{
	const char *problem;

	if (!options->use_egl && !options->use_glx)
		return g_strdup("virglrenderer needs EGL or GLX, and both are disabled");
	if (!options->use_egl && options->gpu_device)
		return g_strdup("--gpu-device needs EGL, which is disabled");
	problem = virgl_egl_find_problem(options->use_egl, options->api == VIRGL_API_GLES);
	if (problem)
		return g_strdup_printf("virglrenderer cannot start: %s", problem);
	if (!options->use_egl)
		return start_library(virgl, options)
			       ? NULL
			       : g_strdup_printf("virglrenderer cannot start with GLX: %s; check "
						 "that DISPLAY names an X server",
						 failure_reason());
	if (options->gpu_device)
		return start_on_node(virgl, options);
	if (start_on_any_node(virgl, options))
		return NULL;
	if (!options->use_surfaceless)
		return g_strdup("virglrenderer found no render node in /dev/dri that works, and "
				"--use-surfaceless is off");
	if (start_library(virgl, options)) {
		log_info("rendering without a render node: pictures are sent as pixels, not "
			 "as dma-bufs");
		return NULL;
	}
	return g_strdup_printf("virglrenderer found no render node in /dev/dri that works, and "
			       "cannot start without one: %s; install the GPU's EGL driver, or "
			       "Mesa's",
			       failure_reason());
}

/* Starts the library with options::api. For VIRGL_API_BEST starts it with OpenGL, and if that
 * fails, with OpenGL ES. Returns NULL, or one sentence about the error (OpenGL's if both fail). */
static char *start_best(struct virgl *virgl, const struct virgl_options *options)
{
	struct virgl_options tried = *options;

	if (options->api != VIRGL_API_BEST)
		return start_api(virgl, options);
	tried.api = VIRGL_API_GL;
	g_autofree char *message = start_api(virgl, &tried);

	if (!message)
		return NULL;
	fd_close(&virgl->node);
	tried.api = VIRGL_API_GLES;
	g_autofree char *second = start_api(virgl, &tried);

	return second ? g_steal_pointer(&message) : NULL;
}

static void virgl_free(struct renderer *renderer)
{
	struct virgl *virgl = virgl_of(renderer);

	virgl_renderer_cleanup(virgl);
	g_hash_table_unref(virgl->resources);
	virgl_submit_free(virgl);
	id_table_finish(&virgl->contexts);
	virgl_readback_forget(virgl);
	virgl_rings_free(virgl->rings);
	g_free(virgl->venus.problem);
	fd_close(&virgl->node);
	g_free(virgl);
	is_running = false;
}

static void virgl_reset(struct renderer *renderer)
{
	virgl_fence_reset(renderer);
	virgl_readback_forget(virgl_of(renderer));
}

const struct renderer_ops virgl_ops = {
	.name = "virglrenderer",
	.free = virgl_free,
	.resource_cost = virgl_cost_of_resource,
	.resource_create = virgl_resource_create,
	.resource_create_blob = virgl_resource_create_blob,
	.blob_export = virgl_resource_export_blob,
	.resource_free = virgl_resource_free,
	.resource_attach = virgl_resource_attach,
	.resource_detach = virgl_resource_detach,
	.transfer_to_host = virgl_resource_transfer_to_host,
	.transfer_from_host = virgl_readback_transfer,
	.read_pixels = virgl_readback_pixels,
	.export_dmabuf = virgl_dmabuf_export,
	.capsets = virgl_context_capsets,
	.capset_fill = virgl_context_fill_capset,
	.context_create = virgl_context_create,
	.context_free = virgl_context_free,
	.context_attach = virgl_context_attach,
	.context_detach = virgl_context_detach,
	.submit = virgl_context_submit,
	.fence_create = virgl_fence_create,
	.poll_fd = virgl_fence_poll_fd,
	.poll = virgl_fence_poll,
	.reset = virgl_reset,
};

/* A driver for the CPU draws in threads, with shaders that it compiles. A driver for a GPU may do
 * that too. */
#define NEEDS_OF_DRIVERS (NEEDS_FILES | NEEDS_THREADS | NEEDS_GENERATED_CODE)

const struct renderer_kind virgl_renderer_kind = {
	.needs = NEEDS_OF_DRIVERS | NEEDS_GPU_DEVICES,
};

bool virgl_is_built_in(void)
{
	return true;
}

const char *virgl_library_version(void)
{
	return VIRGL_VERSION;
}

char *virgl_describe_driver(void)
{
	const char *name = virgl_gl_renderer(), *vendor = virgl_gl_vendor();

	return *name ? g_strdup_printf("%s, by %s", name, vendor) : NULL;
}

struct renderer *virgl_new(const struct virgl_options *options, char **ret_message)
{
	if (is_running) {
		*ret_message = g_strdup(
			"virglrenderer is already running in this process, and can run only once");
		return NULL;
	}

	struct virgl *virgl = g_new0(struct virgl, 1);

	renderer_init(&virgl->base, &virgl_ops);
	virgl->callbacks = (struct virgl_renderer_callbacks){
		.version = 2,
		.write_fence = virgl_fence_on_passed,
		.get_drm_fd = get_drm_fd,
	};
	virgl->node = -1;
	virgl->venus.socket = -1;
	take_log();
	virgl_threads_limit();
	*ret_message = virgl_venus_prepare(virgl, options);
	if (!*ret_message)
		*ret_message = start_best(virgl, options);
	if (*ret_message) {
		virgl_rings_free(virgl->rings);
		g_free(virgl->venus.problem);
		fd_close(&virgl->node);
		g_free(virgl);
		return NULL;
	}
	is_running = true;
	virgl->base.needs = NEEDS_OF_DRIVERS;
	if (virgl->node >= 0 || virgl_egl_uses_gpu())
		virgl->base.needs |= NEEDS_GPU_DEVICES;
	virgl->resources = g_hash_table_new(NULL, NULL);
	virgl_gl_init(virgl->is_gles);
	virgl_fresh_init(virgl);
	virgl->maps_attributes =
		virgl->is_gles ? !virgl_gl_is_at_least(3, 1) : !virgl_gl_is_at_least(4, 3);
	virgl_submit_init(virgl);
	virgl->base.library_bytes =
		virgl->driver == VIRGL_DRIVER_CPU ? LIBRARY_BYTES_OF_CPU : LIBRARY_BYTES_OF_GPU;
	virgl_venus_begin(virgl);
	virgl_context_init_capsets(virgl, options->capsets);
	virgl_context_init_formats(virgl);
	return &virgl->base;
}
