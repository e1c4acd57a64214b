// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Venus for real: the render server in its jail, with whatever Vulkan driver this host has; on the
 * CPU will do. Beside virgl_rig.h. The few words of Venus's protocol that make a queue are here
 * too.
 */
#include "virgl_rig.h"

#include "sandbox/render_server.h"

#define CAPSET_VENUS 4

extern struct render_server venus_rig_server;

/* Set-ups of cmocka groups, with OpenGL beside it; virgl_rig_stop() tears down. */
int venus_rig_start(void **state);
int venus_rig_start_strict(void **state);
/* And in the daemon's own sandbox, which is closed when the renderer runs. */
int venus_rig_start_confined(void **state);

/* Whether this host lets a process have the namespaces that strict wants; found out without the
 * code under test. In a chroot it does not. */
bool venus_rig_has_namespaces(void);

/* Runs each group in a process, after the question whether this host has what Venus needs. */
int venus_rig_run_groups(int (*const groups[])(void), unsigned n);

/* A Venus context; 0 or the guest's error. */
int venus_rig_new_context(uint32_t ctx);
/* A blob without an object behind it, as the guest's driver makes for its rings; NULL if it cannot
 * be. */
struct renderer_resource *venus_rig_new_shm(uint32_t ctx, uint32_t id, uint64_t size);

/* Has the worker of @ctx make an instance, a device, and its queue, whose fences are those of
 * @ring. */
int venus_rig_make_queue(uint32_t ctx, uint32_t ring);
/* Has that queue wait for a semaphore that nobody signals. */
int venus_rig_block_queue(uint32_t ctx);

/* Waits until there are @n processes: the server, and a worker for each context, which ends a while
 * after its context. False if it does not come to that. */
bool venus_rig_wait_for_processes(int *ret, unsigned n);
