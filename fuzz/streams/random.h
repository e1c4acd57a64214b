// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Pseudo-random numbers from a seed, so that a session can be generated again from its number. */

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

/* splitmix64. */
static inline uint32_t random_u32(struct random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ z >> 31) >> 16);
}

/* 0 to @n - 1. */
static inline uint32_t random_below(struct random *random, uint32_t n)
{
	return (uint32_t)((uint64_t)random_u32(random) * n >> 32);
}

/* True once in @n times. */
static inline bool random_one_in(struct random *random, uint32_t n)
{
	return random_below(random, n) == 0;
}
