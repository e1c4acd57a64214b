// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Statistics of the guest memory and of the queues: the indices up to which chains were made
 * available, taken and used. Indices wrap at 65536. The available index is the guest's and may be
 * wrong.
 */
#include "vhost/session_private.h"

#define LOG_MODULE "session"
#include "base/log.h"

static const char *describe_ring(const struct vhost_queue *q)
{
	if (q->vring.is_broken)
		return "stopped after an error";
	return q->vring.is_running ? "running" : "stopped";
}

void vhost_session_log_state(const struct vhost_session *s)
{
	log_info("statistics: %llu MiB of guest memory shared in %u regions",
		 (unsigned long long)(guest_memory_size(&s->memory) >> 20), s->memory.n_regions);
	for (unsigned i = 0; i < s->backend->n_queues; i++) {
		const struct vring *vring = &s->queues[i].vring;

		log_info("statistics: queue %u %s: size %u; indices: available %u, "
			 "taken %u, used %u",
			 i, describe_ring(&s->queues[i]), vring->size, vring_avail_index(vring),
			 vring->last_avail, vring->next_used);
	}
}
