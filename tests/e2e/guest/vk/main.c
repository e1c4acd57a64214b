// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * vk MODE ARG...: a load for Vulkan in a guest. Each mode looks at every byte that the GPU wrote,
 * and prints a line "PASS mode ..." with its figures (latency: two such lines), or "FAIL: why" and
 * ends with 1. hold prints a line "PASS hold ..." or "FAIL: hold ..." for each line of its input,
 * and goes on after either. The program's first line names the device that it found. "-" begins
 * the next mode: vk draw 10 - copy 4096 5.
 */
#include "vk.h"

#include <stdio.h>
#include <string.h>

static const struct mode {
	const char *name;
	int n_args;
	void (*run)(struct gpu *gpu, char **args);
} modes[] = {
	{ "clear", 3, run_clear },     { "draw", 1, run_draw }, { "picture", 2, run_picture },
	{ "compute", 2, run_compute }, { "copy", 2, run_copy }, { "deep", 1, run_deep },
	{ "churn", 2, run_churn },     { "hold", 2, run_hold }, { "many", 2, run_many },
	{ "latency", 1, run_latency },
};

static const struct mode *find_mode(const char *name, int n_args)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, name) == 0 && n_args >= modes[i].n_args)
			return &modes[i];
	fail("no mode %s with these arguments", name);
}

int main(int argc, char **argv)
{
	struct gpu gpu;

	setvbuf(stdout, NULL, _IOLBF, 0);
	gpu_init(&gpu);
	printf("device: %s, Vulkan %u.%u\n", gpu.properties.deviceName,
	       VK_API_VERSION_MAJOR(gpu.properties.apiVersion),
	       VK_API_VERSION_MINOR(gpu.properties.apiVersion));
	for (int i = 1; i < argc;) {
		const struct mode *mode = find_mode(argv[i], argc - i - 1);

		mode->run(&gpu, &argv[i + 1]);
		i += 1 + mode->n_args;
		if (i < argc && strcmp(argv[i], "-") == 0)
			i++;
	}
	gpu_finish(&gpu);
	return 0;
}
