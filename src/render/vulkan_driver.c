// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Checks whether there is a Vulkan driver, and what the GPUs are. virglrenderer's render server
 * does not report that there is no driver: it starts and makes contexts, and each of the guest's
 * programs fails. A few functions of Vulkan are used, which are looked up by name, so that Vulkan
 * is needed neither to build nor to run the daemon.
 *
 * A driver that was loaded stays in the process, with the files that it opened, so this must be
 * called in a child process.
 */
#include <assert.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/sysmacros.h>

#include "render/trial_private.h"

#define MAX_DEVICES 64

#define TYPE_APPLICATION_INFO     0
#define TYPE_INSTANCE_CREATE_INFO 1
#define TYPE_PROPERTIES_2         1000059001
#define TYPE_DRM_PROPERTIES       1000353000
#define VULKAN_1_1                (1u << 22 | 1u << 12)
#define INCOMPLETE                5 /* there are more devices */

/* VkApplicationInfo, VkInstanceCreateInfo and so on, by Vulkan's specification. */
struct application_info {
	int32_t type;
	const void *next;
	const char *name;
	uint32_t version;
	const char *engine;
	uint32_t engine_version, api_version;
};

struct instance_create_info {
	int32_t type;
	const void *next;
	uint32_t flags;
	const struct application_info *application;
	uint32_t n_layers;
	const char *const *layers;
	uint32_t n_extensions;
	const char *const *extensions;
};

struct device_properties {
	uint32_t versions_and_ids[5];
	char name[256];
	uint8_t uuid[16];
	struct {
		uint32_t max_image_1d, max_image_2d;
		uint64_t rest[72]; /* at least as large as the rest of VkPhysicalDeviceProperties */
	} limits;
};

struct device_properties_2 {
	int32_t type;
	void *next;
	struct device_properties properties;
};

/* Left as it is by drivers that do not know it. */
struct drm_properties {
	int32_t type;
	void *next;
	uint32_t has_primary, has_render;
	int64_t primary_major, primary_minor, render_major, render_minor;
};

#if UINTPTR_MAX == UINT64_MAX
static_assert(offsetof(struct device_properties, limits.max_image_2d) == 300, "properties");
static_assert(sizeof(struct device_properties) >= 824, "properties");
static_assert(offsetof(struct device_properties_2, properties) == 16, "properties");
static_assert(offsetof(struct drm_properties, render_major) == 40, "DRM properties");
#endif

typedef int32_t (*create_instance_fn)(const struct instance_create_info *info,
				      const void *allocator, void **ret_instance);
typedef int32_t (*enumerate_fn)(void *instance, uint32_t *ret_n, void **ret_devices);
typedef void (*properties_fn)(void *device, struct device_properties_2 *ret);

struct vulkan {
	void *library;
	void *devices[MAX_DEVICES];
	uint32_t n_devices;
};

static const char no_driver[] = "Vulkan has no driver: install the GPU's, or Mesa's (Debian's "
				"package mesa-vulkan-drivers)";

/* Returns NULL, or a static sentence. */
static const char *find_devices(struct vulkan *vulkan)
{
	const struct application_info application = { .type = TYPE_APPLICATION_INFO,
						      .api_version = VULKAN_1_1 };
	const struct instance_create_info info = { .type = TYPE_INSTANCE_CREATE_INFO,
						   .application = &application };
	void *instance = NULL;

	vulkan->library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!vulkan->library)
		return "libvulkan.so.1 cannot be loaded: install it";
	create_instance_fn create = (create_instance_fn)dlsym(vulkan->library, "vkCreateInstance");
	enumerate_fn enumerate = (enumerate_fn)dlsym(vulkan->library, "vkEnumeratePhysicalDevices");

	if (!create || !enumerate)
		return "libvulkan.so.1 is not a Vulkan loader";
	if (create(&info, NULL, &instance) != 0)
		return no_driver;
	vulkan->n_devices = MAX_DEVICES;
	int32_t r = enumerate(instance, &vulkan->n_devices, vulkan->devices);

	return (r != 0 && r != INCOMPLETE) || vulkan->n_devices == 0 ? no_driver : NULL;
}

const char *vulkan_driver_find_problem(void)
{
	struct vulkan vulkan;

	return find_devices(&vulkan);
}

static bool has_node(const struct drm_properties *drm, dev_t node)
{
	return drm->has_render && drm->render_major == (int64_t)major(node) &&
	       drm->render_minor == (int64_t)minor(node);
}

static void add_device(struct vulkan_gpus *gpus, int index, uint32_t max_dimension, bool is_it)
{
	if (is_it)
		gpus->index = index;
	if (is_it ||
	    (gpus->index < 0 && (gpus->max_dimension == 0 || max_dimension < gpus->max_dimension)))
		gpus->max_dimension = max_dimension;
}

const char *vulkan_driver_look_at_gpus(struct vulkan_gpus *gpus)
{
	struct vulkan vulkan;
	const char *problem = find_devices(&vulkan);

	if (problem)
		return problem;
	properties_fn get_properties =
		(properties_fn)dlsym(vulkan.library, "vkGetPhysicalDeviceProperties2");

	if (!get_properties)
		return "libvulkan.so.1 is older than Vulkan 1.1";
	for (uint32_t i = 0; i < vulkan.n_devices; i++) {
		struct drm_properties drm = { .type = TYPE_DRM_PROPERTIES };
		struct device_properties_2 properties = { .type = TYPE_PROPERTIES_2, .next = &drm };

		get_properties(vulkan.devices[i], &properties);
		add_device(gpus, (int)i, properties.properties.limits.max_image_2d,
			   gpus->node != 0 && has_node(&drm, gpus->node));
	}
	return NULL;
}
