// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Creates resources. The renderer gets only unused ids, sizes within the limits and, for 2D,
 * formats of the specification. The renderer estimates the host memory of a resource, because it
 * knows its driver. This file checks before the creation that so much is left.
 */
#include <stddef.h>

#include "gpu/command.h"
#include "base/pixel.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"
#include "render/pixels.h"

#define MAX_LEVEL   15
#define MAX_SAMPLES 32

/* Pixels of one resource: their size in bytes fits 63 bits in every format. */
#define MAX_PIXELS (UINT64_C(1) << 57)

/* After the creation of a resource of at least this size, the process's memory is measured at the
 * end of the command if it is a 3D command, else at the end of the next 3D command. */
#define LARGE_BYTES 65536

static bool is_dimension(const struct gpu_device *device, uint32_t pixels)
{
	return pixels > 0 && pixels <= device->limits.max_dimension;
}

static void fill_resource(struct resource *resource, const struct renderer_resource_args *args)
{
	resource->kind = args->is_2d ? RESOURCE_2D : RESOURCE_3D;
	resource->target = args->target;
	resource->width = args->width;
	resource->height = args->height;
	resource->depth = args->depth;
	resource->array_size = args->array_size;
	resource->last_level = args->last_level;
}

/* Creates and adds the resource @args. All of @args but the id was checked. */
static int create_resource(struct gpu_device *device, const struct renderer_resource_args *args)
{
	uint64_t hostmem = renderer_resource_cost(device->renderer, args);
	g_autofree struct resource *resource = NULL;
	int r = resource_new(device, args->id, hostmem, &resource);

	if (r != 0)
		return r;
	if (!device_may_allocate(device))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	fill_resource(resource, args);
	r = renderer_call(device->renderer, resource_create, args, &resource->handle);
	if (r == 0)
		resource_add(device, g_steal_pointer(&resource));
	if (device->renderer->ops->moves_whole_images) /* zeros were moved into it */
		command_charge(device, (uint64_t)args->width * args->height * PIXEL_BYTES);
	if (hostmem >= LARGE_BYTES)
		device_measure_soon(device);
	return r;
}

int resource_create_2d(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_create_2d *request = &command->request.create_2d;
	struct renderer_resource_args args = {
		.id = request->resource_id,
		.target = RENDERER_TARGET_2D,
		.format = request->format,
		.width = request->width,
		.height = request->height,
		.depth = 1,
		.array_size = 1,
		.is_2d = true,
	};

	if (!pixels_has_format(args.format) || !is_dimension(device, args.width) ||
	    !is_dimension(device, args.height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	return create_resource(device, &args);
}

/* False if a resource cannot have these sizes. */
static bool check_sizes(const struct gpu_device *device, const struct renderer_resource_args *args)
{
	if (args->target >= RENDERER_N_TARGETS || args->last_level > MAX_LEVEL ||
	    args->nr_samples > MAX_SAMPLES || args->array_size == 0)
		return false;
	if (args->target == RENDERER_TARGET_BUFFER)
		return args->width > 0 && args->height == 1 && args->depth == 1;
	if (!is_dimension(device, args->width) || !is_dimension(device, args->height) ||
	    !is_dimension(device, args->depth) || !is_dimension(device, args->array_size))
		return false;
	/* Each size is at most 2^14 by default, but the user may have raised that limit. */
	uint64_t pixels = (uint64_t)args->width * args->height;
	uint64_t layers = (uint64_t)args->depth * args->array_size * MAX(args->nr_samples, 1);

	return layers <= MAX_PIXELS / pixels;
}

int resource_create_3d(struct gpu_device *device, struct gpu_command *command)
{
	const struct virtio_gpu_resource_create_3d *request = &command->request.create_3d;
	struct renderer_resource_args args = {
		.id = request->resource_id,
		.target = request->target,
		.format = request->format,
		.bind = request->bind,
		.width = request->width,
		.height = request->height,
		.depth = request->depth,
		.array_size = request->array_size,
		.last_level = request->last_level,
		.nr_samples = request->nr_samples,
		.flags = request->flags,
	};

	if (!check_sizes(device, &args))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (args.target == RENDERER_TARGET_BUFFER) /* the renderer may copy zeros into it */
		command_charge(device, args.width);
	return create_resource(device, &args);
}
