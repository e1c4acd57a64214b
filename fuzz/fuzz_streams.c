// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Sessions of OpenGL (streams/session.h has their form) in the real virglrenderer. The corpus has
 * sessions that crashed it. libFuzzer does not know the grammar; streams/hunt.c does, and finds
 * more. The library is not instrumented, and OpenGL leaks: run it with detect_leaks=0. The replay
 * is skipped where OpenGL cannot start.
 */
#include <glib.h>

#include "fuzz.h"
#include "render/virgl.h"
#include "streams/session.h"

#define EXIT_SKIPPED 77

static struct renderer *start(void)
{
	const struct virgl_options options = {
		.use_egl = true,
		.api = VIRGL_API_GL,
		.use_surfaceless = true,
	};
	g_autofree char *message = NULL;
	struct renderer *renderer = virgl_new(&options, &message);

	fuzz_prepare();
	if (!renderer) {
		fprintf(stderr, "%s\n", message);
		exit(EXIT_SKIPPED);
	}
	return renderer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct renderer *renderer;
	struct session_counts counts = { 0 };
	/* Words; the input may be unaligned. */
	g_autofree uint32_t *words = g_memdup2(data, size);

	if (!renderer)
		renderer = start();
	session_play(renderer, words, size / sizeof(*words), &counts);
	return 0;
}
