// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Checks whether this user may open the DRM render node at @path. Returns NULL, or the reason and
 * the remedy, for example "Permission denied: add the user libvirt-qemu to its group render (...)",
 * freed with g_free(). To be called before the sandbox is entered: group names cannot be looked up
 * inside it. */
char *render_node_find_problem(const char *path);
