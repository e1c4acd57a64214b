// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: every descriptor that recvmsg() delivers is stored in the current message or
 * closed. A read never asks for bytes past the current message, so a descriptor of the next message
 * is never stored in this one. (recvmsg() does not stop at the end of a message: a longer read
 * could go on into the next message and deliver its descriptors here.)
 *
 * A front-end may write a message in any pieces, and descriptors may come with any piece. The
 * output buffer holds one message. The caller reads the next request only after the previous reply
 * was sent, so replies cannot pile up for a front-end that does not read.
 *
 * A reply is accepted only if its request was sent completely and has no reply yet, or if the
 * caller stopped awaiting it with vhost_channel_forget_reply(). This is checked when the header is
 * complete, before the payload is read. After a time-out the reply is still awaited, and no other
 * request can be sent before it comes or the caller calls that function.
 */
#include "vhost/channel.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

void vhost_channel_init(struct vhost_channel *channel, int fd)
{
	*channel = (struct vhost_channel){ .fd = fd, .out_fd = -1 };
}

void vhost_channel_finish(struct vhost_channel *channel)
{
	vhost_channel_done(channel);
	fd_close(&channel->out_fd);
	fd_close(&channel->fd);
}

void vhost_channel_done(struct vhost_channel *channel)
{
	struct vhost_message *m = &channel->in;

	for (unsigned i = 0; i < m->n_fds; i++)
		fd_close(&m->fds[i]);
	m->n_fds = 0;
	channel->n_received = 0;
}

/* Stores the descriptors of @msg in @m. NULL, or what is wrong. If the kernel dropped descriptors
 * although @m has room, this process has no free descriptor number. */
static const char *take_fds(struct vhost_message *m, struct msghdr *msg)
{
	bool fits = true;
	size_t n_received = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		n_received += n;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (m->n_fds < VHOST_MAX_FDS) {
				m->fds[m->n_fds++] = fd;
			} else {
				fd_close(&fd);
				fits = false;
			}
		}
	}
	if (fits && (msg->msg_flags & MSG_CTRUNC) && n_received < VHOST_MAX_FDS)
		return "the daemon has no free descriptor number (RLIMIT_NOFILE)";
	return fits && !(msg->msg_flags & MSG_CTRUNC) ? NULL : "too many descriptors";
}

/* Reads once. Returns the number of bytes, 0 if none are there yet, or an error of
 * vhost_channel_receive(). */
static ssize_t receive_some(struct vhost_channel *channel, void *buf, size_t size)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * VHOST_MAX_FDS)];
		struct cmsghdr alignment;
	} control;
	struct iovec iov = { buf, size };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(channel->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	channel->problem = take_fds(&channel->in, &msg);
	if (channel->problem)
		return -EPROTO;
	if (n > 0)
		return n;
	if (channel->n_received == 0)
		return -ECONNRESET;
	channel->problem = "the connection was closed in the middle of a message";
	return -EPROTO;
}

/* Whether the received header is that of the awaited reply, and the request was sent completely. */
static bool is_awaited_reply(const struct vhost_channel *channel)
{
	return channel->awaits_reply && vhost_channel_has_sent_all(channel) &&
	       channel->in.header.request == channel->out.header.request;
}

static bool is_forgotten_reply(const struct vhost_channel *channel)
{
	return channel->forgotten != 0 && channel->in.header.request == channel->forgotten;
}

/* What is wrong with the received header, or NULL. */
static const char *find_problem(const struct vhost_channel *channel)
{
	const struct vhost_user_header *h = &channel->in.header;
	bool is_reply = h->flags & VHOST_USER_REPLY;

	if ((h->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION)
		return "unknown protocol version";
	if (is_reply && !is_awaited_reply(channel) && !is_forgotten_reply(channel))
		return "a reply without a request";
	if (!is_reply && channel->awaits_reply)
		return "a request where a reply is expected";
	if (h->size > VHOST_MAX_PAYLOAD)
		return "the payload is larger than any message of the protocol";
	return NULL;
}

static int check_header(struct vhost_channel *channel)
{
	channel->problem = find_problem(channel);
	if (channel->problem)
		return -EPROTO;
	if (is_forgotten_reply(channel))
		channel->forgotten = 0;
	else
		channel->awaits_reply = false;
	return 0;
}

int vhost_channel_receive(struct vhost_channel *channel)
{
	struct vhost_message *m = &channel->in;
	const size_t header_size = sizeof(m->header);

	for (;;) {
		size_t got = channel->n_received;
		size_t whole = header_size;
		uint8_t *to = (uint8_t *)&m->header + got;

		if (got >= header_size) {
			whole += m->header.size;
			to = m->payload + (got - header_size);
		}
		if (got == whole && got >= header_size)
			return 1;

		ssize_t n = receive_some(channel, to, whole - got);
		if (n <= 0)
			return (int)n;
		channel->n_received += (size_t)n;
		if (channel->n_received == header_size && got < header_size) {
			int r = check_header(channel);

			if (r < 0)
				return r;
		}
	}
}

bool vhost_channel_peek(const struct vhost_channel *channel, struct vhost_user_header *ret)
{
	if (channel->n_received == 0)
		return recv(channel->fd, ret, sizeof(*ret), MSG_PEEK | MSG_DONTWAIT) ==
		       sizeof(*ret);
	*ret = channel->in.header;
	return channel->n_received >= sizeof(*ret);
}

static void put_message(struct vhost_channel *channel, struct vhost_user_header header,
			const void *payload)
{
	assert(vhost_channel_has_sent_all(channel));
	assert(header.size <= sizeof(channel->out.payload));
	channel->out.header = header;
	if (header.size > 0)
		memcpy(channel->out.payload, payload, header.size);
	channel->out_size = sizeof(channel->out.header) + header.size;
	channel->out_sent = 0;
}

void vhost_channel_reply(struct vhost_channel *channel, const void *payload, size_t size)
{
	struct vhost_user_header header = {
		.request = channel->in.header.request,
		.flags = VHOST_USER_VERSION | VHOST_USER_REPLY, /* QEMU accepts no other bit */
		.size = (uint32_t)size,
	};

	put_message(channel, header, payload);
}

void vhost_channel_request(struct vhost_channel *channel, enum vhost_user_backend_request request,
			   const void *payload, size_t size, int fd)
{
	struct vhost_user_header header = {
		.request = request,
		.flags = VHOST_USER_VERSION | VHOST_USER_NEED_REPLY,
		.size = (uint32_t)size,
	};

	assert(!channel->awaits_reply);
	put_message(channel, header, payload);
	channel->out_fd = fd;
	channel->awaits_reply = true;
}

void vhost_channel_forget_reply(struct vhost_channel *channel)
{
	if (!channel->awaits_reply)
		return;
	channel->awaits_reply = false;
	channel->forgotten = channel->out.header.request;
}

/* As sendmsg(), with a descriptor that is attached to the first byte. */
static ssize_t send_with_fd(const struct vhost_channel *channel, struct iovec iov, int flags)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	memcpy(CMSG_DATA(&control.header), &channel->out_fd, sizeof(int));
	return sendmsg(channel->fd, &msg, flags);
}

/* Sends once. Returns how many bytes, or -1 with errno. */
static ssize_t send_some(struct vhost_channel *channel)
{
	const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	struct iovec iov = { (uint8_t *)&channel->out + channel->out_sent,
			     channel->out_size - channel->out_sent };

	if (channel->out_fd < 0)
		return send(channel->fd, iov.iov_base, iov.iov_len, flags);
	return send_with_fd(channel, iov, flags);
}

int vhost_channel_flush(struct vhost_channel *channel)
{
	while (channel->out_sent < channel->out_size) {
		ssize_t n = send_some(channel);

		if (n < 0 && errno == EPIPE)
			return -ECONNRESET;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			channel->out_sent += (size_t)n;
			fd_close(&channel->out_fd);
		}
	}
	return 0;
}
