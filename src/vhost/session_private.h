// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* Shared by the session's files: its state, and the handlers that session.c lists in its table. */

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "vhost/backend.h"
#include "vhost/channel.h"
#include "vhost/memory.h"
#include "vhost/session.h"
#include "vhost/vring.h"

struct shmem;

struct vhost_queue {
	struct vhost_session *session;
	struct vring vring;
	int kick_fd;                    /* owned; -1: none */
	struct loop_source kick_source; /* in the loop only while the ring runs */
	bool kick_is_pipe;              /* has to be read, or it fills up; an eventfd need not */
	struct loop_task kick_task;     /* one kick of our own at each start (session_ring.c) */
	bool is_enabled;
	bool has_addresses;
};

struct vhost_session {
	struct loop *loop;
	struct vhost_backend *backend;
	vhost_session_ended_fn ended;
	void *ended_data;

	struct vhost_channel channel;
	struct loop_source source;
	struct loop_task end_task;
	int error;          /* for ended() */
	const char *reason; /* why a handler refused, for the log; NULL: only the errno is known */
	bool has_spoken;    /* a complete message was received */
	bool has_explained; /* session_explain_ring() has said something */
	int wake_fd;        /* borrowed: an eventfd of the watchdog; -1: none */
	bool is_handling;   /* a handler runs; it may be in a call of the renderer's library */

	uint64_t protocol_features; /* as accepted */
	uint64_t features;
	struct guest_memory memory;
	int fault_fd; /* owned: an eventfd that sigbus.c writes */
	struct loop_source fault_source;
	struct vhost_queue queues[VHOST_MAX_QUEUES];
	uint16_t stopped_base; /* where queue 0 was last stopped; 0 after a reset */
	int backend_req_fd;    /* owned; -1: none, or the window has it */
	uint64_t window;       /* bytes; 0: the session has no window (session_window.c) */
	struct shmem *shmem;   /* owned; NULL: nothing has been mapped yet */
};

/*
 * A handler gets a message whose size and number of descriptors match its table entry. It returns
 * 0; -EPROTO for an invalid request (the session ends); or another -errno if the request failed
 * (the front-end is answered if it asked for that, else the session ends).
 */
typedef int (*session_handler_fn)(struct vhost_session *session, struct vhost_message *message);

/* Stores @reason (static) for the log, and returns @error. */
static inline int session_refuse(struct vhost_session *session, int error, const char *reason)
{
	session->reason = reason;
	return error;
}

static inline int session_reply_u64(struct vhost_session *session, uint64_t value)
{
	vhost_channel_reply(&session->channel, &value, sizeof(value));
	return 0;
}

/* session.c: ends the session with an error, in a task of the loop. Logs @problem, or the text of
 * @error if it is NULL. */
void session_fail(struct vhost_session *session, int error, const char *problem);

/* session.c, for the watchdog: under the state lock, while the main thread is in a call of the
 * renderer's library */

/* Handles messages up to the first one that cannot be handled during such a call. */
void session_serve_during_call(struct vhost_session *session);
/* Shuts the connection down; the main thread ends the session after the call has returned. */
void session_hang_up(struct vhost_session *session);

/* session_advice.c: a ring could not start. Logs one error line a session if the cause is known. */
void session_explain_ring(struct vhost_session *session, const struct vring *vring);

/* session.c: whether the current request has to be answered (NEED_REPLY). */
bool session_wants_answer(const struct vhost_session *session);

/* session_ring.c */
void session_queues_init(struct vhost_session *session);
void session_queues_finish(struct vhost_session *session); /* the queues must be stopped */
void session_queues_stop(struct vhost_session *session);
/* Disables all queues, or enables them: those that are set up completely then run. */
void session_queues_enable(struct vhost_session *session, bool is_enabled);

int handle_set_vring_num(struct vhost_session *session, struct vhost_message *message);
int handle_set_vring_addr(struct vhost_session *session, struct vhost_message *message);
int handle_set_vring_base(struct vhost_session *session, struct vhost_message *message);
int handle_get_vring_base(struct vhost_session *session, struct vhost_message *message);
int handle_set_vring_kick(struct vhost_session *session, struct vhost_message *message);
int handle_set_vring_call(struct vhost_session *session, struct vhost_message *message);
int handle_set_vring_err(struct vhost_session *session, struct vhost_message *message);
int handle_set_vring_enable(struct vhost_session *session, struct vhost_message *message);

/* session_window.c */
void session_window_reset(struct vhost_session *session);
void session_window_set_running(struct vhost_session *session, bool is_running);
void session_window_free(struct vhost_session *session);
/* Whether @fd, the file of a memory region of the front-end, is one that the daemon asked the
 * front-end to map into the window. */
bool session_window_owns_file(struct vhost_session *session,
			      const struct vhost_user_memory_region *spec, int fd);
bool session_window_owns_address(const struct vhost_session *session,
				 const struct vhost_user_memory_region *spec);

int handle_get_shmem_config(struct vhost_session *session, struct vhost_message *message);
int handle_set_backend_req_fd(struct vhost_session *session, struct vhost_message *message);

/* session_device.c */
void session_reset_device(struct vhost_session *session); /* stops the queues first */
void session_memory_changed(void *data);

int handle_get_features(struct vhost_session *session, struct vhost_message *message);
int handle_set_features(struct vhost_session *session, struct vhost_message *message);
int handle_get_protocol_features(struct vhost_session *session, struct vhost_message *message);
int handle_set_protocol_features(struct vhost_session *session, struct vhost_message *message);
int handle_set_owner(struct vhost_session *session, struct vhost_message *message);
int handle_reset_owner(struct vhost_session *session, struct vhost_message *message);
int handle_get_queue_num(struct vhost_session *session, struct vhost_message *message);
int handle_get_max_mem_slots(struct vhost_session *session, struct vhost_message *message);
int handle_set_mem_table(struct vhost_session *session, struct vhost_message *message);
int handle_add_mem_reg(struct vhost_session *session, struct vhost_message *message);
int handle_rem_mem_reg(struct vhost_session *session, struct vhost_message *message);
int handle_get_config(struct vhost_session *session, struct vhost_message *message);
int handle_set_config(struct vhost_session *session, struct vhost_message *message);
int handle_gpu_set_socket(struct vhost_session *session, struct vhost_message *message);
int handle_reset_device(struct vhost_session *session, struct vhost_message *message);
