// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * VK_LAYER_VDG_memfd: a Vulkan layer for tests. Under it a driver that draws with the CPU exports
 * its memory as dma-bufs though the machine has no /dev/udmabuf. It says that the driver has
 * VK_EXT_external_memory_dma_buf, backs each exportable allocation by a memfd, which it gives to
 * the driver through VK_EXT_external_memory_host, and hands that memfd out as the "dma-buf". An
 * import is mapped and given to the driver in the same way. What is read or written through the
 * file, the driver's own mapping and the GPU's commands is one memory, as with a dma-buf; only
 * ioctls of dma-bufs (sync, attach) are missing, which neither virglrenderer nor QEMU makes here.
 *
 * memory.c has the memory. Dispatch tables are found by the loader's pointer, which is the first
 * word of each dispatchable handle.
 */
#include "layer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LAYER __attribute__((visibility("default"))) VKAPI_ATTR

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct table *tables;

static const VkExternalMemoryProperties both_ways = {
	VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT,
	DMA_BUF, DMA_BUF
};

struct table *find_table(const void *handle)
{
	const void *key = *(void *const *)handle;
	struct table *table;

	pthread_mutex_lock(&lock);
	for (table = tables; table && table->key != key; table = table->next)
		;
	pthread_mutex_unlock(&lock);
	return table;
}

static void add_table(struct table *table, const void *handle)
{
	table->key = *(void *const *)handle;
	pthread_mutex_lock(&lock);
	table->next = tables;
	tables = table;
	pthread_mutex_unlock(&lock);
}

static void drop_table(struct table *table)
{
	struct table **at;

	pthread_mutex_lock(&lock);
	for (at = &tables; *at != table; at = &(*at)->next)
		;
	*at = table->next;
	pthread_mutex_unlock(&lock);
	free(table);
}

/* Any memory type will do: a driver that draws with the CPU has all of them in main memory. */
static VKAPI_ATTR VkResult VKAPI_CALL
get_memory_fd_properties(VkDevice device, VkExternalMemoryHandleTypeFlagBits type, int fd,
			 VkMemoryFdPropertiesKHR *properties)
{
	struct table *table = find_table(device);
	VkPhysicalDeviceMemoryProperties memory;
	PFN_vkGetPhysicalDeviceMemoryProperties get =
		(PFN_vkGetPhysicalDeviceMemoryProperties)table->instance_proc(
			table->instance, "vkGetPhysicalDeviceMemoryProperties");

	(void)type, (void)fd;
	get(table->physical_device, &memory);
	properties->memoryTypeBits = (1U << memory.memoryTypeCount) - 1;
	return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL get_buffer_properties(
	VkPhysicalDevice physical_device, const VkPhysicalDeviceExternalBufferInfo *info,
	VkExternalBufferProperties *properties)
{
	struct table *table = find_table(physical_device);
	PFN_vkGetPhysicalDeviceExternalBufferProperties get =
		(PFN_vkGetPhysicalDeviceExternalBufferProperties)table->instance_proc(
			table->instance, "vkGetPhysicalDeviceExternalBufferProperties");

	get(physical_device, info, properties);
	if (info->handleType == DMA_BUF)
		properties->externalMemoryProperties = both_ways;
}

/* Asks the driver about the image as if it were not shared, and reports that it can be shared. */
static VKAPI_ATTR VkResult VKAPI_CALL
get_image_properties(VkPhysicalDevice physical_device, const VkPhysicalDeviceImageFormatInfo2 *info,
		     VkImageFormatProperties2 *properties)
{
	struct table *table = find_table(physical_device);
	PFN_vkGetPhysicalDeviceImageFormatProperties2 get =
		(PFN_vkGetPhysicalDeviceImageFormatProperties2)table->instance_proc(
			table->instance, "vkGetPhysicalDeviceImageFormatProperties2");
	VkPhysicalDeviceExternalImageFormatInfo *external = find_struct(
		info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO);
	VkExternalImageFormatProperties *ret =
		find_struct(properties->pNext, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES);
	bool is_ours = external && external->handleType == DMA_BUF;
	VkResult result;

	if (is_ours)
		external->handleType = 0;
	result = get(physical_device, info, properties);
	if (is_ours)
		external->handleType = DMA_BUF;
	if (is_ours && ret)
		ret->externalMemoryProperties = both_ways;
	return result;
}

/* The driver is not told that an image is shared as a dma-buf: its memory is just memory to it. */
static VKAPI_ATTR VkResult VKAPI_CALL create_image(VkDevice device, const VkImageCreateInfo *info,
						   const VkAllocationCallbacks *callbacks,
						   VkImage *image)
{
	struct table *table = find_table(device);
	PFN_vkCreateImage create = (PFN_vkCreateImage)table->device_proc(device, "vkCreateImage");
	VkExternalMemoryImageCreateInfo *external =
		find_struct(info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO);

	if (external)
		external->handleTypes &= ~(VkFlags)DMA_BUF;
	return create(device, info, callbacks, image);
}

static VKAPI_ATTR VkResult VKAPI_CALL enumerate_device_extensions(VkPhysicalDevice physical_device,
								  const char *layer, uint32_t *n,
								  VkExtensionProperties *properties)
{
	static const VkExtensionProperties ours = { VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME,
						    1 };
	struct table *table = find_table(physical_device);
	PFN_vkEnumerateDeviceExtensionProperties enumerate =
		(PFN_vkEnumerateDeviceExtensionProperties)table->instance_proc(
			table->instance, "vkEnumerateDeviceExtensionProperties");
	uint32_t room = *n;
	VkResult result = enumerate(physical_device, layer, n, properties);

	if (layer || result != VK_SUCCESS)
		return result;
	for (uint32_t i = 0; properties && i < *n; i++)
		if (strcmp(properties[i].extensionName, ours.extensionName) == 0)
			return result;
	if (properties && *n == room)
		return VK_INCOMPLETE;
	if (properties)
		properties[*n] = ours;
	++*n;
	return result;
}

static void *find_link(const void *chain, VkStructureType type)
{
	VkLayerDeviceCreateInfo *s = find_struct(chain, type);

	while (s && s->function != VK_LAYER_LINK_INFO)
		s = find_struct(s->pNext, type);
	return s;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
						      const VkAllocationCallbacks *callbacks,
						      VkInstance *instance)
{
	VkLayerInstanceCreateInfo *link =
		find_link(info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
	PFN_vkGetInstanceProcAddr next = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
	PFN_vkCreateInstance create = (PFN_vkCreateInstance)next(NULL, "vkCreateInstance");
	struct table *table;
	VkResult result;

	link->u.pLayerInfo = link->u.pLayerInfo->pNext;
	result = create(info, callbacks, instance);
	table = result == VK_SUCCESS ? calloc(1, sizeof(*table)) : NULL;
	if (!table)
		return result == VK_SUCCESS ? VK_ERROR_OUT_OF_HOST_MEMORY : result;
	table->instance = *instance;
	table->instance_proc = next;
	add_table(table, *instance);
	return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_instance(VkInstance instance,
						   const VkAllocationCallbacks *callbacks)
{
	struct table *table = instance ? find_table(instance) : NULL;

	if (!table)
		return;
	((PFN_vkDestroyInstance)table->instance_proc(instance, "vkDestroyInstance"))(instance,
										     callbacks);
	drop_table(table);
}

/* The extensions with which the device is created: external_memory_host is added if it is missing,
 * and external_memory_dma_buf is left out if the driver does not have it. */
static uint32_t choose_extensions(VkPhysicalDevice physical_device, const VkDeviceCreateInfo *info,
				  const char **names)
{
	struct table *table = find_table(physical_device);
	PFN_vkEnumerateDeviceExtensionProperties enumerate =
		(PFN_vkEnumerateDeviceExtensionProperties)table->instance_proc(
			table->instance, "vkEnumerateDeviceExtensionProperties");
	VkExtensionProperties known[512];
	uint32_t n_known = 512, n = 0;
	bool has_host = false, has_dma_buf = false;

	enumerate(physical_device, NULL, &n_known, known);
	for (uint32_t i = 0; i < n_known; i++)
		has_dma_buf |= strcmp(known[i].extensionName,
				      VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME) == 0;
	for (uint32_t i = 0; i < info->enabledExtensionCount; i++) {
		const char *name = info->ppEnabledExtensionNames[i];

		has_host |= strcmp(name, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME) == 0;
		if (has_dma_buf || strcmp(name, VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME) != 0)
			names[n++] = name;
	}
	if (!has_host)
		names[n++] = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
	return n;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical_device,
						    const VkDeviceCreateInfo *info,
						    const VkAllocationCallbacks *callbacks,
						    VkDevice *device)
{
	VkLayerDeviceCreateInfo *link =
		find_link(info->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
	struct table *instance = find_table(physical_device), *table = calloc(1, sizeof(*table));
	const char **names = calloc(info->enabledExtensionCount + 1, sizeof(*names));
	VkDeviceCreateInfo changed = *info;
	PFN_vkCreateDevice create;
	VkResult result = VK_ERROR_OUT_OF_HOST_MEMORY;

	if (!table || !names)
		goto failed;
	changed.enabledExtensionCount = choose_extensions(physical_device, info, names);
	changed.ppEnabledExtensionNames = names;
	table->instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
	table->device_proc = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
	table->instance = instance->instance;
	table->physical_device = physical_device;
	link->u.pLayerInfo = link->u.pLayerInfo->pNext;
	create = (PFN_vkCreateDevice)table->instance_proc(instance->instance, "vkCreateDevice");
	result = create(physical_device, &changed, callbacks, device);
	if (result != VK_SUCCESS)
		goto failed;
	table->device = *device;
	table->allocate = (PFN_vkAllocateMemory)table->device_proc(*device, "vkAllocateMemory");
	table->free = (PFN_vkFreeMemory)table->device_proc(*device, "vkFreeMemory");
	table->get_fd = (PFN_vkGetMemoryFdKHR)table->device_proc(*device, "vkGetMemoryFdKHR");
	add_table(table, *device);
	free(names);
	return result;
failed:
	free(names);
	free(table);
	return result;
}

static VKAPI_ATTR void VKAPI_CALL destroy_device(VkDevice device,
						 const VkAllocationCallbacks *callbacks)
{
	struct table *table = device ? find_table(device) : NULL;

	if (!table)
		return;
	((PFN_vkDestroyDevice)table->device_proc(device, "vkDestroyDevice"))(device, callbacks);
	drop_table(table);
}

LAYER PFN_vkVoidFunction VKAPI_CALL vdg_GetInstanceProcAddr(VkInstance instance, const char *name);
LAYER PFN_vkVoidFunction VKAPI_CALL vdg_GetDeviceProcAddr(VkDevice device, const char *name);

static const struct {
	const char *name;
	PFN_vkVoidFunction function;
	bool is_of_device;
} ours[] = {
	{ "vkGetInstanceProcAddr", (PFN_vkVoidFunction)vdg_GetInstanceProcAddr, false },
	{ "vkCreateInstance", (PFN_vkVoidFunction)create_instance, false },
	{ "vkDestroyInstance", (PFN_vkVoidFunction)destroy_instance, false },
	{ "vkEnumerateDeviceExtensionProperties", (PFN_vkVoidFunction)enumerate_device_extensions,
	  false },
	{ "vkGetPhysicalDeviceExternalBufferProperties", (PFN_vkVoidFunction)get_buffer_properties,
	  false },
	{ "vkGetPhysicalDeviceExternalBufferPropertiesKHR",
	  (PFN_vkVoidFunction)get_buffer_properties, false },
	{ "vkGetPhysicalDeviceImageFormatProperties2", (PFN_vkVoidFunction)get_image_properties,
	  false },
	{ "vkGetPhysicalDeviceImageFormatProperties2KHR", (PFN_vkVoidFunction)get_image_properties,
	  false },
	{ "vkCreateDevice", (PFN_vkVoidFunction)create_device, false },
	{ "vkGetDeviceProcAddr", (PFN_vkVoidFunction)vdg_GetDeviceProcAddr, true },
	{ "vkDestroyDevice", (PFN_vkVoidFunction)destroy_device, true },
	{ "vkAllocateMemory", (PFN_vkVoidFunction)allocate_memory, true },
	{ "vkFreeMemory", (PFN_vkVoidFunction)free_memory, true },
	{ "vkGetMemoryFdKHR", (PFN_vkVoidFunction)get_memory_fd, true },
	{ "vkGetMemoryFdPropertiesKHR", (PFN_vkVoidFunction)get_memory_fd_properties, true },
	{ "vkCreateImage", (PFN_vkVoidFunction)create_image, true },
};

static PFN_vkVoidFunction find_ours(const char *name, bool is_of_device)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(ours[i].name, name) == 0 && (ours[i].is_of_device || !is_of_device))
			return ours[i].function;
	return NULL;
}

LAYER PFN_vkVoidFunction VKAPI_CALL vdg_GetInstanceProcAddr(VkInstance instance, const char *name)
{
	PFN_vkVoidFunction function = find_ours(name, false);

	if (function || !instance)
		return function;
	return find_table(instance)->instance_proc(instance, name);
}

LAYER PFN_vkVoidFunction VKAPI_CALL vdg_GetDeviceProcAddr(VkDevice device, const char *name)
{
	PFN_vkVoidFunction function = find_ours(name, true);

	return function ? function : find_table(device)->device_proc(device, name);
}

LAYER VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface)
{
	if (interface->loaderLayerInterfaceVersion < 2)
		return VK_ERROR_INITIALIZATION_FAILED;
	interface->loaderLayerInterfaceVersion = 2;
	interface->pfnGetInstanceProcAddr = vdg_GetInstanceProcAddr;
	interface->pfnGetDeviceProcAddr = vdg_GetDeviceProcAddr;
	interface->pfnGetPhysicalDeviceProcAddr = NULL;
	return VK_SUCCESS;
}
