// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Whether a library or a driver works here: tried in a child, before this process has threads. */

/* Runs @fn in a child, whose standard output and error are closed. NULL if @fn returned NULL; else
 * one sentence (freed with g_free()): what it returned, or why it did not return. */
char *trial_run(const char *(*fn)(void *data), void *data);

/* vulkan_driver.c, for such a child: whether Vulkan has a driver. NULL, or why not: static. */
const char *vulkan_driver_find_problem(void);
