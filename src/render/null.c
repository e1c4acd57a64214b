// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The renderer that does nothing. It accepts every command of a guest, 3D and blobs included, and
 * keeps no state: every resource has the same handle, work is complete when its hook returns (there
 * are no fence hooks), and there are no pixels. With it one can measure the device alone: queues,
 * decoding, limits, lifetimes. It offers no capsets unless they are asked for by option, because a
 * guest would rely on their contents.
 *
 * Host blobs are the exception. What is to be measured is mapping them, so each has memory of its
 * own: a memfd of zeros. They are supported only if capsets are offered.
 */
#include "render/null.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "render/renderer.h"

#define CAPSET_SIZE 160 /* bytes, as Venus's capset */
#define MAX_CAPSETS 32  /* bits of null_renderer::capsets */

struct null_renderer {
	struct renderer base;
	uint32_t capsets;
	struct renderer_resource any; /* the handle of every resource except host blobs */
};

struct null_blob {
	struct renderer_resource base;
	int fd; /* owned */
};

const struct renderer_kind null_renderer_kind = { .needs = 0 };

static const struct renderer_ops null_ops;

static struct null_renderer *null_renderer(struct renderer *renderer)
{
	assert(renderer->ops == &null_ops);
	return container_of(renderer, struct null_renderer, base);
}

static void null_free(struct renderer *renderer)
{
	g_free(null_renderer(renderer));
}

static int null_resource_create(struct renderer *renderer,
				const struct renderer_resource_args *args,
				struct renderer_resource **ret)
{
	(void)args;
	*ret = &null_renderer(renderer)->any;
	return 0;
}

static int create_host_blob(struct renderer *renderer, uint64_t size,
			    struct renderer_resource **ret)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	auto_fd fd = memfd_create("blob", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)((size + page - 1) / page * page)) < 0)
		return -errno;
	struct null_blob *blob = g_new(struct null_blob, 1);

	*blob = (struct null_blob){ .base.renderer = renderer, .fd = fd_steal(&fd) };
	*ret = &blob->base;
	return 0;
}

static int null_resource_create_blob(struct renderer *renderer,
				     const struct renderer_blob_args *args,
				     struct renderer_resource **ret)
{
	if (args->blob_mem != VIRTIO_GPU_BLOB_MEM_GUEST)
		return create_host_blob(renderer, args->size, ret);
	*ret = &null_renderer(renderer)->any;
	return 0;
}

static int null_blob_export(struct renderer *renderer, struct renderer_resource *resource,
			    struct renderer_blob_export *ret)
{
	if (resource == &null_renderer(renderer)->any)
		return -ENOTSUP;
	int fd = dup(container_of(resource, struct null_blob, base)->fd);

	if (fd < 0)
		return -errno;
	*ret = (struct renderer_blob_export){ fd, VIRTIO_GPU_MAP_CACHE_CACHED };
	return 0;
}

static void null_resource_free(struct renderer *renderer, struct renderer_resource *resource)
{
	if (resource == &null_renderer(renderer)->any)
		return;
	struct null_blob *blob = container_of(resource, struct null_blob, base);

	fd_close(&blob->fd);
	g_free(blob);
}

static unsigned null_capsets(struct renderer *renderer, struct renderer_capset *ret)
{
	uint32_t left = null_renderer(renderer)->capsets;
	unsigned n = 0;

	for (uint32_t id = 0; id < MAX_CAPSETS && n < RENDERER_MAX_CAPSETS; id++)
		if (left >> id & 1)
			ret[n++] = (struct renderer_capset){ id, 0, CAPSET_SIZE };
	return n;
}

static int null_capset_fill(struct renderer *renderer, uint32_t id, uint32_t version, void *buf,
			    uint32_t size)
{
	(void)renderer;
	(void)id;
	(void)version;
	memset(buf, 0, size);
	return 0;
}

static int null_transfer(struct renderer *renderer, struct renderer_resource *resource,
			 const struct renderer_transfer *transfer)
{
	(void)renderer;
	(void)resource;
	(void)transfer;
	return 0;
}

static int null_context_create(struct renderer *renderer, uint32_t ctx_id, uint32_t context_init,
			       const char *name, uint32_t name_size)
{
	(void)renderer;
	(void)ctx_id;
	(void)context_init;
	(void)name;
	(void)name_size;
	return 0;
}

static void null_context_free(struct renderer *renderer, uint32_t ctx_id)
{
	(void)renderer;
	(void)ctx_id;
}

static int null_context_attach(struct renderer *renderer, uint32_t ctx_id,
			       struct renderer_resource *resource)
{
	(void)renderer;
	(void)ctx_id;
	(void)resource;
	return 0;
}

static void null_context_detach(struct renderer *renderer, uint32_t ctx_id,
				struct renderer_resource *resource)
{
	(void)renderer;
	(void)ctx_id;
	(void)resource;
}

static int null_submit(struct renderer *renderer, uint32_t ctx_id, void *stream, size_t size)
{
	(void)renderer;
	(void)ctx_id;
	(void)stream;
	(void)size;
	return 0;
}

static const struct renderer_ops null_ops = {
	.name = "null",
	.free = null_free,
	.resource_create = null_resource_create,
	.resource_create_blob = null_resource_create_blob,
	.blob_export = null_blob_export,
	.resource_free = null_resource_free,
	.transfer_to_host = null_transfer,
	.transfer_from_host = null_transfer,
	.capsets = null_capsets,
	.capset_fill = null_capset_fill,
	.context_create = null_context_create,
	.context_free = null_context_free,
	.context_attach = null_context_attach,
	.context_detach = null_context_detach,
	.submit = null_submit,
};

struct renderer *null_renderer_new(uint32_t capsets)
{
	struct null_renderer *null = g_new0(struct null_renderer, 1);

	renderer_init(&null->base, &null_ops);
	null->any.renderer = &null->base;
	null->capsets = capsets;
	null->base.can_export_blobs = capsets != 0;
	return &null->base;
}
