// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The sender. The invariant: a message of which one byte is out is sent to its end, byte for byte,
 * before anything else, for the peer sits in a blocking read until it has all of it. A message of
 * which no byte is out does not exist: when the socket is full it is dropped and built anew later,
 * from the state of then. So sd->output.message is set between two turns only for a partly sent
 * one.
 *
 * Pixels go from the source's own memory to the socket, with no copy in between. Only if a source
 * goes away under a partly sent band is the rest of that band copied, into a buffer that was there
 * from the start; and so are bands of short rows, which cost the kernel more to gather than us.
 *
 * Small updates go out in one call while there are more on their scanout. All but the last of such
 * a run are committed: they are copies in the buffer, count as sent, and will be, though no byte of
 * them may be out between two turns.
 *
 * A turn sends a bounded number of bytes, for a peer that reads as fast as we write would otherwise
 * keep the whole device waiting.
 */
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/iov.h"
#include "display/socket/socket_private.h"

#define LOG_MODULE "display"
#include "base/log.h"

/* Some 100 microseconds of copying. */
#define TURN_BYTES (1024 * 1024)

/* Pieces that are shorter on average are copied together: gathering each costs the kernel a lookup
 * and two changes of its access to our memory. */
#define SHORT_PIECE_BYTES 1024

/* A band up to this size is copied so that the next message may join it: a call costs as much. */
#define CALL_COST_BYTES (16 * 1024)

/* With less room than this in the buffer, what follows is better sent by itself. */
#define JOIN_MIN_BYTES (SOCKET_HEADER_BYTES + SOCKET_BAND_BYTES / 4)

static ssize_t send_message(struct socket_display *sd)
{
	struct socket_output *out = &sd->output;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = {
		.msg_iov = &out->iov[out->first],
		.msg_iovlen = (size_t)(out->count - out->first),
	};

	if (out->fd >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &out->fd, sizeof(int));
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
	}
	ssize_t n;

	do
		n = sendmsg(sd->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Rows may lie in the guest's memory, and the VMM may have cut its file short. Then the kernel says
 * EFAULT where our own access would make the memory's guard put zeros there, so that is what we do;
 * the session ends, and until then all goes on. */
static ssize_t send_message_safely(struct socket_display *sd)
{
	const struct socket_output *out = &sd->output;
	ssize_t n = send_message(sd);

	if (n < 0 && errno == EFAULT) {
		iov_touch(&out->iov[out->first], out->count - out->first);
		n = send_message(sd);
	}
	return n;
}

/* @n bytes are out. Whether that was all. */
static bool advance_output(struct socket_output *out, size_t n)
{
	while (out->first < out->count && n >= out->iov[out->first].iov_len)
		n -= out->iov[out->first++].iov_len;
	if (out->first == out->count)
		return true;
	out->iov[out->first].iov_base = (char *)out->iov[out->first].iov_base + n;
	out->iov[out->first].iov_len -= n;
	return false;
}

/* Something of the message is out: it is no longer to be sent, it is being sent. */
static void note_message_begun(struct socket_display *sd)
{
	struct socket_output *out = &sd->output;

	out->fd = -1;
	if (out->scanout < DISPLAY_MAX_SCANOUTS)
		sd->next_scanout = (out->scanout + 1) % DISPLAY_MAX_SCANOUTS;
	out->message->sent(sd, out->scanout);
}

static void drop_failed_socket(struct socket_display *sd, int error)
{
	if (error == EPIPE || error == ECONNRESET)
		log_debug("the VMM closed its display socket");
	else if (sd->output.scanout < DISPLAY_MAX_SCANOUTS)
		log_error("scanout %u: cannot send %s to the VMM's display: %s", sd->output.scanout,
			  sd->output.message->name, g_strerror(error));
	else
		log_error("cannot send %s to the VMM's display: %s", sd->output.message->name,
			  g_strerror(error));
	socket_drop_peer(sd);
}

static void wait_for_room(struct socket_display *sd, bool is_full)
{
	int r = loop_modify(&sd->socket, is_full ? EPOLLIN | EPOLLOUT : EPOLLIN);

	sd->is_full = is_full;
	if (r < 0) {
		log_error("cannot watch the VMM's display socket: %s", g_strerror(-r));
		socket_drop_peer(sd);
	}
}

/* Copies the unsent pixels of an UPDATE into the buffer; they need their own memory no longer. */
static void pack_pixels(struct socket_output *out)
{
	uint8_t *rest = out->buffer + out->committed + SOCKET_HEADER_BYTES;
	size_t bytes = 0;
	int first = out->first > 0 ? out->first : 1; /* 0 is the header, in the buffer already */

	for (int i = first; i < out->count; i++) {
		memcpy(rest + bytes, out->iov[i].iov_base, out->iov[i].iov_len);
		bytes += out->iov[i].iov_len;
	}
	out->iov[first] = (struct iovec){ rest, bytes };
	out->count = first + 1;
	out->pixels = NULL;
}

/* Whether sending the pixels of the UPDATE that was built from their own memory costs more than
 * copying them. */
static bool is_cheaper_packed(const struct socket_display *sd)
{
	const struct socket_output *out = &sd->output;
	size_t n = (size_t)out->count - 1, bytes = n > 0 ? socket_band_bytes(&out->band) : 0;

	if (n == 0)
		return false;
	return (n > 1 && bytes / n < SHORT_PIECE_BYTES) ||
	       (sd->scanouts[out->scanout].damage.count > 0 && bytes <= CALL_COST_BYTES);
}

/* Builds one message. False if there is nothing to send. */
static bool build_message(struct socket_display *sd)
{
	struct socket_output *out = &sd->output;

	if (!socket_message_next(sd))
		return false;
	if (is_cheaper_packed(sd)) {
		pack_pixels(out);
		out->iov[0].iov_len += out->iov[1].iov_len; /* they follow the header */
		out->count = 1;
	}
	return true;
}

/* The message is an UPDATE with its pixels in the buffer, its scanout has more damage, and there is
 * room for another one. */
static bool may_join(const struct socket_display *sd)
{
	const struct socket_output *out = &sd->output;

	return out->message->request == VHOST_USER_GPU_UPDATE && out->count == 1 &&
	       sd->scanouts[out->scanout].damage.count > 0 &&
	       out->iov[0].iov_len + JOIN_MIN_BYTES <= sizeof(out->buffer);
}

/* Leaves what is committed. False if nothing is. */
static bool drop_last(struct socket_output *out)
{
	out->iov[0] = (struct iovec){ out->buffer, out->committed };
	out->first = 0;
	out->count = 1;
	out->fd = -1;
	out->pixels = NULL;
	if (out->committed == 0)
		out->message = NULL;
	return out->message;
}

/* Builds what is to be sent next. False if there is nothing. */
static bool build_batch(struct socket_display *sd)
{
	struct socket_output *out = &sd->output;

	out->committed = 0;
	if (!build_message(sd))
		return false;
	while (may_join(sd)) {
		size_t end = out->iov[0].iov_len;

		note_message_begun(sd);
		out->committed = end;
		/* A descriptor would arrive with the first byte of the call. */
		if (!build_message(sd) || out->fd >= 0)
			return drop_last(out);
	}
	return true;
}

void socket_output_send_all(struct socket_display *sd)
{
	struct socket_output *out = &sd->output;
	size_t bytes = 0;

	while (bytes < TURN_BYTES) {
		bool is_partly_sent = out->message;

		if (!is_partly_sent && !build_batch(sd)) {
			wait_for_room(sd, false);
			return;
		}
		ssize_t n = send_message_safely(sd);

		if (n < 0 && errno != EAGAIN) {
			drop_failed_socket(sd, errno);
			return;
		}
		size_t done = n > 0 ? (size_t)n : 0;

		if (!is_partly_sent && done > out->committed)
			note_message_begun(sd);
		else if (!is_partly_sent)
			drop_last(out);
		if (!out->message || !advance_output(out, done)) {
			wait_for_room(sd, true);
			return;
		}
		out->message = NULL;
		bytes += done;
	}
	socket_wake(sd, 0);
}

void socket_output_keep(struct socket_display *sd, const struct display_pixels *pixels)
{
	if (sd->output.message && sd->output.pixels == pixels)
		pack_pixels(&sd->output);
}
