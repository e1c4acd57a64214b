// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdint.h>

#define EDID_SIZE 128

/* Makes the base block of an EDID 1.4 for a monitor whose preferred mode is @width x @height pixels
 * at 60 Hz. What the detailed timing descriptor cannot hold is reduced: a size above 4095 becomes
 * 4095, and a mode with a pixel clock above 655.35 MHz gets a lower refresh rate. */
void edid_make(uint8_t edid[EDID_SIZE], uint32_t width, uint32_t height);
