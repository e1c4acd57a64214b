// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Mapped buffers, and images that are read back into one. */
#include "vk.h"

#define MAPPED (VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT)

static VkResult allocate(struct gpu *gpu, VkMemoryRequirements need, VkMemoryPropertyFlags flags,
			 VkDeviceMemory *memory)
{
	VkMemoryAllocateInfo info = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
		.allocationSize = need.size,
		.memoryTypeIndex = gpu_find_memory(gpu, need.memoryTypeBits, flags),
	};

	return vkAllocateMemory(gpu->device, &info, NULL, memory);
}

static VkResult map_block(struct gpu *gpu, struct block *block)
{
	VkMemoryRequirements need;
	VkResult result;

	vkGetBufferMemoryRequirements(gpu->device, block->buffer, &need);
	result = allocate(gpu, need, MAPPED, &block->memory);
	if (result == VK_SUCCESS)
		result = vkBindBufferMemory(gpu->device, block->buffer, block->memory, 0);
	if (result == VK_SUCCESS)
		result = vkMapMemory(gpu->device, block->memory, 0, VK_WHOLE_SIZE, 0,
				     (void **)&block->words);
	return result;
}

VkResult block_init(struct gpu *gpu, struct block *block, size_t size)
{
	VkBufferCreateInfo info = { .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
				    .size = size,
				    .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
					     VK_BUFFER_USAGE_TRANSFER_DST_BIT |
					     VK_BUFFER_USAGE_STORAGE_BUFFER_BIT };
	VkResult result;

	*block = (struct block){ .size = size };
	result = vkCreateBuffer(gpu->device, &info, NULL, &block->buffer);
	if (result == VK_SUCCESS)
		result = map_block(gpu, block);
	if (result == VK_SUCCESS)
		block_fill(block, 0);
	else
		block_finish(gpu, block);
	return result;
}

void block_finish(struct gpu *gpu, struct block *block)
{
	vkDestroyBuffer(gpu->device, block->buffer, NULL);
	vkFreeMemory(gpu->device, block->memory, NULL);
	*block = (struct block){ 0 };
}

static uint32_t word_at(size_t i, uint32_t seed)
{
	return (uint32_t)i * 2654435761U ^ (seed * 40503U + 0x5bd1e995U);
}

void block_fill(struct block *block, uint32_t seed)
{
	for (size_t i = 0; i < block->size / 4; i++)
		block->words[i] = word_at(i, seed);
}

size_t block_count_bad(const struct block *block, uint32_t seed)
{
	size_t n = 0;

	for (size_t i = 0; i < block->size / 4; i++)
		n += block->words[i] != word_at(i, seed);
	return n;
}

void block_copy(struct gpu *gpu, const struct block *from, const struct block *to)
{
	VkBufferCopy region = { .size = from->size };

	gpu_begin(gpu);
	vkCmdCopyBuffer(gpu->commands, from->buffer, to->buffer, 1, &region);
	gpu_run(gpu);
}

void canvas_init(struct gpu *gpu, struct canvas *canvas, uint32_t width, uint32_t height)
{
	VkImageCreateInfo info = { .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
				   .imageType = VK_IMAGE_TYPE_2D,
				   .format = VK_FORMAT_R8G8B8A8_UNORM,
				   .extent = { width, height, 1 },
				   .mipLevels = 1,
				   .arrayLayers = 1,
				   .samples = VK_SAMPLE_COUNT_1_BIT,
				   .usage = VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT |
					    VK_IMAGE_USAGE_TRANSFER_SRC_BIT |
					    VK_IMAGE_USAGE_TRANSFER_DST_BIT };
	VkMemoryRequirements need;

	*canvas = (struct canvas){ .width = width, .height = height };
	must(vkCreateImage(gpu->device, &info, NULL, &canvas->image), "vkCreateImage");
	vkGetImageMemoryRequirements(gpu->device, canvas->image, &need);
	must(allocate(gpu, need, 0, &canvas->memory), "an image's memory");
	must(vkBindImageMemory(gpu->device, canvas->image, canvas->memory, 0), "vkBindImageMemory");
	must(block_init(gpu, &canvas->block, (size_t)width * height * 4), "a picture's buffer");
}

void canvas_finish(struct gpu *gpu, struct canvas *canvas)
{
	block_finish(gpu, &canvas->block);
	vkDestroyImage(gpu->device, canvas->image, NULL);
	vkFreeMemory(gpu->device, canvas->memory, NULL);
}

void canvas_change(struct gpu *gpu, struct canvas *canvas, VkImageLayout from, VkImageLayout to)
{
	VkImageMemoryBarrier barrier = {
		.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
		.srcAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT,
		.dstAccessMask = VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT,
		.oldLayout = from,
		.newLayout = to,
		.srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
		.dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
		.image = canvas->image,
		.subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 },
	};

	vkCmdPipelineBarrier(gpu->commands, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
			     VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, 0, 0, NULL, 0, NULL, 1, &barrier);
}

void canvas_read(struct gpu *gpu, struct canvas *canvas, VkImageLayout from)
{
	VkBufferImageCopy region = { .imageSubresource = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1 },
				     .imageExtent = { canvas->width, canvas->height, 1 } };

	canvas_change(gpu, canvas, from, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL);
	vkCmdCopyImageToBuffer(gpu->commands, canvas->image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL,
			       canvas->block.buffer, 1, &region);
}
