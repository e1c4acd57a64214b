// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdint.h>

struct renderer;

extern const struct renderer_kind null_renderer_kind;

/* Accepts every command, keeps nothing, shows nothing: to see what the rest of the device costs.
 * @capsets: 1 << id of each that is offered, with nothing in it. With one there are host blobs too,
 * each a memfd of its own. */
struct renderer *null_renderer_new(uint32_t capsets);
