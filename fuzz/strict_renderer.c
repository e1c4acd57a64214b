// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What a real renderer relies on, as checks: ids are new when an object is created and alive when
 * it is named; a backing's pieces stay readable from attach to detach (most calls here read all of
 * them, as a GPU may at any time); a box is inside its resource; a fence of a ring belongs to a
 * live context; after a reset nothing is left. When the input completes fences, poll_fd's
 * descriptor becomes readable, as if a thread had made it so, and poll() reports them.
 */
#include "strict_renderer.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "fuzz.h"
#include "render/renderer.h"

#define MAX_FENCES 64
#define CAPSET_ID  2

struct strict_resource {
	struct renderer_resource base;
	struct renderer_resource_args args; /* of a blob only the id */
	uint64_t blob_size;                 /* 0: not a blob */
	const struct iovec *iov;            /* borrowed; NULL: nothing is attached */
	int n_iov;
	GHashTable *contexts; /* ids of the contexts to which it is attached */
};

static struct {
	struct renderer base;
	GHashTable *resources; /* struct strict_resource *, as a set */
	GHashTable *contexts;  /* ids of live contexts, as a set */
	struct renderer_fence fences[MAX_FENCES];
	unsigned n_fences, n_passing;
	int event, dmabuf;
	struct strict_knobs knobs;
	uint8_t sink;
} strict;

static void read_pieces(const struct iovec *iov, int n_iov)
{
	for (int i = 0; i < n_iov; i++) {
		const uint8_t *at = iov[i].iov_base;

		CHECK(iov[i].iov_len > 0);
		strict.sink ^= at[0] ^ at[iov[i].iov_len - 1];
	}
}

/* What another thread might do at any time. */
static void look_around(void)
{
	GHashTableIter iter;
	void *key;

	g_hash_table_iter_init(&iter, strict.resources);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		const struct strict_resource *resource = key;

		if (resource->iov)
			read_pieces(resource->iov, resource->n_iov);
	}
}

static struct strict_resource *to_strict(struct renderer_resource *resource)
{
	CHECK(resource && g_hash_table_contains(strict.resources, resource));
	return container_of(resource, struct strict_resource, base);
}

static struct strict_resource *check_resource(struct renderer_resource *resource)
{
	struct strict_resource *checked = to_strict(resource);

	look_around();
	return checked;
}

static bool has_context(uint32_t id)
{
	return g_hash_table_contains(strict.contexts, GUINT_TO_POINTER(id));
}

static void strict_free(struct renderer *renderer)
{
	(void)renderer;
	abort(); /* it stays for all inputs */
}

static struct strict_resource *resource_new(uint32_t id)
{
	GHashTableIter iter;
	void *key;

	CHECK(id != 0);
	g_hash_table_iter_init(&iter, strict.resources);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		CHECK(((struct strict_resource *)key)->args.id != id);

	struct strict_resource *resource = g_new0(struct strict_resource, 1);

	resource->base.renderer = &strict.base;
	resource->args.id = id;
	resource->contexts = g_hash_table_new(NULL, NULL);
	g_hash_table_add(strict.resources, resource);
	return resource;
}

static int strict_create(struct renderer *renderer, const struct renderer_resource_args *args,
			 struct renderer_resource **ret)
{
	(void)renderer;
	look_around();
	CHECK(args->width > 0);
	if (strict.knobs.create_fails)
		return -ENOMEM;
	struct strict_resource *resource = resource_new(args->id);

	resource->args = *args;
	*ret = &resource->base;
	return 0;
}

static int strict_blob_create(struct renderer *renderer, const struct renderer_blob_args *args,
			      struct renderer_resource **ret)
{
	uint64_t size = 0;

	(void)renderer;
	look_around();
	for (int i = 0; i < args->n_iov; i++)
		size += args->iov[i].iov_len;
	CHECK(args->size > 0 && size >= args->size);
	if (strict.knobs.create_fails)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	struct strict_resource *resource = resource_new(args->id);

	resource->blob_size = args->size;
	resource->iov = args->iov;
	resource->n_iov = args->n_iov;
	*ret = &resource->base;
	return 0;
}

static void strict_resource_free(struct renderer *renderer, struct renderer_resource *handle)
{
	struct strict_resource *resource = to_strict(handle);

	(void)renderer;
	CHECK(g_hash_table_remove(strict.resources, resource));
	look_around();
	CHECK(!resource->iov || resource->blob_size);
	g_hash_table_destroy(resource->contexts);
	g_free(resource);
}

static int strict_attach(struct renderer *renderer, struct renderer_resource *handle,
			 struct iovec *iov, int n_iov)
{
	struct strict_resource *resource = to_strict(handle);

	(void)renderer;
	CHECK(n_iov > 0);
	CHECK(!resource->iov);
	if (strict.knobs.attach_fails)
		return -ENOMEM;
	resource->iov = iov;
	resource->n_iov = n_iov;
	read_pieces(iov, n_iov);
	return 0;
}

static void strict_detach(struct renderer *renderer, struct renderer_resource *handle)
{
	struct strict_resource *resource = to_strict(handle);

	(void)renderer;
	if (resource->iov)
		read_pieces(resource->iov, resource->n_iov);
	resource->iov = NULL;
}

static int transfer(struct renderer_resource *handle, const struct renderer_transfer *t)
{
	const struct strict_resource *resource = check_resource(handle);
	const struct renderer_resource_args *args = &resource->args;
	struct rect r = { t->box.x, t->box.y, t->box.width, t->box.height };

	CHECK(resource->iov && !t->iov);
	CHECK(t->ctx_id == 0 || has_context(t->ctx_id));
	if (resource->blob_size)
		return 0; /* only the renderer knows the layout of a box in it */
	CHECK(t->level <= args->last_level && t->level < 32);
	CHECK(rect_is_within(&r, MAX(args->width >> t->level, 1),
			     MAX(args->height >> t->level, 1)));
	return 0;
}

static int strict_transfer_to(struct renderer *renderer, struct renderer_resource *resource,
			      const struct renderer_transfer *t)
{
	(void)renderer;
	return transfer(resource, t);
}

static int strict_read_pixels(struct renderer *renderer, struct renderer_resource *handle,
			      const struct rect *r, void *data, uint32_t stride, bool as_stored,
			      uint32_t *ret_format)
{
	struct strict_resource *resource = check_resource(handle);

	(void)renderer;
	CHECK(!rect_is_empty(r) && stride >= r->width * 4);
	CHECK(rect_is_within(r, resource->args.width, resource->args.height));
	if (strict.knobs.read_fails)
		return -EIO;
	*ret_format =
		as_stored ? VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM : VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;
	for (uint32_t y = 0; y < r->height; y++)
		for (uint32_t x = 0; x < r->width; x++) {
			uint8_t first = (uint8_t)(r->y + y), last = first + 2;
			const uint8_t pixel[] = { as_stored ? last : first, first + 1,
						  as_stored ? first : last, first + 3 };

			memcpy((uint8_t *)data + (size_t)y * stride + (size_t)x * 4, pixel, 4);
		}
	return 0;
}

static int strict_export(struct renderer *renderer, struct renderer_resource *handle,
			 struct dmabuf *ret)
{
	struct strict_resource *resource = check_resource(handle);

	(void)renderer;
	if (strict.knobs.export_fails || resource->args.is_2d)
		return -ENOTSUP;
	*ret = (struct dmabuf){
		.fd = fcntl(strict.dmabuf, F_DUPFD_CLOEXEC, 0),
		.width = resource->args.width,
		.height = resource->args.height,
		.n_planes = 1,
		.stride = { resource->args.width * 4 },
		.modifier = resource->args.id % 2 ? 0 : 5,
	};
	return ret->fd < 0 ? -errno : 0;
}

static unsigned strict_capsets(struct renderer *renderer, struct renderer_capset *ret)
{
	(void)renderer;
	ret[0] = (struct renderer_capset){ 1, 1, 308 };
	ret[1] = (struct renderer_capset){ CAPSET_ID, 2, 64 };
	return 2;
}

static int strict_capset_fill(struct renderer *renderer, uint32_t id, uint32_t version, void *buf,
			      uint32_t size)
{
	(void)renderer;
	CHECK((id == 1 && version <= 1 && size == 308) ||
	      (id == CAPSET_ID && version <= 2 && size == 64));
	memset(buf, 1, size);
	return 0;
}

static int strict_context_create(struct renderer *renderer, uint32_t ctx_id, uint32_t context_init,
				 const char *name, uint32_t name_size)
{
	(void)renderer;
	CHECK(ctx_id != 0 && !has_context(ctx_id) && name_size <= 64);
	CHECK(context_init == 0 || context_init == 1 || context_init == CAPSET_ID);
	for (uint32_t i = 0; i < name_size; i++)
		strict.sink ^= (uint8_t)name[i];
	if (strict.knobs.create_fails)
		return -ENOMEM;
	g_hash_table_add(strict.contexts, GUINT_TO_POINTER(ctx_id));
	return 0;
}

/* As in virglrenderer, the fences of a context go with it. */
static void strict_context_free(struct renderer *renderer, uint32_t ctx_id)
{
	GHashTableIter iter;
	unsigned n = 0;
	void *key;

	(void)renderer;
	CHECK(g_hash_table_remove(strict.contexts, GUINT_TO_POINTER(ctx_id)));
	for (unsigned i = 0; i < strict.n_fences; i++)
		if (!strict.fences[i].has_ring || strict.fences[i].ctx_id != ctx_id)
			strict.fences[n++] = strict.fences[i];
	strict.n_fences = n;
	g_hash_table_iter_init(&iter, strict.resources);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		g_hash_table_remove(((struct strict_resource *)key)->contexts,
				    GUINT_TO_POINTER(ctx_id));
}

static int strict_context_attach(struct renderer *renderer, uint32_t ctx_id,
				 struct renderer_resource *handle)
{
	struct strict_resource *resource = check_resource(handle);

	(void)renderer;
	CHECK(has_context(ctx_id));
	g_hash_table_add(resource->contexts, GUINT_TO_POINTER(ctx_id));
	return 0;
}

static void strict_context_detach(struct renderer *renderer, uint32_t ctx_id,
				  struct renderer_resource *handle)
{
	struct strict_resource *resource = check_resource(handle);

	(void)renderer;
	CHECK(has_context(ctx_id));
	g_hash_table_remove(resource->contexts, GUINT_TO_POINTER(ctx_id));
}

/* A word that no input contains. strict_submit() fills the device's buffer with such words, so a
 * later stream has one only where the device did not copy the guest's stream over it. */
static uint32_t stale_word(size_t i)
{
	return 0xe51a1ed0u ^ (uint32_t)i * 0x9e3779b9u;
}

static int strict_submit(struct renderer *renderer, uint32_t ctx_id, void *stream, size_t size)
{
	uint32_t *words = stream;
	size_t n = size / sizeof(*words);

	(void)renderer;
	CHECK(has_context(ctx_id) && size > 0 && size % 4 == 0);
	look_around();
	for (size_t i = 0; i < n; i++) {
		CHECK(words[i] != stale_word(i));
		words[i] = stale_word(i);
	}
	return strict.knobs.submit_fails ? -EINVAL : 0;
}

static int strict_fence_create(struct renderer *renderer, const struct renderer_fence *fence)
{
	(void)renderer;
	CHECK(!fence->has_ring || has_context(fence->ctx_id));
	CHECK(strict.n_fences == 0 || fence->id > strict.fences[strict.n_fences - 1].id);
	if (strict.knobs.fence_fails || strict.n_fences == MAX_FENCES)
		return -ENOMEM;
	strict.fences[strict.n_fences++] = *fence;
	return 0;
}

static int strict_poll_fd(struct renderer *renderer)
{
	(void)renderer;
	return strict.event;
}

static void strict_poll(struct renderer *renderer)
{
	uint64_t count;

	(void)!read(strict.event, &count, sizeof(count));
	while (strict.n_passing > 0 && strict.n_fences > 0) {
		struct renderer_fence fence = strict.fences[0];

		strict.n_passing--;
		strict.n_fences--;
		memmove(&strict.fences[0], &strict.fences[1],
			strict.n_fences * sizeof(strict.fences[0]));
		renderer_report_fence(renderer, &fence);
	}
	strict.n_passing = 0;
}

static void strict_reset(struct renderer *renderer)
{
	(void)renderer;
	CHECK(g_hash_table_size(strict.resources) == 0);
	CHECK(g_hash_table_size(strict.contexts) == 0);
	strict.n_fences = strict.n_passing = 0;
}

static const struct renderer_ops strict_ops = {
	.name = "strict",
	.free = strict_free,
	.resource_create = strict_create,
	.resource_create_blob = strict_blob_create,
	.resource_free = strict_resource_free,
	.resource_attach = strict_attach,
	.resource_detach = strict_detach,
	.transfer_to_host = strict_transfer_to,
	.transfer_from_host = strict_transfer_to,
	.read_pixels = strict_read_pixels,
	.export_dmabuf = strict_export,
	.capsets = strict_capsets,
	.capset_fill = strict_capset_fill,
	.context_create = strict_context_create,
	.context_free = strict_context_free,
	.context_attach = strict_context_attach,
	.context_detach = strict_context_detach,
	.submit = strict_submit,
	.fence_create = strict_fence_create,
	.poll_fd = strict_poll_fd,
	.poll = strict_poll,
	.reset = strict_reset,
};

struct renderer *strict_renderer_new(void)
{
	CHECK(!strict.resources);
	strict.resources = g_hash_table_new(NULL, NULL);
	strict.contexts = g_hash_table_new(NULL, NULL);
	strict.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	strict.dmabuf = memfd_create("dma-buf", MFD_CLOEXEC);
	CHECK(strict.event >= 0 && strict.dmabuf >= 0);
	renderer_init(&strict.base, &strict_ops);
	return &strict.base;
}

void strict_renderer_set_knobs(const struct strict_knobs *knobs)
{
	strict.knobs = *knobs;
}

void strict_renderer_pass(unsigned n)
{
	uint64_t one = 1;

	strict.n_passing += n;
	CHECK(write(strict.event, &one, sizeof(one)) == sizeof(one));
}

bool strict_renderer_is_empty(void)
{
	return g_hash_table_size(strict.resources) == 0 &&
	       g_hash_table_size(strict.contexts) == 0 && strict.n_fences == 0;
}
