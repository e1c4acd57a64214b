// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The render nodes of this host, as paths, in the order of their numbers; freed with the array. */
GPtrArray *egl_list_nodes(void);

/* Opens a DRM node for reading and writing. The descriptor, the caller's, or -errno; -ENODEV if it
 * is no DRM node. */
int egl_open_node(const char *path);

/* The first shared library that is needed and cannot be loaded, or NULL: the library that would
 * load it ends the process when it cannot. */
const char *egl_missing_library(bool use_egl, bool use_gles);
