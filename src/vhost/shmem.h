// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The front-end's window of host memory: which part of it is mapped to what, and the requests that
 * change that (vhost-user, BACKEND_SHMEM_MAP and BACKEND_SHMEM_UNMAP). */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "vhost/channel.h"
#include "vhost/session.h"

/* QEMU 11.1 ends the machine at 512 regions of memory, of which the guest's RAM takes some. */
#define SHMEM_MAX_PARTS 448

#define SHMEM_PAGE UINT64_C(4096)

/* How long the front-end may take to answer. */
#define SHMEM_REQUEST_MS 5000
#define SHMEM_BARRIER_MS 1000

struct shmem_part;

/* The front-end broke the protocol: the session cannot go on. Called from the loop. */
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
	GQueue unproven; /* shmem_part::queue_link; mapped, the guest is not told yet */
	struct shmem_part *in_flight; /* its answer is awaited; NULL: nothing's, or a barrier's */
	bool is_barrier_in_flight;
	unsigned n_ticks;  /* that what is in flight may still wait */
	bool is_late;      /* what is in flight was given up, and its answer may still come */
	bool has_barriers; /* false once the front-end did not answer one */

	uint64_t gpa; /* where the window lies for the guest, as far as is known; 0: not known */
};

/* 0 or -errno. @size: of the window, in bytes. */
int shmem_init(struct shmem *shmem, struct loop *loop, uint64_t size, shmem_failed_fn failed,
	       void *data);
/* Forgets all parts without a word to their owners, who let go of them before. */
void shmem_finish(struct shmem *shmem);

/* From now on requests go over the socket @fd (takes, also on failure). What the one before did not
 * answer has failed. 0 or -errno. */
int shmem_connect(struct shmem *shmem, int fd);

/* Whether requests may be sent: only while the rings run, because QEMU 11.1 may die of an UNMAP
 * while they are stopped. */
void shmem_set_running(struct shmem *shmem, bool is_running);

/* The guest was reset: the front-end has dropped all maps and says nothing of it. Their owners have
 * nothing mapped any more, and are not called. */
void shmem_reset(struct shmem *shmem);

/* As vhost_session_map(), vhost_session_unmap() and vhost_session_forget(). */
int shmem_map(struct shmem *shmem, struct vhost_mapping *mapping, int fd);
int shmem_unmap(struct shmem *shmem, struct vhost_mapping *mapping);
void shmem_forget(struct shmem *shmem, struct vhost_mapping *mapping);

/* Whether the file @fd (borrowed) is mapped into the window, or may be: then a region of guest
 * memory with it is the window's, not the guest's RAM. @gpa is the region's. */
bool shmem_owns_file(struct shmem *shmem, int fd, uint64_t gpa, uint64_t size);
/* Whether the region lies where the window was last seen. */
bool shmem_owns_address(const struct shmem *shmem, uint64_t gpa, uint64_t size);
