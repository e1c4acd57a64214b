// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * What keeps track of the front-end's window (vhost/shmem.h), with the front-end's end of its
 * channel in the test's hand. Owner n wants a file of its own, of PAGE bytes, in page n of the
 * window, unless a test says otherwise. Every test ends by checking that no descriptor is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>

#include "base/loop.h"
#include "vhost/shmem.h"
#include "vhost/vhost_user.h"

#define MAP     VHOST_USER_BACKEND_SHMEM_MAP
#define UNMAP   VHOST_USER_BACKEND_SHMEM_UNMAP
#define BARRIER VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP

#define PAGE        SHMEM_PAGE
#define WINDOW_SIZE (UINT64_C(1) << 32)
#define N_OWNERS    500
#define NOT_TOLD    1 /* no -errno */

struct owner {
	struct vhost_mapping mapping;
	int told; /* NOT_TOLD: nothing */
	unsigned n_told;
	int fd; /* of its file */
};

/* The one that the tests of a program use. */
extern struct shmem_rig {
	struct loop loop;
	struct shmem shmem;
	int front_end; /* the other end of the channel; -1: none */
	struct owner owners[N_OWNERS];
	int failed; /* what ended the session; 0: nothing */
	int n_descriptors;
} shmem_rig;

int shmem_rig_setup(void **state); /* the rings run */
int shmem_rig_teardown(void **state);
void shmem_rig_connect(void); /* a new channel */
void shmem_rig_turn(void);

/* Has @size bytes mapped at @offset. */
int shmem_rig_map_at(unsigned n, uint64_t offset, uint64_t size);
int shmem_rig_map(unsigned n);
int shmem_rig_unmap(unsigned n);
void shmem_rig_forget(unsigned n);

/* The next request is that, of page @n, whole and with the right descriptors; a barrier's @n is 0.
 */
void shmem_rig_expect(uint32_t request, unsigned n);
void shmem_rig_expect_nothing(void);
void shmem_rig_answer(uint32_t request, uint64_t value);
/* Any bytes. */
void shmem_rig_send(const void *bytes, size_t size);
/* Owner @n was told @error since the last look, once; NOT_TOLD: nothing. */
void shmem_rig_assert_told(unsigned n, int error);

/* Each runs to its end: page n is mapped, or not any more. */
void shmem_rig_have_mapped(unsigned n);
void shmem_rig_have_unmapped(unsigned n);
/* What is in flight has waited for too long. */
void shmem_rig_run_out_of_time(void);
