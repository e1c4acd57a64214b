// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Fences of contexts of other APIs than OpenGL: each ring of each context is a separate timeline,
 * so a slow ring delays no other. The library accepts the device's 64-bit fence id. It may merge
 * fences and report only the last one that passed; renderer_report_fence() also covers all earlier
 * ones.
 *
 * A context's descriptor is readable when a fence has passed. If the process of a context dies, the
 * descriptor is never written; the library notices that only after a number of polls without
 * progress. So while fences wait, a timer polls their contexts that many times. The waiting fences
 * then pass, and the guest gets an error for its next stream.
 */
#include <linux/virtio_gpu.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "render/virgl/rings_private.h"

#define LOOK_MS 500
/* The library checks the socket of the context after 100 polls. */
#define POLLS_PER_LOOK 101

static void arm_timer(struct virgl_rings *rings)
{
	const struct itimerspec in = { .it_value.tv_nsec = LOOK_MS * 1000000L };

	if (!rings->is_armed)
		rings->is_armed = timerfd_settime(rings->timer, 0, &in, NULL) == 0;
}

int virgl_rings_create_fence(struct virgl *virgl, struct virgl_ring_context *context,
			     const struct renderer_fence *fence)
{
	if (fence->ring_idx >= VIRGL_N_RINGS)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;

	int r = renderer_response(virgl_renderer_context_create_fence(
		context->id, VIRGL_RENDERER_FENCE_FLAG_MERGEABLE, fence->ring_idx, fence->id));

	if (r != 0)
		return r;
	context->last_created[fence->ring_idx] = fence->id;
	context->busy_rings |= UINT64_C(1) << fence->ring_idx;
	arm_timer(virgl->rings);
	return 0;
}

void virgl_rings_on_passed(void *cookie, uint32_t ctx_id, uint32_t ring_idx, uint64_t fence_id)
{
	const struct renderer_fence fence = {
		.id = fence_id,
		.ctx_id = ctx_id,
		.ring_idx = (uint8_t)ring_idx,
		.has_ring = true,
	};
	struct virgl *virgl = cookie;
	struct virgl_ring_context *context = virgl_rings_find(virgl, ctx_id);

	if (!context || ring_idx >= VIRGL_N_RINGS)
		return;
	if (context->last_created[ring_idx] == fence_id)
		context->busy_rings &= ~(UINT64_C(1) << ring_idx);
	renderer_report_fence(&virgl->base, &fence);
}

static bool is_due(struct virgl_rings *rings)
{
	uint64_t n;

	if (!rings->is_armed || read(rings->timer, &n, sizeof(n)) != sizeof(n))
		return false;
	rings->is_armed = false;
	return true;
}

void virgl_rings_poll(struct virgl *virgl)
{
	struct virgl_rings *rings = virgl->rings;
	const unsigned n = is_due(rings) ? POLLS_PER_LOOK : 1;

	for (unsigned i = 0; i < rings->contexts->len; i++) {
		const struct virgl_ring_context *context = rings->contexts->pdata[i];

		for (unsigned k = 0; k < n && context->busy_rings; k++)
			virgl_renderer_context_poll(context->id);
		if (context->busy_rings)
			arm_timer(rings);
	}
}
