// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The modes that make pictures: clear, draw, picture. Every pixel of every frame is looked at. */
#include "vk.h"

#include "draw_frag.h"
#include "draw_vert.h"

#include <stdio.h>
#include <stdlib.h>

#define SIDE     256
#define N_STRIPS 8

struct painter {
	VkImageView view;
	VkRenderPass pass;
	VkFramebuffer framebuffer;
	VkPipelineLayout layout;
	VkPipeline pipeline;
};

static void clear_once(struct gpu *gpu, struct canvas *canvas, uint32_t seed)
{
	const VkImageSubresourceRange all = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1 };
	VkClearColorValue colour = { .float32 = { (seed & 255) / 255.0F, (seed * 3 & 255) / 255.0F,
						  (seed * 7 & 255) / 255.0F, 1.0F } };

	gpu_begin(gpu);
	canvas_change(gpu, canvas, VK_IMAGE_LAYOUT_UNDEFINED, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
	vkCmdClearColorImage(gpu->commands, canvas->image, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL,
			     &colour, 1, &all);
	canvas_read(gpu, canvas, VK_IMAGE_LAYOUT_TRANSFER_DST_OPTIMAL);
	gpu_run(gpu);
}

static void expect_clear(const struct canvas *canvas, uint32_t seed)
{
	uint32_t wanted =
		0xff000000U | (seed * 7 & 255) << 16 | (seed * 3 & 255) << 8 | (seed & 255);

	for (size_t i = 0; i < (size_t)canvas->width * canvas->height; i++)
		if (canvas->block.words[i] != wanted)
			fail("clear: frame %u, pixel %zu is %08x, not %08x", seed, i,
			     canvas->block.words[i], wanted);
}

void run_clear(struct gpu *gpu, char **args)
{
	struct canvas canvas;
	uint32_t n = (uint32_t)atoi(args[2]);
	double spent = 0;

	canvas_init(gpu, &canvas, (uint32_t)atoi(args[0]), (uint32_t)atoi(args[1]));
	for (uint32_t i = 1; i <= n; i++) {
		double start = now();

		clear_once(gpu, &canvas, i);
		spent += now() - start;
		expect_clear(&canvas, i);
	}
	printf("PASS clear %ux%u frames=%u rate=%.1f\n", canvas.width, canvas.height, n, n / spent);
	canvas_finish(gpu, &canvas);
}

static VkPipelineShaderStageCreateInfo load_shader(struct gpu *gpu, VkShaderStageFlagBits stage,
						   const uint32_t *words, size_t size)
{
	VkShaderModuleCreateInfo info = { .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
					  .codeSize = size,
					  .pCode = words };
	VkPipelineShaderStageCreateInfo ret = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
		.stage = stage,
		.pName = "main"
	};

	must(vkCreateShaderModule(gpu->device, &info, NULL, &ret.module), "vkCreateShaderModule");
	return ret;
}

static void create_pass(struct gpu *gpu, struct canvas *canvas, struct painter *painter)
{
	VkAttachmentDescription attachment = { .format = VK_FORMAT_R8G8B8A8_UNORM,
					       .samples = VK_SAMPLE_COUNT_1_BIT,
					       .loadOp = VK_ATTACHMENT_LOAD_OP_CLEAR,
					       .storeOp = VK_ATTACHMENT_STORE_OP_STORE,
					       .finalLayout =
						       VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL };
	VkAttachmentReference colour = { 0, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL };
	VkSubpassDescription subpass = { .colorAttachmentCount = 1, .pColorAttachments = &colour };
	VkRenderPassCreateInfo pass = { .sType = VK_STRUCTURE_TYPE_RENDER_PASS_CREATE_INFO,
					.attachmentCount = 1,
					.pAttachments = &attachment,
					.subpassCount = 1,
					.pSubpasses = &subpass };
	VkImageViewCreateInfo view = { .sType = VK_STRUCTURE_TYPE_IMAGE_VIEW_CREATE_INFO,
				       .image = canvas->image,
				       .viewType = VK_IMAGE_VIEW_TYPE_2D,
				       .format = VK_FORMAT_R8G8B8A8_UNORM,
				       .subresourceRange = { VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0,
							     1 } };
	VkFramebufferCreateInfo framebuffer = { .sType = VK_STRUCTURE_TYPE_FRAMEBUFFER_CREATE_INFO,
						.attachmentCount = 1,
						.pAttachments = &painter->view,
						.width = canvas->width,
						.height = canvas->height,
						.layers = 1 };

	must(vkCreateRenderPass(gpu->device, &pass, NULL, &painter->pass), "vkCreateRenderPass");
	must(vkCreateImageView(gpu->device, &view, NULL, &painter->view), "vkCreateImageView");
	framebuffer.renderPass = painter->pass;
	must(vkCreateFramebuffer(gpu->device, &framebuffer, NULL, &painter->framebuffer),
	     "vkCreateFramebuffer");
}

static void create_pipeline(struct gpu *gpu, struct canvas *canvas, struct painter *painter)
{
	VkPipelineShaderStageCreateInfo stages[] = {
		load_shader(gpu, VK_SHADER_STAGE_VERTEX_BIT, draw_vert, sizeof(draw_vert)),
		load_shader(gpu, VK_SHADER_STAGE_FRAGMENT_BIT, draw_frag, sizeof(draw_frag)),
	};
	VkPipelineVertexInputStateCreateInfo vertices = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_VERTEX_INPUT_STATE_CREATE_INFO
	};
	VkPipelineInputAssemblyStateCreateInfo assembly = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_INPUT_ASSEMBLY_STATE_CREATE_INFO,
		.topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_STRIP
	};
	VkViewport port = { .width = (float)canvas->width,
			    .height = (float)canvas->height,
			    .maxDepth = 1.0F };
	VkRect2D scissor = { .extent = { canvas->width, canvas->height } };
	VkPipelineViewportStateCreateInfo viewport = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_VIEWPORT_STATE_CREATE_INFO,
		.viewportCount = 1,
		.pViewports = &port,
		.scissorCount = 1,
		.pScissors = &scissor
	};
	VkPipelineRasterizationStateCreateInfo raster = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_RASTERIZATION_STATE_CREATE_INFO,
		.lineWidth = 1.0F
	};
	VkPipelineMultisampleStateCreateInfo samples = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_MULTISAMPLE_STATE_CREATE_INFO,
		.rasterizationSamples = VK_SAMPLE_COUNT_1_BIT
	};
	VkPipelineColorBlendAttachmentState written = { .colorWriteMask = 15 };
	VkPipelineColorBlendStateCreateInfo blend = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_COLOR_BLEND_STATE_CREATE_INFO,
		.attachmentCount = 1,
		.pAttachments = &written
	};
	VkPushConstantRange push = { VK_SHADER_STAGE_FRAGMENT_BIT, 0, 4 };
	VkPipelineLayoutCreateInfo layout = { .sType =
						      VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
					      .pushConstantRangeCount = 1,
					      .pPushConstantRanges = &push };
	VkGraphicsPipelineCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_GRAPHICS_PIPELINE_CREATE_INFO,
		.stageCount = 2,
		.pStages = stages,
		.pVertexInputState = &vertices,
		.pInputAssemblyState = &assembly,
		.pViewportState = &viewport,
		.pRasterizationState = &raster,
		.pMultisampleState = &samples,
		.pColorBlendState = &blend,
		.renderPass = painter->pass,
	};

	must(vkCreatePipelineLayout(gpu->device, &layout, NULL, &painter->layout),
	     "vkCreatePipelineLayout");
	info.layout = painter->layout;
	must(vkCreateGraphicsPipelines(gpu->device, NULL, 1, &info, NULL, &painter->pipeline),
	     "vkCreateGraphicsPipelines");
	vkDestroyShaderModule(gpu->device, stages[0].module, NULL);
	vkDestroyShaderModule(gpu->device, stages[1].module, NULL);
}

static void painter_finish(struct gpu *gpu, struct painter *painter)
{
	vkDestroyPipeline(gpu->device, painter->pipeline, NULL);
	vkDestroyPipelineLayout(gpu->device, painter->layout, NULL);
	vkDestroyFramebuffer(gpu->device, painter->framebuffer, NULL);
	vkDestroyImageView(gpu->device, painter->view, NULL);
	vkDestroyRenderPass(gpu->device, painter->pass, NULL);
}

/* One frame: as many draws as there are strips. */
static void draw_once(struct gpu *gpu, struct canvas *canvas, struct painter *painter,
		      uint32_t seed)
{
	VkClearValue black = { 0 };
	VkRenderPassBeginInfo begin = { .sType = VK_STRUCTURE_TYPE_RENDER_PASS_BEGIN_INFO,
					.renderPass = painter->pass,
					.framebuffer = painter->framebuffer,
					.renderArea = { .extent = { canvas->width,
								    canvas->height } },
					.clearValueCount = 1,
					.pClearValues = &black };

	gpu_begin(gpu);
	vkCmdBeginRenderPass(gpu->commands, &begin, VK_SUBPASS_CONTENTS_INLINE);
	vkCmdBindPipeline(gpu->commands, VK_PIPELINE_BIND_POINT_GRAPHICS, painter->pipeline);
	vkCmdPushConstants(gpu->commands, painter->layout, VK_SHADER_STAGE_FRAGMENT_BIT, 0, 4,
			   &seed);
	for (uint32_t i = 0; i < N_STRIPS; i++)
		vkCmdDraw(gpu->commands, 4, 1, 0, i);
	vkCmdEndRenderPass(gpu->commands);
	canvas_read(gpu, canvas, VK_IMAGE_LAYOUT_COLOR_ATTACHMENT_OPTIMAL);
	gpu_run(gpu);
}

/* The pixel as draw.frag computes it. */
static uint32_t drawn_pixel(uint32_t x, uint32_t y, uint32_t seed)
{
	return 0xff000000U | ((x / 32 * 31 + seed * 3) & 255) << 16 |
	       ((y * 5 + seed * 7) & 255) << 8 | ((x * 3 + seed) & 255);
}

static void expect_drawn(const struct canvas *canvas, uint32_t seed)
{
	for (uint32_t y = 0; y < canvas->height; y++)
		for (uint32_t x = 0; x < canvas->width; x++) {
			uint32_t got = canvas->block.words[y * canvas->width + x];
			uint32_t wanted = drawn_pixel(x, y, seed);

			if (got != wanted)
				fail("draw: frame %u, %u,%u is %08x, not %08x", seed, x, y, got,
				     wanted);
		}
}

void run_draw(struct gpu *gpu, char **args)
{
	struct painter painter = { 0 };
	struct canvas canvas;
	uint32_t n = (uint32_t)atoi(args[0]);
	double spent = 0;

	canvas_init(gpu, &canvas, SIDE, SIDE);
	create_pass(gpu, &canvas, &painter);
	create_pipeline(gpu, &canvas, &painter);
	for (uint32_t i = 1; i <= n; i++) {
		double start = now();

		draw_once(gpu, &canvas, &painter, i);
		spent += now() - start;
		expect_drawn(&canvas, i);
	}
	printf("PASS draw %ux%u frames=%u draws=%u rate=%.1f\n", SIDE, SIDE, n, n * N_STRIPS,
	       n / spent);
	painter_finish(gpu, &painter);
	canvas_finish(gpu, &canvas);
}

/* A PPM on file. */
static void save_picture(const struct canvas *canvas, const char *path)
{
	FILE *out = fopen(path, "wb");

	if (!out)
		fail("picture: cannot write %s", path);
	fprintf(out, "P6\n%u %u\n255\n", canvas->width, canvas->height);
	for (size_t i = 0; i < (size_t)canvas->width * canvas->height; i++)
		fwrite(&canvas->block.words[i], 1, 3, out);
	if (fclose(out) != 0)
		fail("picture: cannot write %s", path);
}

void run_picture(struct gpu *gpu, char **args)
{
	struct painter painter = { 0 };
	struct canvas canvas;
	uint32_t seed = (uint32_t)atoi(args[1]);

	canvas_init(gpu, &canvas, SIDE, SIDE);
	create_pass(gpu, &canvas, &painter);
	create_pipeline(gpu, &canvas, &painter);
	draw_once(gpu, &canvas, &painter, seed);
	expect_drawn(&canvas, seed);
	save_picture(&canvas, args[0]);
	printf("PASS picture %ux%u seed=%u\n", SIDE, SIDE, seed);
	painter_finish(gpu, &painter);
	canvas_finish(gpu, &canvas);
}
