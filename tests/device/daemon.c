// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The daemon under test as a process. It is always the built binary, started as a front-end or a
 * user starts it; its code is never linked in. Three rules keep a failing test from harming the
 * next one. A guardian process ends the daemon when the test ends, because PDEATHSIG does not
 * survive the daemon's sandbox. The daemon's output goes to memfds, which cannot fill up or get
 * lost. Each daemon has its own directory for its socket. The test waits for the daemon's end on a
 * pidfd and for its start on inotify, never by sleeping.
 */
#include "vmm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGS 64

void daemon_make_dir(struct daemon *d)
{
	const char *base = getenv("TMPDIR");

	if (d->dir[0])
		return;
	if (!base || strlen(base) > 40)
		base = "/tmp";
	snprintf(d->dir, sizeof(d->dir), "%s/vmm-XXXXXX", base);
	if (!mkdtemp(d->dir))
		vmm_fail("mkdtemp(%s): %s", d->dir, strerror(errno));
	snprintf(d->socket_path, sizeof(d->socket_path), "%s/gpu.sock", d->dir);
}

/* Signals get the actions that a shell gives them: nohup, a script's "&" and Python ignore some. */
static void reset_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXFSZ };

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
}

static _Noreturn void become_daemon(const struct daemon *d, char **argv, int keep_fd)
{
	if (dup2(d->out_fd, 1) < 0 || dup2(d->err_fd, 2) < 0)
		_exit(126);
	if (d->script[0] && keep_fd >= 0)
		keep_fd = dup2(keep_fd, 3); /* the first descriptor that a service manager passes */
	if (keep_fd >= 0) {
		fcntl(keep_fd, F_SETFD, 0);
		close_range(3, (unsigned)keep_fd - 1, 0);
	}
	close_range(keep_fd >= 0 ? (unsigned)keep_fd + 1 : 3, ~0u, 0);
	reset_signals();
	if (d->before_exec)
		d->before_exec();
	execv(argv[0], argv);
	dprintf(2, "exec %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void remove_dir(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;

	while (dir && (e = readdir(dir)))
		unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(path);
}

/* Waits until the other end of @pipe_fd is closed, then ends the daemon. */
static _Noreturn void become_guardian(const struct daemon *d, int pipe_fd)
{
	char byte;

	if (dup2(d->pidfd, 0) < 0 || dup2(pipe_fd, 1) < 0)
		_exit(1);
	close_range(2, ~0u, 0);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	while (read(1, &byte, 1) < 0 && errno == EINTR)
		;
	pidfd_send_signal(0, SIGKILL, NULL, 0);
	if (d->dir[0])
		remove_dir(d->dir);
	_exit(0);
}

static void guard(struct daemon *d)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		vmm_fail("pipe: %s", strerror(errno));
	d->guardian = fork();
	if (d->guardian == 0)
		become_guardian(d, pair[0]);
	close(pair[0]);
	d->guard_fd = pair[1];
}

void daemon_start(struct daemon *d, const char *const *args, int keep_fd)
{
	const char *binary = getenv("VHOST_DEVICE_GPU");
	char *argv[MAX_ARGS] = { (char *)"/bin/sh", (char *)"-c", d->script, (char *)binary };
	unsigned first = d->script[0] ? 0 : 3, n = 4;

	if (!binary)
		vmm_fail("VHOST_DEVICE_GPU does not name the daemon's binary");
	for (; args && *args && n < MAX_ARGS - 1; args++)
		argv[n++] = (char *)*args;

	d->out_fd = memfd_create("daemon-stdout", MFD_CLOEXEC);
	if (d->err_fd <= 0)
		d->err_fd = memfd_create("daemon-stderr", MFD_CLOEXEC);
	fflush(NULL);
	d->pid = fork();
	if (d->pid == 0)
		become_daemon(d, argv + first, keep_fd);
	if (d->pid < 0)
		vmm_fail("fork: %s", strerror(errno));
	d->pidfd = pidfd_open(d->pid, 0);
	if (d->pidfd < 0)
		vmm_fail("pidfd_open: %s", strerror(errno));
	guard(d);
}

int daemon_wait(struct daemon *d, int ms)
{
	struct pollfd p = { .fd = d->pidfd, .events = POLLIN };
	int status;

	if (!d->pid || poll(&p, 1, ms) == 0 || waitpid(d->pid, &status, 0) != d->pid)
		return -1;
	close(d->pidfd);
	d->pid = 0;
	d->pidfd = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int daemon_stop(struct daemon *d, int signal)
{
	int status;

	if (!d->pid)
		return -1;
	kill(d->pid, signal);
	status = daemon_wait(d, vmm_default_timeout_ms());
	if (status < 0) {
		kill(d->pid, SIGKILL);
		daemon_wait(d, -1);
	}
	return status;
}

void daemon_finish(struct daemon *d)
{
	if (d->pid)
		daemon_stop(d, SIGKILL);
	if (d->guardian > 0) {
		close(d->guard_fd);
		waitpid(d->guardian, NULL, 0);
	}
	if (d->out_fd > 0) {
		close(d->out_fd);
		close(d->err_fd);
	}
	if (d->dir[0])
		remove_dir(d->dir);
	*d = (struct daemon){ .pidfd = -1, .out_fd = -1, .err_fd = -1 };
}

char *daemon_text(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, size > 0 ? (size_t)size + 1 : 1);

	if (text && size > 0 && pread(fd, text, (size_t)size, 0) != size)
		text[0] = '\0';
	return text;
}

const char *daemon_sentence(const char *text)
{
	const char *end;

	while ((strncmp(text, "info ", 5) == 0 || strncmp(text, "warn ", 5) == 0) &&
	       (end = strchr(text, '\n')))
		text = end + 1;
	end = strchr(text, '\n');
	if (strncmp(text, "vhost-device-gpu: ", 18) != 0 || !end || end[1])
		return NULL;
	return text;
}

static DIR *open_directory(const struct daemon *d, const char *name)
{
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)d->pid, name);
	dir = opendir(path);
	if (!dir)
		vmm_fail("%s: %s", path, strerror(errno));
	return dir;
}

unsigned daemon_count_fds(const struct daemon *d)
{
	DIR *dir = open_directory(d, "fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2; /* . and .. */
}

/* The state and flags of a process or thread (proc_pid_stat(5)); false if it is gone. */
static bool read_stat(const struct daemon *d, const char *task, char *ret_state,
		      unsigned *ret_flags)
{
	char path[320], text[512] = "";
	const char *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s/stat", (int)d->pid, task);
	f = fopen(path, "re");
	end = f && fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	if (f)
		fclose(f);
	return end && sscanf(end, ") %c %*d %*d %*d %*d %*d %u", ret_state, ret_flags) == 2;
}

/* pthread_join() returns a moment before the kernel has removed the thread. */
static bool is_exiting(const struct daemon *d, const char *tid)
{
	enum { IS_EXITING = 4 }; /* PF_EXITING of the kernel */
	char task[300], state;
	unsigned flags;

	snprintf(task, sizeof(task), "task/%s", tid);
	return !read_stat(d, task, &state, &flags) || flags & IS_EXITING;
}

unsigned daemon_count_threads(const struct daemon *d)
{
	DIR *dir = open_directory(d, "task");
	const struct dirent *entry;
	unsigned n = 0;

	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.' && !is_exiting(d, entry->d_name);
	closedir(dir);
	return n;
}

unsigned daemon_count_mappings(const struct daemon *d)
{
	char path[64];
	unsigned n = 0;
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)d->pid);
	f = fopen(path, "re");
	if (!f)
		vmm_fail("%s: %s", path, strerror(errno));
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

bool daemon_maps_file(const struct daemon *d, int fd)
{
	char path[64], line[512];
	bool is_mapped = false;
	unsigned long inode;
	struct stat st;

	if (fstat(fd, &st) < 0)
		vmm_fail("fstat: %s", strerror(errno));
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)d->pid);
	FILE *f = fopen(path, "re");
	if (!f)
		vmm_fail("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %*s %lu", &inode) == 1)
			is_mapped |= inode == st.st_ino;
	fclose(f);
	return is_mapped;
}

bool daemon_sleeps(const struct daemon *d)
{
	unsigned flags;
	char state;

	if (!read_stat(d, ".", &state, &flags))
		vmm_fail("the daemon is gone");
	return state == 'S';
}

static long read_status(const struct daemon *d, const char *key)
{
	char path[64], line[128];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)d->pid);
	f = fopen(path, "re");
	while (f && value < 0 && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)) == 0)
			value = atol(line + strlen(key));
	}
	if (f)
		fclose(f);
	return value;
}

/* Not VmRSS, which also counts pages of guest memory. */
long daemon_rss_kib(const struct daemon *d)
{
	return read_status(d, "RssAnon:");
}

long daemon_size_kib(const struct daemon *d)
{
	return read_status(d, "VmSize:");
}

/* Whether a filter is installed, and no_new_privs is set, so that a setuid program that the daemon
 * runs gains no privileges. */
bool daemon_has_filter(const struct daemon *d)
{
	return read_status(d, "Seccomp:") == 2 && read_status(d, "NoNewPrivs:") == 1;
}

/* A sanitizer's shadow of the address space is terabytes large. */
bool daemon_has_sanitizer(const struct daemon *d)
{
	return read_status(d, "VmSize:") > 1L << 30;
}

static void wait_for_change(const struct daemon *d, int watch)
{
	struct pollfd p[2] = { { .fd = watch, .events = POLLIN },
			       { .fd = d->pidfd, .events = POLLIN } };
	char buffer[512];

	/* bind() creates a file and listen() does not, hence the short time-out. */
	poll(p, 2, 2);
	if (p[1].revents) {
		char *text = daemon_text(d->err_fd);

		vmm_fail("the daemon ended before it listened: %s", text);
	}
	if (p[0].revents && read(watch, buffer, sizeof(buffer)) < 0)
		return;
}

int daemon_connect(struct daemon *d)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int64_t deadline = vmm_now_ms() + vmm_default_timeout_ms();
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int watch;

	memcpy(address.sun_path, d->socket_path, sizeof(d->socket_path));
	/* Closing a watch takes the kernel 15 ms, so there is none if the daemon listens already.
	 */
	if (connect(s, (struct sockaddr *)&address, sizeof(address)) == 0)
		return s;
	watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	inotify_add_watch(watch, d->dir, IN_CREATE | IN_MOVED_TO);
	while (connect(s, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno != ENOENT && errno != ECONNREFUSED)
			vmm_fail("connect(%s): %s", d->socket_path, strerror(errno));
		if (vmm_now_ms() > deadline)
			vmm_fail("the daemon does not listen on %s", d->socket_path);
		wait_for_change(d, watch);
	}
	close(watch);
	return s;
}
