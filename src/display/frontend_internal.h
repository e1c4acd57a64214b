// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * What the files of the vhost-user-gpu display share. frontend.c keeps the wished-for state,
 * frontend_message.c knows what of it the peer lacks, frontend_band.c which pixels are next,
 * frontend_output.c sends that,
 * frontend_request.c keeps the requests, frontend_reply.c reads the answers.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/loop.h"
#include "display/damage.h"
#include "display/display.h"
#include "display/gpu_messages.h"

/* The pixels of one UPDATE at most. The peer blocks its main loop until it has read all of one, so
 * it must not wait for us to wake up in between: the whole fits into the socket's buffer. It also
 * stays in the processor's cache between our write and the peer's read. */
#define FRONTEND_BAND_BYTES (200 * 1024)

/* What the socket is asked to hold: the kernel doubles it, so two bands. While the peer reads one
 * we write the next, and wake up half as often. What Linux allows unless it is told otherwise is
 * this much, and more would let what is shown lag further behind. */
#define FRONTEND_SOCKET_BYTES (208 * 1024)

/* Pieces of memory in one UPDATE at most; one more holds its header. */
#define FRONTEND_BAND_PIECES (IOV_MAX - 1)

#define FRONTEND_HEADER_BYTES                                                                      \
	(sizeof(struct vhost_user_gpu_header) + sizeof(struct vhost_user_gpu_update))

/* What is read at once; more than the longest reply. */
#define FRONTEND_INPUT_BYTES 2048

/* Milliseconds. */
#define FRONTEND_PROTOCOL_TIMEOUT 2000
#define FRONTEND_REQUEST_TIMEOUT  2000
#define FRONTEND_FLUSH_TIMEOUT    5000

enum scanout_kind {
	SCANOUT_OFF,
	SCANOUT_PIXELS,
	SCANOUT_DMABUF,
};

/* display_request::kind: what a pending request waits for. */
enum request_kind {
	REQUEST_INFO_WAITS, /* to be asked */
	REQUEST_INFO_ASKED, /* for the answer */
	REQUEST_EDID_WAITS,
	REQUEST_EDID_ASKED, /* at most one */
	REQUEST_FLUSH_WAITS,
	REQUEST_FLUSH_ASKED,
	REQUEST_LOST, /* to be told that its peer is gone */
};

enum protocol_state {
	PROTOCOL_TO_ASK,
	PROTOCOL_ASKED,
	PROTOCOL_TO_SET,
	PROTOCOL_SET,
};

struct frontend_cursor {
	struct display_cursor shape;
	bool was_used, has_shape, is_visible;
	bool shape_is_stale, position_is_stale; /* at the peer */
};

struct frontend_scanout {
	/* What is to be shown. */
	enum scanout_kind kind;
	uint32_t width, height;
	struct display_source *source; /* borrowed */
	struct display_dmabuf dmabuf;  /* its fd is ours; -1 if kind is something else */
	struct frontend_cursor cursor;

	/* What the peer lacks of it. */
	struct damage damage;
	struct rect sending; /* taken out of damage and prepared; empty if there is none */
	bool dmabuf_is_stale;
	struct rect flush; /* of the dma-buf; empty if there is none to send */

	/* What the peer has. */
	uint32_t peer_width, peer_height; /* of the last SCANOUT on this socket, 0 if it is gone */
	bool peer_has_surface, peer_has_dmabuf; /* also from an earlier socket */
	bool peer_surface_is_unused;            /* SCANOUT was sent, and no UPDATE since */
	bool flush_is_asked;
	uint64_t flush_deadline;
};

struct frontend;

/* One kind of message; there is one such message to send, or none. */
struct message {
	const char *name;
	uint32_t request, size; /* size: of the payload, without an UPDATE's pixels */
	/* Fills in @payload (@size bytes) if there is something to send. */
	bool (*build)(struct frontend *fe, unsigned scanout, void *payload);
	/* The first byte is out, or it is committed, so all of it will be: now the peer counts as
	 * having it. */
	void (*sent)(struct frontend *fe, unsigned scanout);
};

/* The message that is being sent. */
struct frontend_output {
	const struct message *message; /* NULL: none */
	unsigned scanout;              /* DISPLAY_MAX_SCANOUTS: of none */
	struct display_source *source; /* whose memory iov points to, or NULL */
	int fd;                        /* borrowed; goes with the first byte. -1: none */
	struct rect band;              /* of an UPDATE */
	size_t committed;              /* bytes of whole messages before this one, in the buffer */
	int first, count;              /* of iov; the rest is unsent */
	struct iovec iov[1 + FRONTEND_BAND_PIECES];
	_Alignas(8) uint8_t buffer[FRONTEND_HEADER_BYTES + FRONTEND_BAND_BYTES];
};

struct frontend_timeouts {
	uint32_t protocol, request, flush; /* milliseconds */
};

struct frontend {
	struct display base;
	struct loop *loop; /* borrowed */

	/* The peer. */
	int fd; /* -1: there is none */
	uint64_t generation;
	struct loop_source socket;
	bool is_full; /* the socket; EPOLLOUT will tell */
	bool has_warned;
	enum protocol_state protocol;
	uint64_t protocol_deadline; /* 0: the features are known, or there is no peer */
	uint64_t features;          /* VHOST_USER_GPU_PROTOCOL_F_* */
	bool info_is_asked;         /* GET_DISPLAY_INFO is out; one at a time */
	bool barrier_is_due;        /* GET_EDID is out, GET_DISPLAY_INFO must follow */
	uint8_t flush_order[DISPLAY_MAX_SCANOUTS]; /* scanouts whose flush is asked */
	unsigned flush_order_len;
	unsigned input_len;
	uint8_t input[FRONTEND_INPUT_BYTES];

	struct display_request *requests; /* display_request::next; the oldest first */
	struct frontend_timeouts timeouts;
	struct loop_timer timer;
	uint64_t timer_deadline; /* while it is armed */
	struct loop_task task;

	unsigned next_scanout; /* whose turn it is to send */
	/* Where there may be something to send; nowhere else there is. */
	uint32_t awake; /* bit i: on scanout i; bit DISPLAY_MAX_SCANOUTS: of no scanout */
	uint32_t drawn; /* bit i: on scanout i, but if it is not awake, only its pixels */
	struct frontend_scanout scanouts[DISPLAY_MAX_SCANOUTS];
	struct frontend_output output;
};

/* frontend.c */

/* Ends the connection and marks the requests as lost; the caller then calls
 * frontend_end_requests() for those. Nothing happens without a peer. */
void frontend_disconnect(struct frontend *fe);
/* The same because the socket failed, and ends the requests. From the loop only. */
void frontend_drop_peer(struct frontend *fe);
#define FRONTEND_EVERYTHING ((2u << DISPLAY_MAX_SCANOUTS) - 1)

/* Something changed on @scanouts (bits as in frontend::awake): sends what there is to send at the
 * end of this turn of the loop. */
void frontend_wake(struct frontend *fe, uint32_t scanouts);
/* The protocol features are known now. */
void frontend_set_features(struct frontend *fe, uint64_t features);
void frontend_scanout_off(struct frontend *fe, unsigned scanout);

static inline bool frontend_has_features(const struct frontend *fe, uint64_t features)
{
	return (fe->features & features) == features;
}

/* frontend_message.c */

/* Puts the next message to send into fe->output. False if there is none. */
bool frontend_message_next(struct frontend *fe);

/* frontend_band.c */

/* Puts the next part of the picture on @s that is to be sent into fe->output.band, and where its
 * pixels lie into fe->output.iov from 1 on. Returns how many pieces these are; 0: nothing is to be
 * sent. */
int frontend_band_next(struct frontend *fe, struct frontend_scanout *s);

/* frontend_output.c */

/* Sends until the socket is full or nothing is left to send. From the loop only. */
void frontend_output_run(struct frontend *fe);
/* Copies what is unsent of an UPDATE's pixels, which need their source no longer. */
void frontend_output_pack(struct frontend_output *out);
/* The memory of @source is about to go: keeps what a partly sent message needs of it. */
void frontend_output_keep(struct frontend *fe, const struct display_source *source);

/* frontend_request.c */

uint64_t frontend_now(void); /* milliseconds; never 0 */
void frontend_request_add(struct frontend *fe, struct display_request *request,
			  enum request_kind kind, unsigned scanout, uint32_t timeout);
void frontend_request_remove(struct frontend *fe, struct display_request *request);
/* The oldest request of that kind, or NULL; of any scanout with DISPLAY_MAX_SCANOUTS. */
struct display_request *frontend_request_find(struct frontend *fe, enum request_kind kind,
					      unsigned scanout);
/* Those of one kind are of another kind from now on. */
void frontend_requests_become(struct frontend *fe, enum request_kind kind, unsigned scanout,
			      enum request_kind becomes);
/* Calls back all those of that kind. A callback may make and cancel requests. */
void frontend_end_requests(struct frontend *fe, enum request_kind kind, unsigned scanout, int error,
			   const void *reply);
/* Makes sure that frontend_request_expire() is called at @deadline. */
void frontend_request_watch(struct frontend *fe, uint64_t deadline);
/* Ends what has waited too long. */
int frontend_request_expire(struct loop_timer *timer);
/* The flush that was asked first has been shown, or none if none was asked. */
void frontend_flush_done(struct frontend *fe);

/* frontend_reply.c */

/* Reads what there is, and handles it. From the loop only. */
void frontend_reply_read(struct frontend *fe);
