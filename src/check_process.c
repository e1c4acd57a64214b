// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Runs child processes with a deadline. A child is a copy of this process that loads a driver, or
 * another project's program. It may wait for ever, leave a process behind that keeps its pipe open,
 * or sleep in the kernel where no signal ends it.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "check_private.h"

#define MAX_BYTES (1 << 20)

#define LOOK_US (10 * 1000)
#define KILL_US (2 * G_USEC_PER_SEC) /* after SIGKILL, until the process is given up */

static bool wait_for_bytes(int fd, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left = deadline - g_get_monotonic_time();

	return left > 0 && poll(&p, 1, (int)(left / 1000) + 1) > 0;
}

bool check_read(int fd, int64_t deadline, GString *text)
{
	char part[4096];

	while (text->len < MAX_BYTES && wait_for_bytes(fd, deadline)) {
		ssize_t n = read(fd, part, sizeof(part));

		if (n <= 0)
			return n == 0;
		g_string_append_len(text, part, n);
	}
	return false;
}

static bool wait_for_end(pid_t pid, int64_t deadline, int *ret_status)
{
	while (waitpid(pid, ret_status, WNOHANG) == 0) {
		if (g_get_monotonic_time() >= deadline)
			return false;
		g_usleep(LOOK_US);
	}
	return true;
}

enum check_end check_reap(pid_t pid, int64_t deadline, int *ret_status)
{
	if (wait_for_end(pid, deadline, ret_status))
		return CHECK_END_ITSELF;
	kill(pid, SIGKILL);
	return wait_for_end(pid, g_get_monotonic_time() + KILL_US, ret_status) ? CHECK_END_KILLED
									       : CHECK_END_NEVER;
}

char *check_ask(const char *const *argv, unsigned seconds)
{
	const int64_t deadline = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
	g_autoptr(GString) text = g_string_new(NULL);
	auto_fd fd = -1;
	GPid pid;
	int status;

	if (!g_spawn_async_with_pipes(NULL, (char **)argv, NULL,
				      G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
				      NULL, &pid, NULL, &fd, NULL, NULL))
		return NULL;
	bool is_whole = check_read(fd, deadline, text);

	return check_reap(pid, is_whole ? deadline : 0, &status) == CHECK_END_ITSELF
		       ? g_strdup(text->str)
		       : NULL;
}

/* Whether only root, or a group that root allows to write, can replace the file at @path, which
 * contains no symbolic links. */
static bool is_roots(const char *path)
{
	g_autofree char *parent = g_path_get_dirname(path);
	struct stat st;

	if (lstat(path, &st) < 0 || st.st_uid != 0)
		return false;
	if ((st.st_mode & S_IWOTH) && !(S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX)))
		return false;
	return strcmp(parent, path) == 0 || is_roots(parent);
}

bool check_may_run(const char *path)
{
	g_autofree char *real = realpath(path, NULL);

	return geteuid() != 0 || (real && is_roots(real));
}
