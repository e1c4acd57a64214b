// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * libvulkan.so.1 with three devices that draw nothing: the CPU, a GPU with small images whose
 * render node is /dev/null, and one without any node. With it
 * the tests check how gfxstream's renderer finds the device that a user named.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define VULKAN __attribute__((visibility("default")))

#define VULKAN_1_1          (1u << 22 | 1u << 12)
#define TYPE_DRM_PROPERTIES 1000353000
#define MAX_IMAGE_2D_AT     300 /* in VkPhysicalDeviceProperties */

static const struct device {
	uint32_t max_image;
	const char *node;
} devices[] = { { 16384, NULL }, { 4096, "/dev/null" }, { 8192, NULL } };

struct instance_info {
	int32_t type;
	const void *next;
	uint32_t flags;
	const struct {
		int32_t type;
		const void *next;
		const char *name;
		uint32_t version;
		const char *engine;
		uint32_t engine_version, api_version;
	} * application;
};

struct properties {
	int32_t type;
	struct drm *next;
	_Alignas(8) uint8_t properties[824];
};

struct drm {
	int32_t type;
	void *next;
	uint32_t has_primary, has_render;
	int64_t primary[2], render[2];
};

VULKAN int32_t vkCreateInstance(const struct instance_info *info, const void *allocator,
				void **ret_instance);
VULKAN int32_t vkEnumeratePhysicalDevices(void *instance, uint32_t *ret_n, void **ret_devices);
VULKAN void vkGetPhysicalDeviceProperties2(const struct device *device, struct properties *ret);

VULKAN int32_t vkCreateInstance(const struct instance_info *info, const void *allocator,
				void **ret_instance)
{
	*ret_instance = (void *)devices;
	return info->application && info->application->api_version >= VULKAN_1_1 ? 0 : -9;
}

VULKAN int32_t vkEnumeratePhysicalDevices(void *instance, uint32_t *ret_n, void **ret_devices)
{
	const uint32_t n = sizeof(devices) / sizeof(devices[0]);

	for (uint32_t i = 0; ret_devices && i < n && i < *ret_n; i++)
		ret_devices[i] = (void *)&devices[i];
	*ret_n = n;
	return 0;
}

VULKAN void vkGetPhysicalDeviceProperties2(const struct device *device, struct properties *ret)
{
	struct drm *drm = ret->next;
	struct stat st;

	memset(ret->properties, 0, sizeof(ret->properties));
	memcpy(ret->properties + MAX_IMAGE_2D_AT, &device->max_image, sizeof(device->max_image));
	if (!drm || drm->type != TYPE_DRM_PROPERTIES || !device->node ||
	    stat(device->node, &st) < 0)
		return;
	drm->has_render = 1;
	drm->render[0] = major(st.st_rdev);
	drm->render[1] = minor(st.st_rdev);
}
