// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A backing keeps guest addresses, not only iovecs: after the front-end has changed the memory
 * table, the iovecs are made again from these addresses before their next use
 * (resource_find_memory()). While a page is missing, the backing has no iovecs and transfers fail.
 * Unmapped memory is never accessed.
 *
 * Pages that are adjacent in our address space are merged into one piece, so a contiguous
 * framebuffer is copied in one call.
 */
#include "gpu/backing.h"

#include <glib.h>
#include <limits.h>

#include "vhost/memory.h"

/* An entry that crosses from one memory region into the next needs one iovec in each. A valid
 * backing lists each page once, so its entries cross each border between two regions at most once.
 * The limit stops a guest that lists the same pages repeatedly from making our iovec list much
 * longer than its list of entries. */
#define MAX_BORDERS 64
#define MAX_PIECES  (1 + MAX_BORDERS)

/* Writes the pieces to @iov, or only counts them if it is NULL. Returns how many, or -1 if a byte
 * is outside guest memory or there are too many. */
static int collect_pieces(const struct backing *backing, const struct guest_memory *memory,
			  struct iovec *iov)
{
	const int max = MIN((int)backing->n_entries, INT_MAX - MAX_BORDERS) + MAX_BORDERS;
	/* Outside the loop, so that -ftrivial-auto-var-init zeroes it once, not for each entry. */
	struct iovec pieces[MAX_PIECES];
	const uint8_t *end = NULL;
	int n = 0;

	for (uint32_t i = 0; i < backing->n_entries; i++) {
		int n_pieces = guest_memory_iov(memory, backing->entries[i].addr,
						backing->entries[i].length, pieces,
						MIN(max - n, MAX_PIECES));

		if (n_pieces < 0)
			return -1;
		for (int k = 0; k < n_pieces; k++) {
			bool is_next = n > 0 && pieces[k].iov_base == end;

			end = (const uint8_t *)pieces[k].iov_base + pieces[k].iov_len;
			if (!is_next) {
				if (iov)
					iov[n] = pieces[k];
				n++;
			} else if (iov) {
				iov[n - 1].iov_len += pieces[k].iov_len;
			}
		}
	}
	return n;
}

/* Makes the iovecs of a backing that has none. Returns 0, or RESP_ERR_* (as backing_attach()). */
static int make_pieces(struct backing *backing, const struct guest_memory *memory)
{
	int n = collect_pieces(backing, memory, NULL);

	if (n <= 0)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	backing->iov = g_try_new(struct iovec, (size_t)n);
	if (!backing->iov)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	backing->n_iov = collect_pieces(backing, memory, backing->iov);
	return 0;
}

void backing_resolve(struct backing *backing, const struct guest_memory *memory)
{
	g_clear_pointer(&backing->iov, g_free);
	backing->n_iov = 0;
	(void)make_pieces(backing, memory);
}

int backing_attach(struct backing *backing, const struct guest_memory *memory,
		   struct virtio_gpu_mem_entry *entries, uint32_t n_entries)
{
	struct backing fresh = { .entries = entries, .n_entries = n_entries };

	for (uint32_t i = 0; i < n_entries; i++)
		fresh.size += entries[i].length;
	int r = make_pieces(&fresh, memory);

	if (r == 0)
		*backing = fresh;
	return r;
}

void backing_detach(struct backing *backing)
{
	g_free(backing->entries);
	g_free(backing->iov);
	*backing = (struct backing){ 0 };
}
