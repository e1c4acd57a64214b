// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* Tries in a child whether a library or a driver works. To be called before this process has
 * threads. */

/* Runs @fn in a child, whose standard output and error are discarded. Returns NULL if @fn returned
 * NULL; else one sentence (freed with g_free()): the one that @fn returned, or the reason why it
 * did not return. */
char *trial_run(const char *(*fn)(void *data), void *data);

/* vulkan_driver.c, to be called in such a child: whether Vulkan has a driver. Returns NULL, or a
 * static sentence that says why not. */
const char *vulkan_driver_find_problem(void);

/* Vulkan's devices on this host. */
struct vulkan_gpus {
	dev_t node; /* set by the caller: the render node of the device to find; 0: none */
	int index;  /* of the device with that node, in Vulkan's order; -1: there is none */
	/* The largest width and height of 2D images, in pixels, on the device with that node; if
	 * there is none, the smallest such limit of all devices. */
	uint32_t max_dimension;
};

/* vulkan_driver.c, to be called in such a child, so @gpus has to be memory that is shared with it.
 * Returns NULL, or a static sentence. */
const char *vulkan_driver_look_at_gpus(struct vulkan_gpus *gpus);
