// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <vulkan/vulkan.h>

#include <stdbool.h>
#include <stdint.h>

/* A device, its one queue and one command buffer for it. */
struct gpu {
	VkInstance instance;
	VkPhysicalDevice physical_device;
	VkPhysicalDeviceProperties properties;
	VkPhysicalDeviceMemoryProperties memory;
	VkDevice device;
	VkQueue queue;
	uint32_t family;
	VkCommandPool pool;
	VkCommandBuffer commands;
	VkFence fence;
};

/* A buffer with mapped memory of its own. */
struct block {
	VkBuffer buffer;
	VkDeviceMemory memory;
	uint32_t *words; /* borrowed from the mapping */
	size_t size;     /* bytes */
};

/* An image of RGBA bytes to draw to, and the block that it is copied to. */
struct canvas {
	VkImage image;
	VkDeviceMemory memory;
	uint32_t width, height;
	struct block block;
};

/* Prints "FAIL: what: result" and ends the program, if the result is not VK_SUCCESS. */
void must(VkResult result, const char *what);
/* Prints "FAIL: ..." and ends the program. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
double now(void); /* seconds */

void gpu_init(struct gpu *gpu);
void gpu_finish(struct gpu *gpu);
/* The index of a kind of memory that bits allow and that has these flags. */
uint32_t gpu_find_memory(const struct gpu *gpu, uint32_t bits, VkMemoryPropertyFlags flags);
/* Begins to record, and hands over and waits for what was recorded. */
void gpu_begin(struct gpu *gpu);
void gpu_run(struct gpu *gpu);

/* Of size bytes, filled as by block_fill() with seed 0. Anything but VK_SUCCESS: *block is zero. */
VkResult block_init(struct gpu *gpu, struct block *block, size_t size);
void block_finish(struct gpu *gpu, struct block *block);
/* Words that differ with place and seed; how many are not what block_fill() wrote. */
void block_fill(struct block *block, uint32_t seed);
size_t block_count_bad(const struct block *block, uint32_t seed);
/* Has the GPU copy all of one to the other, and waits. */
void block_copy(struct gpu *gpu, const struct block *from, const struct block *to);

void canvas_init(struct gpu *gpu, struct canvas *canvas, uint32_t width, uint32_t height);
void canvas_finish(struct gpu *gpu, struct canvas *canvas);
/* Records: the image goes from one layout to another; the image is copied to the block. */
void canvas_change(struct gpu *gpu, struct canvas *canvas, VkImageLayout from, VkImageLayout to);
void canvas_read(struct gpu *gpu, struct canvas *canvas, VkImageLayout from);

/* The modes, by name; each prints a line "PASS mode ..." (latency two) or ends the program by
 * fail(). For each line of its input hold prints a line "PASS hold" or "FAIL: hold". */
void run_clear(struct gpu *gpu, char **args);   /* WIDTH HEIGHT N */
void run_draw(struct gpu *gpu, char **args);    /* N */
void run_picture(struct gpu *gpu, char **args); /* FILE SEED */
void run_compute(struct gpu *gpu, char **args); /* WORDS N */
void run_copy(struct gpu *gpu, char **args);    /* BYTES N */
void run_deep(struct gpu *gpu, char **args);    /* N */
void run_churn(struct gpu *gpu, char **args);   /* BYTES N */
void run_hold(struct gpu *gpu, char **args);    /* BYTES N: then waits for lines on its input */
void run_many(struct gpu *gpu, char **args);    /* BYTES N: as many of N as there is room for */
void run_latency(struct gpu *gpu, char **args); /* N */
