// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* One input: what happens to a device from its first command to its reset. */

#include <stdint.h>

struct input;
struct harness;

/* Bits of the first byte of an input; 0 and 1 choose the harness. */
enum {
	SCENARIO_WITHOUT_FEATURES = 4,
	SCENARIO_EVENT_IDX = 8,
	SCENARIO_WITHOUT_DISPLAY = 0x10, /* at first */
	SCENARIO_SETTLES = 0x20,
	SCENARIO_PACED = 0x40, /* frames wait for their interval to end */
};

/* Runs one input: from harness_start() to harness_end(). */
void scenario_run(struct harness *harness, uint8_t setup, struct input *in);
