// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Whether this user may use the DRM render node at @path: NULL, or why not and what would help, as
 * "Permission denied: add the user libvirt-qemu to its group render (...)". Freed with g_free(). To
 * be called before the sandbox, in which groups have no names. */
char *render_node_find_problem(const char *path);
