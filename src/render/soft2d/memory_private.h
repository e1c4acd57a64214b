// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The memory of a picture of the CPU's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct soft2d_memory {
	uint8_t *data;
	size_t size; /* bytes */
	int memfd;   /* owned; -1: no dma-buf can be made of it */
};

/* Bytes that a picture of @size bytes takes. */
uint64_t soft2d_memory_cost(uint64_t size);
/* Whether a picture of @size bytes is one that a screen may show, and can be a dma-buf. */
bool soft2d_memory_may_be_shared(size_t size);
/* @size bytes of zeros; in a memfd if @is_shared and the host allows it. False: the host has no
 * memory. */
bool soft2d_memory_init(struct soft2d_memory *memory, size_t size, bool is_shared);
/* Releases some of the memory, from the end. False: soft2d_memory_finish() has become quick. */
bool soft2d_memory_shrink(struct soft2d_memory *memory);
void soft2d_memory_finish(struct soft2d_memory *memory);
/* Makes a dma-buf, which the caller owns, with the device @udmabuf (base/udmabuf.h). -ENOTSUP if
 * the memory is in no memfd; -errno. */
int soft2d_memory_export(const struct soft2d_memory *memory, int udmabuf);
