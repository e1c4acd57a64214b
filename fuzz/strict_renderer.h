// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* A renderer of the fuzzer's own, with every hook there is, that takes the device at its word and
 * checks that it keeps it. */

#include <stdbool.h>
#include <stdint.h>

struct renderer;

struct strict_knobs {
	bool create_fails, attach_fails, submit_fails, fence_fails, export_fails, read_fails;
};

/* The one there is. */
struct renderer *strict_renderer_new(void);
/* What is to go wrong from now on. */
void strict_renderer_set_knobs(const struct strict_knobs *knobs);
/* Lets the oldest @n fences of any timeline pass, at the next poll. */
void strict_renderer_pass(unsigned n);
/* Whether the device holds nothing of it any more. */
bool strict_renderer_is_empty(void);
