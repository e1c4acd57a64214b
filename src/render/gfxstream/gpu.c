// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The GPU that draws. The library takes the one that it prefers among Vulkan's devices, which may
 * be the CPU: it ranks the version of Vulkan above the kind of the device. An environment variable
 * overrides this by the device's number. So --gpu-device is looked up among Vulkan's devices, in a
 * child, by its node.
 */
#include <errno.h>
#include <sys/stat.h>

#include "render/gfxstream/gfxstream_private.h"
#include "render/trial_private.h"

#define LOG_MODULE "gfxstream"
#include "base/log.h"

#define SELECT_GPU "ANDROID_EMU_VK_SELECT_GPU"

static const char *look_at_gpus(void *data)
{
	return vulkan_driver_look_at_gpus(data);
}

/* Returns NULL, or one sentence. */
static char *select_gpu(const char *path, const struct vulkan_gpus *gpus)
{
	if (gpus->index < 0)
		return g_strdup_printf("gfxstream cannot start: no Vulkan driver draws with "
				       "--gpu-device %s: is the driver of that GPU installed?",
				       path);
	g_autofree char *index = g_strdup_printf("%d", gpus->index);

	g_setenv(SELECT_GPU, index, TRUE);
	log_debug("%s is number %s of Vulkan's devices", path, index);
	return NULL;
}

char *gfxstream_gpu_choose(const struct gfxstream_options *options, struct vulkan_gpus *gpus)
{
	struct stat st = { 0 };

	if (options->gpu_device && stat(options->gpu_device, &st) < 0)
		return g_strdup_printf("--gpu-device %s cannot be used: %s", options->gpu_device,
				       g_strerror(errno));
	gpus->node = st.st_rdev;
	gpus->index = -1;
	g_autofree char *problem = trial_run(look_at_gpus, gpus);

	if (problem || gpus->max_dimension == 0)
		gpus->max_dimension = GFXSTREAM_MAX_DIMENSION;
	if (!options->gpu_device)
		return NULL;
	return problem ? g_strdup_printf("gfxstream cannot start: %s", problem)
		       : select_gpu(options->gpu_device, gpus);
}
