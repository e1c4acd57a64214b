// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The scenarios of fuzz_command.c with virglrenderer on the host's OpenGL, which is slow on the
 * CPU: some hundred inputs a second. It tests our side: resources, backings, contexts, fences and
 * read-backs. It does not test how the library handles command streams, so streams are mostly well
 * formed. The library is not instrumented, and OpenGL leaks: run it with detect_leaks=0. The replay
 * is skipped where OpenGL cannot start.
 */
#include <glib.h>

#include "fuzz.h"
#include "harness.h"
#include "input.h"
#include "render/virgl.h"
#include "scenario.h"

#define EXIT_SKIPPED 77

static void start(struct harness *harness)
{
	const struct virgl_options options = { .use_egl = true, .use_surfaceless = true };
	g_autofree char *message = NULL;
	struct renderer *renderer = virgl_new(&options, &message);

	fuzz_prepare();
	if (!renderer) {
		fprintf(stderr, "%s\n", message);
		exit(EXIT_SKIPPED);
	}
	harness_new(harness, renderer, false, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct harness harness;
	struct input in = { data, size };
	uint8_t setup = input_u8(&in);

	if (!harness.device)
		start(&harness);
	scenario_run(&harness, setup, &in);
	return 0;
}
