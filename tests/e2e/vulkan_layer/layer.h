// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#define DMA_BUF VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT

/* The table of one instance or one device: how the next layer is called. */
struct table {
	struct table *next;
	const void *key;
	VkInstance instance; /* in a device's table: that of its physical device */
	PFN_vkGetInstanceProcAddr instance_proc;
	PFN_vkGetDeviceProcAddr device_proc;
	VkPhysicalDevice physical_device;
	VkDevice device;
	PFN_vkAllocateMemory allocate;
	PFN_vkFreeMemory free;
	PFN_vkGetMemoryFdKHR get_fd;
};

/* The table of the instance or device that the handle is of; borrowed. */
struct table *find_table(const void *handle);

/* The struct of this type in a chain of pNext; NULL: there is none. */
static inline void *find_struct(const void *chain, VkStructureType type)
{
	VkBaseOutStructure *s;

	for (s = (void *)(uintptr_t)chain; s && s->sType != type; s = s->pNext)
		;
	return s;
}

/* What the layer does for the functions of Vulkan with these names. */
VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(VkDevice device, const VkMemoryAllocateInfo *info,
					       const VkAllocationCallbacks *callbacks,
					       VkDeviceMemory *memory);
VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, VkDeviceMemory memory,
				       const VkAllocationCallbacks *callbacks);
VKAPI_ATTR VkResult VKAPI_CALL get_memory_fd(VkDevice device, const VkMemoryGetFdInfoKHR *info,
					     int *fd);
