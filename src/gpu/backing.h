// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct guest_memory;

/* The guest memory of a resource: the guest's addresses, and iovecs of the same bytes as mapped in
 * this process. */
struct backing {
	struct virtio_gpu_mem_entry *entries; /* owned; NULL: nothing is attached */
	uint32_t n_entries;
	uint64_t size;     /* bytes of all entries */
	struct iovec *iov; /* owned; NULL: a part is outside guest memory */
	int n_iov;
	uint64_t version; /* the version of guest memory for which iov is valid */
};

/* Takes @entries (from g_malloc) unless it fails. 0; VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER if they
 * are not in guest memory; VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY. */
int backing_attach(struct backing *backing, const struct guest_memory *memory,
		   struct virtio_gpu_mem_entry *entries, uint32_t n_entries);
/* Frees all and leaves nothing attached. */
void backing_detach(struct backing *backing);

static inline bool backing_is_attached(const struct backing *backing)
{
	return backing->entries;
}

/* Looks the entries up in @memory again; iov is NULL afterwards if some are gone. */
void backing_resolve(struct backing *backing, const struct guest_memory *memory);
