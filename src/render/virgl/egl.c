// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Finds out, before anything is started, whether this host can draw. Two things are checked here
 * because the libraries do not report them well:
 *
 * The shared libraries of EGL and OpenGL. virglrenderer loads them through epoxy, at the first use
 * of each, and epoxy ends the process if one is missing. The daemon must know that before, to use
 * the CPU instead or to name the missing library.
 *
 * The render nodes. EGL without a node ("surfaceless") chooses a GPU itself and cannot export
 * dma-bufs, so a node is passed to it whenever there is one.
 */
#include "render/virgl/egl.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"

#define DRI_DIRECTORY "/dev/dri"
#define NODE_PREFIX   "renderD"
#define DRM_MAJOR     226

#define EGL_EXTENSIONS 0x3055 /* of eglQueryString() */

static int node_number(const char *path)
{
	return atoi(strrchr(path, '/') + 1 + strlen(NODE_PREFIX));
}

static gint compare_nodes(gconstpointer a, gconstpointer b)
{
	return node_number(*(const char *const *)a) - node_number(*(const char *const *)b);
}

GPtrArray *virgl_egl_list_nodes(void)
{
	GPtrArray *nodes = g_ptr_array_new_with_free_func(g_free);
	GDir *dir = g_dir_open(DRI_DIRECTORY, 0, NULL);
	const char *name;

	if (!dir)
		return nodes;
	while ((name = g_dir_read_name(dir)))
		if (g_str_has_prefix(name, NODE_PREFIX))
			g_ptr_array_add(nodes, g_build_filename(DRI_DIRECTORY, name, NULL));
	g_dir_close(dir);
	g_ptr_array_sort(nodes, compare_nodes);
	return nodes;
}

int virgl_egl_open_node(const char *path)
{
	auto_fd fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) || major(st.st_rdev) != DRM_MAJOR)
		return -ENODEV;
	return fd_steal(&fd);
}

static bool is_gpu(int fd)
{
	static const char *const prefixes[] = { DRI_DIRECTORY "/", "/dev/nvidia", "/dev/mali" };
	char link[64], target[256] = "";
	struct stat st;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    readlink(link, target, sizeof(target) - 1) < 0)
		return false;
	for (unsigned i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (g_str_has_prefix(target, prefixes[i]))
			return true;
	return false;
}

/* The open descriptors are checked and not the nodes in /dev: the driver may have no permission to
 * open these. */
bool virgl_egl_uses_gpu(void)
{
	g_autoptr(GArray) fds = fd_list();

	for (unsigned i = 0; fds && i < fds->len; i++)
		if (is_gpu(g_array_index(fds, int, i)))
			return true;
	return !fds;
}

/* Loads a library. It stays loaded, because it is about to be used. */
static void *load_library(const char *name)
{
	return dlopen(name, RTLD_LAZY | RTLD_LOCAL);
}

/* Whether EGL has a driver. The dispatching library may be installed without one, and some versions
 * of virglrenderer crash then. */
static bool has_platforms(void *egl)
{
	const char *(*query_string)(void *display, int32_t name) =
		(const char *(*)(void *, int32_t))dlsym(egl, "eglQueryString");
	const char *extensions = query_string ? query_string(NULL, EGL_EXTENSIONS) : NULL;

	return extensions && strstr(extensions, "EGL_EXT_platform_base");
}

const char *virgl_egl_find_problem(bool use_egl, bool use_gles)
{
	void *egl = use_egl ? load_library("libEGL.so.1") : NULL;

	if (use_egl && !egl)
		return "libEGL.so.1 cannot be loaded: install it";
	if (use_gles && !load_library("libGLESv2.so.2"))
		return "libGLESv2.so.2 cannot be loaded: install it";
	if (!use_gles && !load_library("libOpenGL.so.0") && !load_library("libGL.so.1"))
		return "libOpenGL.so.0 cannot be loaded: install it";
	if (egl && !has_platforms(egl))
		return "EGL has no driver: install the GPU's, or Mesa's";
	return NULL;
}
