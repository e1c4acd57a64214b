// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Ends requests that the front-end did not answer or did not carry out: it closed the channel, took
 * too long, or refused to unmap. Each waiting owner is called once. A part that may still be mapped
 * is kept in the list, so that nothing else is mapped at its place.
 *
 * Time is counted in ticks of our own loop, not by a clock: the front-end cannot answer while it
 * waits for us, and we cannot read its answer while the renderer's library is busy.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/container.h"
#include "vhost/shmem_private.h"

#define LOG_MODULE "window"
#include "base/log.h"

bool shmem_is_waiting(const struct shmem *shmem)
{
	return shmem->in_flight || shmem->is_barrier_in_flight;
}

/* Refuses waiting maps that overlap @closed: they were accepted because it was about to be
 * unmapped. */
static void refuse_maps_over(struct shmem *shmem, const struct shmem_part *closed)
{
	for (GList *link = shmem->parts.head, *next; link; link = next) {
		struct shmem_part *part = link->data;

		next = link->next;
		if (part->state != PART_MAP_WAITS ||
		    !shmem_part_is_over(part, closed->offset, closed->size))
			continue;
		shmem_part_unqueue(shmem, part);
		shmem_tell_owner(part, -EINVAL, false);
		shmem_part_free(shmem, part);
	}
}

void shmem_close_part(struct shmem *shmem, struct shmem_part *part)
{
	log_warn("the front-end did not unmap 0x%" PRIx64 " bytes at 0x%" PRIx64
		 " of the window of host memory: this part is not used again",
		 part->size, part->offset);
	part->state = PART_CLOSED;
	refuse_maps_over(shmem, part);
}

/* The channel is lost: calls the owner if it waits, and closes the part if its map was sent, or its
 * unmap was asked for, and the front-end has not answered. */
static void lose_part(struct shmem *shmem, struct shmem_part *part)
{
	shmem_part_unqueue(shmem, part);
	switch (part->state) {
	case PART_MAP_WAITS:
		shmem_tell_owner(part, -ENOTCONN, false);
		shmem_part_free(shmem, part);
		break;
	case PART_UNPROVEN:
		part->state = PART_MAPPED;
		shmem_tell_owner(part, 0, true);
		break;
	case PART_MAP_SENT:
	case PART_UNMAP_WAITS:
	case PART_UNMAP_SENT:
		part->state = PART_CLOSED;
		shmem_tell_owner(part, -ENOTCONN, false);
		break;
	case PART_MAPPED:
	case PART_CLOSED:
		break;
	}
}

void shmem_disconnect(struct shmem *shmem)
{
	if (shmem->channel.fd < 0)
		return;
	loop_remove(&shmem->source);
	vhost_channel_finish(&shmem->channel);
	vhost_channel_init(&shmem->channel, -1);
	shmem->in_flight = NULL;
	shmem->is_barrier_in_flight = shmem->is_late = false;
	for (GList *link = shmem->parts.head, *next; link; link = next) {
		next = link->next;
		lose_part(shmem, link->data);
	}
}

/* Gives up @part, because its request or one before it in the queue took too long. */
static void give_up_part(struct shmem *shmem, struct shmem_part *part)
{
	switch (part->state) {
	case PART_MAP_WAITS:
		shmem_part_unqueue(shmem, part);
		shmem_tell_owner(part, -ETIMEDOUT, false);
		shmem_part_free(shmem, part);
		break;
	case PART_MAP_SENT:
		part->is_unwanted = true;
		shmem_tell_owner(part, -ETIMEDOUT, false);
		break;
	case PART_UNMAP_WAITS:
	case PART_UNMAP_SENT:
		shmem_tell_owner(part, -ETIMEDOUT, false);
		break;
	case PART_UNPROVEN:
	case PART_MAPPED:
	case PART_CLOSED:
		break;
	}
}

static void give_up_request(struct shmem *shmem)
{
	log_warn("the front-end has not answered a request to %s for %d s",
		 shmem->in_flight->state == PART_MAP_SENT ? "map" : "unmap",
		 SHMEM_REQUEST_MS / 1000);
	shmem->is_late = true;
	for (GList *link = shmem->parts.head, *next; link; link = next) {
		next = link->next;
		give_up_part(shmem, link->data);
	}
	shmem_prove_maps(shmem);
}

/* The barrier is still in the channel's output, so no request can follow it. A front-end that
 * leaves no room for so few bytes does not read this channel. */
static void give_up_channel(struct shmem *shmem)
{
	log_warn("the front-end has not read the back-end channel for %d ms: the channel is "
		 "closed, and no more host memory is mapped into the guest",
		 SHMEM_BARRIER_MS);
	shmem_disconnect(shmem);
}

static void give_up_barrier(struct shmem *shmem)
{
	if (!vhost_channel_has_sent_all(&shmem->channel)) {
		give_up_channel(shmem);
		return;
	}
	log_warn("the front-end did not confirm for %d ms that a new mapping is in place "
		 "(SHARED_OBJECT_LOOKUP): the guest may lose its first writes to it",
		 SHMEM_BARRIER_MS);
	shmem->has_barriers = shmem->is_barrier_in_flight = false;
	vhost_channel_forget_reply(&shmem->channel);
	shmem_prove_maps(shmem);
	shmem_send_next(shmem);
}

int shmem_on_tick(struct loop_timer *timer)
{
	struct shmem *shmem = container_of(timer, struct shmem, timer);

	if (!shmem_is_waiting(shmem) || shmem->is_late)
		return 0;
	if (--shmem->n_ticks == 0) {
		if (shmem->is_barrier_in_flight)
			give_up_barrier(shmem);
		else
			give_up_request(shmem);
	}
	if (shmem_is_waiting(shmem) && !shmem->is_late && !shmem->timer.is_armed)
		loop_timer_arm(&shmem->timer, SHMEM_TICK_MS);
	return 0;
}
