// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The device side of one split virtqueue (VIRTIO 1.2, section 2.7), with INDIRECT_DESC and
 * EVENT_IDX.
 *
 * The guest can write every byte of it at any time. A chain that is wrong in itself is answered
 * (used with length 0) and skipped; a ring whose indices are wrong, or that has more chains in
 * flight than descriptors, is broken: it stands still, with one log line and a signal on the error
 * descriptor, until the VMM sets it up again.
 *
 * Wrong in itself is a chain that goes in a circle, leaves its table, has a byte outside of memory,
 * a readable buffer after a writable one, more than 4 GiB in either direction, or an indirect table
 * that is empty, not in one region, longer than VRING_MAX_SIZE, inside another or followed by more.
 * A buffer of no bytes is fine and adds nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define VRING_MAX_SIZE 1024
/* Pieces in one chain: a descriptor may cross into an adjacent region. */
#define VRING_MAX_IOV (VRING_MAX_SIZE + 64)
/* Wrong chains that one pop skips: each may be a circle, which is seen after VRING_MAX_SIZE steps.
 */
#define VRING_MAX_SKIPPED 32

struct guest_memory;
struct vring_desc;
struct vring_avail;
struct vring_used;

struct vring_addresses {
	uint64_t desc, used, avail; /* in the VMM's address space */
};

struct vring {
	const struct guest_memory *memory; /* borrowed */
	/* May be NULL. A write to the call or error descriptor slept and was interrupted. */
	void (*on_blocked)(struct vring *vring);
	unsigned index; /* which queue of the device, for the log */
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
	/* Looked up in memory while it runs. */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct iovec iov[VRING_MAX_IOV]; /* of the chain that was popped last */
};

/* A chain of buffers: what the device may read, then what it may write. The iovecs point into the
 * ring and are good until the next vring_pop() or vring_reload(), or until memory changes. */
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

/* Starts to serve the ring from last_avail. -EPROTO if size or addresses are not good: then it is
 * broken, as said above. (Both are the guest's choice; the VMM only passes them on.) */
int vring_start(struct vring *vring);
/* From here on nothing is read from the ring, written to it or signalled. */
void vring_stop(struct vring *vring);
/* Looks the addresses up again after memory changed; a ring that is no longer mapped is broken. */
void vring_memory_changed(struct vring *vring);

/* Replace the owned descriptor; take @fd, -1 for none, and make it non-blocking. A new call
 * descriptor is signalled once if the ring runs, since what was signalled before may have gone to
 * the old one. */
void vring_set_call(struct vring *vring, int fd);
void vring_set_err(struct vring *vring, int fd);

/* Whether it runs and is not broken. */
static inline bool vring_is_usable(const struct vring *vring)
{
	return vring->is_running && !vring->is_broken;
}

/* How far the guest says that it has made chains available: last_avail if there are none, or if the
 * ring is not usable; the guest's word, which may be wrong. */
uint16_t vring_avail_index(const struct vring *vring);

/* Takes the next chain: true if there is one. Chains that are wrong are answered on the way (so
 * call vring_notify() after a false one too), at most VRING_MAX_SKIPPED: after them it is false
 * although there may be more, and vring_enable_kicks() says so. */
bool vring_pop(struct vring *vring, struct vring_chain *ret);
/* Walks the chain at @head again, for a command that was held since it was popped. False if it is
 * no longer a good one. */
bool vring_reload(struct vring *vring, uint16_t head, struct vring_chain *ret);

/* Gives the chain back with @written bytes of response. Only while the ring runs; nothing happens
 * if it is broken. */
void vring_push(struct vring *vring, uint16_t head, uint32_t written);
/* Tells the guest of all that was pushed since the last call, unless it wants no interrupt. */
void vring_notify(struct vring *vring);

/* Asks the guest for no kicks while the ring is being served. */
void vring_disable_kicks(struct vring *vring);
/* Asks for kicks again. True if chains have come in the meantime: serve them first. */
bool vring_enable_kicks(struct vring *vring);
