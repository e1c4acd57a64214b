// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <stddef.h>

/* From a pointer to a member to the struct that holds it. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
