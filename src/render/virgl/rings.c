// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Contexts of other APIs than OpenGL. The library passes the streams of a Venus context to its
 * process in the render server, and those of a native context to the kernel. Server and kernel must
 * check them; so they are not checked here. The memory of these contexts is not charged to the
 * device's account; that of a Venus context is bounded by the limits of its process. This file
 * keeps the list of these contexts and limits the number of Venus contexts.
 */
#include "render/virgl/rings_private.h"

#include <errno.h>
#include <linux/virtio_gpu.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "base/fd.h"
#include "render/virgl/venus_private.h"

#define LOG_MODULE "virgl"
#include "base/log.h"

static int watch(const struct virgl_rings *rings, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(rings->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

struct virgl_rings *virgl_rings_new(unsigned max_venus)
{
	struct virgl_rings *rings = g_new0(struct virgl_rings, 1);

	rings->max_venus = max_venus;
	rings->contexts = g_ptr_array_new_with_free_func(g_free);
	rings->epoll = epoll_create1(EPOLL_CLOEXEC);
	rings->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (rings->epoll < 0 || rings->timer < 0 || watch(rings, rings->timer) < 0) {
		int saved = errno;

		virgl_rings_free(rings);
		errno = saved;
		return NULL;
	}
	return rings;
}

void virgl_rings_free(struct virgl_rings *rings)
{
	if (!rings)
		return;
	g_ptr_array_unref(rings->contexts);
	fd_close(&rings->timer);
	fd_close(&rings->epoll);
	g_free(rings);
}

int virgl_rings_watch(struct virgl_rings *rings, int fd)
{
	return fd < 0 ? 0 : watch(rings, fd);
}

struct virgl_ring_context *virgl_rings_find(const struct virgl *virgl, uint32_t ctx_id)
{
	for (unsigned i = 0; virgl->rings && i < virgl->rings->contexts->len; i++) {
		struct virgl_ring_context *context = virgl->rings->contexts->pdata[i];

		if (context->id == ctx_id)
			return context;
	}
	return NULL;
}

static unsigned count_venus(const struct virgl_rings *rings)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rings->contexts->len; i++) {
		const struct virgl_ring_context *context = rings->contexts->pdata[i];

		n += context->capset == VIRGL_CAPSET_VENUS;
	}
	return n;
}

/* Returns 0 or RESP_ERR_*. */
static int check_venus(const struct virgl *virgl)
{
	if (virgl_venus_is_dead(virgl)) {
		log_debug("no Vulkan context: the render server has ended");
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	if (count_venus(virgl->rings) >= virgl->rings->max_venus) {
		log_debug("no Vulkan context: the guest has %u, the limit (--max-venus-contexts)",
			  virgl->rings->max_venus);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	return 0;
}

/* Returns 0 or -errno. */
static int add_context(struct virgl_rings *rings, uint32_t ctx_id, uint32_t capset)
{
	struct virgl_ring_context *context = g_new0(struct virgl_ring_context, 1);
	int r;

	context->id = ctx_id;
	context->capset = capset;
	context->fd = virgl_renderer_context_get_poll_fd(ctx_id);
	r = context->fd < 0 ? 0 : watch(rings, context->fd);
	if (r < 0)
		g_free(context);
	else
		g_ptr_array_add(rings->contexts, context);
	return r;
}

/* For Vulkan the library returns ENOMEM for every failure. check_venus() does not find every dead
 * server: if one ends while it starts a worker, that worker keeps the socket open. */
static int answer_refusal(uint32_t capset, int result)
{
	if (capset != VIRGL_CAPSET_VENUS)
		return renderer_response(result);
	log_debug("no Vulkan context: the render server could not create it");
	return VIRTIO_GPU_RESP_ERR_UNSPEC;
}

int virgl_rings_create(struct virgl *virgl, uint32_t ctx_id, uint32_t capset, const char *name,
		       uint32_t name_size)
{
	int r = capset == VIRGL_CAPSET_VENUS ? check_venus(virgl) : 0;

	if (r != 0)
		return r;
	r = virgl_renderer_context_create_with_flags(ctx_id, capset, name_size, name);
	if (r != 0)
		return answer_refusal(capset, r);
	if (add_context(virgl->rings, ctx_id, capset) == 0)
		return 0;
	virgl_renderer_context_destroy(ctx_id);
	return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
}

int virgl_rings_submit(const struct virgl_ring_context *context, void *stream, size_t size)
{
	return renderer_response(
		virgl_renderer_submit_cmd(stream, (int)context->id, (int)(size / 4)));
}

void virgl_rings_destroy(struct virgl *virgl, struct virgl_ring_context *context)
{
	/* The library closes the descriptor. */
	if (context->fd >= 0)
		(void)epoll_ctl(virgl->rings->epoll, EPOLL_CTL_DEL, context->fd, NULL);
	virgl_renderer_context_destroy(context->id);
	g_ptr_array_remove_fast(virgl->rings->contexts, context);
}
