// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Real Venus: the render server in its jail, on any Vulkan driver of this host, also on the CPU.
 * Used together with virgl_rig.h and venus_stream.h.
 */
#include "virgl_rig.h"

#include "sandbox/render_server.h"

#define CAPSET_VENUS 4

extern struct render_server venus_rig_server;

/* Setup of cmocka groups, with OpenGL beside Venus; virgl_rig_stop() tears down. */
int venus_rig_start(void **state);
int venus_rig_start_strict(void **state);
/* The same inside the daemon's sandbox, whose filter is installed after the renderer's start. */
int venus_rig_start_confined(void **state);

/* Whether this host allows the namespaces that strict needs; found out without the code under test.
 * A chroot does not allow them. */
bool venus_rig_has_namespaces(void);

/* Runs each group in its own process, after a check that this host has all parts of Venus. */
int venus_rig_run_groups(int (*const groups[])(void), unsigned n);

/* Creates a Venus context; 0 or the guest's error. */
int venus_rig_new_context(uint32_t ctx);
/* Creates a blob without an object, as the guest's driver does for its rings; NULL if that fails.
 */
struct renderer_resource *venus_rig_new_shm(uint32_t ctx, uint32_t id, uint64_t size);

/* Makes the worker of @ctx create an instance, a device and a queue, whose fences are those of
 * @ring. */
int venus_rig_make_queue(uint32_t ctx, uint32_t ring);
/* Makes that queue wait for a semaphore that is never signalled. */
int venus_rig_block_queue(uint32_t ctx);

/* Waits until there are @n processes: the server, and a worker for each context. A worker ends some
 * time after its context. Stores their @n process ids in @ret. False on a time-out. */
bool venus_rig_wait_for_processes(int *ret, unsigned n);
