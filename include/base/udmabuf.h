// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Makes a dma-buf of pages of memfds (Linux: /dev/udmabuf), so that a display can read them in
 * place. The dma-buf keeps the pages, also after the memfds are closed.
 */

#include <linux/udmabuf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's defaults: it refuses more pieces, or more bytes, in one dma-buf. */
#define UDMABUF_MAX_PIECES 1024
#define UDMABUF_MAX_BYTES  (UINT64_C(64) << 20)

/* Pieces of memfds, in the order in which they follow each other in the dma-buf. All zeros: none.
 * It begins as the kernel's struct udmabuf_create_list does. */
struct udmabuf_list {
	uint32_t flags, count;
	struct udmabuf_create_item items[UDMABUF_MAX_PIECES];
	uint64_t size; /* bytes of all pieces */
};

/* Opens the device. The caller owns the descriptor. -errno. */
int udmabuf_open(void);
/* Whether the kernel accepts pages of @fd: a memfd that is sealed against shrinking, and not sealed
 * against writing. */
bool udmabuf_accepts(int fd);
/* Adds @size bytes at @offset of the memfd @fd (borrowed until the dma-buf is made); a piece that
 * continues the last one is joined to it. 0, or -E2BIG. */
int udmabuf_list_add(struct udmabuf_list *list, int fd, uint64_t offset, uint64_t size);
/* Makes a dma-buf, which the caller owns, with the device @device (borrowed). Each piece must begin
 * and end at a page. Returns its descriptor, or -errno. */
int udmabuf_new(int device, struct udmabuf_list *list);
/* Called after a CPU (of the host or a guest) wrote to the dma-buf @fd, before a device reads it.
 * Never waits. */
void udmabuf_flush(int fd);
