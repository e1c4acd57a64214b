// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The session's requests and functions for the front-end's window of host memory (shmem.h). The
 * session has a window if the front-end accepted the needed features and asked for the window's
 * size. Accepting the features alone is no proof: QEMU 11.1's vhost-user-gpu-pci accepts them and
 * has no window.
 *
 * The struct shmem is made with the first map, so that a session without maps costs nothing.
 */
#include <errno.h>
#include <glib.h>

#include "base/bits.h"
#include "base/fd.h"
#include "vhost/descriptor.h"
#include "vhost/session_private.h"
#include "vhost/shmem.h"

/* Without these features there is no channel on which the front-end answers. */
#define NEEDED_FEATURES                                                                            \
	(BIT64(VHOST_USER_PROTOCOL_F_SHMEM) | BIT64(VHOST_USER_PROTOCOL_F_BACKEND_REQ) |           \
	 BIT64(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) | BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK))

/* VIRTIO_GPU_SHM_ID_HOST_VISIBLE */
#define WINDOW_ID 1

int handle_get_shmem_config(struct vhost_session *s, struct vhost_message *m)
{
	const struct vhost_backend_ops *ops = s->backend->ops;
	struct vhost_user_shmem_config config = { 0 };

	(void)m;
	if ((s->protocol_features & NEEDED_FEATURES) == NEEDED_FEATURES)
		s->window = ops->window(s->backend);
	config.n_regions = s->window > 0;
	config.sizes[WINDOW_ID] = s->window;
	vhost_channel_reply(&s->channel, &config, sizeof(config));
	return 0;
}

int handle_set_backend_req_fd(struct vhost_session *s, struct vhost_message *m)
{
	const char *problem = descriptor_check_socket(m->fds[0], s->channel.fd);

	if (problem)
		return session_refuse(s, -EPROTO, problem);
	if (s->shmem)
		return shmem_connect(s->shmem, fd_steal(&m->fds[0]));
	fd_close(&s->backend_req_fd);
	s->backend_req_fd = fd_steal(&m->fds[0]);
	return 0;
}

static void on_failed(void *data, int error, const char *problem)
{
	session_fail(data, error, problem);
}

/* 0 or -errno. */
static int prepare_shmem(struct vhost_session *s)
{
	if (s->shmem)
		return 0;
	if (s->window == 0 || s->backend_req_fd < 0)
		return -ENOTCONN;
	g_autofree struct shmem *shmem = g_new(struct shmem, 1);
	int r = shmem_init(shmem, s->loop, s->window, on_failed, s);

	if (r < 0)
		return r;
	s->shmem = g_steal_pointer(&shmem);
	shmem_set_running(s->shmem, s->queues[0].vring.is_running);
	return shmem_connect(s->shmem, fd_steal(&s->backend_req_fd));
}

uint64_t vhost_session_window(const struct vhost_session *s)
{
	return s->window;
}

int vhost_session_map(struct vhost_session *s, struct vhost_mapping *mapping, int fd)
{
	int r = prepare_shmem(s);

	if (r < 0) {
		fd_close(&fd);
		return r;
	}
	return shmem_map(s->shmem, mapping, fd);
}

int vhost_session_unmap(struct vhost_session *s, struct vhost_mapping *mapping)
{
	return shmem_unmap(s->shmem, mapping);
}

void vhost_session_forget(struct vhost_session *s, struct vhost_mapping *mapping)
{
	if (s->shmem)
		shmem_forget(s->shmem, mapping);
}

void session_window_reset(struct vhost_session *s)
{
	if (s->shmem)
		shmem_reset(s->shmem);
}

void session_window_set_running(struct vhost_session *s, bool is_running)
{
	if (s->shmem)
		shmem_set_running(s->shmem, is_running);
}

void session_window_free(struct vhost_session *s)
{
	if (!s->shmem)
		return;
	shmem_finish(s->shmem);
	g_clear_pointer(&s->shmem, g_free);
}

bool session_window_owns_file(struct vhost_session *s, const struct vhost_user_memory_region *spec,
			      int fd)
{
	return s->shmem && shmem_owns_file(s->shmem, fd, spec->gpa, spec->size);
}

bool session_window_owns_address(const struct vhost_session *s,
				 const struct vhost_user_memory_region *spec)
{
	return s->shmem && shmem_owns_address(s->shmem, spec->gpa, spec->size);
}
