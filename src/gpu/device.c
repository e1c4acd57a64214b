// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The device as the front-end sees it: features, configuration space, sessions, start and stop of
 * queues, and reset.
 *
 * The invariant: starting or stopping a queue, or replacing the display, neither creates nor
 * destroys device state. Resources, scanouts and held commands exist until the guest resets the
 * device or the session ends.
 */
#include "gpu/device.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/bits.h"
#include "base/container.h"
#include "gpu/blob_memory.h"
#include "gpu/capset.h"
#include "gpu/command.h"
#include "gpu/command_pool.h"
#include "gpu/context.h"
#include "gpu/device_private.h"
#include "gpu/fence.h"
#include "gpu/order.h"
#include "gpu/output.h"
#include "gpu/resource.h"
#include "gpu/scanout.h"
#include "vhost/session.h"

#define LOG_MODULE "device"
#include "base/log.h"

static struct gpu_device *to_device(struct vhost_backend *backend)
{
	return container_of(backend, struct gpu_device, backend);
}

static uint64_t device_features(struct vhost_backend *backend)
{
	uint64_t features = BIT64(VIRTIO_GPU_F_EDID) | BIT64(VIRTIO_GPU_F_RESOURCE_UUID) |
			    BIT64(VIRTIO_GPU_F_RESOURCE_BLOB);

	if (to_device(backend)->n_capsets > 0)
		features |= BIT64(VIRTIO_GPU_F_VIRGL) | BIT64(VIRTIO_GPU_F_CONTEXT_INIT);
	if (to_device(backend)->shmem_size > 0)
		features |= BIT64(GPU_F_BLOB_ALIGNMENT);
	return features;
}

static void set_features(struct vhost_backend *backend, uint64_t features)
{
	to_device(backend)->features = features;
}

/* VIRTIO 1.4, 5.7.4. Older versions of Linux's struct virtio_gpu_config lack the last field. */
struct gpu_config {
	uint32_t events_read, events_clear;
	uint32_t num_scanouts, num_capsets;
	uint32_t blob_alignment; /* bytes */
};

/* VIRTIO 1.2, 5.7.4. The front-end fills in the events, because it knows when a window is resized.
 */
static void config_read(struct vhost_backend *backend, uint32_t offset, void *buf, uint32_t size)
{
	const struct gpu_device *device = to_device(backend);
	const struct gpu_config config = {
		.num_scanouts = device->n_scanouts,
		.num_capsets = device->n_capsets,
		.blob_alignment = device->shmem_size > 0 ? BLOB_PAGE : 0,
	};

	memset(buf, 0, size);
	if (offset < sizeof(config))
		memcpy(buf, (const uint8_t *)&config + offset,
		       MIN(size, (uint32_t)sizeof(config) - offset));
}

static void config_write(struct vhost_backend *backend, uint32_t offset, const void *buf,
			 uint32_t size)
{
	(void)backend;
	(void)buf;
	log_debug("the guest wrote %u bytes of configuration at offset %u", size, offset);
}

static uint64_t window(struct vhost_backend *backend)
{
	return to_device(backend)->shmem_size;
}

static void gpu_socket(struct vhost_backend *backend, int fd)
{
	int r = display_set_socket(to_device(backend)->display, fd);

	if (r == -ENOTSUP)
		log_debug("this display takes no socket");
	else if (r < 0)
		log_error("cannot use the display socket: %s", g_strerror(-r));
}

static void reset(struct vhost_backend *backend)
{
	struct gpu_device *device = to_device(backend);

	command_drop_all(device);
	display_reset(device->display);
	context_free_all(device);
	resource_free_all(device);
	if (device->renderer->ops->reset)
		renderer_call_void(device->renderer, reset);
	output_init(device);
}

static void session_opened(struct vhost_backend *backend, struct vhost_session *session)
{
	to_device(backend)->session = session;
	report_session_begins(to_device(backend));
}

static void session_closed(struct vhost_backend *backend)
{
	struct gpu_device *device = to_device(backend);

	report_session_ends(device);
	reset(backend);
	g_clear_pointer(&device->stream, g_free);
	device->stream_size = 0;
	hostmem_settle(&device->hostmem);
	display_set_socket(device->display, -1);
	device->features = 0;
	device->session = NULL;
}

static void queue_started(struct vhost_backend *backend, unsigned index)
{
	struct gpu_device *device = to_device(backend);

	command_queue_started(device, index);
	if (index == QUEUE_CONTROL) {
		report_driver(device);
		order_restart(device);
		command_serve_later(device, QUEUE_CURSOR); /* it may have waited for this start */
	}
}

static void queue_stopped(struct vhost_backend *backend, unsigned index)
{
	loop_unqueue(&to_device(backend)->queues[index].again);
}

static void queue_kicked(struct vhost_backend *backend, unsigned index)
{
	command_kicked(to_device(backend), index);
}

static void memory_changed(struct vhost_backend *backend)
{
	resource_memory_changed(to_device(backend));
}

static const struct vhost_backend_ops backend_ops = {
	.features = device_features,
	.set_features = set_features,
	.config_read = config_read,
	.config_write = config_write,
	.window = window,
	.gpu_socket = gpu_socket,
	.session_opened = session_opened,
	.session_closed = session_closed,
	.queue_started = queue_started,
	.queue_stopped = queue_stopped,
	.queue_kicked = queue_kicked,
	.memory_changed = memory_changed,
	.reset = reset,
};

/* Called before the seccomp filter is installed, which may forbid opening /proc/self/statm. */
static void measure_memory(struct gpu_device *device)
{
	uint64_t library_bytes = device->renderer->library_bytes;
	int r = library_bytes > 0 ? hostmem_measure(&device->hostmem, -1, library_bytes) : 0;

	if (r < 0 && r != -ENOTSUP)
		log_warn("cannot measure the daemon's memory, so --max-hostmem limits estimates "
			 "only: %s",
			 g_strerror(-r));
}

struct gpu_device *gpu_device_new(struct loop *loop, struct renderer *renderer,
				  struct display *display, const struct gpu_device_options *options)
{
	struct gpu_device *device = g_new(struct gpu_device, 1);

	*device = (struct gpu_device){
		.backend = { .ops = &backend_ops,
			     .n_queues = N_QUEUES,
			     .makes_dmabufs = options->udmabuf > 0 },
		.loop = loop,
		.renderer = renderer,
		.display = display,
		.limits = options->limits,
		.n_scanouts = options->n_scanouts,
		.udmabuf = options->udmabuf,
		.scanout_mode = options->scanout_mode,
	};
	for (unsigned i = 0; i < N_QUEUES; i++)
		device->queues[i] = (struct queue){ .device = device, .index = i };
	hostmem_init(&device->hostmem, options->limits.max_hostmem);
	renderer->hostmem = &device->hostmem;
	measure_memory(device);
	trace_init(&device->trace, options->trace_fd);
	scanout_init_all(device);
	output_init(device);
	capset_init(device);
	if (renderer->can_export_blobs && capset_uses_window(device))
		device->shmem_size = options->shmem_size;
	if (!command_pool_init(device) || fence_init(device) < 0 || order_init(device) < 0) {
		gpu_device_free(device);
		return NULL;
	}
	return device;
}

void gpu_device_free(struct gpu_device *device)
{
	if (!device)
		return;
	assert(!device->session);
	command_pool_finish(device);
	resource_reap_all(device);
	order_finish(device);
	fence_finish(device);
	id_table_finish(&device->contexts);
	id_table_finish(&device->resources);
	device->renderer->hostmem = NULL;
	hostmem_finish(&device->hostmem);
	g_free(device->stream);
	trace_finish(&device->trace);
	g_free(device);
}

struct vhost_backend *gpu_device_backend(struct gpu_device *device)
{
	return &device->backend;
}
