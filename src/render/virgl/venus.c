// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Venus: Vulkan for the guest. The library's render server carries it out, with a process for each
 * context. options::start_server starts the server in the sandbox, so that it runs confined from
 * its first instruction. The library gets a socket to it but no process id, so it neither kills the
 * server nor waits for it. The server ends when the socket is closed.
 *
 * The library offers Venus even if it does not work, and if the server fails, the library does not
 * start at all, not even for OpenGL. So Venus is tried in a child first (venus_probe.c), and if the
 * library still does not start with Venus, it is started without.
 *
 * Native contexts (DRM) are tried by making one. virglrenderer up to at least 1.1 makes them only
 * if fences are reported from a thread of the library (flag ASYNC_FENCE_CB). We do not set that
 * flag, so such a library offers none.
 */
#include "render/virgl/venus_private.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "base/fd.h"
#include "render/virgl/rings_private.h"

#define LOG_MODULE "virgl"
#include "base/log.h"

/* The id of a context that is made and freed at once. */
#define TRIAL_CONTEXT 1

/* If this returned no descriptor, the library would start a server itself, outside the sandbox. So
 * if our server cannot be started, the library gets an eventfd, which it refuses. */
int virgl_venus_get_server_fd(void *cookie, uint32_t version)
{
	struct virgl *virgl = cookie;
	struct virgl_venus *venus = &virgl->venus;
	int fd = -1;

	g_clear_pointer(&venus->problem, g_free);
	venus->problem = version == 0 ? venus->start_server(venus->start_server_data, &fd)
				      : g_strdup_printf("virglrenderer uses version %u of the "
							"render server's protocol, not 0",
							version);
	venus->socket = fd;
	return fd >= 0 ? fd : eventfd(0, EFD_CLOEXEC);
}

static bool is_drm_wanted(const struct virgl_options *options)
{
	return !options->capsets || (options->capsets & 1u << VIRGL_CAPSET_DRM);
}

static char *make_rings(struct virgl *virgl, const struct virgl_options *options)
{
	virgl->rings = virgl_rings_new(options->max_venus_contexts);
	if (!virgl->rings)
		return g_strdup_printf("cannot watch fences: %s", g_strerror(errno));
	virgl->callbacks.version = 3;
	virgl->callbacks.write_context_fence = virgl_rings_on_passed;
	virgl->callbacks.get_server_fd = virgl_venus_get_server_fd;
	return NULL;
}

char *virgl_venus_prepare(struct virgl *virgl, const struct virgl_options *options)
{
	struct virgl_venus *venus = &virgl->venus;
	g_autofree char *problem = NULL;

	venus->options = options;
	venus->start_server = options->start_server;
	venus->start_server_data = options->start_server_data;
	venus->is_drm_on = is_drm_wanted(options);
	if (virgl_venus_is_wanted(options)) {
		problem = virgl_venus_probe(options);
		if (problem)
			return virgl_venus_refuse(options, problem);
		venus->is_on = true;
	}
	return venus->is_on || venus->is_drm_on ? make_rings(virgl, options) : NULL;
}

int virgl_venus_flags(const struct virgl *virgl)
{
	int flags = virgl->venus.is_on ? VIRGL_RENDERER_VENUS | VIRGL_RENDERER_RENDER_SERVER : 0;

	return virgl->venus.is_drm_on ? flags | VIRGL_RENDERER_DRM : flags;
}

void virgl_venus_give_up_drm(struct virgl *virgl, const char *why)
{
	if (virgl->venus.is_drm_on && virgl->venus.options->capsets)
		log_warn("no native contexts (--capset drm): %s", why);
	virgl->venus.is_drm_on = false;
}

char *virgl_venus_give_up(struct virgl *virgl, const char *why)
{
	const bool was_on = virgl->venus.is_on;

	virgl->venus.is_on = false;
	return was_on ? virgl_venus_refuse(virgl->venus.options, why) : NULL;
}

static bool can_make_drm(void)
{
	if (virgl_renderer_context_create_with_flags(TRIAL_CONTEXT, VIRGL_CAPSET_DRM, 0, "") != 0)
		return false;
	bool works = virgl_renderer_context_get_poll_fd(TRIAL_CONTEXT) >= 0;

	virgl_renderer_context_destroy(TRIAL_CONTEXT);
	return works;
}

/* Gives up on Venus and native contexts; OpenGL goes on. */
static void give_up_watching(struct virgl *virgl, int error)
{
	log_warn("no Venus (Vulkan) and no native contexts (DRM): cannot watch fences: %s",
		 g_strerror(error));
	g_clear_pointer(&virgl->rings, virgl_rings_free);
	virgl->venus.is_on = false;
	virgl->venus.is_drm_on = false;
}

void virgl_venus_begin(struct virgl *virgl)
{
	struct virgl_venus *venus = &virgl->venus;
	int r;

	if (venus->is_drm_on && !can_make_drm())
		virgl_venus_give_up_drm(virgl, "virglrenderer has none for this GPU");
	if (!venus->is_on && !venus->is_drm_on)
		g_clear_pointer(&virgl->rings, virgl_rings_free);
	if (!virgl->rings)
		return;
	r = virgl_rings_watch(virgl->rings, virgl_renderer_get_poll_fd());
	if (r < 0)
		give_up_watching(virgl, -r);
	if (venus->is_on)
		log_info("Venus (Vulkan): at most %u contexts", virgl->rings->max_venus);
	virgl->base.can_export_blobs = venus->is_on || venus->is_drm_on;
}

bool virgl_venus_offers(const struct virgl *virgl, uint32_t capset)
{
	return capset == VIRGL_CAPSET_DRM ? virgl->venus.is_drm_on : virgl->venus.is_on;
}

bool virgl_venus_is_dead(const struct virgl *virgl)
{
	struct pollfd pollfd = { .fd = virgl->venus.socket };

	return poll(&pollfd, 1, 0) > 0;
}
