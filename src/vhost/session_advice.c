// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Tells the user what to change when a ring lies outside shared memory. There are two causes; with
 * either the guest runs with a black screen, and the front-end prints no reason.
 *
 * 1. Guest memory is not shared. Then it has no descriptor, and the front-end leaves it out of the
 *    memory table, which is empty or has only small regions (firmware, video memory).
 * 2. The guest uses a vIOMMU. The front-end would have to translate each address for us (IOTLB
 *    messages), which this daemon does not support. The feature bit VIRTIO_F_ACCESS_PLATFORM alone
 *    is no proof: without a vIOMMU the addresses are guest addresses as usual.
 */
#include <linux/virtio_config.h>

#include "base/bits.h"
#include "vhost/session_private.h"

#define LOG_MODULE "session"
#include "base/log.h"

/* In bytes; every machine has more memory than this. */
#define LEAST_MEMORY (UINT64_C(1) << 20)

static bool is_in_memory(const struct guest_memory *memory, const struct vring_addresses *a)
{
	return guest_memory_at_user(memory, a->desc, 1) &&
	       guest_memory_at_user(memory, a->avail, 1) &&
	       guest_memory_at_user(memory, a->used, 1);
}

void session_explain_ring(struct vhost_session *s, const struct vring *vring)
{
	if (s->has_explained || is_in_memory(&s->memory, &vring->addresses))
		return;
	if (guest_memory_largest(&s->memory) <= LEAST_MEMORY)
		log_error(
			"the front-end shares no guest memory (%u regions came with a descriptor). "
			"QEMU: -object memory-backend-memfd,id=mem,size=SIZE,share=on "
			"-machine memory-backend=mem; libvirt: <memoryBacking><source "
			"type='memfd'/><access mode='shared'/></memoryBacking>",
			s->memory.n_regions);
	else if (s->features & BIT64(VIRTIO_F_ACCESS_PLATFORM))
		log_error("the guest's addresses go through a vIOMMU, which this device does not "
			  "support: remove iommu_platform=on from the device, or the vIOMMU from "
			  "the machine");
	else
		return;
	s->has_explained = true;
}
