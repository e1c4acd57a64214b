// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Pid and name of the front-end, for log lines only: the pid may belong to another process by the
 * time that we read the name, and a process chooses its own name.
 */
#include "vhost/peer.h"

#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

static void read_name(struct vhost_peer *peer)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)peer->pid);
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, peer->name, sizeof(peer->name));

	peer->name[n > 0 ? n - 1 : 0] = '\0'; /* it ends with a new line */
	for (char *c = peer->name; *c; c++)
		if (!g_ascii_isprint(*c))
			*c = '?';
}

void vhost_peer_look_at(struct vhost_peer *ret, int fd)
{
	struct ucred credentials = { 0 };
	socklen_t size = sizeof(credentials);

	*ret = (struct vhost_peer){ 0 };
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return;
	ret->pid = credentials.pid;
	if (ret->pid > 0)
		read_name(ret);
}

char *vhost_peer_describe(const struct vhost_peer *peer)
{
	if (peer->pid <= 0)
		return g_strdup("an unknown process");
	if (!peer->name[0])
		return g_strdup_printf("pid %d", (int)peer->pid);
	return g_strdup_printf("pid %d (%s)", (int)peer->pid, peer->name);
}
