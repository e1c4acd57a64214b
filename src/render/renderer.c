// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Checks that a renderer's table of hooks is complete. Some optional hooks are useful only
 * together: with half of such a group the device could, for example, create contexts and never free
 * them. That would be a bug of ours, so it is asserted when the renderer is made, before there is a
 * guest. So the device may test one hook of a group and call any other.
 */
#include "render/renderer.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_gpu.h>
#include <stdlib.h>

#include "base/pixel.h"

void renderer_init(struct renderer *renderer, const struct renderer_ops *ops)
{
	assert(ops->name && ops->free);
	assert(ops->resource_create && ops->resource_free && ops->transfer_to_host);
	assert(!ops->resource_attach == !ops->resource_detach);
	/* A resource that is being shrunk has no iovec any more, and may exist beyond a reset. */
	assert(!ops->resource_shrink || (!ops->resource_attach && !ops->reset));
	assert(!ops->splits_transfers || !ops->resource_attach);
	assert(!ops->capsets == !ops->capset_fill);
	assert(!ops->context_create == !ops->context_free);
	assert(!ops->context_create == !ops->context_attach);
	assert(!ops->context_create == !ops->context_detach);
	assert(!ops->context_create == !ops->submit);
	assert(!ops->fence_create == !ops->poll);
	assert(ops->poll || !ops->poll_fd);

	*renderer = (struct renderer){ .ops = ops };
}

void renderer_report_fence(struct renderer *renderer, const struct renderer_fence *fence)
{
	state_lock_take(renderer->lock);
	renderer->fence_fn(renderer->fence_data, fence);
	state_lock_release(renderer->lock);
}

uint64_t renderer_resource_cost(struct renderer *renderer,
				const struct renderer_resource_args *args)
{
	if (renderer->ops->resource_cost)
		return renderer->ops->resource_cost(renderer, args);
	if (args->target == RENDERER_TARGET_BUFFER)
		return args->width;
	return (uint64_t)args->width * args->height * args->depth * args->array_size * PIXEL_BYTES;
}

int renderer_response(int result)
{
	switch (abs(result)) {
	case 0:
		return 0;
	case ENOMEM:
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	case EINVAL:
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	default:
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
}

void renderer_free(struct renderer *renderer)
{
	if (renderer)
		renderer->ops->free(renderer);
}
