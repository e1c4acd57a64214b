// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * One timeline for all fences, except those of the rings of Venus and DRM contexts (rings_fence.c).
 * GL contexts complete their work in order. The library inserts each fence into the stream of the
 * context that worked last, so nothing may switch contexts between a command and its fence. A
 * thread of the library waits for the fences one by one. So all these fences, also those of
 * different contexts, pass in the order in which they were created. They are numbered by one 32-bit
 * counter, because the library accepts 32 bits; the array `fences` maps a number to the device's
 * 64-bit fence.
 *
 * When any context is destroyed, the library forgets the fence that its thread waits for. A later
 * fence that passes reports it too; as there may be none, the last fence is created once more.
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
	int r = renderer_response(virgl_renderer_create_fence((int)id, 0));
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

	/* Nothing waits for this fence any more: it was created twice, or a reset dropped it. */
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

/* The library's own reset is not called: contexts and resources are freed already, and that reset
 * would permanently end the thread that waits for fences. */
void virgl_fence_reset(struct renderer *renderer)
{
	struct virgl *virgl = virgl_of(renderer);

	virgl->n_passed = virgl->n_created;
}
