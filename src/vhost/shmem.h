// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The window: the shared memory region HOST_VISIBLE of the virtio-gpu device, a range of guest
 * addresses into which the front-end maps host memory at our request. This is the list of its
 * mapped parts, and the requests that change it (vhost-user, BACKEND_SHMEM_MAP and
 * BACKEND_SHMEM_UNMAP). */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "vhost/channel.h"
#include "vhost/session.h"

/* QEMU 11.1 ends the guest at 512 memory regions, and the guest's RAM takes some of these. */
#define SHMEM_MAX_PARTS 448

#define SHMEM_PAGE UINT64_C(4096)

/* How long the front-end may take to answer a map or unmap, and a barrier: a request that changes
 * nothing, whose answer proves that earlier maps are in place (shmem.c). */
#define SHMEM_REQUEST_MS 5000
#define SHMEM_BARRIER_MS 1000

struct shmem_part;

/* Called from the loop when the front-end broke the protocol, so that the session must end. */
typedef void (*shmem_failed_fn)(void *data, int error, const char *problem);

struct shmem {
	struct loop *loop; /* borrowed */
	shmem_failed_fn failed;
	void *data;
	uint64_t size; /* of the window, in bytes */

	struct vhost_channel channel; /* fd -1: there is none */
	struct loop_source source;
	struct loop_timer timer;
	bool may_send; /* the rings run */

	GQueue parts;    /* shmem_part::link, owned */
	GQueue to_send;  /* shmem_part::queue_link */
	GQueue unproven; /* shmem_part::queue_link; map answered, perhaps not in place yet */
	struct shmem_part *in_flight; /* NULL: none, or a barrier is */
	bool is_barrier_in_flight;
	unsigned n_ticks;  /* timer ticks left for the request in flight */
	bool is_late;      /* the request in flight timed out; its answer may come */
	bool has_barriers; /* false if the front-end did not answer one */

	uint64_t gpa; /* guest physical address of the window; 0: not known */
};

/* 0 or -errno. @size: of the window, in bytes. */
int shmem_init(struct shmem *shmem, struct loop *loop, uint64_t size, shmem_failed_fn failed,
	       void *data);
/* Frees all parts without calling their owners, who must have forgotten them before. */
void shmem_finish(struct shmem *shmem);

/* Sends requests over the socket @fd (takes, also on failure) from now on. Requests that waited for
 * the previous socket or for an answer on it fail. Returns 0 or -errno. */
int shmem_connect(struct shmem *shmem, int fd);

/* Sets whether MAP and UNMAP may be sent: only while the rings run, because an UNMAP while they are
 * stopped may crash QEMU 11.1. A barrier may be sent at any time. */
void shmem_set_running(struct shmem *shmem, bool is_running);

/* The guest was reset: the front-end has dropped all maps, without a message. Their owners lose
 * their maps and are not called. */
void shmem_reset(struct shmem *shmem);

/* As vhost_session_map(), vhost_session_unmap() and vhost_session_forget(). */
int shmem_map(struct shmem *shmem, struct vhost_mapping *mapping, int fd);
int shmem_unmap(struct shmem *shmem, struct vhost_mapping *mapping);
void shmem_forget(struct shmem *shmem, struct vhost_mapping *mapping);

/* Whether the file @fd (borrowed) is or may be mapped into the window: then a memory region with
 * this file, at guest address @gpa, is part of the window and not of the guest's RAM. If so, and if
 * @size is that of the mapped part, the window's guest address is derived from @gpa and kept. */
bool shmem_owns_file(struct shmem *shmem, int fd, uint64_t gpa, uint64_t size);
/* Whether the region lies in the guest address range that the window had when shmem_owns_file()
 * last learned it. */
bool shmem_owns_address(const struct shmem *shmem, uint64_t gpa, uint64_t size);
