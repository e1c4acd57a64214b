// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * One timeline for all but the rings of contexts that are not OpenGL's (rings_fence.c). A GL
 * context's work passes in order, the library puts each fence into the stream of the context that
 * worked last (so that nothing may switch contexts between a command and its fence), and one thread
 * of it waits for them one by one. So the fences of the device's many timelines pass in the order
 * in which they came, and one counter of 32 bits, which is what the library takes, numbers them;
 * the ring below finds the device's 64-bit fence for a number.
 *
 * The library forgets the fence that its thread waits for when a context goes, any context. Later
 * fences pass for it; if there may be none, the last one is made once more.
 */
#include <linux/virtio_gpu.h>

#include "render/virgl/rings_private.h"

int virgl_fence_create(struct renderer *renderer, const struct renderer_fence *fence)
{
	struct virgl *virgl = virgl_of(renderer);
	uint32_t id = virgl->n_created + 1;
	struct virgl_ring_context *context =
		fence->has_ring ? virgl_rings_find(virgl, fence->ctx_id) : NULL;

	if (context)
		return virgl_rings_create_fence(virgl, context, fence);
	if (virgl->n_created - virgl->n_passed >= VIRGL_MAX_FENCES)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	int r = virgl_response(virgl_renderer_create_fence((int)id, 0));
	if (r != 0)
		return r;
	virgl->fences[id % VIRGL_MAX_FENCES] = *fence;
	virgl->n_created = id;
	return 0;
}

void virgl_fence_repeat(struct virgl *virgl)
{
	(void)virgl_renderer_create_fence((int)virgl->n_created, 0);
}

void virgl_fence_on_passed(void *cookie, uint32_t id)
{
	struct virgl *virgl = cookie;

	/* Not among those that wait: it was repeated, or dropped by a reset. */
	if (id - virgl->n_passed > virgl->n_created - virgl->n_passed)
		return;
	while (virgl->n_passed != id) {
		const struct renderer_fence fence =
			virgl->fences[++virgl->n_passed % VIRGL_MAX_FENCES];

		renderer_report_fence(&virgl->base, &fence);
	}
}

int virgl_fence_poll_fd(struct renderer *renderer)
{
	const struct virgl *virgl = virgl_of(renderer);
	int fd = virgl_renderer_get_poll_fd();

	return fd >= 0 && virgl->rings ? virgl->rings->epoll : fd;
}

void virgl_fence_poll(struct renderer *renderer)
{
	struct virgl *virgl = virgl_of(renderer);

	virgl_renderer_poll();
	if (virgl->rings)
		virgl_rings_poll(virgl);
}

/* The library's own reset is for the contexts and resources that are gone already, and would end
 * the thread that waits for fences for good. */
void virgl_fence_reset(struct renderer *renderer)
{
	struct virgl *virgl = virgl_of(renderer);

	virgl->n_passed = virgl->n_created;
}
