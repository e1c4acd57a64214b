// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * A ring and its driver, which may send invalid values. The ring, an indirect table and the buffers
 * are at fixed places in a memfd; a second file follows without a gap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>

#include "vhost/memory.h"
#include "vhost/ring_layout.h"
#include "vhost/vring.h"

#define GPA         UINT64_C(0x100000)
#define USER        UINT64_C(0x7f0000000000)
#define FIRST_SIZE  0x100000u
#define SECOND_SIZE 0x4000000u

/* Offsets in guest memory. */
#define AT_DESC    0x10000u
#define AT_AVAIL   0x20000u
#define AT_USED    0x28000u
#define AT_TABLE   0x30000u /* indirect */
#define AT_BUFFERS 0x80000u

#define SIZE 16 /* of the ring, unless a test sets another size */

#define NEXT     VRING_DESC_F_NEXT
#define WRITE    VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

/* The rig of the running test. */
extern struct vring_rig {
	struct guest_memory memory;
	struct vring vring;
	struct vring_chain chain;
	struct vring_desc *desc, *table;
	struct vring_avail *avail;
	struct vring_used *used;
	int call_fd, err_fd; /* borrowed from the ring */
} vring_rig;

int vring_rig_setup(void **state); /* the ring runs */
int vring_rig_teardown(void **state);
#define VRING_TEST(name) cmocka_unit_test_setup_teardown(name, vring_rig_setup, vring_rig_teardown)

/* The number of signals on @fd since the last call. */
uint64_t vring_rig_take_signals(int fd);

/* A descriptor of buffer @number; each buffer has 4 KiB. */
struct vring_desc vring_rig_buffer(uint32_t number, uint32_t len, uint16_t flags, uint16_t next);
void vring_rig_offer(uint16_t head);
/* A valid chain in the last two descriptors: 24 bytes to read, 32 bytes to write. */
#define GOOD (SIZE - 2)
void vring_rig_offer_good(void);
