// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The render nodes of this host, as paths, in the order of their numbers; freed with the array. */
GPtrArray *virgl_egl_list_nodes(void);

/* Opens a DRM node for reading and writing. Returns the descriptor, which the caller owns, or
 * -errno; -ENODEV if @path is not a DRM node. */
int virgl_egl_open_node(const char *path);

/* Whether this process has a GPU's device node open, which means that a GPU draws; true if that
 * cannot be found out. */
bool virgl_egl_uses_gpu(void);

/* Checks that EGL (unless only GLX is wanted) and OpenGL can be loaded: virglrenderer ends the
 * process if they cannot. Returns NULL, or a static text that says what is missing. */
const char *virgl_egl_find_problem(bool use_egl, bool use_gles);
