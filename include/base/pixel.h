// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Bytes of a 32-bit pixel: of 2D resources, cursors, and all that a display is sent. */
#define PIXEL_BYTES 4u
