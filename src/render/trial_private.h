// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Tries in a child whether a library or a driver works. To be called before this process has
 * threads. */

/* Runs @fn in a child, whose standard output and error are closed. Returns NULL if @fn returned
 * NULL; else one sentence (freed with g_free()): the one that @fn returned, or the reason why it
 * did not return. */
char *trial_run(const char *(*fn)(void *data), void *data);

/* vulkan_driver.c, to be called in such a child: whether Vulkan has a driver. Returns NULL, or a
 * static sentence that says why not. */
const char *vulkan_driver_find_problem(void);
