// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Checks whether there is a Vulkan driver. The render server does not report that it lacks one: it
 * starts and makes contexts, and each of the guest's programs fails. Three functions of Vulkan are
 * used, which are looked up by name, so that Vulkan is needed neither to build nor to run the
 * daemon.
 *
 * A driver that was loaded stays in the process, with the files that it opened, so this must be
 * called in a child process.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#include "render/trial_private.h"

#define TYPE_INSTANCE_CREATE_INFO 1

/* VkInstanceCreateInfo, VkEnumeratePhysicalDevices and so on, by Vulkan's specification. */
struct instance_create_info {
	int32_t type;
	const void *next;
	uint32_t flags;
	const void *application;
	uint32_t n_layers;
	const char *const *layers;
	uint32_t n_extensions;
	const char *const *extensions;
};

typedef int32_t (*create_instance_fn)(const struct instance_create_info *info,
				      const void *allocator, void **ret_instance);
typedef int32_t (*enumerate_fn)(void *instance, uint32_t *ret_n, void **ret_devices);

const char *vulkan_driver_find_problem(void)
{
	static const char no_driver[] = "Vulkan has no driver: install the GPU's, or Mesa's "
					"(Debian's package mesa-vulkan-drivers)";
	const struct instance_create_info info = { .type = TYPE_INSTANCE_CREATE_INFO };
	void *vulkan = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL), *instance = NULL;
	uint32_t n_devices = 0;

	if (!vulkan)
		return "libvulkan.so.1 cannot be loaded: install it";
	create_instance_fn create = (create_instance_fn)dlsym(vulkan, "vkCreateInstance");
	enumerate_fn enumerate = (enumerate_fn)dlsym(vulkan, "vkEnumeratePhysicalDevices");

	if (!create || !enumerate)
		return "libvulkan.so.1 is not a Vulkan loader";
	if (create(&info, NULL, &instance) != 0 || enumerate(instance, &n_devices, NULL) != 0 ||
	    n_devices == 0)
		return no_driver;
	return NULL;
}
