// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * Shared by the files of the display on the vhost-user-gpu socket. socket.c keeps the content that
 * each scanout should show, message.c finds the part that the peer lacks, band.c supplies the
 * pixels of an UPDATE, unchanged.c leaves out those that the peer has, output.c sends and decides
 * which pixels are copied first, request.c keeps the requests, reply.c reads the answers, pace.c
 * decides when the next frame begins.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/loop.h"
#include "base/pixel.h"
#include "display/damage.h"
#include "display/display.h"
#include "display/socket/wire.h"

/* The pixels of one UPDATE at most. What is larger goes in several. QEMU allocates a message, and
 * reads it as a whole, before it does anything else. */
#define SOCKET_UPDATE_BYTES DISPLAY_UPDATE_BYTES

/* Bytes that are sent, or prepared, in one turn of the loop before it ends: some 100 microseconds
 * of copying. */
#define SOCKET_TURN_BYTES (1024 * 1024)

/* Pixels that are copied at once before they are sent. Such a band stays in the processor's cache
 * between our write and the peer's read. */
#define SOCKET_BAND_BYTES DISPLAY_BAND_BYTES

/* The value for SO_SNDBUF, which the kernel doubles: two bands. While the peer reads one band we
 * write the next, and wake up half as often. This is Linux's default limit (wmem_max); a larger
 * buffer would also let the screen lag further behind. */
#define SOCKET_SEND_BUFFER_BYTES (208 * 1024)

/* Pieces of memory in one call at most; one more holds the header. */
#define SOCKET_BAND_PIECES (IOV_MAX - 1)

#define SOCKET_HEADER_BYTES                                                                        \
	(sizeof(struct vhost_user_gpu_header) + sizeof(struct vhost_user_gpu_update))

/* Bytes that are read at once; more than the longest reply. */
#define SOCKET_INPUT_BYTES 2048

/* Milliseconds. */
#define SOCKET_PROTOCOL_TIMEOUT 2000
#define SOCKET_REQUEST_TIMEOUT  2000
#define SOCKET_FLUSH_TIMEOUT    5000

/* How long the guest's flush of a dma-buf waits for the display to be done with it. QEMU does not
 * answer for a second while its window is hidden, and flushes that wait fill the guest's queue: at
 * 300 flushes a second the guest could soon draw no more. Even a display of 20 Hz shows two frames
 * in this time. */
#define SOCKET_HOLD_TIMEOUT 100

enum scanout_kind {
	SCANOUT_OFF,
	SCANOUT_PIXELS,
	SCANOUT_DMABUF,
};

/* display_request::kind: the event that a pending request waits for. */
enum request_kind {
	REQUEST_INFO_WAITS, /* to be asked */
	REQUEST_INFO_ASKED, /* for the answer */
	REQUEST_EDID_WAITS,
	REQUEST_EDID_ASKED, /* at most one */
	REQUEST_FLUSH_WAITS,
	REQUEST_FLUSH_ASKED,
	REQUEST_LOST, /* to be called back with -ENOTCONN, after the loss of the peer or a reset */
};

enum protocol_state {
	PROTOCOL_TO_ASK,
	PROTOCOL_ASKED,
	PROTOCOL_TO_SET,
	PROTOCOL_SET,
};

struct socket_cursor {
	struct display_cursor *shape; /* in socket_display::shapes */
	bool was_used, has_shape, is_visible;
	bool shape_is_stale, position_is_stale; /* at the peer */
};

struct socket_scanout {
	/* The content that the scanout should show. */
	enum scanout_kind kind;
	uint32_t width, height;
	struct display_pixels *pixels; /* borrowed */
	struct dmabuf dmabuf;          /* its fd is owned; -1 if kind is not SCANOUT_DMABUF */
	struct rect dmabuf_rect;       /* the part of it that is shown */
	struct socket_cursor cursor;

	/* The part of it that the peer lacks. */
	struct damage damage;  /* of the frame that is being sent */
	struct damage waiting; /* of the next frame; unused if interval is 0 */
	struct rect sending; /* taken out of damage and prepared, of which no byte was sent; may be
			      * empty */
	bool is_uncut;       /* sending may have pixels at its edges that the peer has */
	/* Of the rectangle that was prepared last, also after its UPDATE has begun. */
	bool is_kept;           /* each band of it is also copied to pixels->sent */
	uint32_t finished_rows; /* these are kept, and in the display's format */
	bool dmabuf_is_stale;
	struct rect flush; /* of the dma-buf; empty if there is none to send */

	/* The content that the peer has. */
	uint32_t peer_width, peer_height;       /* of the last SCANOUT on this socket; 0: pixels
						 * need a new one */
	bool peer_has_surface, peer_has_dmabuf; /* also from an earlier socket */
	bool peer_surface_is_unused;            /* SCANOUT was sent, and no UPDATE since */
	bool sent_is_valid;   /* the peer has exactly the pixels in pixels->sent .. */
	uint32_t sent_format; /* .. which are in this format (display_pixels::format) */
	unsigned uncompared;  /* rectangles that are sent before pixels are compared again */
	unsigned pause;       /* the next value of uncompared */
	bool flush_is_asked;
	uint64_t flush_deadline;

	/* Nanoseconds. */
	uint64_t interval;   /* from frame to frame; 0: all that is drawn is sent */
	uint64_t next_frame; /* of CLOCK_MONOTONIC: the next frame is due */
};

struct socket_display;

/* One kind of message. At any time, at most one message of a kind is due per scanout. */
struct message {
	const char *name;
	uint32_t request, size; /* size: of the payload, without an UPDATE's pixels */
	/* Fills in @payload (@size bytes) if there is something to send. */
	bool (*build)(struct socket_display *sd, unsigned scanout, void *payload);
	/* Called when the first byte was sent or the message was committed, so that all of it will
	 * be sent: records that the peer has it. */
	void (*sent)(struct socket_display *sd, unsigned scanout);
};

/* The message that is being sent. */
struct socket_output {
	const struct message *message; /* NULL: none */
	unsigned scanout;              /* DISPLAY_MAX_SCANOUTS: of none */
	int fd;                        /* borrowed; goes with the first byte. -1: none */
	struct rect update;            /* of an UPDATE */
	size_t left;                   /* bytes of its pixels that are not in iov yet */
	struct display_pixels *source; /* of its pixels, borrowed; NULL: zeros take their place */
	bool is_prepared;              /* source still has what it prepared for update */
	bool uses_source;              /* iov points to the memory of source */
	unsigned patience;             /* calls of socket_output_is_awaited() that may still
					* return true; set anew when the peer reads */
	size_t committed;              /* bytes of whole messages before this one, in the buffer */
	int first, count;              /* of iov; the rest is unsent */
	struct iovec iov[1 + SOCKET_BAND_PIECES];
	_Alignas(8) uint8_t buffer[SOCKET_HEADER_BYTES + SOCKET_BAND_BYTES];
};

struct socket_timeouts {
	uint32_t protocol, request, flush, hold; /* milliseconds */
};

struct socket_display {
	struct display base;
	struct loop *loop; /* borrowed */

	/* The peer. */
	int fd; /* -1: there is none */
	uint64_t generation;
	struct loop_source socket;
	bool is_full; /* the socket; EPOLLOUT reports when there is room */
	bool has_warned;
	enum protocol_state protocol;
	uint64_t protocol_deadline; /* 0: the features are known, or there is no peer */
	uint64_t features;          /* VHOST_USER_GPU_PROTOCOL_F_* */
	bool info_is_asked;         /* GET_DISPLAY_INFO has no answer yet; one at a time */
	bool barrier_is_due;        /* GET_EDID was sent, GET_DISPLAY_INFO must follow */
	uint8_t flush_order[DISPLAY_MAX_SCANOUTS]; /* scanouts with a flush sent */
	unsigned flush_order_len;
	unsigned input_len;

	bool has_told; /* told_features were logged */
	uint64_t told_features;

	struct display_request *requests; /* display_request::next; the oldest first */
	struct socket_timeouts timeouts;
	struct loop_timer timer;
	uint64_t timer_deadline; /* while it is armed */
	struct loop_timer pace_timer;
	uint64_t pace_deadline; /* nanoseconds, while it is armed */
	bool paces_by_edid;
	struct loop_task task;
	struct loop_writer writer; /* while a message is partly sent */

	unsigned next_scanout; /* whose turn it is to send */
	size_t prepared;       /* bytes in this turn of the loop */
	/* Which messages may be due; where both bits are 0, none is. */
	uint32_t awake;   /* bit i: those of scanout i; bit DISPLAY_MAX_SCANOUTS: of no scanout */
	uint32_t drawn;   /* bit i: only the UPDATE of scanout i: it has new pixels */
	uint32_t flushed; /* bit i: the guest has flushed, or flipped, scanout i in this turn, or in
			   * one that had no time left to prepare it */
	struct socket_scanout scanouts[DISPLAY_MAX_SCANOUTS];
	struct socket_output output;

	/* Large and seldom used, so not between the members above: a frame is sent after a sleep,
	 * when each page that is touched costs a TLB miss. */
	uint8_t input[SOCKET_INPUT_BYTES];
	struct display_cursor shapes[DISPLAY_MAX_SCANOUTS];
};

/* socket.c */

struct socket_display *socket_display_of(struct display *display);

/* Ends the connection and marks the requests as lost; the caller then calls
 * socket_request_end_all() for those. Nothing happens without a peer. */
void socket_disconnect(struct socket_display *sd);
/* Called when the socket failed: disconnects, and ends the requests. From the loop only. */
void socket_drop_peer(struct socket_display *sd);
#define SOCKET_EVERYTHING ((2u << DISPLAY_MAX_SCANOUTS) - 1)

/* Something changed on @scanouts (bits as in socket_display::awake): the messages that are due are
 * sent at the end of this turn of the loop. */
void socket_wake(struct socket_display *sd, uint32_t scanouts);
/* The protocol features are known now. */
void socket_set_features(struct socket_display *sd, uint64_t features);
void socket_scanout_off(struct socket_display *sd, unsigned scanout);

static inline bool socket_has_features(const struct socket_display *sd, uint64_t features)
{
	return (sd->features & features) == features;
}

/* Bytes of the pixels of @r. */
static inline size_t socket_band_bytes(const struct rect *r)
{
	return (size_t)r->width * r->height * PIXEL_BYTES;
}

/* message.c */

/* Puts the next message to send into sd->output. False if there is none. */
bool socket_message_next(struct socket_display *sd);

/* band.c */

/* Begins an UPDATE of the next rectangle of @s: puts it into sd->output, and its first pixels into
 * sd->output.iov from index 1 on. False: there is nothing to send. */
bool socket_band_begin(struct socket_display *sd, struct socket_scanout *s);
/* Called when all of sd->output.iov was sent: puts the next pixels of the begun UPDATE into it. */
void socket_band_next(struct socket_display *sd);
/* The rest of the begun UPDATE is sent as zeros, and the rows of this rest are sent again later. */
void socket_band_lose_source(struct socket_display *sd);

/* unchanged.c */

/* Cuts s->sending, which was prepared, to the smallest rectangle with all pixels in it that the
 * peer lacks; it is empty if there are none. Decides whether they will be kept. */
void socket_unchanged_cut(struct socket_scanout *s);
/* Copies a band of the current UPDATE to pixels->sent if s->is_kept, before it is converted. The
 * first access to a page may take long. */
void socket_unchanged_keep(struct socket_scanout *s, const struct rect *band);
/* The UPDATE of the rectangle that was prepared last was begun. */
void socket_unchanged_note_sent(struct socket_scanout *s);
/* It is not known any more which pixels the peer has. */
void socket_unchanged_forget(struct socket_scanout *s);

/* pace.c */

/* @max_fps as in socket_display_new(). */
void socket_pace_init(struct socket_display *sd, uint32_t max_fps);
/* Forgets the refresh rates: the next front-end has other screens. */
void socket_pace_forget_edids(struct socket_display *sd);
/* Takes the refresh rate of @scanout from @edid. */
void socket_pace_by_edid(struct socket_display *sd, unsigned scanout,
			 const struct display_edid *edid);
/* Adds @r (not empty) to the damage of @s, for the current frame or the next one. */
void socket_pace_add(struct socket_scanout *s, const struct rect *r);
/* Drops all damage of @s. */
void socket_pace_drop(struct socket_scanout *s);
/* Called when the last frame of @s was sent. Returns true if the next one begins: its damage is in
 * s->damage. If the next one has to wait, pace_timer will set the bit of @s in
 * socket_display::drawn. At the end of a turn in which the guest flushed (socket_display::flushed)
 * the frame may begin before its time. */
bool socket_pace_begin_frame(struct socket_display *sd, struct socket_scanout *s);
int socket_pace_expire(struct loop_timer *timer);

/* output.c */

/* Sends until the socket is full or nothing is left to send. From the loop only. */
void socket_output_send_all(struct socket_display *sd);
/* As display_is_awaited(). */
bool socket_output_is_awaited(struct socket_display *sd);
/* Called by another thread, under the state lock, while the main thread is in a call that takes
 * long: sends the rest of the message that is partly sent, as far as there is room. */
void socket_output_send_rest(struct loop_writer *writer);
/* The memory of the pixels of @scanout is about to go away. The rest of an UPDATE of it that is
 * partly sent comes from @source, which may be the same as before, at its new place; NULL: zeros
 * are sent. */
void socket_output_replace(struct socket_display *sd, unsigned scanout,
			   struct display_pixels *source);

/* request.c */

uint64_t socket_request_now(void); /* milliseconds; never 0 */
void socket_request_add(struct socket_display *sd, struct display_request *request,
			enum request_kind kind, unsigned scanout, uint32_t timeout);
void socket_request_remove(struct socket_display *sd, struct display_request *request);
/* Returns the oldest request of that kind, or NULL. @scanout DISPLAY_MAX_SCANOUTS: of any
 * scanout. */
struct display_request *socket_request_find(struct socket_display *sd, enum request_kind kind,
					    unsigned scanout);
/* Gives all requests of one kind another kind. */
void socket_request_become(struct socket_display *sd, enum request_kind kind, unsigned scanout,
			   enum request_kind becomes);
/* Calls back all requests of that kind. A callback may make and cancel requests. */
void socket_request_end_all(struct socket_display *sd, enum request_kind kind, unsigned scanout,
			    int error, const void *reply);
/* Makes sure that socket_request_expire() is called at @deadline. */
void socket_request_watch(struct socket_display *sd, uint64_t deadline);
/* Timer callback: ends the requests whose deadline is over. */
int socket_request_expire(struct loop_timer *timer);
/* Called when the peer has shown the oldest flush in flight; does nothing if none is. */
void socket_request_flush_done(struct socket_display *sd);

/* report.c */

/* Logs the peer's features: once for each front-end, and again if they change. */
void socket_report_features(struct socket_display *sd);
void socket_log_state(struct display *display);

/* reply.c */

/* Reads and handles the input that is there. From the loop only. */
void socket_reply_read(struct socket_display *sd);
