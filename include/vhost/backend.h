// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The interface between a vhost-user session and the device that it serves. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vhost_backend;
struct vhost_session;

struct vhost_backend_ops {
	/* The device's own feature bits; the session adds those of rings and of the protocol. */
	uint64_t (*features)(struct vhost_backend *backend);
	/* All bits that the guest accepted, whether offered or not. */
	void (*set_features)(struct vhost_backend *backend, uint64_t features);

	/* Fills @size bytes of configuration space from @offset, zeros where there is none. */
	void (*config_read)(struct vhost_backend *backend, uint32_t offset, void *buf,
			    uint32_t size);
	void (*config_write)(struct vhost_backend *backend, uint32_t offset, const void *buf,
			     uint32_t size);

	/* Optional: bytes of host memory that the device wants to map into the guest; a power of
	 * two, 0: none. */
	uint64_t (*window)(struct vhost_backend *backend);

	/* The vhost-user-gpu socket (GPU_SET_SOCKET); takes @fd. */
	void (*gpu_socket)(struct vhost_backend *backend, int fd);

	/* A session begins: its queues may be started from now on until session_closed(). */
	void (*session_opened)(struct vhost_backend *backend, struct vhost_session *session);
	/* The queues are stopped; the session is gone after this call. The device frees all that
	 * the guest made. */
	void (*session_closed)(struct vhost_backend *backend);

	/* Queue @index runs: the device may return held descriptor chains to the guest, and take
	 * available ones. */
	void (*queue_started)(struct vhost_backend *backend, unsigned index);
	/* Queue @index is about to stop: nothing of it may be touched until it is started again. */
	void (*queue_stopped)(struct vhost_backend *backend, unsigned index);
	/* The guest kicked queue @index, which runs. Called once after each start too, since the
	 * kick may have come before. */
	void (*queue_kicked)(struct vhost_backend *backend, unsigned index);

	/* The guest's memory has changed: pointers and iovecs into it must not be used after this
	 * call. A running ring whose memory was removed is already broken. */
	void (*memory_changed)(struct vhost_backend *backend);

	/* The guest reset the device: free all that it made. The queues are stopped. */
	void (*reset)(struct vhost_backend *backend);
};

struct vhost_backend {
	const struct vhost_backend_ops *ops;
	unsigned n_queues;
	bool makes_dmabufs; /* of guest memory: sessions keep the descriptors of its files */
};
