// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdint.h>

#define EDID_SIZE 128

/* Makes the base block of an EDID 1.4 for a monitor whose preferred mode is @width x @height pixels
 * at 60 Hz. Sizes that a detailed timing cannot say (above 4095) are cut to it. */
void edid_make(uint8_t edid[EDID_SIZE], uint32_t width, uint32_t height);
