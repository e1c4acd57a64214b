// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The guest against the whole device: commands of every kind that refer to each other, in chains of
 * every shape (guest.c), with what else may happen in between (story.c).
 *
 * The renderer is the one on the CPU, the null renderer, or the fuzzer's own (strict_renderer.c),
 * which checks what a GPU's renderer relies on. Each input is a life of its own; at its end the
 * device is reset and must be as empty as at its birth (world.c).
 */
#include "fuzz.h"
#include "input.h"
#include "render/null.h"
#include "render/renderer.h"
#include "render/soft2d.h"
#include "story.h"
#include "strict_renderer.h"
#include "world.h"

enum { WORLD_2D, WORLD_2D_HEADLESS, WORLD_NULL, WORLD_STRICT, N_WORLDS };

static struct world *worlds[N_WORLDS];

static struct world *find_world(unsigned which)
{
	if (worlds[which])
		return worlds[which];

	struct world *world = calloc(1, sizeof(*world));
	struct renderer *renderer = which == WORLD_STRICT ? strict_renderer_new()
				    : which == WORLD_NULL ? null_renderer_new()
							  : soft2d_renderer_new();

	CHECK(world);
	world_new(world, renderer, which == WORLD_STRICT, which != WORLD_2D_HEADLESS);
	worlds[which] = world;
	return world;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t setup = input_u8(&in);

	if (!worlds[WORLD_2D])
		fuzz_prepare();
	story_run(find_world(setup % N_WORLDS), setup, &in);
	return 0;
}
