// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* One input, as the life of a device in its world. */

#include <stdint.h>

struct input;
struct world;

/* Bits of the byte that begins an input; 0 and 1 choose the world. */
enum {
	STORY_WITHOUT_FEATURES = 4,
	STORY_EVENT_IDX = 8,
	STORY_WITHOUT_DISPLAY = 0x10, /* at first */
	STORY_SETTLES = 0x20,
};

/* From the world's start to its end. */
void story_run(struct world *world, uint8_t setup, struct input *in);
