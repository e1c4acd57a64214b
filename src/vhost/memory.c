// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: a pointer returned by this file points into a mapping with at least as many bytes
 * as were asked for, of a file that was long enough when it was mapped. Regions are sorted by guest
 * address and do not overlap, so a lookup is one binary search. Ranges are compared by subtraction,
 * so no value of a guest or front-end can overflow.
 *
 * A table is never changed in place. Each change builds a new table beside the old one; both hold
 * references to the mappings that they share. A complete new table replaces the old one, then
 * guest_memory_changed_fn is called, and only then are the mappings of removed regions unmapped.
 * Pointers into kept regions stay valid throughout. Until that callback returns, the memory of
 * removed regions can still be accessed through old pointers, but a lookup no longer finds it.
 *
 * The size of a file is checked when its region is added, not at each access. sigbus.c handles
 * files that the front-end truncates later.
 */
#include "vhost/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/udmabuf.h"
#include "vhost/sigbus.h"
#include "vhost/vhost_user.h"

#define MAX_ALIGNMENT (UINT64_C(1) << 34) /* the largest huge page there is */

struct guest_mapping {
	unsigned n_refs; /* the table in use, and the one that is being built */
	void *address;
	size_t size;
	int guard;
	bool is_file; /* regular: device and inode say which one */
	dev_t device;
	ino_t inode;
	int memfd; /* owned; -1: not kept */
};

struct guest_region {
	struct vhost_user_memory_region spec;
	struct guest_mapping *mapping;
	uint8_t *bytes; /* the first one, inside the mapping */
};

static void mapping_unref(struct guest_mapping *mapping)
{
	if (!mapping || --mapping->n_refs > 0)
		return;
	sigbus_guard_remove(mapping->guard);
	munmap(mapping->address, mapping->size);
	fd_close(&mapping->memfd);
	g_free(mapping);
}

static void regions_free(struct guest_region *regions, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		mapping_unref(regions[i].mapping);
	g_free(regions);
}

/* A huge page file is mapped in whole huge pages, and reports their size as its block size. */
static uint64_t file_alignment(const struct stat *st)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), block = (uint64_t)st->st_blksize;

	if (!S_ISREG(st->st_mode) || block < page || block > MAX_ALIGNMENT ||
	    (block & (block - 1)) != 0)
		return page;
	return block;
}

static bool spec_is_sound(const struct vhost_user_memory_region *spec, const struct stat *st)
{
	if (spec->size == 0 || spec->size > INT64_MAX)
		return false;
	if (spec->size - 1 > UINT64_MAX - spec->gpa ||
	    spec->size - 1 > UINT64_MAX - spec->user_addr)
		return false;
	if (spec->mmap_offset > INT64_MAX - spec->size)
		return false;
	return !S_ISREG(st->st_mode) || spec->mmap_offset + spec->size <= (uint64_t)st->st_size;
}

static bool region_is_same(const struct guest_region *r,
			   const struct vhost_user_memory_region *spec, const struct stat *st)
{
	return r->mapping->is_file && S_ISREG(st->st_mode) && r->mapping->device == st->st_dev &&
	       r->mapping->inode == st->st_ino && r->spec.mmap_offset == spec->mmap_offset &&
	       r->spec.size == spec->size && r->spec.gpa == spec->gpa;
}

static int region_map(struct guest_region *region, const struct guest_memory *memory,
		      const struct vhost_user_memory_region *spec, int fd, const struct stat *st)
{
	uint64_t alignment = file_alignment(st);
	uint64_t lead = spec->mmap_offset & (alignment - 1);
	uint64_t size = (lead + spec->size + alignment - 1) & ~(alignment - 1);

	if (size > PTRDIFF_MAX)
		return -ENOMEM;
	void *address = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			     fd, (off_t)(spec->mmap_offset - lead));
	if (address == MAP_FAILED)
		return -errno;
	int guard = sigbus_guard_add(address, (size_t)size, memory->fault_fd);
	if (guard < 0) {
		munmap(address, (size_t)size);
		return guard;
	}
	/* Core files must not contain guest memory. */
	(void)madvise(address, (size_t)size, MADV_DONTDUMP);

	region->mapping = g_new(struct guest_mapping, 1);
	*region->mapping = (struct guest_mapping){
		.n_refs = 1,
		.address = address,
		.size = (size_t)size,
		.guard = guard,
		.is_file = S_ISREG(st->st_mode),
		.device = st->st_dev,
		.inode = st->st_ino,
		.memfd = memory->keeps_memfds && udmabuf_accepts(fd) ? fcntl(fd, F_DUPFD_CLOEXEC, 3)
								     : -1,
	};
	region->bytes = (uint8_t *)address + lead;
	return 0;
}

/* Fills @region from @spec; shares the mapping of an old region if it is the same memory. */
static int region_init(struct guest_region *region, const struct guest_memory *memory,
		       const struct vhost_user_memory_region *spec, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!spec_is_sound(spec, &st))
		return -EPROTO;
	region->spec = *spec;
	for (unsigned i = 0; i < memory->n_regions; i++) {
		const struct guest_region *old = &memory->regions[i];

		if (region_is_same(old, spec, &st)) {
			region->mapping = old->mapping;
			region->mapping->n_refs++;
			region->bytes = old->bytes;
			return 0;
		}
	}
	return region_map(region, memory, spec, fd, &st);
}

/* A copy of the table without region @skip, and with room for one more. */
static struct guest_region *regions_copy(const struct guest_memory *memory, unsigned skip,
					 unsigned *ret_n)
{
	struct guest_region *copy = g_new0(struct guest_region, memory->n_regions + 1);
	unsigned n = 0;

	for (unsigned i = 0; i < memory->n_regions; i++) {
		if (i == skip)
			continue;
		copy[n] = memory->regions[i];
		copy[n++].mapping->n_refs++;
	}
	*ret_n = n;
	return copy;
}

static int compare_regions(const void *a, const void *b)
{
	const struct guest_region *left = a, *right = b;

	if (left->spec.gpa == right->spec.gpa)
		return 0;
	return left->spec.gpa < right->spec.gpa ? -1 : 1;
}

static bool regions_overlap(const struct guest_region *regions, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		if (regions[i].spec.gpa - regions[i - 1].spec.gpa < regions[i - 1].spec.size)
			return true;
	return false;
}

static bool table_is_same(const struct guest_memory *memory, const struct guest_region *regions,
			  unsigned n)
{
	if (n != memory->n_regions)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (regions[i].mapping != memory->regions[i].mapping ||
		    regions[i].spec.user_addr != memory->regions[i].spec.user_addr)
			return false;
	return true;
}

/* Replaces the table. Takes @regions, also on failure. */
static int memory_replace(struct guest_memory *memory, struct guest_region *regions, unsigned n)
{
	if (n > 1)
		qsort(regions, n, sizeof(*regions), compare_regions);
	if (regions_overlap(regions, n)) {
		regions_free(regions, n);
		return -EPROTO;
	}

	bool is_same = table_is_same(memory, regions, n);
	struct guest_region *old = memory->regions;
	unsigned n_old = memory->n_regions;

	memory->regions = regions;
	memory->n_regions = n;
	if (!is_same && memory->changed)
		memory->changed(memory->changed_data);
	regions_free(old, n_old);
	return 0;
}

void guest_memory_init(struct guest_memory *memory, guest_memory_changed_fn changed, void *data)
{
	*memory = (struct guest_memory){
		.changed = changed,
		.changed_data = data,
		.fault_fd = -1,
	};
}

void guest_memory_report_faults(struct guest_memory *memory, int fd)
{
	memory->fault_fd = fd;
}

void guest_memory_keep_memfds(struct guest_memory *memory)
{
	memory->keeps_memfds = true;
}

void guest_memory_finish(struct guest_memory *memory)
{
	regions_free(memory->regions, memory->n_regions);
	*memory = (struct guest_memory){ .fault_fd = -1 };
}

int guest_memory_set(struct guest_memory *memory, const struct vhost_user_memory_region *specs,
		     const int *fds, unsigned n)
{
	if (n > GUEST_MEMORY_MAX_REGIONS)
		return -ENOSPC;

	struct guest_region *regions = g_new0(struct guest_region, n);

	for (unsigned i = 0; i < n; i++) {
		int r = region_init(&regions[i], memory, &specs[i], fds[i]);

		if (r < 0) {
			regions_free(regions, n);
			return r;
		}
	}
	return memory_replace(memory, regions, n);
}

int guest_memory_add(struct guest_memory *memory, const struct vhost_user_memory_region *spec,
		     int fd)
{
	if (memory->n_regions >= GUEST_MEMORY_MAX_REGIONS)
		return -ENOSPC;

	unsigned n;
	struct guest_region *regions = regions_copy(memory, memory->n_regions, &n);
	int r = region_init(&regions[n], memory, spec, fd);

	if (r < 0) {
		regions_free(regions, n);
		return r;
	}
	return memory_replace(memory, regions, n + 1);
}

int guest_memory_remove(struct guest_memory *memory, const struct vhost_user_memory_region *spec)
{
	for (unsigned i = 0; i < memory->n_regions; i++) {
		const struct vhost_user_memory_region *s = &memory->regions[i].spec;

		if (s->gpa == spec->gpa && s->user_addr == spec->user_addr &&
		    s->size == spec->size) {
			unsigned n;
			struct guest_region *regions = regions_copy(memory, i, &n);

			return memory_replace(memory, regions, n);
		}
	}
	return -EPROTO;
}

uint64_t guest_memory_size(const struct guest_memory *memory)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < memory->n_regions; i++)
		size += memory->regions[i].spec.size;
	return size;
}

uint64_t guest_memory_largest(const struct guest_memory *memory)
{
	uint64_t largest = 0;

	for (unsigned i = 0; i < memory->n_regions; i++)
		largest = MAX(largest, memory->regions[i].spec.size);
	return largest;
}

/* The region that holds the byte at @gpa. */
static const struct guest_region *region_at(const struct guest_memory *memory, uint64_t gpa)
{
	unsigned low = 0, high = memory->n_regions;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (memory->regions[middle].spec.gpa <= gpa)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	const struct guest_region *r = &memory->regions[low - 1];

	return gpa - r->spec.gpa < r->spec.size ? r : NULL;
}

void *guest_memory_at(const struct guest_memory *memory, uint64_t gpa, uint64_t size)
{
	const struct guest_region *r = region_at(memory, gpa);

	if (!r || size > r->spec.size - (gpa - r->spec.gpa))
		return NULL;
	return r->bytes + (gpa - r->spec.gpa);
}

void *guest_memory_at_user(const struct guest_memory *memory, uint64_t user_addr, uint64_t size)
{
	/* A linear search, because the table is not sorted by this address. Called only for the
	 * addresses of rings, when a ring starts and when the memory table changes. */
	for (unsigned i = 0; i < memory->n_regions; i++) {
		const struct guest_region *r = &memory->regions[i];

		if (user_addr >= r->spec.user_addr && size <= r->spec.size &&
		    user_addr - r->spec.user_addr <= r->spec.size - size)
			return r->bytes + (user_addr - r->spec.user_addr);
	}
	return NULL;
}

int guest_memory_iov(const struct guest_memory *memory, uint64_t gpa, uint64_t size,
		     struct iovec *iov, int max)
{
	int n = 0;

	if (size == 0)
		return 0;
	if (size - 1 > UINT64_MAX - gpa)
		return -EFAULT;
	while (size > 0) {
		const struct guest_region *r = region_at(memory, gpa);

		if (!r)
			return -EFAULT;
		if (n >= max)
			return -E2BIG;
		uint64_t offset = gpa - r->spec.gpa;
		uint64_t length = MIN(size, r->spec.size - offset);

		iov[n++] = (struct iovec){ r->bytes + offset, (size_t)length };
		gpa += length;
		size -= length;
	}
	return n;
}

int guest_memory_list(const struct guest_memory *memory, uint64_t gpa, uint64_t size,
		      struct udmabuf_list *list)
{
	if (size > 0 && size - 1 > UINT64_MAX - gpa)
		return -EFAULT;
	while (size > 0) {
		const struct guest_region *r = region_at(memory, gpa);

		if (!r)
			return -EFAULT;
		if (r->mapping->memfd < 0)
			return -ENOTSUP;
		uint64_t offset = gpa - r->spec.gpa;
		uint64_t length = MIN(size, r->spec.size - offset);
		int error = udmabuf_list_add(list, r->mapping->memfd, r->spec.mmap_offset + offset,
					     length);

		if (error < 0)
			return error;
		gpa += length;
		size -= length;
	}
	return 0;
}
