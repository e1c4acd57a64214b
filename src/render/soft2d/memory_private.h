// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The memory for the pixels of a 2D resource ("picture") that the CPU renders. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct soft2d_memory {
	uint8_t *data;
	size_t size; /* bytes */
	int memfd;   /* owned; -1: no dma-buf can be made of it */
};

/* Bytes of host memory that a picture of @size bytes takes: large ones take whole pages. */
uint64_t soft2d_memory_cost(uint64_t size);
/* Whether a picture of @size bytes may be exported as a dma-buf: it is large enough to have its own
 * mapping, and not too large for udmabuf. */
bool soft2d_memory_may_be_shared(size_t size);
/* Allocates @size bytes of zeros; in a memfd if @is_shared and the host allows it. Returns false if
 * the host has no memory. */
bool soft2d_memory_init(struct soft2d_memory *memory, size_t size, bool is_shared);
/* Releases a part of the memory, from the end, so that no single call takes long. Returns false
 * when nothing was released because so little is left that soft2d_memory_finish() is quick. */
bool soft2d_memory_shrink(struct soft2d_memory *memory);
void soft2d_memory_finish(struct soft2d_memory *memory);
/* Makes a dma-buf, which the caller owns, with the device @udmabuf (base/udmabuf.h). -ENOTSUP if
 * the memory is in no memfd; -errno. */
int soft2d_memory_export(const struct soft2d_memory *memory, int udmabuf);
