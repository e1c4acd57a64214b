// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

#include <glib.h>
#include <stdbool.h>

/* File descriptors with one owner each: auto_fd closes at the end of the scope, fd_steal() hands
 * over. */

/* Closes *@fd if it is open (>= 0) and leaves -1 there; keeps errno. */
void fd_close(int *fd);

/* Returns *@fd and leaves -1 there: the caller owns it now. */
static inline int fd_steal(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

#define auto_fd __attribute__((cleanup(fd_close))) int

/* Opens /dev/null as each of descriptors 0, 1 and 2 that is closed, so that no other file gets its
 * number. */
void fd_open_standard(void);

/* Opens /dev/null as @fd if @fd is closed, so that no other file gets its number. */
void fd_reserve(int fd);

/* The open descriptors of this process, int, in no order; freed with g_array_unref(). NULL with
 * errno set if they cannot be listed; needs /proc. */
GArray *fd_list(void);

/* Whether @n more descriptors can be opened, or half of all that this process may have
 * (RLIMIT_NOFILE) if that is fewer. */
bool fd_has_spare(unsigned n);

/* Whether @fd is a listening socket, or a connected one. Both are false if it is not an open
 * socket. */
bool fd_is_listening(int fd);
bool fd_is_connected(int fd);

/* Puts @fd (borrowed) into non-blocking, close-on-exec mode. 0 or -errno. */
int fd_prepare(int fd);
