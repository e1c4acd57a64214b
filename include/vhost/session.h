// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* One vhost-user connection, from its first message to its end (QEMU's
 * docs/interop/vhost-user.rst). */

#include <stdbool.h>
#include <stdint.h>

struct guest_memory;
struct loop;
struct vhost_backend;
struct vhost_session;
struct vring;

#define VHOST_MAX_QUEUES 2

/* Called once, from the loop, when the session is over; the owner frees it, here or later. @error:
 * 0 if the front-end hung up, -EPROTO if it broke the protocol, other -errno if the session could
 * not continue: a request without NEED_REPLY failed, guest memory was lost (-EFAULT), or the device
 * abandoned the session, for example. Errors are already logged. */
typedef void (*vhost_session_ended_fn)(void *data, int error);

/* Serves @fd, a connected stream socket (takes, also on failure). @backend is borrowed. NULL with
 * *@ret_error = -errno if it cannot be watched. */
struct vhost_session *vhost_session_new(struct loop *loop, int fd, struct vhost_backend *backend,
					vhost_session_ended_fn ended, void *data, int *ret_error);

/* Stops the queues, tells the back-end, closes all descriptors, unmaps guest memory. NULL is fine.
 */
void vhost_session_free(struct vhost_session *session);

/* Whether the front-end has sent a whole message yet. */
bool vhost_session_has_spoken(const struct vhost_session *session);

/* Logs guest memory and queues at level info. */
void vhost_session_log_state(const struct vhost_session *session);

/* For the device: ends the session with an error, in a task of the loop. Logs @why. */
void vhost_session_abandon(struct vhost_session *session, int error, const char *why);

/* A part of the front-end's window of host memory that is mapped, or about to be. It lives in its
 * owner, who fills in fn, offset and size, the rest zero. */
struct vhost_mapping;
struct shmem_part;

/* Called once, from the loop, for each request that was accepted, unless the mapping is forgotten
 * or the device is reset before that. 0; -EINVAL: the front-end refused it; -ETIMEDOUT: it did not
 * answer; -ENOTCONN: the channel to it is gone. Must not map, unmap or forget. */
typedef void (*vhost_mapping_fn)(struct vhost_mapping *mapping, int error);

struct vhost_mapping {
	vhost_mapping_fn fn;
	uint64_t offset, size;   /* bytes of the window, both multiples of 4096 */
	struct shmem_part *part; /* the session's; NULL: nothing is mapped or being mapped */
};

/* Bytes of the window; 0: the front-end has none. */
uint64_t vhost_session_window(const struct vhost_session *session);
/*
 * Asks the front-end to map the file @fd (takes, also on failure) into the window at @mapping, from
 * the first byte of the file on. The file must hold at least mapping->size bytes. Returns 0 if the
 * request was accepted: then fn is called with its result, and @mapping (borrowed) belongs to the
 * session until fn reports a failure, or until it is unmapped or forgotten. Otherwise returns
 * -errno, and fn is not called. -EINVAL: outside of the window, not whole pages, or something is
 * there already; -ENOSPC: too many maps; -ETIMEDOUT: an earlier request has not been answered;
 * -ENOTCONN: there is no window, or no channel.
 */
int vhost_session_map(struct vhost_session *session, struct vhost_mapping *mapping, int fd);
/* Asks the front-end to unmap @mapping, which must be mapped. Returns 0 if fn will be called with
 * the result; when fn is called, @mapping belongs to the owner again, whatever the result is.
 * Otherwise returns -errno as above: fn is not called, and @mapping belongs to the owner at once.
 * Nothing else is mapped at its place before the front-end has unmapped it. */
int vhost_session_unmap(struct vhost_session *session, struct vhost_mapping *mapping);
/* Gives @mapping back to its owner, whatever its state: fn is not called any more. The session
 * unmaps what is mapped, or will be. */
void vhost_session_forget(struct vhost_session *session, struct vhost_mapping *mapping);

/* Borrowed; @index < the back-end's n_queues. */
struct vring *vhost_session_vring(struct vhost_session *session, unsigned index);
const struct guest_memory *vhost_session_memory(struct vhost_session *session);
