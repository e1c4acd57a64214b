// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: a ring runs only while it has a size, addresses and a kick descriptor and is
 * enabled. It is started as soon as it has all of these, whatever the order of the requests; the
 * start fails if one of them is invalid. Its kick descriptor is in the loop only while it runs. The
 * device gets one queue_stopped() for each queue_started().
 *
 * Eventfds are polled edge-triggered: each write is reported once and the counter need not be read.
 * That saves a third of the system calls of a small command. A pipe would fill up, so it is read.
 *
 * After a start we act as if the guest had kicked once: it may have kicked the old descriptor, or
 * the new one before the ring was enabled, and does not repeat a kick. This is a task of the loop,
 * so that the front-end gets its answer before the device serves the ring.
 *
 * Size and addresses are chosen by the guest and not checked by the front-end. If they are invalid,
 * the ring is broken and the session continues. After GET_VRING_BASE the ring needs a new kick
 * descriptor to run again.
 *
 * QEMU's generic vhost-user device never sends RESET_DEVICE, although it accepts the feature. There
 * a reset shows only in SET_VRING_BASE: the control queue starts from 0 after it had stopped at
 * another index.
 */
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/container.h"
#include "base/fd.h"
#include "vhost/ring_layout.h"
#include "vhost/descriptor.h"
#include "vhost/session_private.h"

#define LOG_MODULE "session"
#include "base/log.h"

static void queue_kicked(struct vhost_queue *q)
{
	struct vhost_backend *backend = q->session->backend;

	backend->ops->queue_kicked(backend, q->vring.index);
}

static int on_kick_task(struct loop_task *task)
{
	queue_kicked(container_of(task, struct vhost_queue, kick_task));
	return 0;
}

/* Reads kicks from a pipe. False at its end, or after an error. */
static bool drain_kicks(struct vhost_queue *q)
{
	char kicks[4096];
	ssize_t n = read(q->kick_fd, kicks, sizeof(kicks));

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static int on_kick(struct loop_source *source, uint32_t events)
{
	struct vhost_queue *q = container_of(source, struct vhost_queue, kick_source);
	bool has_ended = events & (EPOLLHUP | EPOLLERR) || (q->kick_is_pipe && !drain_kicks(q));

	if (has_ended) {
		/* A hang-up stays: epoll would report it for ever. */
		log_warn("queue %u: the front-end closed the kick descriptor", q->vring.index);
		loop_remove(source);
	}
	if (!has_ended || events & EPOLLIN) /* the last kick counts too */
		queue_kicked(q);
	return 0;
}

/* False if the kick descriptor cannot be polled. */
static bool queue_watch(struct vhost_queue *q)
{
	struct stat st;

	q->kick_is_pipe = fstat(q->kick_fd, &st) == 0 && S_ISFIFO(st.st_mode);
	int r = loop_add(q->session->loop, &q->kick_source, q->kick_fd,
			 q->kick_is_pipe ? EPOLLIN : EPOLLIN | EPOLLET, on_kick);

	if (r < 0) {
		log_warn("queue %u: cannot poll the kick descriptor: %s", q->vring.index,
			 g_strerror(-r));
		return false;
	}
	loop_queue(q->session->loop, &q->kick_task, on_kick_task);
	return true;
}

static void queue_unwatch(struct vhost_queue *q)
{
	loop_remove(&q->kick_source);
	loop_unqueue(&q->kick_task);
}

static void queue_start(struct vhost_queue *q)
{
	struct vhost_backend *backend = q->session->backend;

	q->vring.has_event_idx = q->session->features & BIT64(VIRTIO_RING_F_EVENT_IDX);
	if (vring_start(&q->vring) < 0) {
		session_explain_ring(q->session, &q->vring);
		return; /* vring_start() has logged the cause */
	}
	if (!queue_watch(q)) {
		vring_stop(&q->vring);
		return;
	}
	backend->ops->queue_started(backend, q->vring.index);
	if (q->vring.index == 0)
		session_window_set_running(q->session, true);
}

static void queue_stop(struct vhost_queue *q)
{
	struct vhost_backend *backend = q->session->backend;

	queue_unwatch(q);
	if (q->vring.index == 0)
		session_window_set_running(q->session, false);
	backend->ops->queue_stopped(backend, q->vring.index);
	vring_stop(&q->vring);
}

static void queue_update(struct vhost_queue *q)
{
	bool may_run = q->is_enabled && q->has_addresses && q->vring.size > 0 && q->kick_fd >= 0;

	if (may_run && !q->vring.is_running)
		queue_start(q);
	else if (!may_run && q->vring.is_running)
		queue_stop(q);
}

static void on_blocked(struct vring *vring)
{
	const struct vhost_queue *q = container_of(vring, struct vhost_queue, vring);

	session_fail(q->session, -EIO, "a write to a call or error descriptor blocked");
}

void session_queues_init(struct vhost_session *s)
{
	for (unsigned i = 0; i < s->backend->n_queues; i++) {
		s->queues[i].session = s;
		s->queues[i].kick_fd = -1;
		vring_init(&s->queues[i].vring, i, &s->memory);
		s->queues[i].vring.on_blocked = on_blocked;
	}
}

void session_queues_finish(struct vhost_session *s)
{
	for (unsigned i = 0; i < s->backend->n_queues; i++) {
		vring_finish(&s->queues[i].vring);
		fd_close(&s->queues[i].kick_fd);
	}
}

void session_queues_stop(struct vhost_session *s)
{
	for (unsigned i = 0; i < s->backend->n_queues; i++)
		if (s->queues[i].vring.is_running)
			queue_stop(&s->queues[i]);
}

void session_queues_enable(struct vhost_session *s, bool is_enabled)
{
	for (unsigned i = 0; i < s->backend->n_queues; i++) {
		s->queues[i].is_enabled = is_enabled;
		queue_update(&s->queues[i]);
	}
}

static struct vhost_queue *find_queue(struct vhost_session *s, uint32_t index)
{
	if (index < s->backend->n_queues)
		return &s->queues[index];
	s->reason = "no such queue";
	return NULL;
}

static struct vhost_queue *read_state(struct vhost_session *s, const struct vhost_message *m,
				      struct vhost_user_vring_state *ret)
{
	memcpy(ret, m->payload, sizeof(*ret));
	return find_queue(s, ret->index);
}

int handle_set_vring_num(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_user_vring_state state;
	struct vhost_queue *q = read_state(s, m, &state);

	if (!q)
		return -EPROTO;
	if (state.num > UINT16_MAX)
		return session_refuse(s, -EPROTO, "the size is above the largest ring (1024)");
	if (q->vring.is_running && state.num != q->vring.size)
		return session_refuse(s, -EBUSY, "the ring is running");
	q->vring.size = (uint16_t)state.num;
	queue_update(q);
	return 0;
}

int handle_set_vring_addr(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_user_vring_addr addr;

	memcpy(&addr, m->payload, sizeof(addr));
	struct vhost_queue *q = find_queue(s, addr.index);
	struct vring_addresses next = { addr.desc, addr.used, addr.avail };

	if (!q)
		return -EPROTO;
	/* The front-end sends the same addresses again when only the logging flags change. */
	if (q->vring.is_running && memcmp(&next, &q->vring.addresses, sizeof(next)) != 0)
		return session_refuse(s, -EBUSY, "the ring is running");
	q->vring.addresses = next;
	q->has_addresses = true;
	queue_update(q);
	return 0;
}

/* Queue 0 starts from 0 again. A queue that the front-end has set up before queue 0 runs on. */
static void reset_by_base(struct vhost_session *s)
{
	session_reset_device(s);
	for (unsigned i = 1; i < s->backend->n_queues; i++)
		queue_update(&s->queues[i]);
}

int handle_set_vring_base(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_user_vring_state state;
	struct vhost_queue *q = read_state(s, m, &state);

	if (!q)
		return -EPROTO;
	if (state.num > UINT16_MAX)
		return session_refuse(s, -EPROTO, "the index is above 65535");
	if (q->vring.is_running)
		return session_refuse(s, -EBUSY, "the ring is running");
	if (state.index == 0 && state.num == 0 && s->stopped_base != 0)
		reset_by_base(s);
	q->vring.last_avail = (uint16_t)state.num;
	return 0;
}

int handle_get_vring_base(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_user_vring_state state;
	struct vhost_queue *q = read_state(s, m, &state);

	if (!q)
		return -EPROTO;
	if (q->vring.is_running)
		queue_stop(q);
	fd_close(&q->kick_fd);
	if (state.index == 0)
		s->stopped_base = q->vring.last_avail;
	state.num = q->vring.last_avail;
	vhost_channel_reply(&s->channel, &state, sizeof(state));
	return 0;
}

/* The queue and the descriptor (the caller's; -1 for none) of SET_VRING_KICK, CALL and ERR. */
static int read_queue_fd(struct vhost_session *s, struct vhost_message *m,
			 struct vhost_queue **ret_queue, int *ret_fd)
{
	uint64_t value;

	memcpy(&value, m->payload, sizeof(value));
	struct vhost_queue *q = find_queue(s, value & VHOST_USER_VRING_INDEX_MASK);

	if (!q)
		return -EPROTO;
	if (m->n_fds != (value & VHOST_USER_VRING_NO_FD ? 0 : 1))
		return session_refuse(s, -EPROTO, "wrong number of descriptors");

	const char *problem = m->n_fds ? descriptor_check_event(m->fds[0]) : NULL;

	if (problem)
		return session_refuse(s, -EPROTO, problem);
	*ret_queue = q;
	*ret_fd = m->n_fds ? fd_steal(&m->fds[0]) : -1;
	return 0;
}

int handle_set_vring_kick(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_queue *q;
	auto_fd fd = -1;
	int r = read_queue_fd(s, m, &q, &fd);

	if (r == 0 && fd >= 0)
		r = fd_prepare(fd);
	if (r < 0)
		return r;
	if (q->vring.is_running)
		queue_unwatch(q);
	fd_close(&q->kick_fd);
	q->kick_fd = fd_steal(&fd);
	if (q->vring.is_running && q->kick_fd >= 0 && !queue_watch(q))
		fd_close(&q->kick_fd);
	queue_update(q);
	return 0;
}

int handle_set_vring_call(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_queue *q;
	int fd, r = read_queue_fd(s, m, &q, &fd);

	if (r == 0)
		vring_set_call(&q->vring, fd);
	return r;
}

int handle_set_vring_err(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_queue *q;
	int fd, r = read_queue_fd(s, m, &q, &fd);

	if (r == 0)
		vring_set_err(&q->vring, fd);
	return r;
}

int handle_set_vring_enable(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_user_vring_state state;
	struct vhost_queue *q = read_state(s, m, &state);

	if (!q)
		return -EPROTO;
	if (state.num > 1)
		return session_refuse(s, -EPROTO, "the value must be 0 or 1");
	q->is_enabled = state.num == 1;
	queue_update(q);
	return 0;
}
