// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * All fences go through the library, which knows the same timelines as the device: a global one and
 * the rings of each context. It reports a passed fence from any of its threads, also from within
 * create_fence(), with a lock of its own held. So the callback only adds the fence to a list and
 * signals an eventfd; the loop then reports it to the device in its own thread. No lock of this
 * file is held while the library is called.
 */
#include <errno.h>
#include <linux/virtio_gpu.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "render/gfxstream/gfxstream_private.h"

int gfxstream_fence_init(struct gfxstream *gfxstream)
{
	struct gfxstream_passed *passed = &gfxstream->passed;

	passed->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (passed->event_fd < 0)
		return -errno;
	pthread_mutex_init(&passed->mutex, NULL);
	passed->fences = g_array_new(false, false, sizeof(struct renderer_fence));
	return 0;
}

void gfxstream_fence_finish(struct gfxstream *gfxstream)
{
	struct gfxstream_passed *passed = &gfxstream->passed;

	if (!passed->fences)
		return;
	g_array_unref(passed->fences);
	pthread_mutex_destroy(&passed->mutex);
	fd_close(&passed->event_fd);
}

void gfxstream_fence_on_passed(void *data, const struct gfxstream_fence *from_library)
{
	struct gfxstream_passed *passed = &((struct gfxstream *)data)->passed;
	const bool has_ring = from_library->flags & GFXSTREAM_FENCE_RING_IDX;
	const struct renderer_fence fence = {
		.id = from_library->id,
		.ctx_id = has_ring ? from_library->ctx_id : 0,
		.ring_idx = has_ring ? from_library->ring_idx : 0,
		.has_ring = has_ring,
	};
	const uint64_t one = 1;

	pthread_mutex_lock(&passed->mutex);
	g_array_append_val(passed->fences, fence);
	pthread_mutex_unlock(&passed->mutex);
	(void)!write(passed->event_fd, &one, sizeof(one));
}

int gfxstream_fence_create(struct renderer *renderer, const struct renderer_fence *fence)
{
	struct gfxstream *gfxstream = gfxstream_of(renderer);
	const struct gfxstream_context *context =
		fence->has_ring ? gfxstream_context_find(gfxstream, fence->ctx_id) : NULL;
	const struct gfxstream_fence create = {
		.flags = GFXSTREAM_FENCE | (fence->has_ring ? GFXSTREAM_FENCE_RING_IDX : 0),
		.id = fence->id,
		.ctx_id = context ? context->library_id : 0,
		.ring_idx = fence->has_ring ? fence->ring_idx : 0,
	};

	if (fence->has_ring && !context)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	return renderer_response(gfxstream->library.create_fence(&create));
}

int gfxstream_fence_poll_fd(struct renderer *renderer)
{
	return gfxstream_of(renderer)->passed.event_fd;
}

/* Takes the list of passed fences, and leaves an empty one. */
static GArray *take_passed(struct gfxstream_passed *passed)
{
	GArray *empty = g_array_new(false, false, sizeof(struct renderer_fence));
	uint64_t n;

	(void)!read(passed->event_fd, &n, sizeof(n));
	pthread_mutex_lock(&passed->mutex);
	GArray *fences = passed->fences;

	passed->fences = empty;
	pthread_mutex_unlock(&passed->mutex);
	return fences;
}

/* @fence->ctx_id is the id by which the library knows the context; it is replaced by the guest's.
 * Fences of a context that the guest has destroyed are dropped. */
static void report_fence(struct gfxstream *gfxstream, struct renderer_fence *fence)
{
	if (fence->has_ring) {
		if (fence->ctx_id > GFXSTREAM_MAX_CONTEXTS ||
		    gfxstream->guest_ids[fence->ctx_id] == 0)
			return;
		fence->ctx_id = gfxstream->guest_ids[fence->ctx_id];
	}
	renderer_report_fence(&gfxstream->base, fence);
}

void gfxstream_fence_poll(struct renderer *renderer)
{
	g_autoptr(GArray) fences = take_passed(&gfxstream_of(renderer)->passed);

	for (unsigned i = 0; i < fences->len; i++)
		report_fence(gfxstream_of(renderer),
			     &g_array_index(fences, struct renderer_fence, i));
}

/* Drops the fences that have passed. Fences from before the reset may still pass later: their ids
 * are below those of all new fences, so no command waits for them. */
void gfxstream_fence_reset(struct renderer *renderer)
{
	g_array_unref(take_passed(&gfxstream_of(renderer)->passed));
}
