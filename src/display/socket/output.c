// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The sender. The invariant: once the first byte of a message was sent, the rest of it is sent
 * before anything else, because the peer blocks in read() until it has the whole message. A message
 * of which no byte was sent is discarded when the socket is full, and built again later from the
 * state of that time, unless it is committed (see below). So between two turns of the loop
 * sd->output.message is set only if a message is partly sent or committed.
 *
 * Pixels are sent from the source's own memory, without a copy. There are two exceptions, which are
 * copied into a buffer that is allocated with the display: bands of short rows, which are cheaper
 * to copy than to gather in the kernel, and small updates that another update follows. If the guest
 * draws while a large UPDATE is sent, the peer gets the new pixels in the rest of it. A copy of
 * each frame would prevent that, but add a quarter to the cost of a frame. Pixels that were read
 * back from the GPU are a copy already and do not change.
 *
 * Several small updates of one scanout are sent in one call. All but the last of them are
 * committed: they are copied to the buffer and count as sent, even if no byte of them has been sent
 * when the turn ends.
 *
 * A turn sends a bounded number of bytes: a peer that reads as fast as we write would otherwise
 * keep the device from serving its queues.
 */
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/container.h"
#include "base/iov.h"
#include "display/socket/socket_private.h"

#define LOG_MODULE "display"
#include "base/log.h"

/* Pieces that are shorter on average are copied together: for each piece that it gathers, the
 * kernel does a lookup, and enables and disables its access to our memory. */
#define SHORT_PIECE_BYTES 1024

/* An UPDATE up to this size is copied so that the next message can share its system call: copying
 * it costs no more than a call. */
#define CALL_COST_BYTES (16 * 1024)

/* A peer that reads frees some room in its socket within this many turns of the loop, however busy
 * it is. */
#define PATIENCE_TURNS 64

/* With less room than this in the buffer, the next message is sent in a call of its own. */
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

/* Rows may lie in guest memory, and the front-end may have truncated its file. sendmsg() then fails
 * with EFAULT and raises no SIGBUS. So we read from the rows ourselves: that raises SIGBUS, and its
 * handler maps zeros there. Then we send again. The session ends later, and until then the display
 * goes on. */
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

/* Records that @n bytes were sent. Returns whether these were all. */
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

/* The first byte of the message was sent, or the message is committed: it counts as sent, and must
 * be completed. */
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
		log_debug("the front-end closed the display socket");
	else if (sd->output.scanout < DISPLAY_MAX_SCANOUTS)
		log_error("scanout %u: cannot send %s to the display: %s", sd->output.scanout,
			  sd->output.message->name, g_strerror(error));
	else
		log_error("cannot send %s to the display: %s", sd->output.message->name,
			  g_strerror(error));
	socket_drop_peer(sd);
}

static void wait_for_room(struct socket_display *sd, bool is_full)
{
	int r = loop_modify(&sd->socket, is_full ? EPOLLIN | EPOLLOUT : EPOLLIN);

	sd->is_full = is_full;
	if (r < 0) {
		log_error("cannot wait for room in the display socket, closing it: %s",
			  g_strerror(-r));
		socket_drop_peer(sd);
	}
}

/* Copies the pixels in iov to the buffer, behind what iov[0] has there. Those that do not fit are
 * left for the next band. */
static void pack_pixels(struct socket_output *out)
{
	struct iovec *packed = &out->iov[0];
	size_t room = sizeof(out->buffer) - packed->iov_len;

	for (int i = 1; i < out->count; i++) {
		size_t n = MIN(out->iov[i].iov_len, room);

		memcpy(out->buffer + packed->iov_len, out->iov[i].iov_base, n);
		packed->iov_len += n;
		room -= n;
		out->left += out->iov[i].iov_len - n;
	}
	out->first = 0;
	out->count = 1;
	out->uses_source = false;
}

/* Whether copying the pixels in iov to the buffer costs less than sending them from the source's
 * memory. */
static bool is_cheaper_packed(const struct socket_display *sd)
{
	const struct socket_output *out = &sd->output;
	size_t n = (size_t)out->count - 1, bytes = 0;

	if (!out->uses_source)
		return false;
	for (int i = 1; i < out->count; i++)
		bytes += out->iov[i].iov_len;
	return (n > 1 && bytes / n < SHORT_PIECE_BYTES) ||
	       (sd->scanouts[out->scanout].damage.count > 0 && out->left == 0 &&
		bytes <= CALL_COST_BYTES);
}

/* Builds one message. False if there is nothing to send. */
static bool build_message(struct socket_display *sd)
{
	if (!socket_message_next(sd))
		return false;
	if (is_cheaper_packed(sd))
		pack_pixels(&sd->output);
	return true;
}

/* Whether a further UPDATE may join the current one: all of its pixels are in the buffer, its
 * scanout has more damage, and there is room. */
static bool may_join(const struct socket_display *sd)
{
	const struct socket_output *out = &sd->output;

	return out->message->request == VHOST_USER_GPU_UPDATE && out->count == 1 &&
	       out->left == 0 && sd->scanouts[out->scanout].damage.count > 0 &&
	       out->iov[0].iov_len + JOIN_MIN_BYTES <= sizeof(out->buffer);
}

/* Drops the last message and leaves those that are committed. Returns false if none is. */
static bool drop_last(struct socket_output *out)
{
	out->iov[0] = (struct iovec){ out->buffer, out->committed };
	out->first = 0;
	out->count = 1;
	out->fd = -1;
	out->left = 0;
	out->uses_source = false;
	if (out->committed == 0)
		out->message = NULL;
	return out->message;
}

/* Builds the messages for the next call. Returns false if there is nothing to send. */
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
		/* A descriptor arrives with the first byte of a call, so this message is sent
		 * alone. */
		if (!build_message(sd) || out->fd >= 0)
			return drop_last(out);
	}
	return true;
}

/* Makes sure that there is something in iov. False if there is nothing to send. */
static bool load_output(struct socket_display *sd)
{
	struct socket_output *out = &sd->output;

	if (!out->message)
		return build_batch(sd);
	if (out->first == out->count) {
		socket_band_next(sd);
		if (is_cheaper_packed(sd))
			pack_pixels(out);
	}
	return true;
}

/* Records that @n bytes of what is in iov were sent. Returns whether these were all. */
static bool note_bytes_sent(struct socket_display *sd, size_t n, bool was_partly_sent)
{
	struct socket_output *out = &sd->output;

	if (n > 0)
		out->patience = PATIENCE_TURNS;
	if (!was_partly_sent && n > out->committed)
		note_message_begun(sd);
	else if (!was_partly_sent)
		drop_last(out);
	if (!out->message || !advance_output(out, n))
		return false;
	if (out->left == 0)
		out->message = NULL;
	return true;
}

static void send_until_full(struct socket_display *sd)
{
	size_t bytes = 0;

	sd->prepared = 0;
	while (bytes < SOCKET_TURN_BYTES) {
		bool is_partly_sent = sd->output.message;

		if (!load_output(sd)) {
			wait_for_room(sd, false);
			if (sd->prepared >= SOCKET_TURN_BYTES)
				socket_wake(sd, 0);
			return;
		}
		ssize_t n = send_message_safely(sd);

		if (n < 0 && errno != EAGAIN) {
			drop_failed_socket(sd, errno);
			return;
		}
		if (!note_bytes_sent(sd, n > 0 ? (size_t)n : 0, is_partly_sent)) {
			wait_for_room(sd, true);
			return;
		}
		bytes += (size_t)n;
	}
	socket_wake(sd, 0);
}

void socket_output_send_all(struct socket_display *sd)
{
	/* Preparing pixels may release the state lock. The watchdog's thread, which calls
	 * socket_output_send_rest() while this thread is busy, must not send meanwhile. */
	loop_set_writer(sd->loop, NULL, -1);
	send_until_full(sd);
	if (sd->output.message)
		loop_set_writer(sd->loop, &sd->writer, sd->fd);
}

bool socket_output_is_awaited(struct socket_display *sd)
{
	struct socket_output *out = &sd->output;

	if (!out->message || out->patience == 0)
		return false;
	out->patience--;
	return true;
}

/* Only the main thread may release the state lock. So a source that releases it is not read here:
 * zeros are sent in its place, and these rows are sent again later. */
static void lose_main_threads_source(struct socket_display *sd)
{
	const struct socket_output *out = &sd->output;

	if (out->first == out->count && out->source && out->source->ops->releases_lock)
		socket_band_lose_source(sd);
}

/* If the peer is gone, the main thread will notice and drop it. Further messages are left to the
 * main thread too: their pixels may have to be prepared by the renderer, which is busy now. */
void socket_output_send_rest(struct loop_writer *writer)
{
	struct socket_display *sd = container_of(writer, struct socket_display, writer);
	ssize_t n = 1;

	while (n > 0 && sd->output.message) {
		lose_main_threads_source(sd);
		(void)load_output(sd);
		n = send_message_safely(sd);
		if (!note_bytes_sent(sd, n > 0 ? (size_t)n : 0, true))
			break;
	}
	if (!sd->output.message || (n < 0 && errno != EAGAIN))
		loop_set_writer(sd->loop, NULL, -1);
}

void socket_output_replace(struct socket_display *sd, unsigned scanout,
			   struct display_pixels *source)
{
	struct socket_output *out = &sd->output;

	/* A message that has lost its source gets no new one: the scanout may have another size by
	 * now. */
	if (!out->message || out->scanout != scanout || !out->source)
		return;
	if (out->uses_source) {
		int kept = out->first > 0 ? out->first : 1; /* iov[0] is the buffer */

		for (int i = kept; i < out->count; i++)
			out->left += out->iov[i].iov_len;
		out->count = kept;
	}
	out->source = source;
	out->is_prepared = out->uses_source = false;
}
