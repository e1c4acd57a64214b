// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A renderer of the fuzzer with every hook but pixels, blob_export, resource_cost and
 * resource_shrink. It relies on the device's promises and checks that the device keeps them. */

#include <stdbool.h>
#include <stdint.h>

struct renderer;

struct strict_knobs {
	bool create_fails, attach_fails, submit_fails, fence_fails, export_fails, read_fails;
};

/* The only instance. */
struct renderer *strict_renderer_new(void);
/* Selects what fails from now on. */
void strict_renderer_set_knobs(const struct strict_knobs *knobs);
/* Completes the oldest @n fences of all timelines together, at the next poll. */
void strict_renderer_pass(unsigned n);
/* Whether the device holds no object of it. */
bool strict_renderer_is_empty(void);
