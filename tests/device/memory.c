// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Guest memory as QEMU has it: files that the daemon maps. Each byte has three addresses: the
 * guest's (gpa) in descriptors and backings, QEMU's own (user_addr) in SET_VRING_ADDR, and the
 * offset in the file (mmap_offset) only in the memory table. user_addr always differs from the
 * other two, and in the high region all three differ, so that confusing them is noticed at once.
 * The low and the main region share one file with a hole between them, like the PC's memory below
 * 1 MiB. The high region starts in the middle of its file.
 */
#include "vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB       UINT64_C(0x100000)
#define USER_BASE UINT64_C(0x7e5500000000)
#define USER_STEP UINT64_C(0x100000000)

#define LOW_SIZE    UINT64_C(0xa0000)
#define MAIN_GPA    UINT64_C(0xc0000)
#define MAIN_SIZE   (256 * MIB - MAIN_GPA)
#define HIGH_GPA    UINT64_C(0x100000000)
#define HIGH_SIZE   (64 * MIB)
#define HIGH_OFFSET (2 * MIB)

static void add_region(struct guest_memory *m, uint64_t gpa, uint64_t size, int fd, uint64_t offset)
{
	struct guest_region *r = &m->regions[m->count];
	void *host;

	if (m->count == MEMORY_REGIONS)
		vmm_fail("too many memory regions");
	host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (host == MAP_FAILED)
		vmm_fail("mmap of guest memory: %s", strerror(errno));
	*r = (struct guest_region){
		.wire = { gpa, size, USER_BASE + gpa + m->count * USER_STEP, offset },
		.fd = fd,
		.host = host,
	};
	m->count++;
}

static int new_file(uint64_t size)
{
	int fd = memfd_create("guest-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		vmm_fail("a memfd of %llu bytes: %s", (unsigned long long)size, strerror(errno));
	return fd;
}

void memory_seal(struct guest_memory *m)
{
	for (unsigned i = 0; i < m->count; i++)
		if (fcntl(m->regions[i].fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
			vmm_fail("the seals of guest memory: %s", strerror(errno));
}

void memory_init(struct guest_memory *m)
{
	int fd = new_file(MAIN_GPA + MAIN_SIZE);

	*m = (struct guest_memory){ 0 };
	add_region(m, 0, LOW_SIZE, fd, 0);
	add_region(m, MAIN_GPA, MAIN_SIZE, dup(fd), MAIN_GPA);
	add_region(m, HIGH_GPA, HIGH_SIZE, new_file(HIGH_OFFSET + HIGH_SIZE), HIGH_OFFSET);
	m->regions[MEMORY_LOW].allocated = 0x1000; /* nothing at address 0 */
}

unsigned memory_add(struct guest_memory *m, uint64_t gpa, uint64_t size, uint64_t mmap_offset)
{
	add_region(m, gpa, size, new_file(mmap_offset + size), mmap_offset);
	return m->count - 1;
}

void memory_remove(struct guest_memory *m, unsigned index)
{
	munmap(m->regions[index].host, m->regions[index].wire.size);
	close(m->regions[index].fd);
	m->count--;
	memmove(&m->regions[index], &m->regions[index + 1],
		(m->count - index) * sizeof(m->regions[0]));
}

void memory_finish(struct guest_memory *m)
{
	while (m->count > 0)
		memory_remove(m, m->count - 1);
}

uint64_t memory_alloc(struct guest_memory *m, unsigned region, uint64_t size, uint64_t align)
{
	struct guest_region *r = &m->regions[region];
	uint64_t gpa = (r->wire.gpa + r->allocated + align - 1) / align * align;

	if (gpa - r->wire.gpa > r->wire.size || size > r->wire.size - (gpa - r->wire.gpa))
		vmm_fail("guest memory region %u has no %llu bytes left", region,
			 (unsigned long long)size);
	r->allocated = gpa + size - r->wire.gpa;
	return gpa;
}

static const struct guest_region *find(const struct guest_memory *m, uint64_t gpa, uint64_t size)
{
	for (unsigned i = 0; i < m->count; i++) {
		const struct vhost_user_memory_region *w = &m->regions[i].wire;

		if (gpa >= w->gpa && size <= w->size && gpa - w->gpa <= w->size - size)
			return &m->regions[i];
	}
	vmm_fail("%#llx is no guest memory", (unsigned long long)gpa);
}

void *memory_at(const struct guest_memory *m, uint64_t gpa, uint64_t size)
{
	const struct guest_region *r = find(m, gpa, size);

	return r->host + (gpa - r->wire.gpa);
}

uint64_t memory_user_addr(const struct guest_memory *m, uint64_t gpa)
{
	const struct guest_region *r = find(m, gpa, 1);

	return r->wire.user_addr + (gpa - r->wire.gpa);
}
