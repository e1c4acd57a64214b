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
 * 0 if the VMM hung up, -EPROTO if it broke the protocol, other -errno if what it asked for could
 * not be done and it did not want to be told. Already logged. */
typedef void (*vhost_session_ended_fn)(void *data, int error);

/* Serves @fd, a connected stream socket (takes, also on failure). @backend is borrowed.
 * NULL with *@ret_error = -errno if it cannot be watched. */
struct vhost_session *vhost_session_new(struct loop *loop, int fd, struct vhost_backend *backend,
					vhost_session_ended_fn ended, void *data, int *ret_error);

/* Stops the queues, tells the back-end, closes all descriptors, unmaps guest memory. NULL is fine.
 */
void vhost_session_free(struct vhost_session *session);

/* Whether the front-end has sent a whole message yet. */
bool vhost_session_has_spoken(const struct vhost_session *session);

/* Its memory and its queues, in the log at level info. */
void vhost_session_log_state(const struct vhost_session *session);

/* For the back-end: the session cannot go on. Logs why, and ends when the loop comes round. */
void vhost_session_abandon(struct vhost_session *session, int error, const char *why);

/* Borrowed; @index < the back-end's n_queues. */
struct vring *vhost_session_vring(struct vhost_session *session, unsigned index);
const struct guest_memory *vhost_session_memory(struct vhost_session *session);
