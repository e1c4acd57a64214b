// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What a person has to change when a ring is not where the VMM says. Both cases start a machine
 * that runs on with a black screen, and what the VMM itself prints names neither.
 *
 * Memory that is not shared comes without a descriptor, and the VMM leaves it out of its table,
 * which then is empty or has small pieces only (firmware, a video card's). With a vIOMMU the VMM
 * would have to translate each address for us (IOTLB messages), which
 * this daemon does not do; the feature bit alone says nothing, for without a vIOMMU addresses are
 * what they always are.
 */
#include <linux/virtio_config.h>

#include "base/bits.h"
#include "vhost/session_private.h"

#define LOG_MODULE "session"
#include "base/log.h"

/* No machine has as little memory as this, in bytes. */
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
