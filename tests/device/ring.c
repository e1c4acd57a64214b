// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The driver's side of a split virtqueue (VIRTIO 1.2, 2.7), with INDIRECT_DESC and EVENT_IDX. The
 * driver behaves well and distrusts the device: each used entry must name a chain in flight, once,
 * with a length that the chain can hold. It depends on the device's notifications as Linux does: it
 * kicks only if avail_event asks for it, and requests an interrupt at the next used entry. So a
 * device with a wrong index makes a test time out. Links between descriptors are in r->next, not in
 * the table, because tests write invalid values into the table. Such tests set takes_any_head: then
 * a used entry that names no chain in flight is ignored.
 */
#include "vmm.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define INDIRECT_MAX 16

static int new_event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		vmm_fail("eventfd: %s", strerror(errno));
	return fd;
}

void ring_init(struct ring *r, struct vmm *vmm, unsigned index, unsigned size)
{
	struct guest_memory *m = &vmm->memory;
	uint64_t used_offset;
	void *base;

	*r = (struct ring){ .vmm = vmm, .index = index, .size = size };
	r->kick_fd = new_event();
	r->call_fd = new_event();
	r->error_fd = new_event();
	r->desc_gpa = memory_alloc(m, MEMORY_LOW, vring_size(size, 4096), 4096);
	base = memory_at(m, r->desc_gpa, vring_size(size, 4096));
	vring_init(&r->vring, size, base, 4096);
	used_offset = (uint64_t)((uint8_t *)r->vring.used - (uint8_t *)base);
	r->avail_gpa = r->desc_gpa + size * sizeof(struct vring_desc);
	r->used_gpa = r->desc_gpa + used_offset;
	r->slots_gpa = memory_alloc(m, MEMORY_MAIN, (uint64_t)size * SLOT_SIZE, SLOT_SIZE);
	ring_clear(r);
}

void ring_finish(struct ring *r)
{
	close(r->kick_fd);
	close(r->call_fd);
	close(r->error_fd);
}

void ring_clear(struct ring *r)
{
	memset(r->vring.desc, 0, vring_size(r->size, 4096));
	memset(r->chains, 0, sizeof(r->chains));
	for (unsigned i = 0; i < r->size; i++)
		r->next[i] = (uint16_t)(i + 1);
	r->free_head = 0;
	r->free_count = (uint16_t)r->size;
	r->avail_idx = r->kicked_idx = r->used_idx = r->base = 0;
	r->takes_any_head = false;
}

uint16_t ring_reserve(struct ring *r, unsigned descriptors)
{
	uint16_t head = r->free_head;

	if (descriptors > r->free_count)
		vmm_fail("ring %u has no %u free descriptors", r->index, descriptors);
	r->free_count = (uint16_t)(r->free_count - descriptors);
	r->chains[head] = (struct chain){ .head = head, .descriptors = (uint16_t)descriptors };
	while (descriptors--)
		r->free_head = r->next[r->free_head];
	return head;
}

void ring_release(struct ring *r, struct chain *c)
{
	uint16_t last = c->head;

	for (unsigned i = 1; i < c->descriptors; i++)
		last = r->next[last];
	r->next[last] = r->free_head;
	r->free_head = c->head;
	r->free_count = (uint16_t)(r->free_count + c->descriptors);
	c->is_in_flight = false;
}

static void publish(struct ring *r)
{
	__atomic_store_n(&r->vring.avail->idx, r->avail_idx, __ATOMIC_RELEASE);
}

void ring_expose_raw(struct ring *r, uint16_t value)
{
	r->vring.avail->ring[r->avail_idx % r->size] = value;
	r->avail_idx++;
	if (!r->exposes_on_kick)
		publish(r);
}

void ring_expose(struct ring *r, uint16_t head)
{
	r->chains[head].is_in_flight = true;
	r->chains[head].is_done = false;
	ring_expose_raw(r, head);
}

static struct vring_desc describe(const struct guest_buf *b, bool has_next, uint16_t next)
{
	return (struct vring_desc){
		.addr = b->gpa,
		.len = b->len,
		.flags = (uint16_t)((b->is_written ? VRING_DESC_F_WRITE : 0) |
				    (has_next ? VRING_DESC_F_NEXT : 0)),
		.next = has_next ? next : 0,
	};
}

static void fill_indirect(struct ring *r, uint16_t head, const struct guest_buf *bufs,
			  unsigned count)
{
	struct guest_buf b =
		ring_slot(r, head, SLOT_TABLE, count * sizeof(struct vring_desc), false);
	struct vring_desc *table = memory_at(&r->vmm->memory, b.gpa, b.len);

	for (unsigned i = 0; i < count; i++)
		table[i] = describe(&bufs[i], i + 1 < count, (uint16_t)(i + 1));
	r->vring.desc[head] = describe(&b, false, 0);
	r->vring.desc[head].flags = VRING_DESC_F_INDIRECT;
}

struct chain *ring_add(struct ring *r, const struct guest_buf *bufs, unsigned count)
{
	bool indirect = r->uses_indirect && count > 1 && count <= INDIRECT_MAX;
	uint16_t head = ring_reserve(r, indirect ? 1 : count);
	uint16_t id = head;

	if (indirect)
		fill_indirect(r, head, bufs, count);
	for (unsigned i = 0; !indirect && i < count; i++) {
		r->vring.desc[id] = describe(&bufs[i], i + 1 < count, r->next[id]);
		id = r->next[id];
	}
	ring_expose(r, head);
	return &r->chains[head];
}

struct guest_buf ring_slot(struct ring *r, uint16_t head, uint32_t offset, uint32_t len,
			   bool is_written)
{
	return (struct guest_buf){ r->slots_gpa + (uint64_t)head * SLOT_SIZE + offset, len,
				   is_written };
}

void ring_kick_always(struct ring *r)
{
	uint64_t one = 1;

	r->kicked_idx = r->avail_idx;
	r->kicks++;
	if (write(r->kick_fd, &one, sizeof(one)) != sizeof(one))
		vmm_fail("kick of ring %u: %s", r->index, strerror(errno));
}

void ring_kick(struct ring *r)
{
	uint16_t event, flags;

	if (r->exposes_on_kick)
		publish(r);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = __atomic_load_n(&vring_avail_event(&r->vring), __ATOMIC_RELAXED);
	flags = __atomic_load_n(&r->vring.used->flags, __ATOMIC_RELAXED);
	if (r->uses_event_idx ? vring_need_event(event, r->avail_idx, r->kicked_idx)
			      : !(flags & VRING_USED_F_NO_NOTIFY))
		ring_kick_always(r);
	r->kicked_idx = r->avail_idx;
}

static void take(struct ring *r, struct vring_used_elem e)
{
	struct chain *c;

	if (r->takes_any_head && (e.id >= r->size || !r->chains[e.id].is_in_flight))
		return;
	if (e.id >= r->size || !r->chains[e.id].is_in_flight)
		vmm_fail("ring %u: used entry %u names chain %u, which is not in flight", r->index,
			 r->used_idx, e.id);
	c = &r->chains[e.id];
	if (c->is_done)
		vmm_fail("ring %u: chain %u came back twice", r->index, e.id);
	c->is_done = true;
	c->used_len = e.len;
}

void ring_collect(struct ring *r)
{
	for (;;) {
		uint16_t idx = __atomic_load_n(&r->vring.used->idx, __ATOMIC_ACQUIRE);

		if ((uint16_t)(idx - r->used_idx) > r->size)
			vmm_fail("ring %u: used index went from %u to %u", r->index, r->used_idx,
				 idx);
		if (idx == r->used_idx)
			return;
		while (r->used_idx != idx) {
			take(r, r->vring.used->ring[r->used_idx % r->size]);
			r->used_idx++;
		}
		/* Requests an interrupt at the next entry, then looks again, because one may just
		 * have come. */
		__atomic_store_n(&vring_used_event(&r->vring), r->used_idx, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
}

void ring_read_interrupt(struct ring *r)
{
	uint64_t n = 0;

	if (read(r->call_fd, &n, sizeof(n)) == sizeof(n))
		r->interrupts += n;
}
