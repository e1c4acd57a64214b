// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Fences by timeline: the global one, and one for each ring of each context that the guest names
 * with INFO_RING_IDX (also ring 0). Within a timeline, commands are given back in the order in
 * which they came, whatever numbers the guest put on them: the renderer is told a number of ours
 * that only grows, and the guest's 64-bit id is echoed from the request.
 *
 * All that one poll of the renderer passes is given back with one interrupt: the device notifies
 * the queues after it has polled.
 */
#include "gpu/fence.h"

#include "gpu/command.h"
#include "gpu/device_state.h"

struct timeline {
	GList link; /* gpu_device::timelines */
	uint32_t ctx_id;
	uint8_t ring_idx;
	bool has_ring;
	uint64_t last_seq;
	GQueue commands; /* gpu_command::link, in the order of fence_seq */
};

bool fence_is_wanted(const struct gpu_command *command)
{
	return command->request.hdr.flags & VIRTIO_GPU_FLAG_FENCE;
}

static struct timeline *find(struct gpu_device *device, const struct renderer_fence *fence)
{
	for (GList *link = device->timelines.head; link; link = link->next) {
		struct timeline *timeline = link->data;

		if (timeline->has_ring == fence->has_ring &&
		    (!fence->has_ring ||
		     (timeline->ctx_id == fence->ctx_id && timeline->ring_idx == fence->ring_idx)))
			return timeline;
	}
	return NULL;
}

static struct timeline *find_or_add(struct gpu_device *device, const struct renderer_fence *fence)
{
	struct timeline *timeline = find(device, fence);

	if (timeline)
		return timeline;
	timeline = g_new0(struct timeline, 1);
	timeline->link.data = timeline;
	timeline->ctx_id = fence->ctx_id;
	timeline->ring_idx = fence->ring_idx;
	timeline->has_ring = fence->has_ring;
	g_queue_push_tail_link(&device->timelines, &timeline->link);
	return timeline;
}

int fence_wait(struct gpu_command *command)
{
	struct gpu_device *device = command->device;
	const struct virtio_gpu_ctrl_hdr *hdr = &command->request.hdr;
	struct renderer *renderer = device->renderer;

	if (!renderer->ops->fence_create) {
		command_give_back(command);
		return 0;
	}

	struct renderer_fence fence = {
		.ctx_id = hdr->ctx_id,
		.ring_idx = hdr->ring_idx,
		.has_ring = hdr->flags & VIRTIO_GPU_FLAG_INFO_RING_IDX,
	};
	struct timeline *timeline = find_or_add(device, &fence);

	fence.id = timeline->last_seq + 1;
	int r = renderer->ops->fence_create(renderer, &fence);
	if (r != 0)
		return r;
	timeline->last_seq = fence.id;
	command->fence_seq = fence.id;
	g_queue_push_tail_link(&timeline->commands, &command->link);
	return 0;
}

void fence_passed(void *data, const struct renderer_fence *fence)
{
	struct gpu_device *device = data;
	struct timeline *timeline = find(device, fence);

	while (timeline && !g_queue_is_empty(&timeline->commands)) {
		struct gpu_command *command = timeline->commands.head->data;

		if (command->fence_seq > fence->id)
			break;
		g_queue_unlink(&timeline->commands, &command->link);
		command_give_back(command);
	}
}

void fence_drop_all(struct gpu_device *device)
{
	GList *link;

	while ((link = g_queue_pop_head_link(&device->timelines))) {
		struct timeline *timeline = link->data;
		GList *held;

		while ((held = g_queue_pop_head_link(&timeline->commands)))
			g_queue_push_tail_link(&device->held, held);
		g_free(timeline);
	}
}
