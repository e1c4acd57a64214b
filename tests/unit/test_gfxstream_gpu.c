// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Which GPU gfxstream's library draws with, and which images that GPU makes. Vulkan has three
 * devices here (tests/gfxstream/vulkan). */
#include "gfxstream_rig.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "render/trial_private.h"

#define SELECT_GPU    "ANDROID_EMU_VK_SELECT_GPU"
#define FORMAT_B5G6R5 7

static void assert_refused(const char *node, const char *part)
{
	g_autofree char *message = NULL;

	assert_null(gfxstream_rig_new(&(struct gfxstream_options){ .gpu_device = node }, &message));
	if (!strstr(message, part))
		fail_msg("%s", message);
	assert_null(getenv(SELECT_GPU));
}

static void a_gpu_that_vulkan_does_not_have_is_refused(void **state)
{
	(void)state;
	assert_refused("/dev/zero", "no Vulkan driver draws with --gpu-device /dev/zero");
	assert_refused("/nowhere/renderD128", "/nowhere/renderD128 cannot be used: No such file");
}

static void without_a_gpu_the_smallest_limit_of_all_holds(void **state)
{
	struct vulkan_gpus gpus = { .index = -1 };

	(void)state;
	assert_null(vulkan_driver_look_at_gpus(&gpus));
	assert_int_equal(gpus.index, -1);
	assert_int_equal(gpus.max_dimension, 4096);
}

static int create(uint32_t id, uint32_t width, uint32_t format)
{
	struct renderer_resource_args args = gfxstream_rig_args(id, width, 1);
	struct renderer_resource *resource;

	args.format = format;
	int r = gfxstream_rig.ops->resource_create(gfxstream_rig.renderer, &args, &resource);

	if (r == 0)
		gfxstream_rig_free(resource);
	return r;
}

static int start_with_gpu(void **state)
{
	g_autofree char *message = NULL;

	(void)state;
	setenv("GFXSTREAM_STANDIN", "lacks-565", 1);
	gfxstream_rig.renderer = gfxstream_rig_new(
		&(struct gfxstream_options){ .gpu_device = "/dev/null" }, &message);
	if (!gfxstream_rig.renderer)
		return -1;
	gfxstream_rig.ops = gfxstream_rig.renderer->ops;
	return 0;
}

static void the_library_is_told_the_number_of_the_gpu(void **state)
{
	(void)state;
	assert_string_equal(getenv(SELECT_GPU), "1");
}

static void an_image_beyond_the_limit_of_the_gpu_is_refused(void **state)
{
	(void)state;
	assert_int_equal(create(1, 4096, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM), 0);
	assert_int_equal(create(1, 4097, VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM),
			 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

/* The driver lacks B5G6R5. When the renderer tried it at its start, in a child, the stand-in ended
 * the child, as the library does; the formats that follow were tried in a new child. */
static void a_format_that_the_driver_lacks_is_refused(void **state)
{
	(void)state;
	assert_int_equal(create(1, 16, FORMAT_B5G6R5), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(create(1, 16, GFX_FORMAT_R8), 0);
	assert_int_equal(create(1, 16, VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM), 0);
}

int main(void)
{
	const struct CMUnitTest before[] = {
		cmocka_unit_test(a_gpu_that_vulkan_does_not_have_is_refused),
		cmocka_unit_test(without_a_gpu_the_smallest_limit_of_all_holds),
	};
	const struct CMUnitTest with_gpu[] = {
		cmocka_unit_test(the_library_is_told_the_number_of_the_gpu),
		cmocka_unit_test(an_image_beyond_the_limit_of_the_gpu_is_refused),
		cmocka_unit_test(a_format_that_the_driver_lacks_is_refused),
	};

	return cmocka_run_group_tests(before, NULL, NULL) +
	       cmocka_run_group_tests(with_gpu, start_with_gpu, gfxstream_rig_stop);
}
