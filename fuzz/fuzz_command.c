// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The guest against the whole device: commands of every kind that refer to each other, in chains of
 * every shape (guest.c), and what happens beside them (scenario.c).
 *
 * The renderer is the one on the CPU, the null renderer with host blobs and a window, or the strict
 * renderer (strict_renderer.c), which checks what a GPU's renderer relies on. After each input the
 * device is reset and must be as empty as a new one (harness.c).
 */
#include "fuzz.h"
#include "harness.h"
#include "input.h"
#include "render/null.h"
#include "render/renderer.h"
#include "render/soft2d.h"
#include "scenario.h"
#include "strict_renderer.h"

#define CAPSET_VENUS 4

enum { HARNESS_2D, HARNESS_2D_HEADLESS, HARNESS_NULL, HARNESS_STRICT, N_HARNESSES };

static struct harness *harnesses[N_HARNESSES];

static struct harness *find_harness(unsigned which)
{
	if (harnesses[which])
		return harnesses[which];

	struct harness *harness = calloc(1, sizeof(*harness));
	struct renderer *renderer = which == HARNESS_STRICT ? strict_renderer_new()
				    : which == HARNESS_NULL ? null_renderer_new(1u << CAPSET_VENUS)
							    : soft2d_renderer_new(0);

	CHECK(harness);
	harness_new(harness, renderer, which == HARNESS_STRICT, which != HARNESS_2D_HEADLESS);
	harnesses[which] = harness;
	return harness;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t setup = input_u8(&in);

	if (!harnesses[HARNESS_2D])
		fuzz_prepare();
	scenario_run(find_harness(setup % N_HARNESSES), setup, &in);
	return 0;
}
