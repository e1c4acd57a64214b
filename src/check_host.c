// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* Checks device nodes, libraries and the render server. It opens render nodes, only looks for the
 * other files, and loads nothing. */
#include <glob.h>
#include <unistd.h>

#include "check_private.h"
#include "options.h"
#include "render/node.h"

static GPtrArray *find_files(const char *const *patterns)
{
	GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
	glob_t found;

	for (; *patterns; patterns++) {
		if (glob(*patterns, 0, NULL, &found) != 0)
			continue;
		for (size_t i = 0; i < found.gl_pathc; i++)
			g_ptr_array_add(paths, g_strdup(found.gl_pathv[i]));
		globfree(&found);
	}
	return paths;
}

static void check_node(GPtrArray *findings, const char *path, bool is_wanted)
{
	g_autofree char *problem = render_node_find_problem(path);
	char *cure = problem ? strstr(problem, ": ") : NULL;

	if (!problem) {
		check_add(findings, CHECK_OK, path, "this user can open it", NULL);
		return;
	}
	if (cure) {
		*cure = '\0';
		cure += 2;
	}
	check_add(findings, is_wanted ? CHECK_NO : CHECK_LESS, path, problem, cure);
}

void check_nodes(GPtrArray *findings, const struct options *options)
{
	static const char *const patterns[] = { "/dev/dri/renderD*", NULL };

	if (options->gpu_mode != GPU_MODE_AUTO && options->gpu_mode != GPU_MODE_VIRGLRENDERER &&
	    options->gpu_mode != GPU_MODE_GFXSTREAM)
		return;
	if (options->gpu_device) {
		check_node(findings, options->gpu_device, true);
		return;
	}
	g_autoptr(GPtrArray) nodes = find_files(patterns);

	for (unsigned i = 0; i < nodes->len; i++)
		check_node(findings, g_ptr_array_index(nodes, i), false);
	if (nodes->len == 0)
		check_add(findings, CHECK_LESS, "render nodes",
			  "none in /dev/dri: OpenGL works, but without dma-bufs",
			  "load the GPU's kernel driver; in a container, pass /dev/dri in");
}

void check_udmabuf(GPtrArray *findings)
{
	if (access("/dev/udmabuf", F_OK) < 0)
		check_add(findings, CHECK_INFO, "udmabuf", "/dev/udmabuf does not exist",
			  "modprobe udmabuf");
	else if (access("/dev/udmabuf", R_OK | W_OK) < 0)
		check_add(findings, CHECK_INFO, "udmabuf", "this user cannot open /dev/udmabuf",
			  "add this user to its group (kvm on most distributions)");
	else
		check_add(findings, CHECK_INFO, "udmabuf", "this user can open /dev/udmabuf", NULL);
}

static void check_helper(GPtrArray *findings, const char *name, const char *const *patterns)
{
	g_autoptr(GPtrArray) paths = find_files(patterns);

	check_add(findings, CHECK_INFO, name,
		  paths->len > 0 ? (const char *)g_ptr_array_index(paths, 0) : "not found", NULL);
}

/* The default mode works without the render server and without gfxstream. */
void check_helpers(GPtrArray *findings)
{
	static const char *const servers[] = { "/usr/libexec/virgl_render_server",
					       "/usr/lib/virgl_render_server",
					       "/usr/lib/*/virgl_render_server",
					       "/usr/lib/virglrenderer/virgl_render_server",
					       "/usr/local/libexec/virgl_render_server",
					       NULL };
	static const char *const libraries[] = { "/usr/lib/libgfxstream_backend.so*",
						 "/usr/lib64/libgfxstream_backend.so*",
						 "/usr/lib/*/libgfxstream_backend.so*",
						 "/usr/local/lib/libgfxstream_backend.so*", NULL };

	check_helper(findings, "Venus render server", servers);
	check_helper(findings, "gfxstream library", libraries);
}
