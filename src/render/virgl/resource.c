// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Resources, and transfers to and from them. The library uses the device's ids, and keeps pointers
 * to the device's iovecs from attach to detach. It may read the iovecs once more on detach, so they
 * must still be valid then.
 *
 * A transfer without a backing is refused here, because the library asserts that there is one.
 * Transfers without a context id use the library's own context, which can access every resource.
 */
#include <glib.h>
#include <linux/virtio_gpu.h>

#include "render/virgl/virgl_private.h"

/* Gallium's bind flags, as in virgl's protocol. */
#define BIND_RENDER_TARGET (1 << 1)
#define FORMAT_R8          64
#define FORMAT_R8G8_R8B8   227

/* Whether every OpenGL supports this 2D format. Some versions of the library accept the others and
 * lose the uploaded pixels. So a resource of another format is created with a known format of the
 * same size, because the library need not interpret the bytes. */
static bool is_known(uint32_t format)
{
	return format == VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM;
}

static uint32_t minify(uint32_t size, uint32_t level)
{
	return level < 32 ? MAX(size >> level, 1) : 1;
}

struct renderer_box virgl_resource_level(const struct virgl_resource *resource, uint32_t level)
{
	const struct renderer_resource_args *args = &resource->args;

	return (struct renderer_box){
		.width = minify(args->width, level),
		.height = minify(args->height, level),
		.depth = args->target == RENDERER_TARGET_3D ? minify(args->depth, level)
							    : args->array_size,
	};
}

struct renderer_resource *virgl_resource_add(struct virgl *virgl,
					     const struct renderer_resource_args *args,
					     uint32_t format)
{
	struct virgl_resource *resource = g_new0(struct virgl_resource, 1);

	resource->base.renderer = &virgl->base;
	resource->args = *args;
	resource->format = format;
	resource->is_disguised = format != args->format;
	g_hash_table_insert(virgl->resources, GUINT_TO_POINTER(args->id), resource);
	return &resource->base;
}

/* Returns the format to create the resource with. The device and OpenGL measure buffers in bytes,
 * but some versions of the library measure them in elements when they are read back, so the format
 * has elements of one byte. */
static uint32_t format_for_library(const struct renderer_resource_args *args)
{
	if (args->target == RENDERER_TARGET_BUFFER)
		return FORMAT_R8;
	return args->is_2d && !is_known(args->format) ? VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM
						      : args->format;
}

int virgl_resource_create(struct renderer *renderer, const struct renderer_resource_args *args,
			  struct renderer_resource **ret)
{
	struct virgl_renderer_resource_create_args create = {
		.handle = args->id,
		.target = args->target,
		.format = format_for_library(args),
		.bind = args->is_2d ? BIND_RENDER_TARGET : args->bind,
		.width = args->width,
		.height = args->height,
		.depth = args->depth,
		.array_size = args->array_size,
		.last_level = args->last_level,
		.nr_samples = args->nr_samples,
		.flags = args->flags,
	};

	/* The library accepts some formats that it does not know, and fails on them later. */
	if (!virgl_formats_has(&virgl_of(renderer)->formats, create.format))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	/* The library computes half of the bytes that OpenGL then copies. */
	if (create.format == FORMAT_R8G8_R8B8)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	(void)virgl_gl_had_error(); /* drop errors of earlier drawing */
	int r = renderer_response(virgl_renderer_resource_create(&create, NULL, 0));
	if (r != 0)
		return r;
	*ret = virgl_resource_add(virgl_of(renderer), args, create.format);
	virgl_resource_of(*ret)->is_incomplete = virgl_gl_had_error();
	r = virgl_fresh_fill(virgl_of(renderer), virgl_resource_of(*ret));
	if (r != 0)
		virgl_resource_free(renderer, *ret);
	return r;
}

void virgl_resource_free(struct renderer *renderer, struct renderer_resource *handle)
{
	struct virgl_resource *resource = virgl_resource_of(handle);

	virgl_submit_release(virgl_of(renderer), resource->args.id);
	g_hash_table_remove(virgl_of(renderer)->resources, GUINT_TO_POINTER(resource->args.id));
	virgl_renderer_resource_unref(resource->args.id);
	g_free(resource);
}

int virgl_resource_attach(struct renderer *renderer, struct renderer_resource *handle,
			  struct iovec *iov, int n_iov)
{
	struct virgl_resource *resource = virgl_resource_of(handle);
	int r = virgl_renderer_resource_attach_iov((int)resource->args.id, iov, n_iov);

	(void)renderer;
	if (r == 0) {
		resource->iov = iov;
		resource->n_iov = n_iov;
	}
	return renderer_response(r);
}

void virgl_resource_detach(struct renderer *renderer, struct renderer_resource *handle)
{
	struct virgl_resource *resource = virgl_resource_of(handle);

	(void)renderer;
	virgl_renderer_resource_detach_iov((int)resource->args.id, NULL, NULL);
	resource->iov = NULL;
	resource->n_iov = 0;
}

int virgl_resource_check_transfer(const struct virgl_resource *resource,
				  const struct renderer_transfer *transfer)
{
	if (!transfer->iov && !resource->iov)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	/* A blob has no size of its own. */
	const struct virgl_resource *sized = resource->args.width > 0 ? resource : NULL;

	if (!virgl_check_transfer(sized, transfer->level, transfer->stride, transfer->layer_stride,
				  transfer->box.height, transfer->box.depth))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	return 0;
}

int virgl_resource_transfer_to_host(struct renderer *renderer, struct renderer_resource *handle,
				    const struct renderer_transfer *transfer)
{
	struct virgl_resource *resource = virgl_resource_of(handle);
	struct virgl_box_words box = virgl_box_words(&transfer->box);
	int r = virgl_resource_check_transfer(resource, transfer);

	if (r != 0)
		return r;
	r = virgl_renderer_transfer_write_iov(
		resource->args.id, transfer->ctx_id, (int)transfer->level, transfer->stride,
		transfer->layer_stride, (struct virgl_box *)&box, transfer->offset,
		(struct iovec *)transfer->iov, (unsigned)transfer->n_iov);
	/* Another process may read the exported texture next, so the upload must be sent to the GPU
	 * now; creating a fence does this. */
	if (r == 0 && resource->is_exported)
		virgl_fence_repeat(virgl_of(renderer));
	return renderer_response(r);
}
