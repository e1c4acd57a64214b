// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: each number in the ring is read once, checked, and then only the copy is used,
 * because the guest may change the ring at any time. An iovec returned by this file lies in guest
 * memory as it is mapped now.
 *
 * last_avail and next_used are the device's own indices and are never read back from the ring while
 * it runs. No more chains are in flight than the ring has descriptors. If a guest offers more (the
 * same chain again and again, for example), the ring is broken, so the device never holds an
 * endless list of commands.
 *
 * Ordering (VIRTIO 1.2, 2.7.13 and 2.7.14): the available index is read with acquire before its
 * entries, the used index is written with release after its entries. Two places store and then
 * load: the used index is stored before we read whether the guest wants an interrupt, and our wish
 * for kicks is stored before we read the available index again. Acquire and release do not order a
 * store before a later load, so both places have a full fence, with EVENT_IDX and with flags.
 */
#include "vhost/vring.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "vhost/memory.h"
#include "vhost/ring_layout.h"

#define LOG_MODULE "vring"
#include "base/log.h"

/* The state of reading one chain. The table is the ring's, and may change once to an indirect
 * table. */
struct walk {
	struct vring *vring;
	const uint8_t *table;
	unsigned table_size; /* in descriptors */
	int n_out, n_in;
	uint64_t out_size, in_size;
	bool has_writable; /* no readable descriptor may follow */
};

static uint16_t load16(const uint16_t *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_RELAXED));
}

static uint16_t load16_acquire(const uint16_t *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

static void store16(uint16_t *p, uint16_t value)
{
	__atomic_store_n(p, htole16(value), __ATOMIC_RELAXED);
}

/* used_event: the used entry at which the driver wants an interrupt. avail_event: the available
 * entry at which the device wants a kick. */
static uint16_t *used_event(const struct vring *vring)
{
	return &vring->avail->ring[vring->size];
}

static uint16_t *avail_event(const struct vring *vring)
{
	return (uint16_t *)(void *)&vring->used->ring[vring->size];
}

/* Adds one to an eventfd's counter. A full counter is a signal already. EINTR happens only if the
 * front-end made the descriptor blocking again: the watchdog interrupts the blocked write. */
static void signal_fd(struct vring *vring, int fd)
{
	uint64_t one = 1;

	if (fd < 0 || write(fd, &one, sizeof(one)) >= 0)
		return;
	if (errno == EINTR && vring->on_blocked)
		vring->on_blocked(vring);
	else
		log_debug("queue %u: cannot signal descriptor %d: %s", vring->index, fd,
			  g_strerror(errno));
}

static void vring_break(struct vring *vring, const char *reason)
{
	vring->is_broken = true;
	log_warn("queue %u stopped: %s", vring->index, reason);
	signal_fd(vring, vring->err_fd);
}

void vring_init(struct vring *vring, unsigned index, const struct guest_memory *memory)
{
	*vring = (struct vring){ .memory = memory, .index = index, .call_fd = -1, .err_fd = -1 };
}

void vring_finish(struct vring *vring)
{
	vring_stop(vring);
	fd_close(&vring->call_fd);
	fd_close(&vring->err_fd);
}

/* Looks up the three parts of the ring. False if one is outside guest memory or not aligned. */
static bool vring_map(struct vring *vring)
{
	const struct vring_addresses *a = &vring->addresses;
	/* VIRTIO 1.2, 2.7: both rings end in an event index, whether it is used or not. */
	uint64_t avail_size = sizeof(struct vring_avail) + (vring->size + 1u) * sizeof(uint16_t);
	uint64_t used_size = sizeof(struct vring_used) +
			     vring->size * sizeof(struct vring_used_elem) + sizeof(uint16_t);

	vring->desc = guest_memory_at_user(vring->memory, a->desc,
					   vring->size * sizeof(struct vring_desc));
	vring->avail = guest_memory_at_user(vring->memory, a->avail, avail_size);
	vring->used = guest_memory_at_user(vring->memory, a->used, used_size);
	return vring->desc && vring->avail && vring->used &&
	       (uintptr_t)vring->desc % VRING_DESC_ALIGN == 0 &&
	       (uintptr_t)vring->avail % VRING_AVAIL_ALIGN == 0 &&
	       (uintptr_t)vring->used % VRING_USED_ALIGN == 0;
}

int vring_start(struct vring *vring)
{
	assert(!vring->is_running);
	if (vring->size == 0 || vring->size > VRING_MAX_SIZE ||
	    (vring->size & (vring->size - 1)) != 0) {
		vring_break(vring, "its size is not a power of two, or above 1024");
		return -EPROTO;
	}
	if (!vring_map(vring)) {
		vring_stop(vring);
		vring_break(vring, "its addresses are outside guest memory, or not aligned");
		return -EPROTO;
	}
	vring->is_broken = false;
	vring->is_running = true;
	/* Chains that were in flight when the ring was stopped still are: those between the used
	 * index and last_avail. If that is more than the ring has descriptors, the used index is
	 * wrong, and we assume that no chain is in flight. */
	vring->next_used = load16_acquire(&vring->used->idx);
	if ((uint16_t)(vring->last_avail - vring->next_used) > vring->size)
		vring->next_used = vring->last_avail;
	vring->notified = vring->next_used;
	vring->has_notified = false;
	return 0;
}

void vring_stop(struct vring *vring)
{
	vring->is_running = false;
	vring->desc = NULL;
	vring->avail = NULL;
	vring->used = NULL;
}

void vring_memory_changed(struct vring *vring)
{
	if (vring->is_running && !vring_map(vring) && !vring->is_broken)
		vring_break(vring, "the front-end removed its memory");
}

static void replace_fd(int *owned, int fd)
{
	fd_close(owned);
	/* Non-blocking, because a signal is not needed when the counter is full. */
	if (fd >= 0 && fd_prepare(fd) < 0)
		fd_close(&fd);
	*owned = fd;
}

void vring_set_call(struct vring *vring, int fd)
{
	replace_fd(&vring->call_fd, fd);
	if (vring->is_running && !vring->is_broken)
		signal_fd(vring, vring->call_fd);
}

void vring_set_err(struct vring *vring, int fd)
{
	replace_fd(&vring->err_fd, fd);
}

/* Copies the descriptor, so that the guest cannot change it later. */
static struct vring_desc read_descriptor(const struct walk *walk, unsigned i)
{
	struct vring_desc d;

	memcpy(&d, walk->table + i * sizeof(d), sizeof(d));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return (struct vring_desc){ le64toh(d.addr), le32toh(d.len), le16toh(d.flags),
				    le16toh(d.next) };
}

/* A descriptor of no bytes is allowed and adds nothing, wherever it points. */
static bool walk_add(struct walk *walk, const struct vring_desc *d)
{
	bool is_writable = d->flags & VRING_DESC_F_WRITE;
	int used = walk->n_out + walk->n_in;

	if (!is_writable && walk->has_writable)
		return false;
	walk->has_writable = is_writable;
	int n = guest_memory_iov(walk->vring->memory, d->addr, d->len, &walk->vring->iov[used],
				 VRING_MAX_IOV - used);
	if (n < 0)
		return false;
	if (is_writable) {
		walk->n_in += n;
		walk->in_size += d->len;
	} else {
		walk->n_out += n;
		walk->out_size += d->len;
	}
	return walk->out_size <= UINT32_MAX && walk->in_size <= UINT32_MAX;
}

/* Continues in an indirect table. It may be longer than the ring, as Linux makes such tables. */
static bool walk_enter(struct walk *walk, const struct vring_desc *d)
{
	bool is_inside = walk->table != (const uint8_t *)walk->vring->desc;

	if (is_inside || (d->flags & VRING_DESC_F_NEXT) || d->len == 0 ||
	    d->len % sizeof(struct vring_desc) != 0 ||
	    d->len / sizeof(struct vring_desc) > VRING_MAX_SIZE)
		return false;
	walk->table = guest_memory_at(walk->vring->memory, d->addr, d->len);
	walk->table_size = d->len / sizeof(struct vring_desc);
	return walk->table;
}

/* Reads the chain at @head into @ret and vring->iov (VIRTIO 1.2, 2.7.5). False if the chain is
 * invalid. */
static bool vring_walk(struct vring *vring, uint16_t head, struct vring_chain *ret)
{
	struct walk walk = {
		.vring = vring,
		.table = (const uint8_t *)vring->desc,
		.table_size = vring->size,
	};
	unsigned n_descriptors = 0;
	unsigned i = head;

	for (;;) {
		/* The longest valid chain is one descriptor that refers to a full indirect table.
		 */
		if (i >= walk.table_size || ++n_descriptors > VRING_MAX_SIZE + 1)
			return false;
		struct vring_desc d = read_descriptor(&walk, i);

		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (!walk_enter(&walk, &d))
				return false;
			i = 0;
			continue;
		}
		if (!walk_add(&walk, &d))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			break;
		i = d.next;
	}
	*ret = (struct vring_chain){
		.head = head,
		.out = vring->iov,
		.in = vring->iov + walk.n_out,
		.n_out = walk.n_out,
		.n_in = walk.n_in,
		.out_size = (size_t)walk.out_size,
		.in_size = (size_t)walk.in_size,
	};
	return true;
}

uint16_t vring_avail_index(const struct vring *vring)
{
	return vring_is_usable(vring) ? load16_acquire(&vring->avail->idx) : vring->last_avail;
}

/* The next available head. False if there is none, or if the ring has just been found broken. */
static bool vring_take(struct vring *vring, uint16_t *ret_head)
{
	uint16_t index = load16_acquire(&vring->avail->idx);

	if (index == vring->last_avail)
		return false;
	/* From next_used to index lie the chains in flight and those that were not taken yet. */
	if ((uint16_t)(index - vring->next_used) > vring->size ||
	    (uint16_t)(index - vring->last_avail) > vring->size) {
		vring_break(vring,
			    "more chains are available or in flight than it has descriptors");
		return false;
	}
	uint16_t head = load16(&vring->avail->ring[vring->last_avail & (vring->size - 1u)]);

	if (head >= vring->size) {
		vring_break(vring, "an available entry is outside its descriptor table");
		return false;
	}
	vring->last_avail++;
	*ret_head = head;
	return true;
}

bool vring_pop(struct vring *vring, struct vring_chain *ret)
{
	uint16_t head;

	for (unsigned n = 0; n < VRING_MAX_SKIPPED && vring_is_usable(vring); n++) {
		if (!vring_take(vring, &head))
			return false;
		if (vring_walk(vring, head, ret))
			return true;
		log_debug("queue %u: chain %u is invalid, skipped", vring->index, head);
		vring_push(vring, head, 0);
	}
	return false;
}

bool vring_reload(struct vring *vring, uint16_t head, struct vring_chain *ret)
{
	return vring_is_usable(vring) && vring_walk(vring, head, ret);
}

void vring_push(struct vring *vring, uint16_t head, uint32_t written)
{
	assert(vring->is_running);
	if (vring->is_broken)
		return;
	vring->used->ring[vring->next_used & (vring->size - 1u)] = (struct vring_used_elem){
		.id = htole32(head),
		.len = htole32(written),
	};
	vring->next_used++;
	__atomic_store_n(&vring->used->idx, htole16(vring->next_used), __ATOMIC_RELEASE);
}

/* Used buffer notification suppression (VIRTIO 1.2, 2.7.7). */
static bool guest_wants_interrupt(const struct vring *vring)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vring->has_event_idx)
		return !(load16(&vring->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	if (!vring->has_notified)
		return true;
	/* Whether the entry that the driver waits for was used since the last notification. All
	 * indices wrap at 65536. */
	return (uint16_t)(vring->next_used - load16(used_event(vring)) - 1) <
	       (uint16_t)(vring->next_used - vring->notified);
}

void vring_notify(struct vring *vring)
{
	if (!vring_is_usable(vring) || vring->next_used == vring->notified)
		return;
	if (guest_wants_interrupt(vring))
		signal_fd(vring, vring->call_fd);
	vring->notified = vring->next_used;
	vring->has_notified = true;
}

void vring_disable_kicks(struct vring *vring)
{
	/* With EVENT_IDX the guest kicks only when it passes avail_event, which it has passed
	 * already. */
	if (vring_is_usable(vring) && !vring->has_event_idx)
		store16(&vring->used->flags, VRING_USED_F_NO_NOTIFY);
}

bool vring_enable_kicks(struct vring *vring)
{
	if (!vring_is_usable(vring))
		return false;
	if (vring->has_event_idx)
		store16(avail_event(vring), vring->last_avail);
	else
		store16(&vring->used->flags, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load16(&vring->avail->idx) != vring->last_avail;
}
