// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The process at the other end of a UNIX socket. */

#include <sys/types.h>

struct vhost_peer {
	pid_t pid; /* 0: unknown, because it is in another pid namespace */
	/* As ps shows it; the process may have chosen it, but it has printable characters only.
	 * Empty: not known, as in the sandbox, which has no /proc of others. */
	char name[16];
};

/* Fills @ret with the process that connected to the socket @fd, or made the socket pair. */
void vhost_peer_look_at(struct vhost_peer *ret, int fd);

/* "pid 1234 (qemu-system-x86)", with what is known. Freed with g_free(). */
char *vhost_peer_describe(const struct vhost_peer *peer);
