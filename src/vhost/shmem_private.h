// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Shared by the files of the window: the struct of a part, and the functions that work on one. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vhost/shmem.h"

#define SHMEM_TICK_MS 500

enum part_state {
	PART_MAP_WAITS, /* in to_send */
	PART_MAP_SENT,
	PART_UNPROVEN, /* in unproven: its map was answered, but may not be in place yet */
	PART_MAPPED,
	PART_UNMAP_WAITS, /* in to_send */
	PART_UNMAP_SENT,
	PART_CLOSED,
};

struct shmem_part {
	GList link, queue_link;
	enum part_state state;
	uint64_t offset, size;       /* bytes */
	int fd;                      /* owned until it is sent */
	dev_t device;                /* of the file */
	ino_t inode;                 /* of the file */
	struct vhost_mapping *owner; /* borrowed; NULL: the part has none */
	bool is_unwanted;            /* map in flight; to be unmapped once it is made */
	bool is_forgotten;           /* reset may have dropped it: its unmap may fail */
	bool came_while_stopped;     /* mapped, and the rings have not run since */
};

static inline bool shmem_part_is_over(const struct shmem_part *part, uint64_t offset, uint64_t size)
{
	return part->offset < offset + size && offset < part->offset + part->size;
}

/* shmem.c */
void shmem_part_free(struct shmem *shmem, struct shmem_part *part);
/* Removes the part from the queue that belongs to its state. */
void shmem_part_unqueue(struct shmem *shmem, struct shmem_part *part);
/* Calls the owner with the result of its request; @is_mapped: the owner keeps the part. */
void shmem_tell_owner(struct shmem_part *part, int error, bool is_mapped);
/* All answered maps are in place: calls their owners. */
void shmem_prove_maps(struct shmem *shmem);
/* Sends the next request, unless one is in flight or none may be sent. */
void shmem_send_next(struct shmem *shmem);

/* shmem_loss.c */
bool shmem_is_waiting(const struct shmem *shmem);
/* The part could not be unmapped: keeps it, so that nothing else is mapped at its place. */
void shmem_close_part(struct shmem *shmem, struct shmem_part *part);
/* Closes the channel, if there is one. Waiting owners are called with -ENOTCONN, or with 0 if their
 * map was answered. */
void shmem_disconnect(struct shmem *shmem);
/* The callback of shmem::timer, which is armed while a request is in flight. */
int shmem_on_tick(struct loop_timer *timer);
