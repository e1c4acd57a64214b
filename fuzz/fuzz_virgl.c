// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The stories of fuzz_command.c with virglrenderer on the host's OpenGL, which on the CPU is slow:
 * some hundred inputs a second. What is looked for is our side of it, in resources, backings,
 * contexts, fences and read-backs; what the library does with a command stream is its own to fuzz,
 * so streams are mostly well formed.
 *
 * The library is not instrumented, and OpenGL leaks what it likes: run it with detect_leaks=0.
 * Where it cannot start, the replay is skipped.
 */
#include <glib.h>

#include "fuzz.h"
#include "input.h"
#include "render/virgl.h"
#include "story.h"
#include "world.h"

#define EXIT_SKIPPED 77

static void start(struct world *world)
{
	const struct virgl_options options = { .use_egl = true, .use_surfaceless = true };
	g_autofree char *message = NULL;
	struct renderer *renderer = virgl_new(&options, &message);

	fuzz_prepare();
	if (!renderer) {
		fprintf(stderr, "%s\n", message);
		exit(EXIT_SKIPPED);
	}
	world_new(world, renderer, false, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct input in = { data, size };
	uint8_t setup = input_u8(&in);

	if (!world.device)
		start(&world);
	story_run(&world, setup, &in);
	return 0;
}
