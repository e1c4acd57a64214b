// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stdint.h>

/* Feature bits are numbered from 0 in every specification here. */
#define BIT64(n) (UINT64_C(1) << (n))
