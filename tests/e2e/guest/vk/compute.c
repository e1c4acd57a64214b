// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The modes compute, copy and deep: a compute shader, copies, and many submits with one wait at the
 * end. */
#include "vk.h"

#include "sum_comp.h"

#include <stdio.h>
#include <stdlib.h>

struct computer {
	VkDescriptorSetLayout set_layout;
	VkDescriptorPool pool;
	VkDescriptorSet set;
	VkPipelineLayout layout;
	VkPipeline pipeline;
};

static void create_set(struct gpu *gpu, struct computer *computer, const struct block *blocks)
{
	VkDescriptorSetLayoutBinding bindings[] = {
		{ 0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL },
		{ 1, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, NULL },
	};
	VkDescriptorSetLayoutCreateInfo layout = {
		.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
		.bindingCount = 2,
		.pBindings = bindings
	};
	VkDescriptorPoolSize size = { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 2 };
	VkDescriptorPoolCreateInfo pool = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
					    .maxSets = 1,
					    .poolSizeCount = 1,
					    .pPoolSizes = &size };
	VkDescriptorSetAllocateInfo set = { .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
					    .descriptorSetCount = 1,
					    .pSetLayouts = &computer->set_layout };

	must(vkCreateDescriptorSetLayout(gpu->device, &layout, NULL, &computer->set_layout),
	     "vkCreateDescriptorSetLayout");
	must(vkCreateDescriptorPool(gpu->device, &pool, NULL, &computer->pool),
	     "vkCreateDescriptorPool");
	set.descriptorPool = computer->pool;
	must(vkAllocateDescriptorSets(gpu->device, &set, &computer->set),
	     "vkAllocateDescriptorSets");
	for (uint32_t i = 0; i < 2; i++) {
		VkDescriptorBufferInfo buffer = { blocks[i].buffer, 0, VK_WHOLE_SIZE };
		VkWriteDescriptorSet write = { .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
					       .dstSet = computer->set,
					       .dstBinding = i,
					       .descriptorCount = 1,
					       .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
					       .pBufferInfo = &buffer };

		vkUpdateDescriptorSets(gpu->device, 1, &write, 0, NULL);
	}
}

static void create_pipeline(struct gpu *gpu, struct computer *computer)
{
	VkShaderModuleCreateInfo module = { .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
					    .codeSize = sizeof(sum_comp),
					    .pCode = sum_comp };
	VkPushConstantRange push = { VK_SHADER_STAGE_COMPUTE_BIT, 0, 4 };
	VkPipelineLayoutCreateInfo layout = { .sType =
						      VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
					      .setLayoutCount = 1,
					      .pSetLayouts = &computer->set_layout,
					      .pushConstantRangeCount = 1,
					      .pPushConstantRanges = &push };
	VkComputePipelineCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
		.stage = { .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
			   .stage = VK_SHADER_STAGE_COMPUTE_BIT,
			   .pName = "main" },
	};

	must(vkCreateShaderModule(gpu->device, &module, NULL, &info.stage.module),
	     "vkCreateShaderModule");
	must(vkCreatePipelineLayout(gpu->device, &layout, NULL, &computer->layout),
	     "vkCreatePipelineLayout");
	info.layout = computer->layout;
	must(vkCreateComputePipelines(gpu->device, NULL, 1, &info, NULL, &computer->pipeline),
	     "vkCreateComputePipelines");
	vkDestroyShaderModule(gpu->device, info.stage.module, NULL);
}

static void computer_finish(struct gpu *gpu, struct computer *computer)
{
	vkDestroyPipeline(gpu->device, computer->pipeline, NULL);
	vkDestroyPipelineLayout(gpu->device, computer->layout, NULL);
	vkDestroyDescriptorPool(gpu->device, computer->pool, NULL);
	vkDestroyDescriptorSetLayout(gpu->device, computer->set_layout, NULL);
}

static void compute_once(struct gpu *gpu, struct computer *computer, uint32_t n, uint32_t seed)
{
	gpu_begin(gpu);
	vkCmdBindPipeline(gpu->commands, VK_PIPELINE_BIND_POINT_COMPUTE, computer->pipeline);
	vkCmdBindDescriptorSets(gpu->commands, VK_PIPELINE_BIND_POINT_COMPUTE, computer->layout, 0,
				1, &computer->set, 0, NULL);
	vkCmdPushConstants(gpu->commands, computer->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, 4,
			   &seed);
	vkCmdDispatch(gpu->commands, n / 64, 1, 1);
	gpu_run(gpu);
}

void run_compute(struct gpu *gpu, char **args)
{
	uint32_t words = (uint32_t)atoi(args[0]) & ~63U, n = (uint32_t)atoi(args[1]);
	struct computer computer;
	struct block blocks[2];
	double spent = 0;

	for (int i = 0; i < 2; i++)
		must(block_init(gpu, &blocks[i], (size_t)words * 4), "a buffer");
	create_set(gpu, &computer, blocks);
	create_pipeline(gpu, &computer);
	for (uint32_t seed = 1; seed <= n; seed++) {
		double start;

		block_fill(&blocks[0], seed);
		start = now();
		compute_once(gpu, &computer, words, seed);
		spent += now() - start;
		for (uint32_t i = 0; i < words; i++)
			if (blocks[1].words[i] != blocks[0].words[i] * 1664525U + i + seed)
				fail("compute: round %u, word %u is wrong", seed, i);
	}
	printf("PASS compute words=%u rounds=%u rate=%.1f\n", words, n, n / spent);
	computer_finish(gpu, &computer);
	for (int i = 0; i < 2; i++)
		block_finish(gpu, &blocks[i]);
}

void run_copy(struct gpu *gpu, char **args)
{
	size_t size = strtoul(args[0], NULL, 10), bad = 0;
	uint32_t n = (uint32_t)atoi(args[1]);
	struct block from, to;
	double start = now();

	must(block_init(gpu, &from, size), "a buffer");
	must(block_init(gpu, &to, size), "a buffer");
	for (uint32_t seed = 1; seed <= n; seed++) {
		block_fill(&from, seed);
		block_copy(gpu, &from, &to);
		bad += block_count_bad(&to, seed);
	}
	if (bad)
		fail("copy: bad=%zu words", bad);
	printf("PASS copy bytes=%zu rounds=%u bad=0 rate=%.1f\n", size, n, n / (now() - start));
	block_finish(gpu, &from);
	block_finish(gpu, &to);
}

/* N submits: each fills its own words with the complement (~i) of its number i; the last one has a
 * fence. */
static double submit_many(struct gpu *gpu, VkCommandBuffer *buffers, uint32_t n)
{
	VkSubmitInfo submit = { .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1 };
	double start = now();

	for (uint32_t i = 0; i < n; i++) {
		submit.pCommandBuffers = &buffers[i];
		must(vkQueueSubmit(gpu->queue, 1, &submit, i == n - 1 ? gpu->fence : NULL),
		     "vkQueueSubmit");
	}
	must(vkWaitForFences(gpu->device, 1, &gpu->fence, VK_TRUE, 60000000000), "vkWaitForFences");
	must(vkResetFences(gpu->device, 1, &gpu->fence), "vkResetFences");
	return now() - start;
}

void run_deep(struct gpu *gpu, char **args)
{
	uint32_t n = (uint32_t)atoi(args[0]);
	VkCommandBuffer *buffers = calloc(n, sizeof(*buffers));
	VkCommandBufferAllocateInfo allocate = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
		.commandPool = gpu->pool,
		.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
		.commandBufferCount = n
	};
	VkCommandBufferBeginInfo begin = { .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO };
	struct block block;
	double spent;

	must(block_init(gpu, &block, (size_t)n * 64), "a buffer");
	must(vkAllocateCommandBuffers(gpu->device, &allocate, buffers), "many command buffers");
	for (uint32_t i = 0; i < n; i++) {
		must(vkBeginCommandBuffer(buffers[i], &begin), "vkBeginCommandBuffer");
		vkCmdFillBuffer(buffers[i], block.buffer, (VkDeviceSize)i * 64, 64, ~i);
		must(vkEndCommandBuffer(buffers[i]), "vkEndCommandBuffer");
	}
	spent = submit_many(gpu, buffers, n);
	for (uint32_t i = 0; i < n * 16; i++)
		if (block.words[i] != ~(i / 16))
			fail("deep: submit %u did not write word %u", i / 16, i % 16);
	printf("PASS deep submits=%u rate=%.1f\n", n, n / spent);
	vkFreeCommandBuffers(gpu->device, gpu->pool, n, buffers);
	block_finish(gpu, &block);
	free(buffers);
}
