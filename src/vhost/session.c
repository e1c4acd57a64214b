// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * One table describes the size and descriptors of every request. A handler is called only for a
 * request that matches its entry. Descriptors that the handler does not take are closed with the
 * message. An invalid message ends the session with one error line. A valid request that fails is
 * answered with 1 if the front-end asked for an answer (NEED_REPLY). Otherwise it ends the session,
 * because the front-end would continue as if it had succeeded.
 *
 * Once REPLY_ACK is negotiated, every request with NEED_REPLY gets an answer, unknown requests too:
 * QEMU waits for it with its big lock held. Requests that have a reply of their own send that
 * instead.
 *
 * The owner may free the session in ended(). So ended() is called from a task of the loop, when no
 * function of the session is on the call stack.
 */
#include "vhost/session_private.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/container.h"
#include "base/fd.h"

#define LOG_MODULE "session"
#include "base/log.h"

#define MESSAGES_PER_TURN 16

struct request {
	const char *name;
	session_handler_fn fn;
	uint16_t min_size, max_size; /* of the payload in bytes */
	uint8_t min_fds, max_fds;
	bool has_reply; /* a reply of its own, instead of the answer to NEED_REPLY */
	bool is_quick;  /* starts and stops no queue, touches neither memory nor renderer: can be
			   handled during a call of the renderer's library */
};

#define U64   sizeof(uint64_t)
#define STATE sizeof(struct vhost_user_vring_state)
#define ADDR  sizeof(struct vhost_user_vring_addr)
#define TABLE sizeof(struct vhost_user_mem_table)
#define REG   sizeof(struct vhost_user_mem_reg)

#define REQUEST(name, ...) [VHOST_USER_##name] = { #name, __VA_ARGS__ }

/* Indexed by request number. */
static const struct request requests[] = {
	REQUEST(GET_FEATURES, handle_get_features, 0, 0, 0, 0, true, true),
	REQUEST(SET_FEATURES, handle_set_features, U64, U64, 0, 0, false, false),
	REQUEST(SET_OWNER, handle_set_owner, 0, 0, 0, 0, false, true),
	REQUEST(RESET_OWNER, handle_reset_owner, 0, 0, 0, 0, false, false),
	REQUEST(SET_MEM_TABLE, handle_set_mem_table, 8, TABLE, 0, VHOST_MAX_FDS, false, false),
	REQUEST(SET_VRING_NUM, handle_set_vring_num, STATE, STATE, 0, 0, false, false),
	REQUEST(SET_VRING_ADDR, handle_set_vring_addr, ADDR, ADDR, 0, 0, false, false),
	REQUEST(SET_VRING_BASE, handle_set_vring_base, STATE, STATE, 0, 0, false, false),
	REQUEST(GET_VRING_BASE, handle_get_vring_base, STATE, STATE, 0, 0, true, false),
	REQUEST(SET_VRING_KICK, handle_set_vring_kick, U64, U64, 0, 1, false, false),
	REQUEST(SET_VRING_CALL, handle_set_vring_call, U64, U64, 0, 1, false, true),
	REQUEST(SET_VRING_ERR, handle_set_vring_err, U64, U64, 0, 1, false, true),
	REQUEST(GET_PROTOCOL_FEATURES, handle_get_protocol_features, 0, 0, 0, 0, true, true),
	REQUEST(SET_PROTOCOL_FEATURES, handle_set_protocol_features, U64, U64, 0, 0, false, true),
	REQUEST(GET_QUEUE_NUM, handle_get_queue_num, 0, 0, 0, 0, true, true),
	REQUEST(SET_VRING_ENABLE, handle_set_vring_enable, STATE, STATE, 0, 0, false, false),
	REQUEST(SET_BACKEND_REQ_FD, handle_set_backend_req_fd, 0, 0, 1, 1, false, false),
	REQUEST(GET_CONFIG, handle_get_config, 12, VHOST_MAX_PAYLOAD, 0, 0, true, true),
	REQUEST(SET_CONFIG, handle_set_config, 12, VHOST_MAX_PAYLOAD, 0, 0, false, true),
	REQUEST(GPU_SET_SOCKET, handle_gpu_set_socket, 0, 0, 1, 1, false, false),
	REQUEST(RESET_DEVICE, handle_reset_device, 0, 0, 0, 0, false, false),
	REQUEST(GET_MAX_MEM_SLOTS, handle_get_max_mem_slots, 0, 0, 0, 0, true, true),
	REQUEST(ADD_MEM_REG, handle_add_mem_reg, REG, REG, 1, 1, false, false),
	/* Some front-ends send a descriptor, which is closed unused. */
	REQUEST(REM_MEM_REG, handle_rem_mem_reg, REG, REG, 0, 1, false, false),
	REQUEST(GET_SHMEM_CONFIG, handle_get_shmem_config, 0, 0, 0, 0, true, true),
};

static const struct request *find_request(uint32_t number)
{
	if (number >= G_N_ELEMENTS(requests) || !requests[number].fn)
		return NULL;
	return &requests[number];
}

static int on_end(struct loop_task *task)
{
	struct vhost_session *s = container_of(task, struct vhost_session, end_task);

	s->ended(s->ended_data, s->error);
	return 0;
}

static void session_end(struct vhost_session *s, int error)
{
	s->error = error;
	loop_remove(&s->source);
	loop_remove(&s->fault_source);
	loop_queue(s->loop, &s->end_task, on_end);
}

/* Ends the session after an error, with one line in the log. Does nothing if it ends already. */
void session_fail(struct vhost_session *s, int error, const char *problem)
{
	uint32_t number = s->channel.in.header.request;
	const struct request *request = find_request(number);
	char name[32];

	if (s->channel.n_received < sizeof(struct vhost_user_header))
		snprintf(name, sizeof(name), "between requests");
	else if (request)
		snprintf(name, sizeof(name), "%s", request->name);
	else
		snprintf(name, sizeof(name), "request %u", number);
	if (!s->source.loop)
		return; /* it ends already */
	log_error("%s: %s; the session ends", name, problem ? problem : g_strerror(-error));
	session_end(s, error);
}

void vhost_session_abandon(struct vhost_session *s, int error, const char *why)
{
	session_fail(s, error, why);
}

bool session_wants_answer(const struct vhost_session *s)
{
	return (s->channel.in.header.flags & VHOST_USER_NEED_REPLY) &&
	       (s->protocol_features & BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK));
}

/* Wakes the watchdog: it can no longer see the message in the socket, because we have read it, and
 * the message's handler may take long. */
static void wake_watchdog(const struct vhost_session *s)
{
	const uint64_t one = 1;

	if (s->wake_fd >= 0)
		(void)!write(s->wake_fd, &one, sizeof(one));
}

/* Handles the received message. 0, or -errno if the session cannot continue. */
static int session_handle(struct vhost_session *s)
{
	struct vhost_message *m = &s->channel.in;
	const struct request *request = find_request(m->header.request);
	int r;

	s->reason = NULL;
	s->has_spoken = true;
	if (!request) {
		if (!session_wants_answer(s))
			return session_refuse(s, -EPROTO, "unknown request without NEED_REPLY");
		log_warn("request %u is unknown, refused", m->header.request);
		return session_reply_u64(s, 1);
	}
	log_debug("%s", request->name);
	if (m->header.size < request->min_size || m->header.size > request->max_size)
		return session_refuse(s, -EPROTO, "wrong size");
	if (m->n_fds < request->min_fds || m->n_fds > request->max_fds)
		return session_refuse(s, -EPROTO, "wrong number of descriptors");

	if (!request->is_quick)
		wake_watchdog(s);
	s->is_handling = true;
	r = request->fn(s, m);
	s->is_handling = false;
	if (r == -EPROTO || request->has_reply || !session_wants_answer(s))
		return r;
	if (r == -EALREADY) /* the ADD_MEM_REG that QEMU sends after each map into the window */
		log_debug("%s refused: %s", request->name, s->reason);
	else if (r < 0)
		log_warn("%s refused: %s", request->name, s->reason ? s->reason : g_strerror(-r));
	return session_reply_u64(s, r < 0);
}

/* Sends the pending reply, then handles the next message if it is complete. 1: there may be more
 * messages. */
static int session_step(struct vhost_session *s)
{
	int r = vhost_channel_flush(&s->channel);

	if (r == -EAGAIN)
		return loop_modify(&s->source, EPOLLOUT);
	if (r == 0)
		r = loop_modify(&s->source, EPOLLIN);
	if (r == 0)
		r = vhost_channel_receive(&s->channel);
	if (r <= 0) {
		s->reason = r == -EPROTO ? s->channel.problem : NULL;
		return r;
	}
	r = session_handle(s);
	if (!s->source.loop)
		return -ECANCELED; /* the handler ended the session */
	if (r < 0)
		return r;
	vhost_channel_done(&s->channel);
	return 1;
}

/* Whether the next message can be handled during a call of the renderer's library. */
static bool next_is_quick(const struct vhost_session *s)
{
	struct vhost_user_header header;

	if (!vhost_channel_peek(&s->channel, &header))
		return false;
	const struct request *request = find_request(header.request);

	return !request || request->is_quick;
}

static void serve_messages(struct vhost_session *s, bool is_during_call)
{
	int r = 1;

	for (unsigned n = 0; n < MESSAGES_PER_TURN && r == 1; n++) {
		if (is_during_call && !next_is_quick(s))
			break;
		r = session_step(s);
	}
	if (r == 1) {
		/* The last reply must not wait for the next message. */
		r = vhost_channel_flush(&s->channel);
		if (r == -EAGAIN)
			r = loop_modify(&s->source, EPOLLOUT);
	}
	if (r == -ECONNRESET)
		session_end(s, 0);
	else if (r < 0)
		session_fail(s, r, s->reason);
}

static int on_message(struct loop_source *source, uint32_t events)
{
	(void)events; /* an error or a hang-up shows when we read or write */
	serve_messages(container_of(source, struct vhost_session, source), false);
	return 0;
}

void session_serve_during_call(struct vhost_session *s)
{
	if (!s->is_handling && s->source.loop)
		serve_messages(s, true);
}

void session_hang_up(struct vhost_session *s)
{
	(void)shutdown(s->channel.fd, SHUT_RDWR);
}

/* We cannot tell which data of the guest was lost, so the session cannot continue. */
static int on_memory_fault(struct loop_source *source, uint32_t events)
{
	struct vhost_session *s = container_of(source, struct vhost_session, fault_source);

	(void)events;
	session_fail(s, -EFAULT,
		     "guest memory is not accessible: its file was truncated, or its file system "
		     "is full");
	return 0;
}

/* 0 or -errno. */
static int session_watch(struct vhost_session *s)
{
	int r = fd_prepare(s->channel.fd);

	s->fault_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r == 0 && s->fault_fd < 0)
		r = -errno;
	if (r == 0)
		r = loop_add(s->loop, &s->source, s->channel.fd, EPOLLIN, on_message);
	if (r == 0)
		r = loop_add(s->loop, &s->fault_source, s->fault_fd, EPOLLIN, on_memory_fault);
	return r;
}

struct vhost_session *vhost_session_new(struct loop *loop, int fd, struct vhost_backend *backend,
					vhost_session_ended_fn ended, void *data, int *ret_error)
{
	assert(backend->n_queues <= VHOST_MAX_QUEUES);

	struct vhost_session *s = g_new0(struct vhost_session, 1);
	int r;

	s->loop = loop;
	s->backend = backend;
	s->ended = ended;
	s->ended_data = data;
	s->backend_req_fd = -1;
	s->wake_fd = -1;
	vhost_channel_init(&s->channel, fd);
	r = session_watch(s);
	if (r < 0) {
		loop_remove(&s->source);
		fd_close(&s->fault_fd);
		vhost_channel_finish(&s->channel);
		g_free(s);
		*ret_error = r;
		return NULL;
	}
	guest_memory_init(&s->memory, session_memory_changed, s);
	guest_memory_report_faults(&s->memory, s->fault_fd);
	if (backend->makes_dmabufs)
		guest_memory_keep_memfds(&s->memory);
	session_queues_init(s);
	backend->ops->session_opened(backend, s);
	return s;
}

void vhost_session_free(struct vhost_session *session)
{
	if (!session)
		return;
	session_queues_stop(session);
	session->backend->ops->session_closed(session->backend);
	session_window_free(session);
	session_queues_finish(session);
	guest_memory_finish(&session->memory);
	loop_unqueue(&session->end_task);
	loop_remove(&session->source);
	loop_remove(&session->fault_source);
	vhost_channel_finish(&session->channel);
	fd_close(&session->fault_fd);
	fd_close(&session->backend_req_fd);
	g_free(session);
}

bool vhost_session_has_spoken(const struct vhost_session *session)
{
	return session->has_spoken;
}

struct vring *vhost_session_vring(struct vhost_session *session, unsigned index)
{
	assert(index < session->backend->n_queues);
	return &session->queues[index].vring;
}

const struct guest_memory *vhost_session_memory(struct vhost_session *session)
{
	return &session->memory;
}
