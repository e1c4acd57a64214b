// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Fences by timeline: the global one, and one for each ring of each context that the guest names
 * with INFO_RING_IDX (also ring 0). The commands of a timeline are returned in the order in which
 * they began to wait for their fences, whatever fence ids the guest chose. The renderer gets a
 * sequence number of ours that only grows, across resets too. The guest's 64-bit id is copied from
 * the request into the response.
 *
 * Fences are signalled only while the loop polls the renderer: when its descriptor is ready, or, if
 * it has none, every few milliseconds while a fence is pending. All commands that complete in one
 * poll share one interrupt for each queue.
 */
#include "gpu/fence.h"

#include "base/container.h"
#include "base/probe.h"
#include "gpu/command.h"
#include "gpu/context.h"
#include "gpu/device_private.h"

#define POLL_INTERVAL_MS 2

/* Rings that a context may have (VIRTIO 1.2, 5.7.6.9). */
#define MAX_RINGS 64

struct timeline {
	GList link; /* gpu_device::timelines or context::timelines */
	uint8_t ring_idx;
	GQueue commands; /* gpu_command::link, in the order of fence_seq */
};

bool fence_is_wanted(const struct gpu_command *command)
{
	return command->request.hdr.flags & VIRTIO_GPU_FLAG_FENCE;
}

static struct timeline *find_timeline(GQueue *timelines, uint8_t ring_idx)
{
	for (GList *link = timelines->head; link; link = link->next) {
		struct timeline *timeline = link->data;

		if (timeline->ring_idx == ring_idx)
			return timeline;
	}
	return NULL;
}

/* NULL if the host has no memory. */
static struct timeline *find_or_add_timeline(GQueue *timelines, uint8_t ring_idx)
{
	struct timeline *timeline = find_timeline(timelines, ring_idx);

	if (timeline)
		return timeline;
	timeline = g_try_new0(struct timeline, 1);
	if (!timeline)
		return NULL;
	timeline->link.data = timeline;
	timeline->ring_idx = ring_idx;
	g_queue_push_tail_link(timelines, &timeline->link);
	return timeline;
}

/* The list of timelines that @fence belongs to; NULL if its context does not exist. */
static GQueue *owner_of(struct gpu_device *device, const struct renderer_fence *fence)
{
	struct context *context;

	if (!fence->has_ring)
		return &device->timelines;
	context = context_find(device, fence->ctx_id);
	return context ? &context->timelines : NULL;
}

static void arm_timer(struct gpu_device *device)
{
	if (!device->fence_source.loop && !device->fence_timer.is_armed && device->n_fences > 0)
		loop_timer_arm(&device->fence_timer, POLL_INTERVAL_MS);
}

int fence_wait(struct gpu_command *command)
{
	struct gpu_device *device = command->device;
	const struct virtio_gpu_ctrl_hdr *hdr = &command->request.hdr;
	struct renderer *renderer = device->renderer;
	struct renderer_fence fence = {
		.id = device->last_fence_seq + 1,
		.ctx_id = hdr->ctx_id,
		.ring_idx = hdr->ring_idx,
		.has_ring = hdr->flags & VIRTIO_GPU_FLAG_INFO_RING_IDX,
	};

	if (!renderer->ops->fence_create)
		return 0;
	if (!fence.has_ring)
		fence.ring_idx = 0;

	GQueue *timelines = owner_of(device, &fence);
	if (!timelines)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (fence.ring_idx >= MAX_RINGS)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (device->n_fences >= device->limits.max_fences)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	struct timeline *timeline = find_or_add_timeline(timelines, fence.ring_idx);
	if (!timeline)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	int r = renderer_call(renderer, fence_create, &fence);
	if (r != 0)
		return r;
	device->last_fence_seq = fence.id;
	device->n_fences++;
	command->fence_seq = fence.id;
	command->fenced_at = g_get_monotonic_time();
	g_queue_push_tail_link(&timeline->commands, &command->link);
	arm_timer(device);
	return COMMAND_HELD;
}

/* The earlier of @oldest and the time of the longest-waiting command in @timelines. */
static int64_t find_oldest(const GQueue *timelines, int64_t oldest)
{
	for (const GList *link = timelines->head; link; link = link->next) {
		const struct timeline *timeline = link->data;
		const GList *first = timeline->commands.head;
		const struct gpu_command *command = first ? first->data : NULL;

		if (command)
			oldest = MIN(oldest, command->fenced_at);
	}
	return oldest;
}

int64_t fence_oldest(const struct gpu_device *device)
{
	int64_t oldest = find_oldest(&device->timelines, INT64_MAX);
	const struct context *context;
	uint32_t cursor = 0;

	while ((context = id_table_next(&device->contexts, &cursor)))
		oldest = find_oldest(&context->timelines, oldest);
	return oldest;
}

static void give_back_until(struct timeline *timeline, uint64_t seq)
{
	while (!g_queue_is_empty(&timeline->commands)) {
		struct gpu_command *command = timeline->commands.head->data;

		if (command->fence_seq > seq)
			break;
		g_queue_unlink(&timeline->commands, &command->link);
		command->device->n_fences--;
		probe(fence__signalled, command->request.hdr.ctx_id, timeline->ring_idx,
		      command->fenced_at);
		command_give_back(command);
	}
}

static void on_fence(void *data, const struct renderer_fence *fence)
{
	struct gpu_device *device = data;
	GQueue *timelines = owner_of(device, fence);
	struct timeline *timeline =
		timelines ? find_timeline(timelines, fence->has_ring ? fence->ring_idx : 0) : NULL;

	if (timeline)
		give_back_until(timeline, fence->id);
}

static void poll_renderer(struct gpu_device *device)
{
	renderer_call_void(device->renderer, poll);
	/* After the end of a session its fences are still signalled, but there is no guest to
	 * interrupt. */
	if (device->session)
		command_notify_all(device);
	arm_timer(device);
}

static int on_poll_fd(struct loop_source *source, uint32_t events)
{
	(void)events;
	poll_renderer(container_of(source, struct gpu_device, fence_source));
	return 0;
}

static int on_timer(struct loop_timer *timer)
{
	poll_renderer(container_of(timer, struct gpu_device, fence_timer));
	return 0;
}

int fence_init(struct gpu_device *device)
{
	struct renderer *renderer = device->renderer;
	int fd = renderer->ops->poll_fd ? renderer->ops->poll_fd(renderer) : -1;

	if (!renderer->ops->fence_create)
		return 0;
	renderer->fence_fn = on_fence;
	renderer->fence_data = device;
	if (fd >= 0)
		return loop_add(device->loop, &device->fence_source, fd, EPOLLIN, on_poll_fd);
	return loop_timer_init(device->loop, &device->fence_timer, on_timer);
}

void fence_finish(struct gpu_device *device)
{
	loop_remove(&device->fence_source);
	loop_timer_finish(&device->fence_timer);
}

void fence_give_back_all(GQueue *timelines)
{
	GList *link;

	while ((link = g_queue_pop_head_link(timelines))) {
		give_back_until(link->data, UINT64_MAX);
		g_free(link->data);
	}
}

static void drop_timelines(struct gpu_device *device, GQueue *timelines)
{
	GList *link, *held;

	while ((link = g_queue_pop_head_link(timelines))) {
		struct timeline *timeline = link->data;

		while ((held = g_queue_pop_head_link(&timeline->commands)))
			command_drop(held->data);
		g_free(timeline);
	}
	device->n_fences = 0;
}

void fence_drop_all(struct gpu_device *device)
{
	uint32_t cursor = 0;
	struct context *context;

	drop_timelines(device, &device->timelines);
	while ((context = id_table_next(&device->contexts, &cursor)))
		drop_timelines(device, &context->timelines);
}
