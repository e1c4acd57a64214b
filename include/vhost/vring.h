// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The device side of one split virtqueue (VIRTIO 1.2, section 2.7), with INDIRECT_DESC and
 * EVENT_IDX.
 *
 * The guest can write every byte of it at any time. An invalid chain is put into the used ring with
 * length 0 and skipped. A ring with invalid indices, or with more chains in flight than
 * descriptors, is broken: it is logged in one line, signalled on the error descriptor, and not
 * served until the front-end sets it up again.
 *
 * A chain is invalid if it
 * * loops, has more than VRING_MAX_SIZE + 1 descriptors or VRING_MAX_IOV pieces, or refers to a
 *   descriptor outside its table;
 * * has a byte outside guest memory;
 * * has a readable buffer after a writable one;
 * * has 4 GiB or more in one direction; or
 * * has an indirect table that is empty, is not a whole number of descriptors, spans regions, is
 *   longer than VRING_MAX_SIZE, is nested, or is combined with NEXT.
 * A buffer of no bytes is valid.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define VRING_MAX_SIZE 1024
/* Pieces in one chain: a descriptor may cross into an adjacent region. */
#define VRING_MAX_IOV (VRING_MAX_SIZE + 64)
/* Invalid chains that one vring_pop() skips: each may be a loop, which takes VRING_MAX_SIZE steps
 * to find. */
#define VRING_MAX_SKIPPED 32

struct guest_memory;
struct vring_desc;
struct vring_avail;
struct vring_used;

struct vring_addresses {
	uint64_t desc, used, avail; /* in the front-end's address space */
};

struct vring {
	const struct guest_memory *memory; /* borrowed */
	/* May be NULL. Called when a write to the call or error descriptor was interrupted: it
	 * blocked, because the front-end made the descriptor blocking again. */
	void (*on_blocked)(struct vring *vring);
	unsigned index; /* the number of the queue in the device, for the log */
	uint16_t size;  /* in descriptors, a power of two */
	struct vring_addresses addresses;
	bool has_event_idx;
	bool is_running; /* set up and enabled */
	bool is_broken;
	uint16_t last_avail; /* the next available entry to take; wraps at 65536 */
	uint16_t next_used;  /* the next used entry to write; wraps at 65536 */
	uint16_t notified;   /* value of next_used at the last notification */
	bool has_notified;
	int call_fd, err_fd; /* owned; -1 if there is none */
	/* The parts of the ring, in guest memory; NULL while it does not run. */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct iovec iov[VRING_MAX_IOV]; /* of the chain that was popped last */
};

/* A chain of buffers: those that the device reads, then those that it writes. The iovecs are stored
 * in struct vring and valid until the next vring_pop() or vring_reload(), or until memory changes.
 */
struct vring_chain {
	uint16_t head;
	const struct iovec *out, *in; /* out: from the guest; in: to the guest */
	int n_out, n_in;
	size_t out_size, in_size;
};

/* @memory is borrowed and must outlive the ring. */
void vring_init(struct vring *vring, unsigned index, const struct guest_memory *memory);
/* Closes its descriptors. */
void vring_finish(struct vring *vring);

/* Starts to serve the ring from last_avail. -EPROTO if the size or an address is invalid: then the
 * ring is broken, as described above. (The guest chooses both; the front-end only passes them on.)
 */
int vring_start(struct vring *vring);
/* From now on nothing is read from the ring, written to it or signalled. */
void vring_stop(struct vring *vring);
/* Looks the addresses up again after memory changed; a ring that is no longer mapped is broken. */
void vring_memory_changed(struct vring *vring);

/* Replace the owned descriptor; take @fd, -1 for none, and make it non-blocking. A new call
 * descriptor is signalled once if the ring runs, because earlier signals may have gone to the old
 * one. */
void vring_set_call(struct vring *vring, int fd);
void vring_set_err(struct vring *vring, int fd);

/* Whether it runs and is not broken. */
static inline bool vring_is_usable(const struct vring *vring)
{
	return vring->is_running && !vring->is_broken;
}

/* The guest's available index, which may be wrong; last_avail if the ring is not usable. */
uint16_t vring_avail_index(const struct vring *vring);

/* Takes the next chain. False if there is none, or after VRING_MAX_SKIPPED invalid chains;
 * vring_enable_kicks() then tells whether more are available. Invalid chains are put into the used
 * ring, so call vring_notify() after false too. */
bool vring_pop(struct vring *vring, struct vring_chain *ret);
/* Reads the chain at @head again, for a command that was held since it was popped. False if it is
 * no longer valid. */
bool vring_reload(struct vring *vring, uint16_t head, struct vring_chain *ret);

/* Puts the chain into the used ring with @written bytes of response. Only while the ring runs;
 * nothing happens if it is broken. */
void vring_push(struct vring *vring, uint16_t head, uint32_t written);
/* Sends one interrupt for all chains pushed since the last call, unless the guest wants none. */
void vring_notify(struct vring *vring);

/* Asks the guest for no kicks while the ring is being served. */
void vring_disable_kicks(struct vring *vring);
/* Asks for kicks again. True if chains became available in the meantime: serve them first. */
bool vring_enable_kicks(struct vring *vring);
