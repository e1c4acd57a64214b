// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A service manager that connects standard error to a socket of its journal sets JOURNAL_STREAM to
 * the device and inode of that socket. The lines have the journal's form only if descriptor 2 is
 * that socket. A child process may inherit the variable, but have another standard error. If
 * standard error is /dev/null, as libvirt sets it, the lines go to syslog's socket /dev/log, on
 * which journald listens too.
 *
 * Flags of an inherited open file are never changed. O_NONBLOCK belongs to the open file
 * description (open(2)), not to the descriptor, so the shell or service manager that shares it
 * would get EAGAIN too. So a pipe or terminal is opened again, non-blocking, as a new open file
 * description. A regular file is not opened again, because its position and O_APPEND belong to the
 * open file description.
 */
#include "base/log_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define NULL_DEVICE makedev(1, 3)

const char *log_reader_syslog_path = "/dev/log";

/* Opens the pipe or terminal at descriptor 2 again, non-blocking. -1 if that fails. */
static int open_again(void)
{
	return open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool is_journal(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	int used = 0;

	return stream && sscanf(stream, "%llu:%llu%n", &device, &inode, &used) == 2 &&
	       !stream[used] && device == st->st_dev && inode == st->st_ino;
}

/* A connected descriptor, or -1. */
static int connect_to_syslog(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(log_reader_syslog_path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, log_reader_syslog_path, strlen(log_reader_syslog_path));
	auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return fd_steal(&fd);
}

/* Uses what is at descriptor 2: a pipe or terminal is opened again; all else, or a pipe or terminal
 * for which that fails, is duplicated. */
static int keep(struct log_reader *reader, const struct stat *st)
{
	bool may_wait = S_ISFIFO(st->st_mode) || isatty(STDERR_FILENO);

	reader->fd = may_wait ? open_again() : -1;
	reader->way = S_ISSOCK(st->st_mode)        ? LOG_WAY_SOCKET
		      : may_wait && reader->fd < 0 ? LOG_WAY_ASKS_FIRST
						   : LOG_WAY_WAITS_NEVER;
	if (reader->fd < 0)
		reader->fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return reader->fd < 0 ? -errno : 0;
}

int log_reader_find(struct log_reader *ret)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) < 0)
		return -errno;
	*ret = (struct log_reader){ -1, LOG_WAY_WAITS_NEVER, LOG_FORM_PLAIN, "standard error" };
	if (is_journal(&st))
		ret->form = LOG_FORM_JOURNAL;
	if (!S_ISCHR(st.st_mode) || st.st_rdev != NULL_DEVICE)
		return keep(ret, &st);

	int fd = connect_to_syslog();

	if (fd < 0)
		return keep(ret, &st);
	*ret = (struct log_reader){ fd, LOG_WAY_SOCKET, LOG_FORM_SYSLOG, log_reader_syslog_path };
	return 0;
}
