// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdint.h>

/* The mask of feature bit @n; the specifications number bits from 0. */
#define BIT64(n) (UINT64_C(1) << (n))
