// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * How resources are made. The renderer sees only ids that are free, sizes within the limits and,
 * for 2D, formats that the spec names. The memory that a 3D resource takes is an estimate, for the
 * driver lays it out, but one that a guest cannot make small by its choice of format.
 */
#include <stddef.h>

#include "gpu/command.h"
#include "base/pixel.h"
#include "gpu/device_private.h"
#include "gpu/resource.h"
#include "render/pixels.h"

#define MAX_LEVEL   15
#define MAX_SAMPLES 32

/* Of one resource: their bytes fit 63 bits, whatever the format. */
#define MAX_PIXELS (UINT64_C(1) << 57)

static bool is_dimension(const struct gpu_device *device, uint32_t pixels)
{
	return pixels > 0 && pixels <= device->limits.max_dimension;
}

/* Makes the renderer's resource for @args, which are checked but for the id, and adds it. */
static int create_resource(struct gpu_device *device, const struct renderer_resource_args *args,
			   uint64_t hostmem)
{
	struct resource resource = {
		.id = args->id,
		.kind = args->is_2d ? RESOURCE_2D : RESOURCE_3D,
		.target = args->target,
		.width = args->width,
		.height = args->height,
		.depth = args->depth,
		.array_size = args->array_size,
		.last_level = args->last_level,
		.hostmem = hostmem,
	};
	int r = resource_check(device, args->id, hostmem);

	if (r == 0)
		r = renderer_call(device->renderer, resource_create, args, &resource.handle);
	if (r == 0)
		resource_add(device, &resource);
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
	return create_resource(device, &args, (uint64_t)args.width * args.height * PIXEL_BYTES);
}

/* Bytes, at least one and at most 2^63; false if the sizes are not those of any resource. */
static bool estimate_hostmem(const struct gpu_device *device,
			     const struct renderer_resource_args *args, uint64_t *ret)
{
	if (args->target >= RENDERER_N_TARGETS || args->last_level > MAX_LEVEL ||
	    args->nr_samples > MAX_SAMPLES || args->array_size == 0)
		return false;
	if (args->target == RENDERER_TARGET_BUFFER) {
		*ret = args->width;
		return args->width > 0 && args->height == 1 && args->depth == 1;
	}
	if (!is_dimension(device, args->width) || !is_dimension(device, args->height) ||
	    !is_dimension(device, args->depth) || !is_dimension(device, args->array_size))
		return false;
	/* At most 2^14 each in the default limits, but the person may have raised them. */
	uint64_t pixels = (uint64_t)args->width * args->height;
	uint64_t layers = (uint64_t)args->depth * args->array_size * MAX(args->nr_samples, 1);

	if (layers > MAX_PIXELS / pixels)
		return false;
	*ret = pixels * layers * pixels_size(args->format);
	if (args->last_level > 0)
		*ret += *ret / 3; /* each level has a quarter of the one before */
	return true;
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
	uint64_t hostmem;

	if (!estimate_hostmem(device, &args, &hostmem))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (args.target == RENDERER_TARGET_BUFFER) /* zeros may be copied there */
		command_charge(device, hostmem);
	return create_resource(device, &args, hostmem);
}
