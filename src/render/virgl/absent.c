// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Replaces virgl.c in a build without virglrenderer, so that the other files need not know how the
 * daemon was built: virgl_new() fails with a reason, as on a host where the library does not work.
 */
#include "render/virgl.h"

#include <glib.h>

#include "render/renderer.h"

const struct renderer_kind virgl_renderer_kind = { .needs = 0 };

bool virgl_is_built_in(void)
{
	return false;
}

const char *virgl_library_version(void)
{
	return NULL;
}

char *virgl_describe_driver(void)
{
	return NULL;
}

struct renderer *virgl_new(const struct virgl_options *options, char **ret_message)
{
	(void)options;
	*ret_message = g_strdup("this binary was built without virglrenderer");
	return NULL;
}
