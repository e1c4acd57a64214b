// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Resources and what is copied into and out of them. The library keeps the device's ids, and
 * pointers to the device's iovecs from attach to detach; on detach it may read them once more, so
 * they must still be good then.
 *
 * A transfer without a backing is stopped here: the library asserts that there is one. Transfers
 * that name no context work in the library's own, which sees every resource.
 */
#include <glib.h>
#include <linux/virtio_gpu.h>

#include "render/pixels.h"
#include "base/pixel.h"
#include "render/virgl/virgl_private.h"

/* Gallium's words, as virgl uses them on the wire. */
#define BIND_RENDER_TARGET (1 << 1)

/* struct virgl_box, which the library's header only names. */
struct box {
	uint32_t x, y, z, w, h, d;
};

/* The 2D formats that every OpenGL has. Some versions of the library take the others and then lose
 * what is uploaded: of those it is told a format of the same size, for bytes that it need not
 * understand. */
static bool is_known(uint32_t format)
{
	return format == VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM;
}

int virgl_resource_create(struct renderer *renderer, const struct renderer_resource_args *args,
			  struct renderer_resource **ret)
{
	bool is_disguised = args->is_2d && !is_known(args->format);
	struct virgl_renderer_resource_create_args create = {
		.handle = args->id,
		.target = args->target,
		.format = is_disguised ? VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM : args->format,
		.bind = args->is_2d ? BIND_RENDER_TARGET : args->bind,
		.width = args->width,
		.height = args->height,
		.depth = args->depth,
		.array_size = args->array_size,
		.last_level = args->last_level,
		.nr_samples = args->nr_samples,
		.flags = args->flags,
	};
	int r = virgl_response(virgl_renderer_resource_create(&create, NULL, 0));

	if (r != 0)
		return r;
	struct virgl_resource *resource = g_new0(struct virgl_resource, 1);
	resource->base.renderer = renderer;
	resource->args = *args;
	resource->is_disguised = is_disguised;
	*ret = &resource->base;
	return 0;
}

int virgl_resource_create_blob(struct renderer *renderer, const struct renderer_blob_args *args,
			       struct renderer_resource **ret)
{
	const struct virgl_renderer_resource_create_blob_args create = {
		.res_handle = args->id,
		.ctx_id = args->ctx_id,
		.blob_mem = args->blob_mem,
		.blob_flags = args->blob_flags,
		.blob_id = args->blob_id,
		.size = args->size,
		.iovecs = args->iov,
		.num_iovs = (uint32_t)args->n_iov,
	};
	int r = virgl_response(virgl_renderer_resource_create_blob(&create));

	if (r != 0)
		return r;
	struct virgl_resource *resource = g_new0(struct virgl_resource, 1);
	resource->base.renderer = renderer;
	resource->args.id = args->id;
	resource->has_backing = args->n_iov > 0;
	*ret = &resource->base;
	return 0;
}

void virgl_resource_free(struct renderer *renderer, struct renderer_resource *handle)
{
	struct virgl_resource *resource = virgl_resource_of(handle);

	(void)renderer;
	virgl_renderer_resource_unref(resource->args.id);
	g_free(resource);
}

int virgl_resource_attach(struct renderer *renderer, struct renderer_resource *handle,
			  struct iovec *iov, int n_iov)
{
	struct virgl_resource *resource = virgl_resource_of(handle);
	int r = virgl_renderer_resource_attach_iov((int)resource->args.id, iov, n_iov);

	(void)renderer;
	if (r == 0)
		resource->has_backing = true;
	return virgl_response(r);
}

void virgl_resource_detach(struct renderer *renderer, struct renderer_resource *handle)
{
	struct virgl_resource *resource = virgl_resource_of(handle);

	(void)renderer;
	virgl_renderer_resource_detach_iov((int)resource->args.id, NULL, NULL);
	resource->has_backing = false;
}

static int check_transfer(const struct virgl_resource *resource,
			  const struct renderer_transfer *transfer)
{
	if (!transfer->iov && !resource->has_backing)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (!virgl_check_transfer(transfer->stride, transfer->layer_stride, transfer->box.height,
				  transfer->box.depth))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	return 0;
}

static struct box box_of(const struct renderer_transfer *transfer)
{
	const struct renderer_box *b = &transfer->box;

	return (struct box){ b->x, b->y, b->z, b->width, b->height, b->depth };
}

int virgl_resource_transfer_to_host(struct renderer *renderer, struct renderer_resource *handle,
				    const struct renderer_transfer *transfer)
{
	struct virgl_resource *resource = virgl_resource_of(handle);
	struct box box = box_of(transfer);
	int r = check_transfer(resource, transfer);

	if (r != 0)
		return r;
	r = virgl_renderer_transfer_write_iov(
		resource->args.id, transfer->ctx_id, (int)transfer->level, transfer->stride,
		transfer->layer_stride, (struct virgl_box *)&box, transfer->offset,
		(struct iovec *)transfer->iov, (unsigned)transfer->n_iov);
	/* Another process is about to read it. */
	if (r == 0 && resource->is_exported)
		virgl_fence_repeat(virgl_of(renderer));
	return virgl_response(r);
}

int virgl_resource_transfer_from_host(struct renderer *renderer, struct renderer_resource *handle,
				      const struct renderer_transfer *transfer)
{
	struct virgl_resource *resource = virgl_resource_of(handle);
	struct box box = box_of(transfer);
	int r = check_transfer(resource, transfer);

	(void)renderer;
	if (r != 0)
		return r;
	return virgl_response(virgl_renderer_transfer_read_iov(
		resource->args.id, transfer->ctx_id, transfer->level, transfer->stride,
		transfer->layer_stride, (struct virgl_box *)&box, transfer->offset,
		(struct iovec *)transfer->iov, transfer->n_iov));
}

int virgl_resource_read_pixels(struct renderer *renderer, struct renderer_resource *handle,
			       const struct rect *r, void *data, uint32_t stride)
{
	struct virgl_resource *resource = virgl_resource_of(handle);
	uint32_t row = r->width * PIXEL_BYTES;
	const struct iovec iov = { data, (size_t)stride * (r->height - 1) + row };
	const struct renderer_transfer transfer = {
		.stride = stride,
		.box = { r->x, r->y, 0, r->width, r->height, 1 },
		.iov = &iov,
		.n_iov = 1,
	};

	if (!pixels_has_format(resource->args.format))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	int error = virgl_resource_transfer_from_host(renderer, handle, &transfer);
	if (error == 0)
		pixels_to_display(resource->args.format, data, r->width, r->height, stride);
	return error;
}
