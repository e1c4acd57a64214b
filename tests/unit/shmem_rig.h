// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The maps in the front-end's window (vhost/shmem.h); the test has the front-end's end of the
 * channel. Owner n maps its own file of PAGE bytes at page n of the window, unless a test says
 * otherwise. Every test ends with a check that no descriptor leaked.
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

/* The rig of the running test. */
extern struct shmem_rig {
	struct loop loop;
	struct shmem shmem;
	int front_end; /* the front-end's end of the channel; -1: closed */
	struct owner owners[N_OWNERS];
	int failed; /* the error that ended the session; 0: none */
	int n_descriptors;
} shmem_rig;

int shmem_rig_setup(void **state); /* the rings run */
int shmem_rig_teardown(void **state);
void shmem_rig_connect(void); /* a new channel */
void shmem_rig_turn(void);

/* Requests a map of @size bytes at @offset. */
int shmem_rig_map_at(unsigned n, uint64_t offset, uint64_t size);
int shmem_rig_map(unsigned n);
int shmem_rig_unmap(unsigned n);
void shmem_rig_forget(unsigned n);

/* Asserts that the next request is of that kind, for the whole of page @n, with the right
 * descriptor; @n of a barrier is 0. */
void shmem_rig_expect(uint32_t request, unsigned n);
void shmem_rig_expect_nothing(void);
void shmem_rig_answer(uint32_t request, uint64_t value);
/* Any bytes. */
void shmem_rig_send(const void *bytes, size_t size);
/* Asserts that owner @n was called back once with @error since the last check; NOT_TOLD: not at
 * all. */
void shmem_rig_assert_told(unsigned n, int error);

/* Each completes the whole exchange: page n is mapped, or unmapped. */
void shmem_rig_have_mapped(unsigned n);
void shmem_rig_have_unmapped(unsigned n);
/* Lets the request in flight time out. */
void shmem_rig_run_out_of_time(void);
