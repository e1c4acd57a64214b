// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * A renderer and a display that do what a test tells them to, when it tells them: fences pass by
 * fake_pass(), requests end by fake_answer(). They count what lives, so that a test can say that
 * nothing is left, and die on what the device must never ask of them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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
#include "display/display.h"
#include "render/renderer.h"

#define FAKE_MAX_FENCES 4096

struct fake_resource {
	struct renderer_resource base;
	uint32_t id;
	const struct iovec *iov; /* the device's; NULL: nothing is attached */
};

struct fake_renderer {
	struct renderer base;
	int n_resources, n_contexts, n_attached, n_exported, n_resets;
	int fence_result; /* of fence_create */
	bool has_dmabufs;
	bool hides_poll_fd; /* as a library that has none */
	int poll_fd;
	struct renderer_fence fences[FAKE_MAX_FENCES]; /* all that were created */
	unsigned n_fences;
	struct renderer_fence passing; /* told by the next poll */
};

struct fake_display {
	struct display base;
	bool shows_dmabufs;
	struct display_request *requests; /* display_request::next; the oldest first */
	unsigned n_requests, n_damages, n_changes;
	struct display_pixels *sources[DISPLAY_MAX_SCANOUTS];
	uint32_t widths[DISPLAY_MAX_SCANOUTS];
	int socket;
};

/* ---- the renderer ---- */

static inline struct fake_renderer *fake_of(struct renderer *renderer)
{
	return container_of(renderer, struct fake_renderer, base);
}

static inline void fake_free(struct renderer *renderer)
{
	struct fake_renderer *fake = fake_of(renderer);

	assert_int_equal(fake->n_resources, 0);
	assert_int_equal(fake->n_contexts, 0);
	fd_close(&fake->poll_fd);
}

static inline struct fake_resource *fake_resource_of(struct renderer_resource *resource)
{
	assert_non_null(resource);
	return container_of(resource, struct fake_resource, base);
}

static inline struct fake_resource *fake_resource_new(struct renderer *renderer, uint32_t id)
{
	struct fake_resource *resource = g_new0(struct fake_resource, 1);

	resource->base.renderer = renderer;
	resource->id = id;
	fake_of(renderer)->n_resources++;
	return resource;
}

static inline int fake_resource_create(struct renderer *renderer,
				       const struct renderer_resource_args *args,
				       struct renderer_resource **ret)
{
	*ret = &fake_resource_new(renderer, args->id)->base;
	return 0;
}

static inline int fake_blob_create(struct renderer *renderer, const struct renderer_blob_args *args,
				   struct renderer_resource **ret)
{
	struct fake_resource *resource = fake_resource_new(renderer, args->id);

	resource->iov = args->iov;
	*ret = &resource->base;
	fake_of(renderer)->n_attached++;
	return 0;
}

static inline void fake_resource_free(struct renderer *renderer, struct renderer_resource *handle)
{
	struct fake_resource *resource = fake_resource_of(handle);

	assert_null(resource->iov);
	g_free(resource);
	fake_of(renderer)->n_resources--;
}

static inline int fake_attach(struct renderer *renderer, struct renderer_resource *handle,
			      struct iovec *iov, int n_iov)
{
	struct fake_resource *resource = fake_resource_of(handle);

	assert_null(resource->iov);
	assert_true(iov && n_iov > 0);
	resource->iov = iov;
	fake_of(renderer)->n_attached++;
	return 0;
}

static inline void fake_detach(struct renderer *renderer, struct renderer_resource *handle)
{
	struct fake_resource *resource = fake_resource_of(handle);

	assert_non_null(resource->iov);
	/* What the library does too: the iovecs are still good. */
	assert_non_null(resource->iov[0].iov_base);
	resource->iov = NULL;
	fake_of(renderer)->n_attached--;
}

static inline int fake_transfer(struct renderer *renderer, struct renderer_resource *handle,
				const struct renderer_transfer *transfer)
{
	struct fake_resource *resource = fake_resource_of(handle);

	(void)renderer, (void)transfer;
	assert_non_null(resource->iov);
	return 0;
}

static inline int fake_read_pixels(struct renderer *renderer, struct renderer_resource *resource,
				   const struct rect *r, void *data, uint32_t stride)
{
	(void)renderer, (void)resource;
	for (uint32_t y = 0; y < r->height; y++)
		memset((uint8_t *)data + (size_t)y * stride, 0x55, (size_t)r->width * 4);
	return 0;
}

static inline int fake_export(struct renderer *renderer, struct renderer_resource *resource,
			      struct dmabuf *ret)
{
	struct fake_renderer *fake = fake_of(renderer);

	(void)resource;
	if (!fake->has_dmabufs)
		return -ENOTSUP;
	*ret = (struct dmabuf){
		.fd = memfd_create("dmabuf", MFD_CLOEXEC),
		.width = 64,
		.height = 64,
		.n_planes = 1,
		.stride = { 256 },
		.fourcc = 1,
	};
	fake->n_exported++;
	return 0;
}

static inline unsigned fake_capsets(struct renderer *renderer, struct renderer_capset *ret)
{
	(void)renderer;
	ret[0] = (struct renderer_capset){ VIRTIO_GPU_CAPSET_VIRGL, 1, 32 };
	return 1;
}

static inline int fake_capset_fill(struct renderer *renderer, uint32_t id, uint32_t version,
				   void *buf, uint32_t size)
{
	(void)renderer, (void)version;
	assert_int_equal(id, VIRTIO_GPU_CAPSET_VIRGL);
	memset(buf, 0x11, size);
	return 0;
}

static inline int fake_context_create(struct renderer *renderer, uint32_t ctx_id, uint32_t init,
				      const char *name, uint32_t size)
{
	(void)ctx_id, (void)init, (void)name, (void)size;
	fake_of(renderer)->n_contexts++;
	return 0;
}

static inline void fake_context_free(struct renderer *renderer, uint32_t ctx_id)
{
	(void)ctx_id;
	fake_of(renderer)->n_contexts--;
}

static inline int fake_context_attach(struct renderer *renderer, uint32_t ctx_id,
				      struct renderer_resource *resource)
{
	(void)renderer, (void)ctx_id;
	assert_non_null(resource);
	return 0;
}

static inline void fake_context_detach(struct renderer *renderer, uint32_t ctx_id,
				       struct renderer_resource *resource)
{
	(void)renderer, (void)ctx_id;
	assert_non_null(resource);
}

static inline int fake_submit(struct renderer *renderer, uint32_t ctx_id, void *stream, size_t size)
{
	(void)renderer, (void)ctx_id, (void)stream, (void)size;
	return 0;
}

static inline int fake_fence_create(struct renderer *renderer, const struct renderer_fence *fence)
{
	struct fake_renderer *fake = fake_of(renderer);

	if (fake->fence_result)
		return fake->fence_result;
	assert_true(fake->n_fences < FAKE_MAX_FENCES);
	fake->fences[fake->n_fences++] = *fence;
	return 0;
}

static inline int fake_poll_fd(struct renderer *renderer)
{
	const struct fake_renderer *fake = fake_of(renderer);

	return fake->hides_poll_fd ? -1 : fake->poll_fd;
}

static inline void fake_poll(struct renderer *renderer)
{
	struct fake_renderer *fake = fake_of(renderer);
	uint64_t count;

	if (read(fake->poll_fd, &count, sizeof(count)) < 0)
		return;
	renderer->fence_fn(renderer->fence_data, &fake->passing);
}

static inline void fake_renderer_reset(struct renderer *renderer)
{
	struct fake_renderer *fake = fake_of(renderer);

	assert_int_equal(fake->n_resources, 0);
	assert_int_equal(fake->n_contexts, 0);
	fake->n_resets++;
}

static const struct renderer_ops fake_renderer_ops = {
	.name = "fake",
	.free = fake_free,
	.resource_create = fake_resource_create,
	.resource_create_blob = fake_blob_create,
	.resource_free = fake_resource_free,
	.resource_attach = fake_attach,
	.resource_detach = fake_detach,
	.transfer_to_host = fake_transfer,
	.transfer_from_host = fake_transfer,
	.read_pixels = fake_read_pixels,
	.export_dmabuf = fake_export,
	.capsets = fake_capsets,
	.capset_fill = fake_capset_fill,
	.context_create = fake_context_create,
	.context_free = fake_context_free,
	.context_attach = fake_context_attach,
	.context_detach = fake_context_detach,
	.submit = fake_submit,
	.fence_create = fake_fence_create,
	.poll_fd = fake_poll_fd,
	.poll = fake_poll,
	.reset = fake_renderer_reset,
};

static inline void fake_renderer_init(struct fake_renderer *fake)
{
	memset(fake, 0, sizeof(*fake));
	renderer_init(&fake->base, &fake_renderer_ops);
	fake->poll_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

/* ---- the display ---- */

static inline struct fake_display *fake_display_of(struct display *display)
{
	return container_of(display, struct fake_display, base);
}

static inline void fake_display_free(struct display *display)
{
	assert_null(fake_display_of(display)->requests);
}

static inline int fake_add(struct display *display, struct display_request *request)
{
	struct fake_display *fake = fake_display_of(display);
	struct display_request **end = &fake->requests;

	while (*end)
		end = &(*end)->next;
	*end = request;
	request->next = NULL;
	request->display = display;
	fake->n_requests++;
	return 0;
}

static inline void fake_cancel(struct display *display, struct display_request *request)
{
	struct fake_display *fake = fake_display_of(display);
	struct display_request **link = &fake->requests;

	while (*link != request)
		link = &(*link)->next;
	*link = request->next;
	request->display = NULL;
	fake->n_requests--;
}

/* Ends the oldest request. */
static inline void fake_answer(struct fake_display *fake, int error, const void *reply)
{
	struct display_request *request = fake->requests;

	assert_non_null(request);
	fake_cancel(&fake->base, request);
	request->fn(request, error, reply);
}

static inline int fake_set_socket(struct display *display, int fd)
{
	struct fake_display *fake = fake_display_of(display);

	fd_close(&fake->socket);
	fake->socket = fd;
	while (fake->requests)
		fake_answer(fake, -ENOTCONN, NULL);
	return 0;
}

static inline void fake_display_reset(struct display *display)
{
	struct fake_display *fake = fake_display_of(display);

	assert_null(fake->requests); /* the device has cancelled them */
	memset(fake->sources, 0, sizeof(fake->sources));
	memset(fake->widths, 0, sizeof(fake->widths));
}

static inline int fake_request_edid(struct display *display, struct display_request *request,
				    unsigned scanout)
{
	(void)scanout;
	return fake_add(display, request);
}

static inline void fake_scanout_pixels(struct display *display, unsigned scanout, uint32_t width,
				       uint32_t height, struct display_pixels *source)
{
	(void)height;
	fake_display_of(display)->sources[scanout] = source;
	fake_display_of(display)->widths[scanout] = width;
}

static inline bool fake_shows_dmabufs(struct display *display)
{
	return fake_display_of(display)->shows_dmabufs;
}

static inline int fake_scanout_dmabuf(struct display *display, unsigned scanout,
				      const struct dmabuf *dmabuf, const struct rect *r)
{
	(void)dmabuf;
	fake_scanout_pixels(display, scanout, r->width, r->height, NULL);
	return 0;
}

static inline void fake_damage(struct display *display, unsigned scanout, const struct rect *r)
{
	(void)scanout, (void)r;
	fake_display_of(display)->n_damages++;
}

static inline int fake_flush_dmabuf(struct display *display, struct display_request *request,
				    unsigned scanout, const struct rect *r)
{
	(void)scanout, (void)r;
	return fake_add(display, request);
}

static inline void fake_source_changed(struct display *display, struct display_pixels *source)
{
	(void)source;
	fake_display_of(display)->n_changes++;
}

static inline void fake_cursor_set(struct display *display, unsigned scanout,
				   const struct display_cursor *cursor)
{
	(void)display, (void)scanout, (void)cursor;
}

static inline void fake_cursor_move(struct display *display, unsigned scanout, uint32_t x,
				    uint32_t y, bool is_visible)
{
	(void)display, (void)scanout, (void)x, (void)y, (void)is_visible;
}

static const struct display_ops fake_display_ops = {
	.name = "fake",
	.free = fake_display_free,
	.set_socket = fake_set_socket,
	.reset = fake_display_reset,
	.request_info = fake_add,
	.request_edid = fake_request_edid,
	.cancel = fake_cancel,
	.scanout_pixels = fake_scanout_pixels,
	.shows_dmabufs = fake_shows_dmabufs,
	.scanout_dmabuf = fake_scanout_dmabuf,
	.damage = fake_damage,
	.flush_dmabuf = fake_flush_dmabuf,
	.pixels_changed = fake_source_changed,
	.cursor_set = fake_cursor_set,
	.cursor_move = fake_cursor_move,
};

static inline void fake_display_init(struct fake_display *fake)
{
	memset(fake, 0, sizeof(*fake));
	display_init(&fake->base, &fake_display_ops);
	fake->socket = -1;
}
