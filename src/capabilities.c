// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Prints the capabilities for --print-capabilities (QEMU's docs/interop/vhost-user.rst, "Backend
 * programs").
 *
 * libvirt runs this as root each time it starts a machine, so it loads no driver and opens no file.
 * The answer depends on the host: for a back-end that lists "render-node", libvirt requires a
 * render node, so on a host without one the virtual machine would not start.
 */
#include "capabilities.h"

#include <glib.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "render/virgl.h"

#define LOG_MODULE "main"
#include "base/log.h"

bool capabilities_are_asked_for(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--print-capabilities") == 0)
			return true;
	return false;
}

static bool has_render_node(void)
{
	glob_t found;
	bool is_found = glob("/dev/dri/renderD*", 0, NULL, &found) == 0;

	globfree(&found);
	return is_found;
}

bool capabilities_print(void)
{
	const char *features = !virgl_is_built_in() ? ""
			       : has_render_node()  ? "\n    \"virgl\",\n    \"render-node\"\n  "
						    : "\n    \"virgl\"\n  ";

	printf("{\n  \"type\": \"gpu\",\n  \"features\": [%s]\n}\n", features);
	if (fflush(stdout) == 0)
		return true;
	log_error("cannot write to standard output");
	return false;
}
