// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Prints --version: the program, the built-in renderers, and the libraries in use. virglrenderer
 * does not report its version at run time, so the version at build time is printed.
 */
#include <glib.h>
#include <stdio.h>

#include "options_private.h"
#include "render/pixels.h"
#include "render/virgl.h"
#include "sandbox/sandbox.h"

void options_version_print(void)
{
	printf("vhost-device-gpu " PROJECT_VERSION "\n");
	printf("renderers: %s2d, null, gfxstream\n", virgl_is_built_in() ? "virglrenderer, " : "");
	printf("libraries: GLib %u.%u.%u, pixman %s", glib_major_version, glib_minor_version,
	       glib_micro_version, pixels_library_version());
	if (virgl_is_built_in())
		printf(", virglrenderer %s (built with)", virgl_library_version());
	g_autofree char *seccomp = sandbox_library_version();

	printf("%s%s\n", seccomp ? ", libseccomp " : "", seccomp ? seccomp : "");
}
