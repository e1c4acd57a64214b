// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The modes that map and unmap memory. */
#include "vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Map, write, have the GPU copy, look at each word, free; all that N times. */
void run_churn(struct gpu *gpu, char **args)
{
	size_t size = strtoul(args[0], NULL, 10), bad = 0;
	uint32_t n = (uint32_t)atoi(args[1]);
	struct block block, target;
	double start = now();

	must(block_init(gpu, &target, size), "a buffer");
	for (uint32_t i = 1; i <= n; i++) {
		VkResult result = block_init(gpu, &block, size);

		if (result != VK_SUCCESS)
			fail("churn: map %u: result %d", i, result);
		block_fill(&block, i);
		block_copy(gpu, &block, &target);
		bad += block_count_bad(&block, i) + block_count_bad(&target, i);
		block_finish(gpu, &block);
	}
	if (bad)
		fail("churn: bad=%zu words of %u maps", bad, n);
	printf("PASS churn bytes=%zu maps=%u bad=0 rate=%.1f\n", size, n, n / (now() - start));
	block_finish(gpu, &target);
}

/* As many as the device gives, up to n; *result is why it stopped. */
static uint32_t map_some(struct gpu *gpu, struct block *blocks, uint32_t n, size_t size,
			 VkResult *result)
{
	for (uint32_t i = 0; i < n; i++) {
		*result = block_init(gpu, &blocks[i], size);
		if (*result != VK_SUCCESS)
			return i;
		block_fill(&blocks[i], i + 1);
	}
	return n;
}

/* The number of wrong words in the blocks, in the mappings and in copies that the GPU makes. */
static size_t count_bad(struct gpu *gpu, struct block *blocks, uint32_t n, struct block *target)
{
	size_t bad = 0;

	for (uint32_t i = 0; i < n; i++) {
		block_copy(gpu, &blocks[i], target);
		bad += block_count_bad(&blocks[i], i + 1) + block_count_bad(target, i + 1);
	}
	return bad;
}

/* Says "holding N", then for each line on its input whether all is as it was. */
void run_hold(struct gpu *gpu, char **args)
{
	size_t size = strtoul(args[0], NULL, 10), bad;
	uint32_t n = (uint32_t)atoi(args[1]), got;
	struct block *blocks = calloc(n, sizeof(*blocks)), target;
	VkResult result = VK_SUCCESS;
	char line[64];

	must(block_init(gpu, &target, size), "a buffer");
	got = map_some(gpu, blocks, n, size, &result);
	if (got < n)
		fail("hold: %u of %u maps: result %d", got, n, result);
	printf("holding %u\n", n);
	while (fgets(line, sizeof(line), stdin)) {
		bad = count_bad(gpu, blocks, n, &target);
		printf("%s hold maps=%u bad=%zu\n", bad ? "FAIL:" : "PASS", n, bad);
	}
	free(blocks);
}

/* Takes until it is refused, looks at all, gives all back, and takes one again. */
void run_many(struct gpu *gpu, char **args)
{
	size_t size = strtoul(args[0], NULL, 10), bad;
	uint32_t n = (uint32_t)atoi(args[1]), got;
	struct block *blocks = calloc(n, sizeof(*blocks)), target;
	VkResult result = VK_SUCCESS;

	must(block_init(gpu, &target, size), "a buffer");
	got = map_some(gpu, blocks, n, size, &result);
	bad = count_bad(gpu, blocks, got, &target);
	if (bad)
		fail("many: bad=%zu words of %u maps", bad, got);
	for (uint32_t i = 0; i < got; i++)
		block_finish(gpu, &blocks[i]);
	must(block_init(gpu, &blocks[0], size), "one more after all were given back");
	block_fill(&blocks[0], 9);
	block_copy(gpu, &blocks[0], &target);
	if (block_count_bad(&target, 9))
		fail("many: the one after all were given back is wrong");
	block_finish(gpu, &blocks[0]);
	printf("PASS many bytes=%zu wanted=%u granted=%u result=%d bad=0\n", size, n, got, result);
	free(blocks);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_latency(const char *what, double *seconds, uint32_t n)
{
	qsort(seconds, n, sizeof(*seconds), compare);
	printf("PASS latency %s n=%u p50=%.0f p99=%.0f us\n", what, n, seconds[n / 2] * 1e6,
	       seconds[n * 99 / 100] * 1e6);
}

static void map_and_free(struct gpu *gpu)
{
	struct block block;

	must(block_init(gpu, &block, 4096), "a map");
	block_finish(gpu, &block);
}

static void run_nothing(struct gpu *gpu)
{
	gpu_begin(gpu);
	gpu_run(gpu);
}

/* How long a map of a page takes, and an empty submit until its fence. */
void run_latency(struct gpu *gpu, char **args)
{
	uint32_t n = (uint32_t)atoi(args[0]);
	double *seconds = calloc(n, sizeof(*seconds));
	static const struct {
		const char *name;
		void (*run)(struct gpu *gpu);
	} kinds[] = { { "map", map_and_free }, { "fence", run_nothing } };

	for (size_t kind = 0; kind < 2; kind++) {
		for (uint32_t i = 0; i < n; i++) {
			double start = now();

			kinds[kind].run(gpu);
			seconds[i] = now() - start;
		}
		print_latency(kinds[kind].name, seconds, n);
	}
	free(seconds);
}
