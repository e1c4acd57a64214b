// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Starts virgl_render_server in a jail. The server and its workers, one for each context, draw the
 * guest's Vulkan. The jail limits what a guest that has taken over a worker can reach. It consists
 * of the daemon's private file tree, a list of system calls, and namespaces of its own. The pid
 * namespace keeps the worker from signalling other processes. The user namespace keeps it from
 * inspecting the daemon, whose /proc directory is in the file tree: for that the kernel requires
 * CAP_SYS_PTRACE in the daemon's namespace.
 *
 * The server starts while the renderer's library starts, which may have created threads already. So
 * everything is prepared before the fork, and the child only makes system calls, because another
 * thread may have held any lock. The child's user id is not mapped, because the file tree has no
 * file to write a map to; it still owns its files, because the kernel compares ids outside
 * namespaces.
 *
 * The server is the first process of its pid namespace, so its workers end with it. It ends when
 * its socket is closed. No one waits for it: SA_NOCLDWAIT makes the kernel reap it.
 */
#include "sandbox/render_server.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/sandbox_private.h"

#define LOG_MODULE "sandbox"
#include "base/log.h"

#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET)

#define SERVER_FD      3
#define SERVER_FD_TEXT "3"
/* The child's socket and pipe are at least this, so that its dup2() calls do not replace them. */
#define LEAST_FD 16

/* Everything that the child needs. */
struct launch {
	const char *path;
	struct seccomp_program *filter; /* owned; NULL: none */
	int socket;                     /* the server's end */
	int null;                       /* becomes standard input; -1: unchanged */
	int failure;                    /* a pipe to which the child writes its errno */
	bool is_jailed;
	rlim_t max_memory, max_fds;
};

const char *render_server_find(void)
{
	static const char *const places[] = {
		"/usr/libexec/virgl_render_server",
		"/usr/lib/virgl_render_server",
		"/usr/local/libexec/virgl_render_server",
		"/usr/lib/virglrenderer/virgl_render_server",
	};
	const char *given = getenv("RENDER_SERVER_EXEC_PATH");

	if (given)
		return access(given, X_OK) == 0 ? given : NULL;
	for (unsigned i = 0; i < G_N_ELEMENTS(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* ---- the child: system calls only ---- */

static int lower_limit(int resource, rlim_t n)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return -1;
	limit.rlim_max = limit.rlim_max > n ? n : limit.rlim_max;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit);
}

/* RLIMIT_DATA limits private memory, and RLIMIT_FSIZE the file in memory in which a Vulkan driver
 * on the CPU (lavapipe) keeps all that a client allocates. Above it the driver fails or ends. */
static int set_limits(const struct launch *launch)
{
	if (!launch->is_jailed)
		return 0;
	if (lower_limit(RLIMIT_CORE, 0) < 0 || lower_limit(RLIMIT_NOFILE, launch->max_fds) < 0 ||
	    lower_limit(RLIMIT_DATA, launch->max_memory) < 0)
		return -1;
	return lower_limit(RLIMIT_FSIZE, launch->max_memory);
}

/* Resets signals, and keeps only descriptors 0 to 2 and the socket. */
static int leave_daemon(const struct launch *launch)
{
	sigset_t none;

	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || setsid() < 0)
		return -1;
	signal(SIGPIPE, SIG_DFL);
	if (launch->null >= 0)
		dup2(launch->null, STDIN_FILENO);
	if (dup2(launch->socket, SERVER_FD) < 0)
		return -1;
	/* Older kernels lack this call. That is no error, because the drivers that the daemon has
	 * loaded usually set close-on-exec themselves. */
	syscall(SYS_close_range, SERVER_FD + 1, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */);
	return 0;
}

/* The server's threads poll the rings of the guest's Vulkan driver, which are not virtqueues, and
 * sleep in between, first for 10 us, then for longer. The kernel prolongs each sleep by up to the
 * timer slack, 50 us by default. So the slack is set to 1 ns, and the workers inherit it. This
 * costs nothing while the rings are idle: the threads then wait for a wake-up. */
static void sleep_exactly(void)
{
	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

static _Noreturn void run_server(const struct launch *launch)
{
	char *const arguments[] = { (char *)launch->path, "--socket-fd", SERVER_FD_TEXT, NULL };

	sleep_exactly();
	if (leave_daemon(launch) == 0 && set_limits(launch) == 0 &&
	    (!launch->is_jailed || privileges_drop() == 0) &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
	    (!launch->filter || seccomp_program_install(launch->filter) == 0))
		execve(launch->path, arguments, environ);
	const int error = errno;

	(void)!write(launch->failure, &error, sizeof(error));
	_exit(EXIT_FAILURE);
}

/* ---- the parent ---- */

/* fork() with a pidfd and new namespaces; returns 0 in the child. */
static pid_t fork_into(unsigned long namespaces, int *ret_pidfd)
{
	const unsigned long flags = namespaces | CLONE_PIDFD | SIGCHLD;

#ifdef __s390x__ /* the first two arguments are swapped */
	return (pid_t)syscall(SYS_clone, NULL, flags, ret_pidfd, NULL, NULL);
#else
	return (pid_t)syscall(SYS_clone, flags, NULL, ret_pidfd, NULL, NULL);
#endif
}

/* 0, or -errno if no child was created. */
static int fork_server(const struct launch *launch, unsigned long namespaces, int *ret_pidfd)
{
	const struct sigaction forgets = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	sigaction(SIGCHLD, &forgets, NULL);
	pid_t pid = fork_into(namespaces, ret_pidfd);

	if (pid == 0)
		run_server(launch);
	return pid < 0 ? -errno : 0;
}

/* Waits until the program has started or failed to: 0 or an errno. */
static int read_failure(int fd)
{
	int error = 0;
	ssize_t n;

	do
		n = read(fd, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	return n == sizeof(error) ? error : 0;
}

/* NULL, or a sentence that says why it failed (also below). */
static char *fork_in_jail(const struct launch *launch, const struct render_server_options *options,
			  int *ret_pidfd)
{
	unsigned long namespaces = options->level == SANDBOX_OFF ? 0 : NAMESPACES;
	int r = fork_server(launch, namespaces, ret_pidfd);

	if (r < 0 && options->level == SANDBOX_AUTO) {
		log_warn("the render server runs without namespaces of its own: %s",
			 g_strerror(-r));
		r = fork_server(launch, 0, ret_pidfd);
	}
	return r < 0 ? g_strdup_printf("cannot create its process: %s", g_strerror(-r)) : NULL;
}

/* NULL, or a sentence. Both ends of @failure are closed. */
static char *launch_server(struct launch *launch, const struct render_server_options *options,
			   int failure[2], int *ret_pidfd)
{
	launch->failure = failure[1];
	char *sentence = fork_in_jail(launch, options, ret_pidfd);

	fd_close(&failure[1]);
	int error = sentence ? 0 : read_failure(failure[0]);

	fd_close(&failure[0]);
	if (!error)
		return sentence;
	fd_close(ret_pidfd);
	return g_strdup_printf("cannot run %s: %s", launch->path, g_strerror(error));
}

/* NULL, or a sentence. */
static char *make_filter(struct launch *launch, enum sandbox_level level)
{
	const char *absent = seccomp_is_absent();

#ifdef SANDBOX_INSTRUMENTED
	absent = "this binary was built for sanitizers or coverage";
#endif
	launch->filter = absent ? NULL : seccomp_program_new(level == SANDBOX_STRICT);
	if (launch->filter)
		return NULL;
	absent = absent ? absent : g_strerror(errno);
	if (level == SANDBOX_STRICT)
		return g_strdup_printf("no system call filter: %s", absent);
	log_warn("the render server has no system call filter: %s", absent);
	return NULL;
}

static int make_pair(int *ours, int *theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	*ours = pair[0];
	*theirs = fcntl(pair[1], F_DUPFD_CLOEXEC, LEAST_FD);
	close(pair[1]);
	return *theirs < 0 ? -errno : 0;
}

/* Creates a pipe with descriptors of at least LEAST_FD. 0 or -errno. */
static int make_pipe(int ret[2])
{
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	for (unsigned i = 0; i < 2; i++) {
		ret[i] = fcntl(pipe_fds[i], F_DUPFD_CLOEXEC, LEAST_FD);
		close(pipe_fds[i]);
	}
	return ret[0] < 0 || ret[1] < 0 ? -EMFILE : 0;
}

/* NULL, or a sentence. */
static char *start(struct launch *launch, const struct render_server_options *options,
		   struct render_server *ret)
{
	int failure[2] = { -1, -1 };
	int r = make_pair(&ret->socket, &launch->socket);
	char *sentence = NULL;

	if (r == 0)
		r = make_pipe(failure);
	if (r < 0)
		sentence = g_strdup_printf("cannot create its sockets: %s", g_strerror(-r));
	if (!sentence && options->level != SANDBOX_OFF)
		sentence = make_filter(launch, options->level);
	if (!sentence)
		sentence = launch_server(launch, options, failure, &ret->pidfd);
	fd_close(&failure[0]);
	fd_close(&failure[1]);
	return sentence;
}

char *render_server_start(const struct render_server_options *options, struct render_server *ret)
{
	struct launch launch = {
		.path = render_server_find(),
		.socket = -1,
		.null = open("/dev/null", O_RDWR | O_CLOEXEC),
		.is_jailed = options->level != SANDBOX_OFF,
		.max_memory = options->max_memory,
		.max_fds = options->max_fds,
	};

	*ret = (struct render_server){ -1, -1 };
	char *sentence =
		launch.path ? start(&launch, options, ret)
			    : g_strdup("virgl_render_server is not installed (Debian has it in "
				       "the package virgl-server)");

	seccomp_program_free(launch.filter);
	fd_close(&launch.null);
	fd_close(&launch.socket);
	if (!sentence)
		return NULL;
	fd_close(&ret->socket);
	fd_close(&ret->pidfd);
	return sentence;
}
