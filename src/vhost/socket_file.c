// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: the socket file is removed when the daemon ends, in whatever way, and a file of
 * another process is never removed.
 *
 * The keeper is a process forked before the sandbox is entered, so it can still reach the directory
 * of the file. It gets requests over a socket pair: the first makes the file, the second gives it
 * its name (socket_name.c). Anything after that, or the end of the daemon (EOF), removes it. The
 * daemon calls listen() between the two requests. The keeper must not call it, because front-ends
 * would then be told the keeper's pid. The keeper has a session of its own and blocks all signals,
 * so signals of the terminal or for the daemon do not end it. When the file has its name, the
 * keeper has two descriptors open: the socket pair and the file (O_PATH). While the latter is open,
 * no other file can get the same inode number.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "vhost/socket_file_private.h"

#define LOG_MODULE "server"
#include "base/log.h"

#define MAX_SENTENCE 1024
#define MAX_PATH     (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

static void close_from(unsigned first)
{
	if (close_range(first, ~0u, 0) == 0)
		return;
	for (long fd = first; fd < sysconf(_SC_OPEN_MAX); fd++)
		close((int)fd);
}

/* Keeps only @channel and the listening socket open, as 0 and 1. */
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

static void send_answer(const char *text)
{
	send(0, text, MIN(strlen(text), MAX_SENTENCE - 1) + 1, MSG_NOSIGNAL);
}

/* Waits for a request and runs @step. Exits if the step fails, with the error message as the
 * answer. */
static void take_step(struct vhost_socket_file *file, char *(*step)(struct vhost_socket_file *))
{
	if (!receive_byte(0)) {
		if (file->temporary[0])
			socket_name_remove(file);
		_exit(EXIT_SUCCESS);
	}

	const char *sentence = step(file);

	if (!sentence)
		return;
	send_answer(sentence);
	_exit(EXIT_SUCCESS);
}

/* The main function of the keeper. It answers each request with a string that is empty on success:
 * for the first two an error message, for the removal one character whose value is an errno. */
static _Noreturn void keep_file(struct vhost_socket_file *file, int channel, void (*confine)(void))
{
	leave_parent(file, channel);
	take_step(file, socket_name_make);
	fd_close(&file->listen_fd);
	send_answer("");
	take_step(file, socket_name_publish);
	if (confine)
		confine();
	send_answer("");
	receive_byte(0);

	const char error[] = { (char)socket_name_remove(file), '\0' };

	send(0, error, sizeof(error), MSG_NOSIGNAL);
	_exit(EXIT_SUCCESS);
}

/* Requests the next step of the keeper. False if the keeper has ended. */
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
static char *start_listening(const struct vhost_socket_file *file)
{
	if (listen(file->listen_fd, 1) == 0)
		return NULL;
	return g_strdup_printf("cannot listen on %s: %s", file->path, g_strerror(errno));
}

/* NULL, or a sentence. */
static char *take_keepers_step(const struct vhost_socket_file *file)
{
	char sentence[MAX_SENTENCE] = "";

	if (!ask_keeper(file, sentence))
		return g_strdup_printf(
			"cannot bind to %s: the process that makes the socket file has ended",
			file->path);
	return sentence[0] ? g_strdup(sentence) : NULL;
}

/* NULL, or a sentence. */
static char *listen_with_keeper(struct vhost_socket_file *file)
{
	char *sentence = take_keepers_step(file);

	if (!sentence)
		sentence = start_listening(file);
	return sentence ? sentence : take_keepers_step(file);
}

/* Listens now, because the directory cannot be reached from the sandbox. Front-ends that connect
 * wait until the daemon has started. NULL, or a sentence. */
static char *listen_alone(struct vhost_socket_file *file)
{
	char *sentence = socket_name_make(file);

	if (!sentence)
		sentence = start_listening(file);
	return sentence ? sentence : socket_name_publish(file);
}

/* The keeper would find the same errors, but only after the renderer has started. An existing file
 * at the path is checked by the keeper only. NULL, or a sentence. */
static char *check_directory(const struct vhost_socket_file *file)
{
	g_autofree char *directory = g_path_get_dirname(file->path);

	if (faccessat(AT_FDCWD, directory, F_OK, AT_EACCESS) == 0 &&
	    !g_file_test(directory, G_FILE_TEST_IS_DIR))
		errno = ENOTDIR;
	else if (faccessat(AT_FDCWD, file->path, F_OK, AT_EACCESS) == 0 ||
		 faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0)
		return NULL;
	return g_strdup_printf("cannot bind to %s: %s: %s", file->path, directory,
			       g_strerror(errno));
}

/* NULL, or a sentence. */
static char *check_path(const struct vhost_socket_file *file)
{
	const size_t len = strlen(file->path);

	if (len == 0 || len > MAX_PATH)
		return g_strdup_printf("a socket path must have 1 to %zu bytes: \"%s\"", MAX_PATH,
				       file->path);
	if (!file->name[0])
		return g_strdup_printf("%s is the path of a directory, not of a socket",
				       file->path);
	return check_directory(file);
}

/* NULL, or a sentence. */
static char *prepare_file(struct vhost_socket_file *file, void (*confine)(void))
{
	char *sentence = check_path(file);

	if (sentence)
		return sentence;
	file->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (file->listen_fd < 0)
		return g_strdup_printf("cannot create a socket: %s", g_strerror(errno));
	int r = start_keeper(file, confine);

	if (r == 0)
		return NULL;
	log_warn("%s may be left behind when the daemon exits: cannot start the process that "
		 "removes it: %s",
		 file->path, g_strerror(-r));
	return listen_alone(file);
}

struct vhost_socket_file *vhost_socket_file_new(const struct vhost_socket_file_options *options,
						char **ret_message)
{
	struct vhost_socket_file *file = g_new0(struct vhost_socket_file, 1);
	const char *slash = strrchr(options->path, '/');

	file->path = g_strdup(options->path);
	file->name = file->path + (slash ? slash + 1 - options->path : 0);
	file->has_group = options->group;
	file->group = options->group ? *options->group : 0;
	file->listen_fd = file->keeper = file->inode = file->directory = -1;
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
	char *sentence = file->keeper < 0 ? NULL : listen_with_keeper(file);

	if (sentence)
		return sentence;
	file->is_made = true;
	*ret_fd = fd_steal(&file->listen_fd);
	return NULL;
}

void vhost_socket_file_free(struct vhost_socket_file *file)
{
	char answer[MAX_SENTENCE] = "";

	if (!file)
		return;
	if (file->keeper < 0)
		answer[0] = (char)socket_name_remove(file);
	else if (file->is_made && !ask_keeper(file, answer))
		answer[0] = ESRCH;
	if (answer[0])
		log_warn("cannot remove %s: %s", file->path, g_strerror(answer[0]));
	fd_close(&file->keeper);
	fd_close(&file->listen_fd);
	fd_close(&file->inode);
	fd_close(&file->directory);
	g_free(file->path);
	g_free(file);
}
