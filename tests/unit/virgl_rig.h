// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * virglrenderer for real, on whatever OpenGL this host has; on the CPU will do. Its state is
 * global, and some of it stays when it is cleaned up: each group of tests has a process and a
 * renderer of its own. Skipped where it cannot start.
 */

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
#define COMMAND(op, object, n)   ((uint32_t)(n) << 16 | (uint32_t)(object) << 8 | (uint32_t)(op))
#define OP_CREATE_OBJECT         1
#define OP_SET_FRAMEBUFFER_STATE 5
#define OP_CLEAR                 7
#define OBJECT_SURFACE           8
#define CLEAR_COLOR0             (1 << 2)
#define BIND_RENDER_TARGET       (1 << 1)
#define BIND_SAMPLER_VIEW        (1 << 3)
#define TARGET_TEXTURE_2D        2

#define ALL_FENCES_MS 10000
#define MAX_PASSED    8192

static struct renderer *renderer;
static const struct renderer_ops *ops;

/* What the renderer said has passed, in its order. */
static struct renderer_fence passed[MAX_PASSED];
static unsigned n_passed;

static inline void on_passed(void *data, const struct renderer_fence *fence)
{
	assert_ptr_equal(data, passed);
	assert_true(n_passed < G_N_ELEMENTS(passed));
	passed[n_passed++] = *fence;
}

static inline int start(const struct virgl_options *options)
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

static inline int stop(void **state)
{
	renderer_free(renderer);
	(void)state;
	return 0;
}

static inline int start_gles(void **state)
{
	(void)state;
	return start(&(struct virgl_options){
		.use_egl = true, .api = VIRGL_API_GLES, .use_surfaceless = true });
}

/* OpenGL for the host, one capset for the guest. */
static inline int start_gl(void **state)
{
	(void)state;
	return start(&(struct virgl_options){ .use_egl = true,
					      .api = VIRGL_API_GL,
					      .use_surfaceless = true,
					      .capsets = 1u << VIRTIO_GPU_CAPSET_VIRGL2 });
}

/* Polls as the device would until @n fences have passed in all. */
static inline void wait_for_fences(unsigned n)
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

static inline struct renderer_resource *new_2d(uint32_t id, uint32_t format, uint32_t width,
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

static inline struct renderer_resource *new_target_of(uint32_t id, uint32_t width, uint32_t height)
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

static inline struct renderer_resource *new_target(uint32_t id)
{
	return new_target_of(id, W, H);
}

static inline uint32_t bits(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

/* Clears resource @id to a colour, as surface @object of @ctx. */
static inline int clear(uint32_t ctx, uint32_t object, uint32_t id, float red, float green,
			float blue)
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

/* Runs each group in a process, after the question whether it works here at all. */
static inline int run_groups(int (*const groups[])(void), unsigned n)
{
	int worst = 0;

	for (unsigned i = 0; i <= n && worst == 0; i++) {
		fflush(NULL);
		pid_t child = fork();
		int status;

		if (child == 0) {
			if (i == 0)
				exit(start_gles(NULL) < 0 ? EXIT_SKIPPED : 0);
			exit(groups[i - 1]());
		}
		if (child < 0 || waitpid(child, &status, 0) < 0)
			return 1;
		worst = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	return worst;
}
