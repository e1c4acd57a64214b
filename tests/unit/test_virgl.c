// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * virglrenderer for real, on whatever OpenGL this host has; on the CPU will do. Its state is
 * global: one renderer serves all tests of a group. Skipped where it cannot start.
 */
#include <errno.h>
#include <glib.h>
#include <linux/virtio_gpu.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "render/renderer.h"
#include "render/virgl.h"

#define EXIT_SKIPPED 77

#define CTX 1
#define W   64
#define H   48

/* The command stream (virgl's protocol): opcode, object, length in words. */
#define COMMAND(op, object, n)    ((uint32_t)(n) << 16 | (uint32_t)(object) << 8 | (uint32_t)(op))
#define OP_CREATE_OBJECT          1
#define OP_SET_FRAMEBUFFER_STATE  5
#define OP_CLEAR                  7
#define OBJECT_SURFACE            8
#define CLEAR_COLOR0              (1 << 2)
#define BIND_RENDER_TARGET        (1 << 1)
#define BIND_SAMPLER_VIEW         (1 << 3)
#define TARGET_TEXTURE_2D         2
#define ALL_FENCES_MS             10000
#define MORE_FENCES_THAN_ARE_KEPT 5000

static struct renderer *renderer;
static const struct renderer_ops *ops;

static struct renderer_fence passed[2 * MORE_FENCES_THAN_ARE_KEPT];
static unsigned n_passed;

static void on_passed(void *data, const struct renderer_fence *fence)
{
	assert_ptr_equal(data, passed);
	assert_true(n_passed < G_N_ELEMENTS(passed));
	passed[n_passed++] = *fence;
}

static int start(const struct virgl_options *options)
{
	g_autofree char *message = NULL;

	renderer = virgl_new(options, &message);
	if (!renderer) {
		fprintf(stderr, "%s\n", message);
		return -1;
	}
	ops = renderer->ops;
	renderer->fence_fn = on_passed;
	renderer->fence_data = passed;
	n_passed = 0;
	return 0;
}

static int stop(void **state)
{
	renderer_free(renderer);
	(void)state;
	return 0;
}

static int start_gles(void **state)
{
	(void)state;
	return start(&(struct virgl_options){
		.use_egl = true, .use_gles = true, .use_surfaceless = true });
}

/* OpenGL for the host, one capset for the guest. */
static int start_gl(void **state)
{
	(void)state;
	return start(&(struct virgl_options){ .use_egl = true,
					      .use_surfaceless = true,
					      .capsets = 1u << VIRTIO_GPU_CAPSET_VIRGL2 });
}

/* Polls as the device would until @n fences have passed in all. */
static void wait_for_fences(unsigned n)
{
	struct pollfd pollfd = { .fd = ops->poll_fd(renderer), .events = POLLIN };
	gint64 end = g_get_monotonic_time() + ALL_FENCES_MS * INT64_C(1000);

	while (n_passed < n && g_get_monotonic_time() < end) {
		if (pollfd.fd >= 0)
			(void)poll(&pollfd, 1, ALL_FENCES_MS);
		ops->poll(renderer);
	}
	assert_int_equal(n_passed, n);
}

static struct renderer_resource *new_2d(uint32_t id, uint32_t format, uint32_t width,
					uint32_t height)
{
	const struct renderer_resource_args args = {
		.id = id,
		.target = TARGET_TEXTURE_2D,
		.format = format,
		.width = width,
		.height = height,
		.depth = 1,
		.array_size = 1,
		.is_2d = true,
	};
	struct renderer_resource *resource;

	return ops->resource_create(renderer, &args, &resource) == 0 ? resource : NULL;
}

static struct renderer_resource *new_target_of(uint32_t id, uint32_t width, uint32_t height)
{
	const struct renderer_resource_args args = {
		.id = id,
		.target = TARGET_TEXTURE_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		.bind = BIND_RENDER_TARGET | BIND_SAMPLER_VIEW,
		.width = width,
		.height = height,
		.depth = 1,
		.array_size = 1,
	};
	struct renderer_resource *resource;

	assert_int_equal(ops->resource_create(renderer, &args, &resource), 0);
	return resource;
}

static struct renderer_resource *new_target(uint32_t id)
{
	return new_target_of(id, W, H);
}

static uint32_t bits(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

/* Clears resource @id to a colour, as surface @object of @ctx. */
static int clear(uint32_t ctx, uint32_t object, uint32_t id, float red, float green, float blue)
{
	uint32_t stream[] = {
		COMMAND(OP_CREATE_OBJECT, OBJECT_SURFACE, 5),
		object,
		id,
		VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		0,
		0,
		COMMAND(OP_SET_FRAMEBUFFER_STATE, 0, 3),
		1,
		0,
		object,
		COMMAND(OP_CLEAR, 0, 8),
		CLEAR_COLOR0,
		bits(red),
		bits(green),
		bits(blue),
		bits(1),
		0,
		0,
		0,
	};

	return ops->submit(renderer, ctx, stream, sizeof(stream));
}

static void assert_all_pixels(struct renderer_resource *resource, uint32_t pixel)
{
	uint32_t data[W * H];
	const struct rect all = { 0, 0, W, H };

	assert_int_equal(ops->read_pixels(renderer, resource, &all, data, W * 4), 0);
	for (unsigned i = 0; i < W * H; i++)
		assert_int_equal(data[i], pixel);
}

static void assert_refused(const struct virgl_options *options, const char *why)
{
	g_autofree char *message = NULL;

	assert_null(virgl_new(options, &message));
	assert_non_null(message);
	if (!strstr(message, why))
		fail_msg("\"%s\" does not say \"%s\"", message, why);
}

static void test_options_that_cannot_work_are_refused_in_one_sentence(void **state)
{
	assert_refused(&(struct virgl_options){ .use_gles = true }, "both are switched off");
	assert_refused(&(struct virgl_options){ .use_glx = true, .gpu_device = "/dev/null" },
		       "--gpu-device needs EGL");
	assert_refused(&(struct virgl_options){ .use_egl = true, .gpu_device = "/dev/null" },
		       "/dev/null is not a DRM render node");
	assert_refused(&(struct virgl_options){ .use_egl = true, .gpu_device = "/dev/nothing" },
		       "/dev/nothing cannot be opened: No such file");
	(void)state;
}

static void test_there_is_one_renderer_in_a_process(void **state)
{
	assert_refused(&(struct virgl_options){ .use_egl = true, .use_surfaceless = true },
		       "one renderer");
	(void)state;
}

static void test_a_stream_for_an_unknown_context_is_refused(void **state)
{
	assert_int_not_equal(clear(77, 1, 1, 0, 0, 0), 0);
	(void)state;
}

static void test_a_context_of_an_unknown_capset_is_refused(void **state)
{
	for (uint32_t capset = 3; capset < 10; capset++)
		assert_int_equal(ops->context_create(renderer, CTX, capset, "", 0),
				 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	(void)state;
}

static void test_a_broken_context_leaves_the_others_alone(void **state)
{
	uint32_t garbage[] = { COMMAND(0xee, 0, 0), 0, COMMAND(OP_CLEAR, 0, 200) };
	struct renderer_resource *resource = new_target(10);

	assert_int_equal(ops->context_create(renderer, 1, 0, "bad", 3), 0);
	assert_int_equal(ops->context_create(renderer, 2, 2, "good", 4), 0);
	assert_int_not_equal(ops->submit(renderer, 1, garbage, sizeof(garbage)), 0);
	/* Not its own resource: it was not attached. */
	assert_int_not_equal(clear(1, 1, 10, 1, 0, 0), 0);
	assert_int_equal(ops->context_attach(renderer, 2, resource), 0);
	assert_int_equal(clear(2, 1, 10, 0, 0, 1), 0);
	assert_all_pixels(resource, 0xff0000ff);
	ops->context_free(renderer, 1);
	assert_int_equal(clear(2, 2, 10, 0, 1, 0), 0);
	assert_all_pixels(resource, 0xff00ff00);
	ops->context_detach(renderer, 2, resource);
	ops->context_free(renderer, 2);
	ops->resource_free(renderer, resource);
	(void)state;
}

static void test_resources_that_cannot_be_are_refused(void **state)
{
	struct renderer_resource_args args = {
		.id = 5,
		.target = TARGET_TEXTURE_2D,
		.format = 9999,
		.width = 4,
		.height = 4,
		.depth = 1,
		.array_size = 1,
	};
	struct renderer_resource *resource;

	assert_int_equal(ops->resource_create(renderer, &args, &resource),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	args.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM;
	args.flags = 0x80000000;
	assert_int_equal(ops->resource_create(renderer, &args, &resource),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	(void)state;
}

static void test_a_transfer_without_a_backing_is_refused(void **state)
{
	const struct renderer_transfer t = { .box = { 0, 0, 0, 4, 4, 1 } };
	struct renderer_resource *resource = new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 4, 4);

	assert_int_equal(ops->transfer_to_host(renderer, resource, &t), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(ops->transfer_from_host(renderer, resource, &t),
			 VIRTIO_GPU_RESP_ERR_UNSPEC);
	ops->resource_free(renderer, resource);
	(void)state;
}

static void test_a_transfer_past_its_backing_is_refused(void **state)
{
	uint32_t data[16] = { 0 };
	struct iovec iov = { data, sizeof(data) };
	struct renderer_transfer t = { .box = { 0, 0, 0, 4, 4, 1 }, .offset = 4 };
	struct renderer_resource *resource = new_2d(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 4, 4);

	assert_int_equal(ops->attach(renderer, resource, &iov, 1), 0);
	assert_int_not_equal(ops->transfer_to_host(renderer, resource, &t), 0);
	t.offset = UINT64_MAX;
	assert_int_not_equal(ops->transfer_to_host(renderer, resource, &t), 0);
	t.offset = 0;
	t.box.y = 1;
	assert_int_not_equal(ops->transfer_to_host(renderer, resource, &t), 0);
	t.box.y = 0;
	assert_int_equal(ops->transfer_to_host(renderer, resource, &t), 0);
	ops->detach(renderer, resource);
	ops->resource_free(renderer, resource);
	(void)state;
}

static void test_a_clear_is_read_back(void **state)
{
	struct renderer_resource *resource = new_target(3);

	assert_int_equal(ops->context_create(renderer, CTX, 0, "clear", 5), 0);
	assert_int_equal(ops->context_attach(renderer, CTX, resource), 0);
	assert_int_equal(clear(CTX, 1, 3, 1.0f, 128 / 255.0f, 64 / 255.0f), 0);
	assert_all_pixels(resource, 0xffff8040);
	ops->context_free(renderer, CTX);
	ops->resource_free(renderer, resource);
	(void)state;
}

static void test_3d_transfers_go_both_ways(void **state)
{
	uint32_t up[W * H], down[W * H];
	struct iovec iov[] = { { up, 100 }, { (char *)up + 100, sizeof(up) - 100 } };
	struct iovec iov_down = { down, sizeof(down) };
	struct renderer_transfer t = { .ctx_id = CTX, .box = { 0, 0, 0, W, H, 1 } };
	struct renderer_resource *resource = new_target(4);

	for (unsigned i = 0; i < W * H; i++)
		up[i] = i * 2654435761u;
	assert_int_equal(ops->context_create(renderer, CTX, 0, "", 0), 0);
	assert_int_equal(ops->context_attach(renderer, CTX, resource), 0);
	assert_int_equal(ops->attach(renderer, resource, iov, 2), 0);
	assert_int_equal(ops->transfer_to_host(renderer, resource, &t), 0);
	ops->detach(renderer, resource);
	assert_int_equal(ops->attach(renderer, resource, &iov_down, 1), 0);
	assert_int_equal(ops->transfer_from_host(renderer, resource, &t), 0);
	assert_memory_equal(up, down, sizeof(up));
	ops->context_free(renderer, CTX);
	ops->detach(renderer, resource);
	ops->resource_free(renderer, resource);
	(void)state;
}

static void test_2d_pixels_come_back_as_the_display_wants_them(void **state)
{
	/* Blue 0xb0, green 0x40, red 0x0e, as each format lays them out. */
	static const struct {
		uint32_t format;
		bool has_alpha;
		uint8_t guest[4];
	} cases[] = {
		{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, true, { 0xb0, 0x40, 0x0e, 0xa1 } },
		{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, false, { 0xb0, 0x40, 0x0e, 0x77 } },
		{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, true, { 0xa1, 0x0e, 0x40, 0xb0 } },
		{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, false, { 0x77, 0x0e, 0x40, 0xb0 } },
		{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, true, { 0x0e, 0x40, 0xb0, 0xa1 } },
		{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, false, { 0x77, 0xb0, 0x40, 0x0e } },
		{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, true, { 0xa1, 0xb0, 0x40, 0x0e } },
		{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, false, { 0x0e, 0x40, 0xb0, 0x77 } },
	};
	enum { SIZE = 5 * 3 * 4 };

	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct renderer_resource *resource = new_2d(1, cases[i].format, 5, 3);
		const struct renderer_transfer t = { .box = { 0, 0, 0, 5, 3, 1 } };
		const struct rect inner = { 1, 1, 3, 2 };
		uint8_t guest[SIZE], shown[SIZE] = { 0 };
		struct iovec iov[] = { { guest, 7 }, { guest + 7, SIZE - 7 } };

		assert_non_null(resource);
		for (unsigned p = 0; p < SIZE; p += 4)
			memcpy(guest + p, cases[i].guest, 4);
		guest[6 * 4 + 1] ^= 0xff; /* a colour in all of them */
		assert_int_equal(ops->attach(renderer, resource, iov, 2), 0);
		assert_int_equal(ops->transfer_to_host(renderer, resource, &t), 0);
		ops->detach(renderer, resource);
		assert_int_equal(ops->read_pixels(renderer, resource, &inner, shown, 5 * 4), 0);
		for (unsigned p = 0; p < 10; p++) {
			const uint8_t *pixel = shown + p * 4;

			if (p % 5 >= 3) { /* beside the box */
				assert_int_equal(*(const uint32_t *)(const void *)pixel, 0);
			} else if (p > 0) { /* the first one, at 1, 1, is marked */
				assert_memory_equal(pixel, ((uint8_t[]){ 0xb0, 0x40, 0x0e }), 3);
				assert_true(!cases[i].has_alpha || pixel[3] == 0xa1);
			}
		}
		assert_memory_not_equal(shown, shown + 4, 4);
		ops->resource_free(renderer, resource);
	}
	(void)state;
}

static void test_other_formats_are_not_read_as_pixels(void **state)
{
	const struct renderer_resource_args args = {
		.id = 6,
		.target = 0,
		.format = 64, /* R8, as buffers have it */
		.bind = 1 << 4,
		.width = 64,
		.height = 1,
		.depth = 1,
		.array_size = 1,
	};
	const struct rect all = { 0, 0, 16, 1 };
	struct renderer_resource *resource;
	struct renderer_dmabuf dmabuf;
	uint32_t data[16];

	assert_int_equal(ops->resource_create(renderer, &args, &resource), 0);
	assert_int_equal(ops->read_pixels(renderer, resource, &all, data, 64),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(ops->export_dmabuf(renderer, resource, &dmabuf), -ENOTSUP);
	ops->resource_free(renderer, resource);
	(void)state;
}

static void test_ids_can_be_used_again(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		struct renderer_resource *resource = new_target(8);

		assert_int_equal(ops->context_create(renderer, CTX, i, "", 0), 0);
		assert_int_equal(ops->context_attach(renderer, CTX, resource), 0);
		assert_int_equal(clear(CTX, 1, 8, 0, 0, (float)(i * 51) / 255), 0);
		assert_all_pixels(resource, 0xff000000 + i * 51);
		ops->resource_free(renderer, resource);
		ops->context_free(renderer, CTX);
	}
	(void)state;
}

static void test_a_guest_blob_needs_the_memory_that_it_claims(void **state)
{
	uint8_t memory[8192];
	struct iovec iov[] = { { memory, 4096 }, { memory + 4096, 4096 } };
	struct renderer_blob_args args = {
		.id = 9,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
		.size = 8193,
		.iov = iov,
		.n_iov = 2,
	};
	struct renderer_resource *resource;

	assert_int_not_equal(ops->blob_create(renderer, &args, &resource), 0);
	args.size = 8192;
	assert_int_equal(ops->blob_create(renderer, &args, &resource), 0);
	assert_int_equal(ops->context_create(renderer, CTX, 0, "", 0), 0);
	assert_int_equal(ops->context_attach(renderer, CTX, resource), 0);
	ops->context_free(renderer, CTX);
	ops->detach(renderer, resource);
	assert_int_equal(ops->attach(renderer, resource, iov, 2), 0);
	ops->resource_free(renderer, resource);
	(void)state;
}

static void test_a_dmabuf_needs_a_render_node(void **state)
{
	struct renderer_resource *resource = new_target(2);
	struct renderer_dmabuf dmabuf;

	if (access("/dev/dri", F_OK) == 0)
		skip();
	assert_int_equal(ops->export_dmabuf(renderer, resource, &dmabuf), -ENOTSUP);
	ops->resource_free(renderer, resource);
	(void)state;
}

static void test_fences_pass_in_order_and_come_back_as_they_were(void **state)
{
	static const struct renderer_fence fences[] = {
		{ .id = UINT64_C(0x100000001) },
		{ .id = UINT64_C(0x100000002), .ctx_id = CTX, .has_ring = true },
		{ .id = UINT64_C(0x100000003), .ctx_id = CTX, .ring_idx = 63, .has_ring = true },
		{ .id = UINT64_C(0x100000004) },
	};
	struct renderer_resource *resource = new_target(3);

	n_passed = 0;
	assert_int_equal(ops->context_create(renderer, CTX, 0, "", 0), 0);
	assert_int_equal(ops->context_attach(renderer, CTX, resource), 0);
	for (unsigned i = 0; i < G_N_ELEMENTS(fences); i++) {
		assert_int_equal(clear(CTX, i + 1, 3, 0, 0, 0), 0);
		assert_int_equal(ops->fence_create(renderer, &fences[i]), 0);
		assert_int_equal(n_passed, 0);
	}
	wait_for_fences(G_N_ELEMENTS(fences));
	for (unsigned i = 0; i < G_N_ELEMENTS(fences); i++) {
		assert_int_equal(passed[i].id, fences[i].id);
		assert_int_equal(passed[i].ctx_id, fences[i].ctx_id);
		assert_int_equal(passed[i].ring_idx, fences[i].ring_idx);
		assert_int_equal(passed[i].has_ring, fences[i].has_ring);
	}
	ops->context_free(renderer, CTX);
	ops->resource_free(renderer, resource);
	(void)state;
}

/* The library's thread waits for this fence while the context goes: it has work for long enough. */
static void test_fences_pass_though_a_context_goes(void **state)
{
	struct renderer_resource *resources[] = { new_target_of(3, 2048, 2048),
						  new_target_of(4, 2048, 2048) };

	n_passed = 0;
	assert_int_equal(ops->context_create(renderer, CTX, 0, "", 0), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(ops->context_attach(renderer, CTX, resources[i]), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(clear(CTX, i + 1, 3 + i % 2, 0, 0, 0), 0);
	assert_int_equal(ops->fence_create(renderer, &(struct renderer_fence){ .id = 1 }), 0);
	g_usleep(3000);
	ops->context_free(renderer, CTX);
	wait_for_fences(1);
	assert_int_equal(passed[0].id, 1);
	for (unsigned i = 0; i < 2; i++)
		ops->resource_free(renderer, resources[i]);
	(void)state;
}

static void test_a_reset_drops_fences(void **state)
{
	n_passed = 0;
	for (uint64_t id = 1; id <= 3; id++)
		assert_int_equal(ops->fence_create(renderer, &(struct renderer_fence){ .id = id }),
				 0);
	ops->reset(renderer);
	assert_int_equal(ops->fence_create(renderer, &(struct renderer_fence){ .id = 4 }), 0);
	wait_for_fences(1);
	assert_int_equal(passed[0].id, 4);
	(void)state;
}

static void test_fences_that_wait_are_limited(void **state)
{
	unsigned n = 0;

	n_passed = 0;
	while (n < MORE_FENCES_THAN_ARE_KEPT &&
	       ops->fence_create(renderer, &(struct renderer_fence){ .id = n + 1 }) == 0)
		n++;
	assert_int_equal(n, 4096);
	assert_int_equal(ops->fence_create(renderer, &(struct renderer_fence){ .id = 1 }),
			 VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	wait_for_fences(n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(passed[i].id, i + 1);
	(void)state;
}

static void test_both_capsets_are_there_if_nothing_is_said(void **state)
{
	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	g_autofree uint8_t *data = NULL;

	assert_int_equal(ops->capsets(renderer, capsets), 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(capsets[i].id, i + 1);
		assert_int_equal(capsets[i].max_version, i + 1);
		assert_true(capsets[i].max_size >= 300 && capsets[i].max_size < 65536);
	}
	data = g_malloc0(capsets[1].max_size);
	assert_int_equal(ops->capset_fill(renderer, 2, 2, data, capsets[1].max_size), 0);
	assert_int_equal(data[0], 2); /* max_version, as the guest sees it */
	assert_int_equal(ops->capset_fill(renderer, 4, 0, data, capsets[1].max_size),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(ops->capset_fill(renderer, 2, 3, data, capsets[1].max_size),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(ops->capset_fill(renderer, 2, 2, data, capsets[1].max_size - 1),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	(void)state;
}

static void test_capsets_that_are_not_wanted_are_not_there(void **state)
{
	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	uint8_t data[4096];

	assert_int_equal(ops->capsets(renderer, capsets), 1);
	assert_int_equal(capsets[0].id, VIRTIO_GPU_CAPSET_VIRGL2);
	assert_int_equal(ops->capset_fill(renderer, VIRTIO_GPU_CAPSET_VIRGL, 1, data, sizeof(data)),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(ops->context_create(renderer, CTX, VIRTIO_GPU_CAPSET_VIRGL, "", 0),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest without[] = {
		cmocka_unit_test(test_options_that_cannot_work_are_refused_in_one_sentence),
	};
	const struct CMUnitTest gles[] = {
		cmocka_unit_test(test_there_is_one_renderer_in_a_process),
		cmocka_unit_test(test_a_stream_for_an_unknown_context_is_refused),
		cmocka_unit_test(test_a_context_of_an_unknown_capset_is_refused),
		cmocka_unit_test(test_a_broken_context_leaves_the_others_alone),
		cmocka_unit_test(test_resources_that_cannot_be_are_refused),
		cmocka_unit_test(test_a_transfer_without_a_backing_is_refused),
		cmocka_unit_test(test_a_transfer_past_its_backing_is_refused),
		cmocka_unit_test(test_a_clear_is_read_back),
		cmocka_unit_test(test_3d_transfers_go_both_ways),
		cmocka_unit_test(test_2d_pixels_come_back_as_the_display_wants_them),
		cmocka_unit_test(test_other_formats_are_not_read_as_pixels),
		cmocka_unit_test(test_ids_can_be_used_again),
		cmocka_unit_test(test_a_guest_blob_needs_the_memory_that_it_claims),
		cmocka_unit_test(test_a_dmabuf_needs_a_render_node),
		cmocka_unit_test(test_fences_pass_in_order_and_come_back_as_they_were),
		cmocka_unit_test(test_fences_pass_though_a_context_goes),
		cmocka_unit_test(test_a_reset_drops_fences),
		cmocka_unit_test(test_fences_that_wait_are_limited),
		cmocka_unit_test(test_both_capsets_are_there_if_nothing_is_said),
	};
	const struct CMUnitTest gl[] = {
		cmocka_unit_test(test_capsets_that_are_not_wanted_are_not_there),
		cmocka_unit_test(test_a_clear_is_read_back),
		cmocka_unit_test(test_2d_pixels_come_back_as_the_display_wants_them),
		cmocka_unit_test(test_fences_pass_in_order_and_come_back_as_they_were),
		cmocka_unit_test(test_fences_pass_though_a_context_goes),
	};

	int worst = 0;

	/* A process for each group, and for the question whether it works here at all. */
	for (unsigned i = 0; i <= 3 && worst == 0; i++) {
		fflush(NULL);
		pid_t child = fork();
		int status;

		if (child == 0) {
			switch (i) {
			case 0:
				exit(start_gles(NULL) < 0 ? EXIT_SKIPPED : 0);
			case 1:
				exit(cmocka_run_group_tests(without, NULL, NULL));
			case 2:
				exit(cmocka_run_group_tests(gles, start_gles, stop));
			default:
				exit(cmocka_run_group_tests(gl, start_gl, stop));
			}
		}
		if (child < 0 || waitpid(child, &status, 0) < 0)
			return 1;
		worst = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	return worst;
}
