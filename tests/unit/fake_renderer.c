// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "fake_renderer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fd.h"
#include "base/iov.h"
#include "base/state_lock.h"

struct fake_resource {
	struct renderer_resource base;
	uint32_t id;
	unsigned n_shrinks;
	const struct iovec *iov; /* owned by the device; NULL: nothing is attached */
};

static struct fake_renderer *get_fake(struct renderer *renderer)
{
	return container_of(renderer, struct fake_renderer, base);
}

/* Called in hooks that may take long, for which the device has to release its lock. */
static void look_at_lock(struct fake_renderer *fake)
{
	struct state_lock *lock = fake->base.lock;

	if (!lock)
		return;
	if (state_lock_take_within(lock, 0))
		state_lock_release(lock);
	else
		fake->n_locked++;
}

static void free_renderer(struct renderer *renderer)
{
	struct fake_renderer *fake = get_fake(renderer);

	assert_int_equal(fake->n_resources, 0);
	assert_int_equal(fake->n_contexts, 0);
	fd_close(&fake->poll_fd);
}

static struct fake_resource *get_resource(struct renderer_resource *resource)
{
	assert_non_null(resource);
	return container_of(resource, struct fake_resource, base);
}

static struct fake_resource *new_resource(struct renderer *renderer, uint32_t id)
{
	struct fake_resource *resource = g_new0(struct fake_resource, 1);

	resource->base.renderer = renderer;
	resource->id = id;
	get_fake(renderer)->n_resources++;
	return resource;
}

static int create_resource(struct renderer *renderer, const struct renderer_resource_args *args,
			   struct renderer_resource **ret)
{
	*ret = &new_resource(renderer, args->id)->base;
	return 0;
}

static int create_blob(struct renderer *renderer, const struct renderer_blob_args *args,
		       struct renderer_resource **ret)
{
	struct fake_resource *resource = new_resource(renderer, args->id);

	resource->iov = args->iov;
	*ret = &resource->base;
	get_fake(renderer)->n_attached += args->iov != NULL;
	return 0;
}

static int export_blob(struct renderer *renderer, struct renderer_resource *resource,
		       struct renderer_blob_export *ret)
{
	struct fake_renderer *fake = get_fake(renderer);

	(void)resource;
	if (!fake->export_memory)
		return -ENOTSUP;
	fake->n_exported++;
	*ret = (struct renderer_blob_export){ fake->export_memory(), FAKE_RENDERER_MAP_INFO };
	return 0;
}

static void free_resource(struct renderer *renderer, struct renderer_resource *handle)
{
	struct fake_resource *resource = get_resource(handle);

	assert_null(resource->iov);
	g_free(resource);
	get_fake(renderer)->n_resources--;
}

static int attach_backing(struct renderer *renderer, struct renderer_resource *handle,
			  struct iovec *iov, int n_iov)
{
	struct fake_resource *resource = get_resource(handle);

	assert_null(resource->iov);
	assert_true(iov && n_iov > 0);
	resource->iov = iov;
	get_fake(renderer)->n_attached++;
	return 0;
}

static void detach_backing(struct renderer *renderer, struct renderer_resource *handle)
{
	struct fake_resource *resource = get_resource(handle);

	assert_non_null(resource->iov);
	/* Reads the old iovecs, as the library does: they must still be valid. */
	assert_non_null(resource->iov[0].iov_base);
	resource->iov = NULL;
	get_fake(renderer)->n_attached--;
}

static int transfer_box(struct renderer *renderer, struct renderer_resource *handle,
			const struct renderer_transfer *transfer)
{
	struct fake_resource *resource = get_resource(handle);

	(void)renderer, (void)transfer;
	assert_non_null(resource->iov);
	return 0;
}

/* The CPU reads here, so the guest's memory must be mapped. */
static int transfer_rows(struct renderer *renderer, struct renderer_resource *handle,
			 const struct renderer_transfer *transfer)
{
	struct fake_renderer *fake = get_fake(renderer);
	uint64_t bytes = (uint64_t)transfer->box.width * transfer->box.height * 4;

	(void)handle;
	assert_true(transfer->iov && transfer->n_iov > 0);
	iov_touch(transfer->iov, 1);
	fake->n_rows += transfer->box.height;
	fake->next_row = transfer->box.y + transfer->box.height;
	fake->largest_piece = MAX(fake->largest_piece, bytes);
	return 0;
}

/* Each step is slow, so the device must spread the steps of a resource over several turns. */
static bool shrink_resource(struct renderer *renderer, struct renderer_resource *handle)
{
	if (get_resource(handle)->n_shrinks++ >= get_fake(renderer)->shrinks)
		return false;
	g_usleep(2000);
	return true;
}

static int read_rows(struct renderer *renderer, struct renderer_resource *resource,
		     const struct rect *r, void *data, uint32_t stride, bool as_stored,
		     uint32_t *ret_format)
{
	(void)as_stored;
	*ret_format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
	(void)resource;
	for (uint32_t y = 0; y < r->height; y++)
		for (uint32_t x = 0; x < r->width; x++)
			((uint32_t *)data)[y * (size_t)stride / 4 + x] = get_fake(renderer)->n_rows;
	return 0;
}

static int read_pixels(struct renderer *renderer, struct renderer_resource *resource,
		       const struct rect *r, void *data, uint32_t stride, bool as_stored,
		       uint32_t *ret_format)
{
	const struct fake_renderer *fake = get_fake(renderer);
	bool is_rgba = fake->has_only_rgba || (fake->stores_rgba && as_stored);

	(void)resource;
	look_at_lock(get_fake(renderer));
	*ret_format = is_rgba ? VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM : VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
	for (uint32_t y = 0; y < r->height; y++)
		for (uint32_t i = 0; i < r->width * 4; i++)
			((uint8_t *)data)[(size_t)y * stride + i] =
				(uint8_t)(fake->pixel + (is_rgba ? i % 4 : 0));
	return 0;
}

static int export_dmabuf(struct renderer *renderer, struct renderer_resource *resource,
			 struct dmabuf *ret)
{
	struct fake_renderer *fake = get_fake(renderer);

	(void)resource;
	if (!fake->has_dmabufs)
		return -ENOTSUP;
	*ret = (struct dmabuf){
		.fd = memfd_create("dmabuf", MFD_CLOEXEC),
		.width = 64,
		.height = fake->dmabuf_height ? fake->dmabuf_height : 64,
		.n_planes = 1,
		.stride = { 256 },
		.fourcc = 1,
		.is_in_memory = fake->draws_in_memory,
	};
	fake->n_exported++;
	return 0;
}

static unsigned list_capsets(struct renderer *renderer, struct renderer_capset *ret)
{
	(void)renderer;
	ret[0] = (struct renderer_capset){ VIRTIO_GPU_CAPSET_VIRGL, 1, 32 };
	return 1;
}

static int fill_capset(struct renderer *renderer, uint32_t id, uint32_t version, void *buf,
		       uint32_t size)
{
	(void)version;
	look_at_lock(get_fake(renderer));
	assert_int_equal(id, VIRTIO_GPU_CAPSET_VIRGL);
	memset(buf, 0x11, size);
	return 0;
}

static int create_context(struct renderer *renderer, uint32_t ctx_id, uint32_t init,
			  const char *name, uint32_t size)
{
	(void)ctx_id, (void)init, (void)name, (void)size;
	get_fake(renderer)->n_contexts++;
	return 0;
}

static void free_context(struct renderer *renderer, uint32_t ctx_id)
{
	(void)ctx_id;
	get_fake(renderer)->n_contexts--;
}

static int attach_resource(struct renderer *renderer, uint32_t ctx_id,
			   struct renderer_resource *resource)
{
	(void)renderer, (void)ctx_id;
	assert_non_null(resource);
	return 0;
}

static void detach_resource(struct renderer *renderer, uint32_t ctx_id,
			    struct renderer_resource *resource)
{
	(void)renderer, (void)ctx_id;
	assert_non_null(resource);
}

static int submit_stream(struct renderer *renderer, uint32_t ctx_id, void *stream, size_t size)
{
	(void)renderer, (void)ctx_id, (void)stream, (void)size;
	return 0;
}

static int create_fence(struct renderer *renderer, const struct renderer_fence *fence)
{
	struct fake_renderer *fake = get_fake(renderer);

	if (fake->fence_result)
		return fake->fence_result;
	assert_true(fake->n_fences < FAKE_RENDERER_MAX_FENCES);
	fake->fences[fake->n_fences++] = *fence;
	return 0;
}

static int get_poll_fd(struct renderer *renderer)
{
	const struct fake_renderer *fake = get_fake(renderer);

	return fake->hides_poll_fd ? -1 : fake->poll_fd;
}

static void poll_fences(struct renderer *renderer)
{
	struct fake_renderer *fake = get_fake(renderer);
	uint64_t count;

	if (read(fake->poll_fd, &count, sizeof(count)) < 0)
		return;
	renderer_report_fence(renderer, &fake->passing);
}

static void reset_renderer(struct renderer *renderer)
{
	struct fake_renderer *fake = get_fake(renderer);

	assert_int_equal(fake->n_resources, 0);
	assert_int_equal(fake->n_contexts, 0);
	fake->n_resets++;
}

static const struct renderer_ops fake_ops = {
	.name = "fake",
	.free = free_renderer,
	.resource_create = create_resource,
	.resource_create_blob = create_blob,
	.blob_export = export_blob,
	.resource_free = free_resource,
	.resource_attach = attach_backing,
	.resource_detach = detach_backing,
	.transfer_to_host = transfer_box,
	.transfer_from_host = transfer_box,
	.read_pixels = read_pixels,
	.export_dmabuf = export_dmabuf,
	.capsets = list_capsets,
	.capset_fill = fill_capset,
	.context_create = create_context,
	.context_free = free_context,
	.context_attach = attach_resource,
	.context_detach = detach_resource,
	.submit = submit_stream,
	.fence_create = create_fence,
	.poll_fd = get_poll_fd,
	.poll = poll_fences,
	.reset = reset_renderer,
};

static const struct renderer_ops fake_cpu_ops = {
	.name = "fake CPU",
	.free = free_renderer,
	.resource_create = create_resource,
	.resource_free = free_resource,
	.resource_shrink = shrink_resource,
	.transfer_to_host = transfer_rows,
	.splits_transfers = true,
	.read_pixels = read_rows,
};

void fake_renderer_init_cpu(struct fake_renderer *fake)
{
	memset(fake, 0, sizeof(*fake));
	renderer_init(&fake->base, &fake_cpu_ops);
	fake->poll_fd = -1;
}

void fake_renderer_init(struct fake_renderer *fake)
{
	memset(fake, 0, sizeof(*fake));
	renderer_init(&fake->base, &fake_ops);
	fake->poll_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}
