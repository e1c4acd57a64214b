// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The device and its queue: the first device that Vulkan names, and a queue of it that draws and
 * computes. */
#include "vk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void fail(const char *format, ...)
{
	va_list args;

	printf("FAIL: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

void must(VkResult result, const char *what)
{
	if (result != VK_SUCCESS)
		fail("%s: result %d", what, result);
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void choose_queue(struct gpu *gpu)
{
	const VkQueueFlags wanted = VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT;
	VkQueueFamilyProperties families[16];
	uint32_t n = 16;

	vkGetPhysicalDeviceQueueFamilyProperties(gpu->physical_device, &n, families);
	while (gpu->family < n && (families[gpu->family].queueFlags & wanted) != wanted)
		gpu->family++;
	if (gpu->family == n)
		fail("no queue that draws and computes");
}

static void create_device(struct gpu *gpu)
{
	static const float priority = 1.0F;
	VkDeviceQueueCreateInfo queue = { .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
					  .queueFamilyIndex = gpu->family,
					  .queueCount = 1,
					  .pQueuePriorities = &priority };
	VkDeviceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
				    .queueCreateInfoCount = 1,
				    .pQueueCreateInfos = &queue };

	must(vkCreateDevice(gpu->physical_device, &info, NULL, &gpu->device), "vkCreateDevice");
	vkGetDeviceQueue(gpu->device, gpu->family, 0, &gpu->queue);
}

static void create_commands(struct gpu *gpu)
{
	VkCommandPoolCreateInfo pool = { .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
					 .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
					 .queueFamilyIndex = gpu->family };
	VkCommandBufferAllocateInfo buffer = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
		.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
		.commandBufferCount = 1
	};
	VkFenceCreateInfo fence = { .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO };

	must(vkCreateCommandPool(gpu->device, &pool, NULL, &gpu->pool), "vkCreateCommandPool");
	buffer.commandPool = gpu->pool;
	must(vkAllocateCommandBuffers(gpu->device, &buffer, &gpu->commands),
	     "vkAllocateCommandBuffers");
	must(vkCreateFence(gpu->device, &fence, NULL, &gpu->fence), "vkCreateFence");
}

void gpu_init(struct gpu *gpu)
{
	VkInstanceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO };
	VkResult result;
	uint32_t n = 1;

	*gpu = (struct gpu){ 0 };
	must(vkCreateInstance(&info, NULL, &gpu->instance), "vkCreateInstance");
	result = vkEnumeratePhysicalDevices(gpu->instance, &n, &gpu->physical_device);
	if (result < 0 || n == 0)
		fail("no device: result %d, %u devices", result, n);
	vkGetPhysicalDeviceProperties(gpu->physical_device, &gpu->properties);
	vkGetPhysicalDeviceMemoryProperties(gpu->physical_device, &gpu->memory);
	choose_queue(gpu);
	create_device(gpu);
	create_commands(gpu);
}

void gpu_finish(struct gpu *gpu)
{
	vkDestroyFence(gpu->device, gpu->fence, NULL);
	vkDestroyCommandPool(gpu->device, gpu->pool, NULL);
	vkDestroyDevice(gpu->device, NULL);
	vkDestroyInstance(gpu->instance, NULL);
}

uint32_t gpu_find_memory(const struct gpu *gpu, uint32_t bits, VkMemoryPropertyFlags flags)
{
	for (uint32_t i = 0; i < gpu->memory.memoryTypeCount; i++)
		if (bits & 1U << i && (gpu->memory.memoryTypes[i].propertyFlags & flags) == flags)
			return i;
	fail("no memory of kind 0x%x among 0x%x", flags, bits);
}

void gpu_begin(struct gpu *gpu)
{
	VkCommandBufferBeginInfo info = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO };

	must(vkBeginCommandBuffer(gpu->commands, &info), "vkBeginCommandBuffer");
}

void gpu_run(struct gpu *gpu)
{
	VkSubmitInfo submit = { .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
				.commandBufferCount = 1,
				.pCommandBuffers = &gpu->commands };

	must(vkEndCommandBuffer(gpu->commands), "vkEndCommandBuffer");
	must(vkQueueSubmit(gpu->queue, 1, &submit, gpu->fence), "vkQueueSubmit");
	must(vkWaitForFences(gpu->device, 1, &gpu->fence, VK_TRUE, 30000000000), "vkWaitForFences");
	must(vkResetFences(gpu->device, 1, &gpu->fence), "vkResetFences");
}
