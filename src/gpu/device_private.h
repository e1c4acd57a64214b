// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The device's state, shared by the files of this directory. */

#include <glib.h>
#include <limits.h>
#include <linux/virtio_gpu.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hostmem.h"
#include "base/id_table.h"
#include "base/loop.h"
#include "display/display.h"
#include "gpu/blob_reader.h"
#include "gpu/device.h"
#include "gpu/report.h"
#include "gpu/trace.h"
#include "render/renderer.h"
#include "vhost/backend.h"

#define QUEUE_CONTROL 0
#define QUEUE_CURSOR  1
#define N_QUEUES      2

/* VIRTIO 1.4; Linux's header may be older. Sizes of blobs and their offsets in the window (the
 * shared memory region into which host blobs are mapped for the guest) are multiples of a number in
 * the configuration space. */
#define GPU_F_BLOB_ALIGNMENT 5

struct resource;

/* A screen of the guest, and the resource that it shows. */
struct scanout {
	struct display_pixels pixels;
	struct gpu_device *device;
	struct resource *resource; /* NULL: off */
	struct rect rect;          /* the part of the resource that is shown */
	bool is_dmabuf;            /* the display has the resource's dma-buf and needs no pixels */
	/* The layout of the pixels in a blob. */
	uint32_t format, width, height, stride;
	uint64_t offset;
	bool has_reader;
	struct blob_reader reader; /* owned if has_reader: of a host blob that is read as pixels */
	/* A copy of a part of the shown pixels, without gaps between rows, for pixels that cannot
	 * be sent directly from their memory. */
	uint8_t *shadow; /* owned; NULL: there is none */
	struct rect in_shadow;
	uint64_t shadow_size;
};

struct queue {
	struct gpu_device *device;
	unsigned index;
	struct loop_task again; /* more to serve in the next turn */
	bool was_kicked;        /* it was already served in this turn, before the tasks */
	GQueue finished;        /* gpu_command::link; done while the queue was stopped */
	GQueue unfinished; /* gpu_command::link; continued in this order, before the next chain is
			      taken */
	bool is_asleep; /* it waits for an event that will queue it again: not served in every turn
			 */
};

/* The work that may still be done in this turn of the loop (command.c). */
struct turn {
	int budget;      /* units of work that are left */
	uint64_t bytes;  /* of work done */
	int64_t end;     /* microseconds of g_get_monotonic_time(); 0: the clock was not read yet */
	bool is_over;    /* long work continues in the next turn */
	bool is_hurried; /* ends after 64 KiB of work, because display_is_awaited() */
};

/* The state of a cursor command that waits for the control queue (order.c). */
struct order {
	struct loop_timer timer;
	bool has_given_up; /* the control queue has been stopped for too long */
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
	int udmabuf;         /* borrowed; 0: guest memory is never shown as a dma-buf */

	struct vhost_session *session; /* NULL: nobody is connected */
	uint64_t features;             /* that the guest accepted */
	struct queue queues[N_QUEUES];
	struct turn turn;
	struct order order;

	struct id_table contexts;  /* struct context, owned */
	struct id_table resources; /* struct resource, owned */
	struct hostmem hostmem;    /* charged for resources, also dying ones, and contexts;
				      limits.max_hostmem at most */
	unsigned n_unmeasured; /* 3D commands since the last measurement of the process's memory */
	uint64_t memory_version; /* grows whenever guest memory changes */
	GQueue dying;            /* resource::link, owned; freed in parts, some in each turn */
	struct loop_task reap;
	unsigned n_dmabufs; /* open dma-bufs of resources */
	struct scanout scanouts[VIRTIO_GPU_MAX_SCANOUTS];
	struct display_info info; /* the display's last answer */

	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	unsigned n_capsets;
	void *stream; /* owned; a copy of the command stream that is submitted */
	size_t stream_size;

	struct loop_source fence_source; /* the renderer's poll descriptor, if it has one */
	struct loop_timer fence_timer;   /* polls the renderer if it has no descriptor */
	GQueue timelines;                /* timeline::link; the global timeline, if it is used */
	uint64_t last_fence_seq;
	unsigned n_fences; /* that commands wait for */

	struct trace trace;
	struct report report;
	struct report_shown shown[VIRTIO_GPU_MAX_SCANOUTS];

	GQueue held; /* gpu_command::link; waiting for the display, or for the front-end to map or
			unmap a blob */
	GQueue free_commands; /* gpu_command::link */
	unsigned n_commands;  /* that exist, free or not */
};

/* If the last measurement found the process above its memory limit, measures again. False if it is
 * still above it. */
static inline bool device_may_allocate(struct gpu_device *device)
{
	return !hostmem_is_short(&device->hostmem) || hostmem_look(&device->hostmem);
}

/* Makes the next 3D command measure the process's memory when it ends. */
static inline void device_measure_soon(struct gpu_device *device)
{
	device->n_unmeasured = UINT_MAX / 2;
}

static inline bool device_has_feature(const struct gpu_device *device, unsigned bit)
{
	return device->features >> bit & 1;
}
