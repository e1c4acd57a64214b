// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: the file at the path goes when the daemon goes, however it ends, and nobody else's
 * file ever does.
 *
 * The keeper is forked before the sandbox, so that it sees the directory that the daemon will not
 * see. It has one end of a socket pair: the first request makes the file, anything after that, or
 * the end of the daemon (EOF), removes it. It is out of reach of the terminal and of signals that
 * mean the daemon: a session of its own, all signals blocked. When the file is there the keeper has
 * two descriptors, the socket pair and an O_PATH one of the file: as long as that is open no other
 * file can have the same inode number.
 *
 * A file at the path is replaced only if it is a socket and a connection to it is refused: then its
 * owner is dead. One that lives, or that is no socket, is not ours to remove. The file gets the
 * permissions that the umask leaves (0755 in most places), and to connect takes the permission to
 * write: by default only the daemon's own user can.
 */
#include "vhost/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define LOG_MODULE "server"
#include "base/log.h"

#define MAX_SENTENCE 1024

struct vhost_socket_file {
	char *path;
	bool has_group;
	gid_t group;
	int listen_fd; /* not listening yet; -1 once handed over */
	int keeper;    /* the socket pair's end of this process; -1: there is no keeper */
	bool is_made;
	int inode; /* O_PATH of the file, in the process that made it; else -1 */
};

/* Removes the file at the address if it is a socket whose owner is dead. NULL, or a sentence. */
static char *remove_stale(const struct sockaddr_un *address)
{
	const char *path = address->sun_path;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT
			       ? NULL
			       : g_strdup_printf("cannot look at %s: %s", path, g_strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return g_strdup_printf("%s exists and is no socket", path);

	/* Connecting with SOCK_DGRAM fails with EPROTOTYPE if somebody listens. A stream connection
	 * would start a session, and could end a daemon with --once. */
	auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return g_strdup_printf("cannot create a socket: %s", g_strerror(errno));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
	    errno == EPROTOTYPE)
		return g_strdup_printf("%s is in use by another process", path);
	if (errno != ECONNREFUSED)
		return g_strdup_printf("%s exists, and its owner cannot be asked: %s", path,
				       g_strerror(errno));
	if (unlink(path) < 0 && errno != ENOENT)
		return g_strdup_printf("cannot remove the stale socket %s: %s", path,
				       g_strerror(errno));
	return NULL;
}

/* 0, also if the file is not there any more, or an errno. Allocates nothing: see confine. */
static int remove_file(const struct vhost_socket_file *file)
{
	struct stat mine, there;

	if (file->inode < 0 || fstat(file->inode, &mine) < 0 || lstat(file->path, &there) < 0 ||
	    mine.st_dev != there.st_dev || mine.st_ino != there.st_ino)
		return 0;
	return unlink(file->path) < 0 ? errno : 0;
}

/* Nobody can connect before listen(), so the group may come after the mode. NULL, or a sentence. */
static char *bind_file(struct vhost_socket_file *file, const struct sockaddr_un *address)
{
	mode_t umask_before = file->has_group ? umask(0117) : 0;
	int r = bind(file->listen_fd, (const struct sockaddr *)address, sizeof(*address));
	int error = errno;

	if (file->has_group)
		umask(umask_before);
	if (r < 0)
		return g_strdup_printf("cannot bind to %s: %s", file->path, g_strerror(error));
	file->inode = open(file->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (file->inode < 0)
		return g_strdup_printf("cannot look at %s: %s", file->path, g_strerror(errno));
	if (file->has_group && lchown(file->path, (uid_t)-1, file->group) < 0)
		return g_strdup_printf("cannot give %s to group %u: %s", file->path, file->group,
				       g_strerror(errno));
	return NULL;
}

/* NULL, or a sentence, and then there is no file. */
static char *make_file(struct vhost_socket_file *file)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, file->path, strlen(file->path));

	char *sentence = remove_stale(&address);

	if (!sentence)
		sentence = bind_file(file, &address);
	if (sentence)
		remove_file(file);
	return sentence;
}

static void close_from(unsigned first)
{
	if (close_range(first, ~0u, 0) == 0)
		return;
	for (long fd = first; fd < sysconf(_SC_OPEN_MAX); fd++)
		close((int)fd);
}

/* Only @channel and the socket stay, as 0 and 1. */
static void leave_parent(struct vhost_socket_file *file, int channel)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "gpu-socket-file");
	if (dup2(channel, 0) < 0 || dup2(file->listen_fd, 1) < 0)
		_exit(EXIT_FAILURE);
	close_from(2);
	file->listen_fd = 1;
}

static bool receive_byte(int fd)
{
	char byte;
	ssize_t n;

	do
		n = recv(fd, &byte, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

/* The whole life of the keeper. It answers with a sentence, or with an errno as a character; either
 * is an empty string if all is well. */
static _Noreturn void keep_file(struct vhost_socket_file *file, int channel, void (*confine)(void))
{
	leave_parent(file, channel);
	if (!receive_byte(0))
		_exit(EXIT_SUCCESS);

	char *sentence = make_file(file);
	const char *answer = sentence ? sentence : "";

	fd_close(&file->listen_fd);
	if (confine)
		confine();
	send(0, answer, MIN(strlen(answer), MAX_SENTENCE - 1) + 1, MSG_NOSIGNAL);
	receive_byte(0);

	const char error[] = { (char)remove_file(file), '\0' };

	send(0, error, sizeof(error), MSG_NOSIGNAL);
	_exit(EXIT_SUCCESS);
}

/* Has the keeper do its next step. False if there is none any more. */
static bool ask_keeper(const struct vhost_socket_file *file, char *answer)
{
	ssize_t n = send(file->keeper, "", 1, MSG_NOSIGNAL);

	while (n > 0 && (n = recv(file->keeper, answer, MAX_SENTENCE, 0)) < 0 && errno == EINTR)
		n = 1;
	if (n <= 0)
		return false;
	answer[n - 1] = '\0';
	return true;
}

/* 0 or -errno. */
static int start_keeper(struct vhost_socket_file *file, void (*confine)(void))
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	pid_t pid = fork();
	int r = pid < 0 ? -errno : 0;

	if (pid == 0)
		keep_file(file, pair[1], confine);
	close(pair[1]);
	if (r < 0)
		close(pair[0]);
	else
		file->keeper = pair[0];
	return r;
}

/* NULL, or a sentence. */
static char *prepare_file(struct vhost_socket_file *file, void (*confine)(void))
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (!file->path[0] || strlen(file->path) > max)
		return g_strdup_printf("a socket path has 1 to %zu bytes: \"%s\"", max, file->path);
	file->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (file->listen_fd < 0)
		return g_strdup_printf("cannot create a socket: %s", g_strerror(errno));
	int r = start_keeper(file, confine);

	if (r == 0)
		return NULL;
	log_warn("%s may stay when the daemon ends: no process to remove it: %s", file->path,
		 g_strerror(-r));
	return make_file(file);
}

struct vhost_socket_file *vhost_socket_file_new(const struct vhost_socket_file_options *options,
						char **ret_message)
{
	struct vhost_socket_file *file = g_new0(struct vhost_socket_file, 1);

	file->path = g_strdup(options->path);
	file->has_group = options->group;
	file->group = options->group ? *options->group : 0;
	file->listen_fd = file->keeper = file->inode = -1;
	*ret_message = prepare_file(file, options->confine);
	if (!*ret_message)
		return file;
	vhost_socket_file_free(file);
	return NULL;
}

const char *vhost_socket_file_path(const struct vhost_socket_file *file)
{
	return file->path;
}

char *vhost_socket_file_listen(struct vhost_socket_file *file, int *ret_fd)
{
	char answer[MAX_SENTENCE] = "";

	if (file->keeper >= 0 && !ask_keeper(file, answer))
		return g_strdup_printf("cannot bind to %s: the process that does it ended",
				       file->path);
	if (answer[0])
		return g_strdup(answer);
	file->is_made = true;
	if (listen(file->listen_fd, 1) < 0)
		return g_strdup_printf("cannot listen on %s: %s", file->path, g_strerror(errno));
	*ret_fd = fd_steal(&file->listen_fd);
	return NULL;
}

void vhost_socket_file_free(struct vhost_socket_file *file)
{
	char answer[MAX_SENTENCE] = "";

	if (!file)
		return;
	if (file->keeper < 0)
		answer[0] = (char)remove_file(file);
	else if (file->is_made && !ask_keeper(file, answer))
		answer[0] = ESRCH;
	if (answer[0])
		log_warn("cannot remove %s: %s", file->path, g_strerror(answer[0]));
	fd_close(&file->keeper);
	fd_close(&file->listen_fd);
	fd_close(&file->inode);
	g_free(file->path);
	g_free(file);
}
