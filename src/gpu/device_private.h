// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* All that the device keeps, for the files of this room. */

#include <glib.h>
#include <limits.h>
#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hostmem.h"
#include "base/id_table.h"
#include "base/loop.h"
#include "display/display.h"
#include "gpu/device.h"
#include "gpu/report.h"
#include "gpu/trace.h"
#include "render/renderer.h"
#include "vhost/backend.h"

#define QUEUE_CONTROL 0
#define QUEUE_CURSOR  1
#define N_QUEUES      2

/* VIRTIO 1.4; Linux's header may be older. Sizes of blobs and their offsets in the window are
 * multiples of a number in the configuration space. */
#define GPU_F_BLOB_ALIGNMENT 5

struct resource;

/* A screen of the guest's, and what it shows. */
struct scanout {
	struct display_pixels pixels;
	struct gpu_device *device;
	struct resource *resource; /* NULL: off */
	struct rect rect;          /* the part of the resource that is shown */
	bool is_dmabuf;            /* the display has the resource's dma-buf, not source */
	/* How the pixels lie in a blob. */
	uint32_t format, stride;
	uint64_t offset;
	bool has_memory;
	int memory_fd; /* owned if has_memory: of a host blob that is read as pixels */
	/* A copy of a part of what is shown, row behind row, for pixels that cannot be sent from
	 * where they lie. */
	uint8_t *shadow; /* owned; NULL: there is none */
	struct rect in_shadow;
	uint64_t shadow_size;
};

struct queue {
	struct gpu_device *device;
	unsigned index;
	struct loop_task again; /* more to serve in the next turn */
	bool was_kicked;        /* served in this turn already, before its tasks */
	GQueue finished;        /* gpu_command::link; done while the queue was stopped */
	GQueue unfinished;      /* gpu_command::link; go on, in this order, before the next chain */
	bool is_asleep;         /* what it waits for will tell: not to be served every turn */
};

/* What a queue may still do in this turn of the loop (command.c). */
struct turn {
	int budget;     /* units of work that are left */
	uint64_t bytes; /* of work done */
	int64_t end;    /* microseconds of g_get_monotonic_time(); 0: nobody has looked yet */
	bool is_over;   /* long work goes on in the next one */
};

/* Where a cursor command waits for the control queue (order.c). */
struct order {
	struct loop_timer timer;
	bool has_given_up; /* the control queue is stopped, and was for too long */
};

struct gpu_device {
	struct vhost_backend backend;
	struct loop *loop;         /* borrowed */
	struct renderer *renderer; /* borrowed */
	struct display *display;   /* borrowed */
	struct gpu_limits limits;
	uint32_t n_scanouts;
	enum gpu_scanout_mode scanout_mode;
	uint64_t shmem_size; /* bytes of the window that is offered; 0: none is */

	struct vhost_session *session; /* NULL: nobody is connected */
	uint64_t features;             /* that the guest accepted */
	struct queue queues[N_QUEUES];
	struct turn turn;
	struct order order;

	struct id_table contexts;  /* struct context, owned */
	struct id_table resources; /* struct resource, owned */
	struct hostmem hostmem;    /* what they, and the dying, take of limits.max_hostmem */
	unsigned n_unmeasured;     /* 3D commands since the process's memory was looked at */
	uint64_t memory_version;   /* grows whenever guest memory changes */
	GQueue dying;              /* resource::link, owned; being freed, a part in each turn */
	struct loop_task reap;
	unsigned n_dmabufs; /* of resources, open */
	struct scanout scanouts[VIRTIO_GPU_MAX_SCANOUTS];
	struct display_info info; /* as the display said last */

	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	unsigned n_capsets;
	void *stream; /* owned; a copy of the command stream that is submitted */
	size_t stream_size;

	struct loop_source fence_source; /* the renderer's poll descriptor, if it has one */
	struct loop_timer fence_timer;   /* else this */
	GQueue timelines;                /* timeline::link; the global timeline, if it is used */
	uint64_t last_fence_seq;
	unsigned n_fences; /* that commands wait for */

	struct trace trace;
	struct report report;
	struct report_shown shown[VIRTIO_GPU_MAX_SCANOUTS];

	GQueue held;          /* gpu_command::link; waiting for the display or the VMM's window */
	GQueue free_commands; /* gpu_command::link */
	unsigned n_commands;  /* that exist, free or not */
};

/* False while the process is seen to have more memory than it may. */
static inline bool device_may_allocate(struct gpu_device *device)
{
	return !hostmem_is_short(&device->hostmem) || hostmem_look(&device->hostmem);
}

/* The next 3D command to end is followed by a look at the process's memory. */
static inline void device_measure_soon(struct gpu_device *device)
{
	device->n_unmeasured = UINT_MAX / 2;
}

static inline bool device_has_feature(const struct gpu_device *device, unsigned bit)
{
	return device->features >> bit & 1;
}
