// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Images and buffers. The library does not check the arguments that describe them: an id in use, a
 * size that the host's Vulkan refuses or memory smaller than the image ends the process. So only
 * arguments that are known to work are passed on (image.c). The memory attached to an image is
 * never the guest's: it is a copy of ours, exactly as large as the image, attached as long as the
 * image exists. Transfers move the guest's bytes into it and out of it (transfer.c).
 */
#include <linux/virtio_gpu.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/pixel.h"
#include "render/gfxstream/gfxstream_private.h"

/* Bytes of an image beside its pixels: objects of the library, of the driver and our own. */
#define OVERHEAD 16384

/* Our copy, which the library was given, the copy that the library makes of it, and the image. */
#define COPIES 3

/* Descriptors that are used for other things than resources. */
#define OTHER_FDS 512

uint64_t gfxstream_resource_cost(struct renderer *renderer,
				 const struct renderer_resource_args *args)
{
	(void)renderer;
	return (uint64_t)args->width * args->height * PIXEL_BYTES * COPIES + OVERHEAD;
}

/* The library ends the process if it cannot get a descriptor. The limit is read each time: the
 * daemon raises its soft limit after it has started the renderer (sandbox/limits.c). */
static unsigned count_possible_resources(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 2 * OTHER_FDS)
		return OTHER_FDS / GFXSTREAM_FDS_PER_RESOURCE;
	return (unsigned)MIN((limit.rlim_cur - OTHER_FDS) / GFXSTREAM_FDS_PER_RESOURCE,
			     GFXSTREAM_MAX_RESOURCES);
}

struct gfxstream_resource *gfxstream_resource_add(struct gfxstream *gfxstream, uint32_t id,
						  enum gfxstream_resource_kind kind)
{
	gpointer key = GUINT_TO_POINTER(id);

	if (g_hash_table_size(gfxstream->resources) >= count_possible_resources() ||
	    g_hash_table_contains(gfxstream->resources, key) ||
	    g_hash_table_contains(gfxstream->burnt, key))
		return NULL;
	struct gfxstream_resource *resource = g_new0(struct gfxstream_resource, 1);

	resource->base.renderer = &gfxstream->base;
	resource->kind = kind;
	resource->id = id;
	resource->fd = -1;
	g_hash_table_insert(gfxstream->resources, key, resource);
	return resource;
}

void gfxstream_resource_drop(struct gfxstream *gfxstream, struct gfxstream_resource *resource)
{
	g_hash_table_remove(gfxstream->resources, GUINT_TO_POINTER(resource->id));
	if (resource->copy)
		munmap(resource->copy, resource->copy_size);
	if (resource->is_ring)
		gfxstream->n_rings--;
	fd_close(&resource->fd);
	g_free(resource);
}

/* Pages that no transfer touches take no memory. */
static bool map_copy(struct gfxstream_resource *resource)
{
	void *copy;

	resource->copy_size = (size_t)resource->width * resource->height * resource->pixel_bytes;
	copy = mmap(NULL, resource->copy_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (copy != MAP_FAILED)
		resource->copy = copy;
	return resource->copy;
}

/* Makes the library's resource and fills it with zeros, so that the guest cannot see old contents
 * of host memory. Returns 0 or the library's error; on an error the library has no such resource.
 */
static int create_in_library(struct gfxstream *gfxstream, struct gfxstream_resource *resource,
			     const struct gfxstream_resource_args *args)
{
	struct iovec iov = { resource->copy, resource->copy_size };
	int r = gfxstream->library.resource_create(args, NULL, 0);

	if (r != 0)
		return r;
	r = gfxstream->library.resource_attach_iov((int)resource->id, &iov, 1);
	if (r == 0)
		r = gfxstream_transfer_whole(gfxstream, resource);
	if (r != 0)
		gfxstream->library.resource_unref(resource->id);
	return r;
}

static int create_image(struct gfxstream *gfxstream, struct gfxstream_resource *resource,
			const struct renderer_resource_args *args)
{
	const struct gfxstream_resource_args create = gfxstream_image_args(gfxstream, args);

	resource->format = args->format;
	resource->width = args->width;
	resource->height = args->height;
	resource->pixel_bytes = gfxstream_image_check(gfxstream, args);
	resource->may_be_drawn = !args->is_2d;
	if (!map_copy(resource))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	return renderer_response(create_in_library(gfxstream, resource, &create));
}

int gfxstream_resource_create(struct renderer *renderer, const struct renderer_resource_args *args,
			      struct renderer_resource **ret)
{
	struct gfxstream *gfxstream = gfxstream_of(renderer);

	if (!gfxstream_image_check(gfxstream, args))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	struct gfxstream_resource *resource =
		gfxstream_resource_add(gfxstream, args->id, GFXSTREAM_IMAGE);

	if (!resource)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	int r = create_image(gfxstream, resource, args);

	if (r != 0)
		gfxstream_resource_drop(gfxstream, resource);
	else
		*ret = &resource->base;
	return r;
}

void gfxstream_resource_free(struct renderer *renderer, struct renderer_resource *handle)
{
	struct gfxstream_resource *resource = gfxstream_resource_of(handle);

	if (resource->kind == GFXSTREAM_BLOB_GUEST) {
		g_free(resource);
		return;
	}
	gfxstream_of(renderer)->library.resource_unref(resource->id);
	gfxstream_resource_drop(gfxstream_of(renderer), resource);
}

int gfxstream_resource_attach(struct renderer *renderer, struct renderer_resource *handle,
			      struct iovec *iov, int n_iov)
{
	struct gfxstream_resource *resource = gfxstream_resource_of(handle);

	(void)renderer;
	resource->iov = iov;
	resource->n_iov = n_iov;
	return 0;
}

void gfxstream_resource_detach(struct renderer *renderer, struct renderer_resource *handle)
{
	struct gfxstream_resource *resource = gfxstream_resource_of(handle);

	(void)renderer;
	resource->iov = NULL;
	resource->n_iov = 0;
}
