// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The render nodes of this host, as paths, in the order of their numbers; freed with the array. */
GPtrArray *virgl_egl_list_nodes(void);

/* Opens a DRM node for reading and writing. The descriptor, the caller's, or -errno; -ENODEV if it
 * is no DRM node. */
int virgl_egl_open_node(const char *path);

/* Whether a descriptor of a GPU's device node is open, so that a GPU draws; true if that cannot be
 * known. */
bool virgl_egl_uses_gpu(void);

/* What is missing for EGL (unless only GLX is wanted) and OpenGL to be used at all, as half a
 * sentence, or NULL: the library that comes to use them ends the process when they cannot be. */
const char *virgl_egl_find_problem(bool use_egl, bool use_gles);
