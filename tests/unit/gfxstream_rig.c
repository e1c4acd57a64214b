// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "gfxstream_rig.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gfxstream_rig gfxstream_rig;

static void on_fence(void *data, const struct renderer_fence *fence)
{
	assert_ptr_equal(data, gfxstream_rig.passed);
	assert_true(gfxstream_rig.n_passed < G_N_ELEMENTS(gfxstream_rig.passed));
	gfxstream_rig.passed[gfxstream_rig.n_passed++] = *fence;
}

struct renderer *gfxstream_rig_new(const struct gfxstream_options *options, char **ret_message)
{
	struct gfxstream_options with_library = *options;

	if (!with_library.library)
		with_library.library = getenv("GFXSTREAM_LIBRARY");
	return gfxstream_new(&with_library, ret_message);
}

int gfxstream_rig_start(void **state)
{
	struct gfxstream_rig *rig = &gfxstream_rig;
	g_autofree char *message = NULL;

	(void)state;
	rig->renderer = gfxstream_rig_new(&(struct gfxstream_options){ 0 }, &message);
	if (!rig->renderer) {
		fprintf(stderr, "%s\n", message);
		return -1;
	}
	rig->ops = rig->renderer->ops;
	rig->renderer->fence_fn = on_fence;
	rig->renderer->fence_data = rig->passed;
	return rig->ops->context_create(rig->renderer, GFX_CTX, GFXSTREAM_CAPSET_VULKAN, "", 0);
}

int gfxstream_rig_stop(void **state)
{
	(void)state;
	renderer_free(gfxstream_rig.renderer);
	return 0;
}

struct renderer_resource_args gfxstream_rig_args(uint32_t id, uint32_t width, uint32_t height)
{
	return (struct renderer_resource_args){
		.id = id,
		.target = RENDERER_TARGET_2D,
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
		.bind = GFX_BIND_RENDER_TARGET,
		.width = width,
		.height = height,
		.depth = 1,
		.array_size = 1,
	};
}

struct renderer_resource *gfxstream_rig_new_2d(uint32_t id, uint32_t format, uint32_t width,
					       uint32_t height)
{
	struct renderer_resource_args args = gfxstream_rig_args(id, width, height);
	struct renderer_resource *resource;

	args.format = format;
	args.bind = 0;
	args.is_2d = true;
	assert_int_equal(
		gfxstream_rig.ops->resource_create(gfxstream_rig.renderer, &args, &resource), 0);
	return resource;
}

struct renderer_resource *gfxstream_rig_new_blob(uint32_t id, uint64_t blob_id, uint64_t size)
{
	const struct renderer_blob_args args = {
		.id = id,
		.ctx_id = GFX_CTX,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
		.blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
		.blob_id = blob_id,
		.size = size,
	};
	struct renderer_resource *resource = NULL;
	int r = gfxstream_rig.ops->resource_create_blob(gfxstream_rig.renderer, &args, &resource);

	return r == 0 ? resource : NULL;
}

void gfxstream_rig_free(struct renderer_resource *resource)
{
	gfxstream_rig.ops->resource_free(gfxstream_rig.renderer, resource);
}

int gfxstream_rig_submit(const uint32_t *words, unsigned n)
{
	/* Exactly as long as the stream, so that a sanitizer sees a read past its end. */
	g_autofree uint32_t *stream = g_malloc(n * sizeof(*words));

	memcpy(stream, words, n * sizeof(*words));
	return gfxstream_rig.ops->submit(gfxstream_rig.renderer, GFX_CTX, stream,
					 n * sizeof(*words));
}
