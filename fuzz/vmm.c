// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What a front-end relies on: a reply has the flags 5 and no others (QEMU takes any other bit for
 * an error), is no longer than the longest reply, and no other bytes come.
 */
#include "vmm.h"

#include <string.h>
#include <sys/socket.h>

#include "fuzz.h"

#define MAX_REPLY sizeof(struct vhost_user_shmem_config)

bool vmm_send(int fd, const void *bytes, size_t size, const int *fds, unsigned n_fds)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * VMM_MAX_FDS)];
		struct cmsghdr alignment;
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

unsigned vmm_read(int fd, uint8_t *buffer, size_t room, size_t *len)
{
	struct vhost_user_header header;
	unsigned n_replies = 0;
	size_t at = 0;
	ssize_t n = recv(fd, buffer + *len, room - *len, MSG_DONTWAIT);

	if (n <= 0)
		return 0;
	*len += (size_t)n;
	while (*len - at >= sizeof(header)) {
		memcpy(&header, buffer + at, sizeof(header));
		CHECK(header.flags == VMM_REPLY && header.size <= MAX_REPLY);
		if (*len - at - sizeof(header) < header.size)
			break;
		at += sizeof(header) + header.size;
		n_replies++;
	}
	memmove(buffer, buffer + at, *len - at);
	*len -= at;
	return n_replies;
}
