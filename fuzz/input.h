// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Turns an input into operations and numbers. Reads past its end give 0, so that every input is
 * valid, and a short one is a short scenario.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
	const uint8_t *bytes;
	size_t left;
};

/* An input at its end. */
static inline struct input input_none(void)
{
	return (struct input){ (const uint8_t *)"", 0 };
}

static inline bool input_is_empty(const struct input *in)
{
	return in->left == 0;
}

/* Copies up to @size bytes and fills the rest with zeros. */
static inline void input_copy(struct input *in, void *to, size_t size)
{
	size_t n = size < in->left ? size : in->left;

	memset(to, 0, size);
	if (n > 0)
		memcpy(to, in->bytes, n);
	in->bytes += n;
	in->left -= n;
}

/* At most @max bytes, in place in the input; returns how many. */
static inline size_t input_take(struct input *in, size_t max, const uint8_t **ret)
{
	size_t n = max < in->left ? max : in->left;

	*ret = in->bytes;
	in->bytes += n;
	in->left -= n;
	return n;
}

static inline uint8_t input_u8(struct input *in)
{
	uint8_t value;

	input_copy(in, &value, sizeof(value));
	return value;
}

static inline uint16_t input_u16(struct input *in)
{
	uint16_t value;

	input_copy(in, &value, sizeof(value));
	return value;
}

static inline uint32_t input_u32(struct input *in)
{
	uint32_t value;

	input_copy(in, &value, sizeof(value));
	return value;
}

static inline uint64_t input_u64(struct input *in)
{
	uint64_t value;

	input_copy(in, &value, sizeof(value));
	return value;
}

/* 0 to @n - 1; @n at most 256. */
static inline unsigned input_below(struct input *in, unsigned n)
{
	return input_u8(in) % n;
}

/*
 * A number in as few bytes as it needs: up to 0xdf it is itself, 0xe0 to 0xef are numbers at which
 * arithmetic goes wrong, 0xf0 to 0xf7 are followed by 16 bits, 0xf8 to 0xff by 32.
 */
static inline uint32_t input_number(struct input *in)
{
	static const uint32_t edges[16] = {
		0x100,      0x400,      0x1000,     0x3fff,     0x4000,     0x4001,
		0x10000,    0x100000,   0x20000000, 0x3fffffff, 0x40000000, 0x7fffffff,
		0x80000000, 0xfffff000, 0xfffffffe, 0xffffffff,
	};
	uint8_t first = input_u8(in);

	if (first < 0xe0)
		return first;
	if (first < 0xf0)
		return edges[first & 15];
	return first < 0xf8 ? input_u16(in) : input_u32(in);
}

/* The same for 64 bits: the first byte 0xff is followed by 64. */
static inline uint64_t input_number64(struct input *in)
{
	if (in->left > 0 && in->bytes[0] == 0xff) {
		input_u8(in);
		return input_u64(in);
	}
	uint64_t low = input_number(in);

	return low == 0xfffffffe ? UINT64_MAX - 1 : low == 0xffffffff ? UINT64_MAX : low;
}
