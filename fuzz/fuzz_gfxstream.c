// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The scenarios of fuzz_command.c with gfxstream's renderer, on the stand-in for its library
 * (tests/gfxstream), which ends the process wherever the library would crash, hang or read what is
 * not its own. Two kinds of commands in guest.c exist only for this renderer: the library's own
 * streams, and its blobs.
 */
#include <glib.h>

#include "fuzz.h"
#include "gpu/device_private.h"
#include "harness.h"
#include "input.h"
#include "render/gfxstream.h"
#include "render/gfxstream/gfxstream_private.h"
#include "scenario.h"

/* For some rings, of a megabyte each, and what else there is. */
#define MAX_HOSTMEM (8u << 20)

static void start(struct harness *harness)
{
	const struct gfxstream_options options = { .library = GFXSTREAM_STANDIN_PATH };
	g_autofree char *message = NULL;
	struct renderer *renderer;

	fuzz_prepare();
	renderer = gfxstream_new(&options, &message);
	if (!renderer)
		fprintf(stderr, "%s\n", message);
	CHECK(renderer);
	renderer->library_bytes = 0; /* no measuring: it would count the sanitizer's memory */
	harness_new(harness, renderer, false, true);
	harness->device->hostmem.max = harness->device->limits.max_hostmem = MAX_HOSTMEM;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct harness harness;
	struct input in = { data, size };
	uint8_t setup = input_u8(&in);

	if (!harness.device)
		start(&harness);
	/* Inputs come faster than the library may clean up contexts: an input begins with no
	 * cleanup pending, or its contexts would be refused. */
	gfxstream_of(harness.renderer)->cleaned_at = 0;
	scenario_run(&harness, setup, &in);
	return 0;
}
