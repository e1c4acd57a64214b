// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The header of each 3D command has a context id. The table here says which contexts exist, so that
 * a renderer never gets an unknown id or creates one twice: libraries do not handle these cases
 * reliably.
 *
 * A command stream is copied out of guest memory before the renderer parses it, because the guest
 * may change its own copy at any time. The buffer is reused and grows to the largest stream seen.
 *
 * Executing a stream takes far longer than copying it. Its size is our only estimate of that time,
 * so each byte is charged STREAM_WEIGHT times. Frames that the guest submits together are then
 * drawn over several turns, and in between the front-end is served and finished frames are
 * returned.
 */
#include "gpu/context.h"

#include "gpu/capset.h"
#include "gpu/command.h"
#include "gpu/device_private.h"
#include "gpu/fence.h"
#include "gpu/resource.h"

/* Executing a draw call of some hundred bytes in a small frame takes about as long as copying this
 * many times its size. */
#define STREAM_WEIGHT 512

struct context *context_find(struct gpu_device *device, uint32_t id)
{
	return id_table_find(&device->contexts, id);
}

static void context_free(struct gpu_device *device, struct context *context)
{
	renderer_call_void(device->renderer, context_free, context->id);
	/* The renderer drops the fences of a destroyed context, so the guest must not wait for
	 * them. */
	fence_give_back_all(&context->timelines);
	g_free(context);
}

void context_free_all(struct gpu_device *device)
{
	uint32_t cursor = 0;
	struct context *context;

	while ((context = id_table_take_next(&device->contexts, &cursor)))
		context_free(device, context);
}

int context_create(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_ctx_create *request = &command->request.ctx_create;
	const struct renderer_ops *ops = device->renderer->ops;
	uint32_t id = request->hdr.ctx_id;
	uint32_t init = 0;

	if (!ops->context_create)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (id == 0 || context_find(device, id))
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (device_has_feature(device, VIRTIO_GPU_F_CONTEXT_INIT))
		init = request->context_init & VIRTIO_GPU_CONTEXT_INIT_CAPSET_ID_MASK;
	if (request->nlen > sizeof(request->debug_name) || (init && !capset_find(device, init)))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (device->contexts.n >= device->limits.max_contexts || !device_may_allocate(device) ||
	    !id_table_reserve(&device->contexts))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	g_autofree struct context *context = g_try_new0(struct context, 1);
	if (!context)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	int r = renderer_call(device->renderer, context_create, id, init, request->debug_name,
			      request->nlen);
	if (r != 0)
		return r; /* NOLINT(clang-analyzer-unix.Malloc): the cleanup attribute frees it */

	report_context(device, request->debug_name, request->nlen);
	context->id = id;
	id_table_add(&device->contexts, id, g_steal_pointer(&context));
	return 0;
}

int context_destroy(struct gpu_device *device, struct gpu_command *command)
{
	uint32_t id = command->request.hdr.ctx_id;
	struct context *context = id_table_remove(&device->contexts, id);

	if (!context)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	context_free(device, context);
	return 0;
}

/* Looks up the context and the resource of a command. */
static int find_pair(struct gpu_device *device, struct gpu_command *command, uint32_t *ret_ctx_id,
		     struct resource **ret_resource)
{
	const struct virtio_gpu_ctx_resource *request = &command->request.ctx_resource;
	struct resource *resource = resource_find(device, request->resource_id);

	if (!context_find(device, request->hdr.ctx_id))
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (!resource || !resource->handle)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	*ret_ctx_id = request->hdr.ctx_id;
	*ret_resource = resource;
	return 0;
}

int context_attach_resource(struct gpu_device *device, struct gpu_command *command)
{
	struct resource *resource;
	uint32_t ctx_id;
	int r = find_pair(device, command, &ctx_id, &resource);

	if (r != 0)
		return r;
	return renderer_call(device->renderer, context_attach, ctx_id, resource->handle);
}

int context_detach_resource(struct gpu_device *device, struct gpu_command *command)
{
	struct resource *resource;
	uint32_t ctx_id;
	int r = find_pair(device, command, &ctx_id, &resource);

	if (r == 0)
		renderer_call_void(device->renderer, context_detach, ctx_id, resource->handle);
	return r;
}

int context_submit(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_cmd_submit *request = &command->request.submit;
	uint32_t size = request->size;

	if (!context_find(device, request->hdr.ctx_id))
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (size % 4 != 0 || size > device->limits.max_submit ||
	    size > command->chain.out_size - sizeof(*request))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (size == 0)
		return 0;
	if (size > device->stream_size) {
		void *stream = g_try_realloc(device->stream, size);

		if (!stream)
			return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
		device->stream = stream;
		device->stream_size = size;
	}
	command_read(command, sizeof(*request), device->stream, size);
	command_charge(device, (uint64_t)size * STREAM_WEIGHT);
	return renderer_call(device->renderer, submit, request->hdr.ctx_id, device->stream, size);
}
