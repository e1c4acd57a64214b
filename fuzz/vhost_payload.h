// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The payload of vhost-user requests (QEMU's docs/interop/vhost-user.rst). */

#include <stdint.h>

#include "input.h"

/* Guest memory: its guest address, and the front-end's address. */
#define VHOST_PAYLOAD_GPA  UINT64_C(0x10000)
#define VHOST_PAYLOAD_USER UINT64_C(0x7f0000000000)

/*
 * Writes the payload of a @request at *@at, mostly a valid one, at most 1 KiB, and advances *@at.
 * Sets how many descriptors belong to it.
 */
void vhost_payload_put(uint8_t **at, uint32_t request, struct input *in, unsigned *n_fds);
