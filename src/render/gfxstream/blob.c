// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Blobs. The library does not know of blobs in guest memory. A host blob is one of three things: a
 * ring that the guest shares with the library (blob id 0), the memory of a Vulkan object that the
 * guest made through such a ring, or an image that a stream announced (submit.c).
 *
 * The library reports success for a blob even if it failed to make it; a query of the blob's map
 * info reveals a failure. It exports the memory's descriptor only once, so we export it at once and
 * keep it. We compare the kind that the library reports with the real kind of the descriptor: some
 * drivers report a dma-buf for a memfd, which begins with data of the driver, not with the blob's.
 *
 * If the library fails half-way through making an image, it never frees the image's id, and ends
 * the process if the id is used again. Such ids are refused from then on ("burnt"). Each has cost
 * memory, so only a few are allowed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_gpu.h>

#include "base/fd.h"
#include "base/hostmem.h"
#include "render/gfxstream/gfxstream_private.h"

#define MAP_CACHE_MASK 0x0f

/* Whether @fd is of the kind @type that the library reports, and another process can map it. */
static bool is_shareable(int fd, uint32_t type)
{
	const bool is_memfd = fd >= 0 && fcntl(fd, F_GET_SEALS) >= 0;

	return type == GFXSTREAM_HANDLE_SHM ? is_memfd
					    : type == GFXSTREAM_HANDLE_DMABUF && !is_memfd;
}

static void keep_memory(struct gfxstream *gfxstream, struct gfxstream_resource *resource)
{
	struct gfxstream_handle handle = { .os_handle = -1 };

	if (gfxstream->library.export_blob(resource->id, &handle) != 0)
		return;
	auto_fd fd = (int)handle.os_handle;

	if (is_shareable(fd, handle.type))
		resource->fd = fd_steal(&fd);
}

/* Checks arguments that the library does not check, or whose errors it cannot undo. Returns 0 or
 * RESP_ERR_*. */
static int check_blob(const struct gfxstream *gfxstream, const struct renderer_blob_args *args,
		      const struct gfxstream_context *context)
{
	const uint64_t *image_bytes;

	if (args->blob_mem != VIRTIO_GPU_BLOB_MEM_HOST3D || !context)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	image_bytes =
		g_hash_table_lookup(context->announced, GUINT_TO_POINTER((uint32_t)args->blob_id));
	if (!image_bytes)
		return 0;
	if (g_hash_table_size(gfxstream->burnt) >= GFXSTREAM_MAX_BURNT)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	return *image_bytes <= args->size ? 0 : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
}

/* Returns 0 or RESP_ERR_*; on an error the library has no such blob. */
static int create_in_library(struct gfxstream *gfxstream, struct gfxstream_resource *resource,
			     const struct renderer_blob_args *args,
			     struct gfxstream_context *context)
{
	const struct gfxstream_blob_args create = { args->blob_mem, args->blob_flags, args->blob_id,
						    args->size };
	g_autofree uint64_t *image_bytes = NULL;
	gpointer key = GUINT_TO_POINTER((uint32_t)args->blob_id);

	g_hash_table_steal_extended(context->announced, key, NULL, (gpointer *)&image_bytes);
	int r = gfxstream->library.create_blob(context->library_id, args->id, &create, NULL, 0,
					       NULL);

	if (r == 0)
		r = gfxstream->library.resource_map_info(args->id, &resource->map_info);
	if (r == 0)
		return 0;
	gfxstream->library.resource_unref(args->id);
	if (image_bytes) {
		/* The library keeps the image as long as it runs. */
		hostmem_charge_anyway(gfxstream->base.hostmem, *image_bytes);
		g_hash_table_add(gfxstream->burnt, GUINT_TO_POINTER(args->id));
	}
	return VIRTIO_GPU_RESP_ERR_UNSPEC;
}

static int create_host_blob(struct gfxstream *gfxstream, const struct renderer_blob_args *args,
			    struct renderer_resource **ret)
{
	struct gfxstream_context *context = gfxstream_context_find(gfxstream, args->ctx_id);
	int r = check_blob(gfxstream, args, context);

	if (r != 0)
		return r;
	struct gfxstream_resource *resource =
		gfxstream_resource_add(gfxstream, args->id, GFXSTREAM_BLOB_HOST);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	r = create_in_library(gfxstream, resource, args, context);
	if (r != 0) {
		gfxstream_resource_drop(gfxstream, resource);
		return r;
	}
	resource->blob_size = args->size;
	resource->may_be_ring = args->blob_id == 0;
	keep_memory(gfxstream, resource);
	*ret = &resource->base;
	return 0;
}

int gfxstream_blob_create(struct renderer *renderer, const struct renderer_blob_args *args,
			  struct renderer_resource **ret)
{
	if (args->blob_mem != VIRTIO_GPU_BLOB_MEM_GUEST)
		return create_host_blob(gfxstream_of(renderer), args, ret);
	struct gfxstream_resource *resource = g_new0(struct gfxstream_resource, 1);

	*resource = (struct gfxstream_resource){
		.base = { renderer },
		.kind = GFXSTREAM_BLOB_GUEST,
		.id = args->id,
		.fd = -1,
	};
	*ret = &resource->base;
	return 0;
}

int gfxstream_blob_export(struct renderer *renderer, struct renderer_resource *handle,
			  struct renderer_blob_export *ret)
{
	const struct gfxstream_resource *resource = gfxstream_resource_of(handle);

	(void)renderer;
	if (resource->fd < 0)
		return -ENOTSUP;
	int fd = fcntl(resource->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	*ret = (struct renderer_blob_export){ fd, resource->map_info & MAP_CACHE_MASK };
	return 0;
}
