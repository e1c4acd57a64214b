// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdint.h>

struct renderer;

extern const struct renderer_kind null_renderer_kind;

/* Accepts every command, keeps no state and has no pixels: for measuring the cost of the rest of
 * the device. @capsets: 1 << id of each capset to offer; their contents are empty. If it is not 0,
 * host blobs are supported too, each a memfd of its own. */
struct renderer *null_renderer_new(uint32_t capsets);
