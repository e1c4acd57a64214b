// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Bytes of a 32-bit pixel, as in 2D resources, cursors and pixels sent to a display. */
#define PIXEL_BYTES 4u
