// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * If a front-end sends us its own end of the connection, the connection stays open after the
 * front-end exits and the session never sees a hang-up. Such a descriptor is recognised because its
 * peer has the name of our socket. The ends of a socketpair(), as used with --fd, have no names and
 * are not recognised. This does no harm: a daemon with such a connection serves no other front-end
 * that would have to wait for the end of the session.
 */
#include "vhost/descriptor.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

const char *descriptor_check_event(int fd)
{
	struct stat st;

	/* An eventfd is an anonymous inode, which has no type. */
	if (fstat(fd, &st) == 0 && ((st.st_mode & S_IFMT) == 0 || S_ISFIFO(st.st_mode)))
		return NULL;
	return "the descriptor is neither an eventfd nor a pipe";
}

/* Whether the peer of @fd has the name that @connection has here. */
static bool is_own_end(int fd, int connection)
{
	struct sockaddr_un peer, own;
	socklen_t peer_size = sizeof(peer), own_size = sizeof(own);

	return getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 &&
	       getsockname(connection, (struct sockaddr *)&own, &own_size) == 0 &&
	       peer_size > sizeof(peer.sun_family) && peer_size == own_size &&
	       memcmp(&peer, &own, own_size) == 0;
}

const char *descriptor_check_socket(int fd, int connection)
{
	int domain, type;
	socklen_t size = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_UNIX ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
		return "the descriptor is not a UNIX stream socket";
	if (is_own_end(fd, connection))
		return "the descriptor is the front-end's own end of this connection";
	return NULL;
}
