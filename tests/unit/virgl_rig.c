// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "virgl_rig.h"

#include <glib.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "render/pixels.h"

#define EXIT_SKIPPED 77

#define ALL_FENCES_MS 60000

struct virgl_rig virgl_rig;

static void on_fence(void *data, const struct renderer_fence *fence)
{
	assert_ptr_equal(data, virgl_rig.passed);
	assert_true(virgl_rig.n_passed < G_N_ELEMENTS(virgl_rig.passed));
	virgl_rig.passed[virgl_rig.n_passed++] = *fence;
}

int virgl_rig_start(const struct virgl_options *options)
{
	g_autofree char *message = NULL;

	virgl_rig.renderer = virgl_new(options, &message);
	if (!virgl_rig.renderer) {
		fprintf(stderr, "%s\n", message);
		return -1;
	}
	virgl_rig.ops = virgl_rig.renderer->ops;
	virgl_rig.renderer->fence_fn = on_fence;
	virgl_rig.renderer->fence_data = virgl_rig.passed;
	virgl_rig.n_passed = 0;
	return 0;
}

int virgl_rig_stop(void **state)
{
	renderer_free(virgl_rig.renderer);
	(void)state;
	return 0;
}

int virgl_rig_start_gles(void **state)
{
	(void)state;
	return virgl_rig_start(&(struct virgl_options){
		.use_egl = true, .api = VIRGL_API_GLES, .use_surfaceless = true });
}

int virgl_rig_start_gl(void **state)
{
	(void)state;
	return virgl_rig_start(
		&(struct virgl_options){ .use_egl = true,
					 .api = VIRGL_API_GL,
					 .use_surfaceless = true,
					 .capsets = 1u << VIRTIO_GPU_CAPSET_VIRGL2 });
}

void virgl_rig_wait_for_fences(unsigned n)
{
	struct pollfd pollfd = { .fd = virgl_rig.ops->poll_fd(virgl_rig.renderer),
				 .events = POLLIN };
	gint64 end = g_get_monotonic_time() + ALL_FENCES_MS * INT64_C(1000);

	while (virgl_rig.n_passed < n && g_get_monotonic_time() < end) {
		if (pollfd.fd >= 0)
			(void)poll(&pollfd, 1, ALL_FENCES_MS);
		virgl_rig.ops->poll(virgl_rig.renderer);
	}
	assert_int_equal(virgl_rig.n_passed, n);
}

struct renderer_resource *virgl_rig_new_2d(uint32_t id, uint32_t format, uint32_t width,
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

	return virgl_rig.ops->resource_create(virgl_rig.renderer, &args, &resource) == 0 ? resource
											 : NULL;
}

struct renderer_resource *virgl_rig_new_target_of(uint32_t id, uint32_t width, uint32_t height)
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

	assert_int_equal(virgl_rig.ops->resource_create(virgl_rig.renderer, &args, &resource), 0);
	return resource;
}

struct renderer_resource *virgl_rig_new_target(uint32_t id)
{
	return virgl_rig_new_target_of(id, W, H);
}

static uint32_t bits(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

int virgl_rig_read_shown(struct renderer_resource *resource, const struct rect *r, void *data,
			 uint32_t stride)
{
	uint32_t format = 0;
	int error = virgl_rig.ops->read_pixels(virgl_rig.renderer, resource, r, data, stride, true,
					       &format);

	if (error == 0)
		pixels_to_display(format, data, r->width, r->height, stride);
	return error;
}

int virgl_rig_clear(uint32_t ctx, uint32_t object, uint32_t id, float red, float green, float blue)
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

	return virgl_rig.ops->submit(virgl_rig.renderer, ctx, stream, sizeof(stream));
}

int virgl_rig_run_groups(int (*const groups[])(void), unsigned n)
{
	int worst = 0;

	for (unsigned i = 0; i <= n && worst == 0; i++) {
		fflush(NULL);
		pid_t child = fork();
		int status;

		if (child == 0) {
			if (i == 0)
				exit(virgl_rig_start_gles(NULL) < 0 ? EXIT_SKIPPED : 0);
			exit(groups[i - 1]());
		}
		if (child < 0 || waitpid(child, &status, 0) < 0)
			return 1;
		worst = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	return worst;
}
