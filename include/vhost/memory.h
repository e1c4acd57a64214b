// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The guest's memory, as mapped here (vhost-user, "Memory regions description"). Every translation
 * of a guest address to a pointer goes through this file. Addresses and lengths are in bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* The answer to GET_MAX_MEM_SLOTS; as many memory slots as QEMU and KVM have. */
#define GUEST_MEMORY_MAX_REGIONS 509

struct guest_region;
struct udmabuf_list;
struct vhost_user_memory_region;

/* Called when the table has changed: new regions can be looked up, removed regions cannot, but are
 * still mapped. Holders of iovecs into guest memory look them up again here. Not called if the
 * front-end sends the same table again. */
typedef void (*guest_memory_changed_fn)(void *data);

struct guest_memory {
	struct guest_region *regions; /* sorted by gpa, they do not overlap */
	unsigned n_regions;
	guest_memory_changed_fn changed;
	void *changed_data;
	int fault_fd; /* borrowed; -1: none */
	bool keeps_memfds;
};

/* @changed may be NULL. */
void guest_memory_init(struct guest_memory *memory, guest_memory_changed_fn changed, void *data);
/* From now on, regions that are added report missing pages (of a truncated file, for example) by
 * adding one to the eventfd @fd (borrowed). Such a region then holds zeros. */
void guest_memory_report_faults(struct guest_memory *memory, int fd);
/* From now on, a region that is added keeps a descriptor of its file, if the file is a memfd from
 * which the kernel can make a dma-buf (udmabuf). */
void guest_memory_keep_memfds(struct guest_memory *memory);
/* Unmaps all without calling changed. */
void guest_memory_finish(struct guest_memory *memory);

/*
 * Replaces the whole table (SET_MEM_TABLE); @n may be 0. @fds are borrowed (a mapping needs no
 * descriptor once it is made). A region that the old table has too (same file, offset, size and
 * guest address) keeps its mapping, so pointers into it stay good. On failure the old table stands.
 * Returns 0; -EPROTO for an invalid table (empty, wrapping or overlapping regions, or a region past
 * the end of its file); -errno if it cannot be mapped.
 */
int guest_memory_set(struct guest_memory *memory, const struct vhost_user_memory_region *specs,
		     const int *fds, unsigned n);

/* Adds one region (ADD_MEM_REG); @fd is borrowed. Returns as guest_memory_set() does. Both return
 * -ENOSPC if there would be more than GUEST_MEMORY_MAX_REGIONS regions. */
int guest_memory_add(struct guest_memory *memory, const struct vhost_user_memory_region *spec,
		     int fd);

/* Removes the region with this gpa, user_addr and size (REM_MEM_REG). -EPROTO if there is none. */
int guest_memory_remove(struct guest_memory *memory, const struct vhost_user_memory_region *spec);

/* Bytes of all regions, and of the largest one. */
uint64_t guest_memory_size(const struct guest_memory *memory);
uint64_t guest_memory_largest(const struct guest_memory *memory);

/* @size bytes at guest address @gpa, or NULL unless they lie in one region. Valid until the region
 * is removed, and guest_memory_changed_fn has returned. */
void *guest_memory_at(const struct guest_memory *memory, uint64_t gpa, uint64_t size);
/* The same for a front-end address (vhost-user: user address), as ring addresses are. */
void *guest_memory_at_user(const struct guest_memory *memory, uint64_t user_addr, uint64_t size);

/*
 * The @size bytes at guest address @gpa as at most @max pieces, which may cross adjacent regions.
 * Returns how many pieces (0 if @size is 0), -EFAULT if a byte is outside, -E2BIG past @max.
 */
int guest_memory_iov(const struct guest_memory *memory, uint64_t gpa, uint64_t size,
		     struct iovec *iov, int max);
/*
 * Adds the @size bytes at guest address @gpa to @list, as pieces of their files, whose descriptors
 * are borrowed until the table changes. -EFAULT if a byte is outside, -ENOTSUP if it is not in a
 * memfd that was kept, -E2BIG if the list is full. After any error the list is of no use.
 */
int guest_memory_list(const struct guest_memory *memory, uint64_t gpa, uint64_t size,
		      struct udmabuf_list *list);
