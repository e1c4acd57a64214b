// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* What a VMM's request says behind its header (QEMU's docs/interop/vhost-user.rst). */

#include <stdint.h>

#include "input.h"

/* Where the guest's memory is, for the guest and for the VMM. */
#define PAYLOAD_GPA  UINT64_C(0x10000)
#define PAYLOAD_USER UINT64_C(0x7f0000000000)

/*
 * Writes the payload of a request of that kind at *@at, mostly as it should be, and moves *@at
 * behind it: at most 1 KiB. Sets how many descriptors belong to it.
 */
void payload_put(uint8_t **at, uint32_t request, struct input *in, unsigned *n_fds);
