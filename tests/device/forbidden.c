// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Loaded into the daemon with LD_PRELOAD: does what an attacker would do who has taken over the
 * process. It runs when the daemon first reads from the front-end (recvmsg), after all privileges
 * are dropped.
 * The results go to the standard error of the daemon's start.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int out = STDERR_FILENO;
static char socket_path[256], beside[272];

/* Copies the argument after "--socket-path" to socket_path. */
static void find_socket(void)
{
	char arguments[4096] = "";
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, arguments, sizeof(arguments) - 1);

	close(fd);
	for (char *a = arguments; n > 0 && a < arguments + n; a += strlen(a) + 1)
		if (strcmp(a, "--socket-path") == 0)
			snprintf(socket_path, sizeof(socket_path), "%s", a + strlen(a) + 1);
	snprintf(beside, sizeof(beside), "%s-made", socket_path);
}

__attribute__((constructor)) static void prepare(void)
{
	out = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	find_socket();
}

static long create(const char *path)
{
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY, 0600);

	if (fd >= 0)
		unlink(path);
	return fd;
}

static long attempt(const char *what)
{
	static char *const arguments[] = { (char *)"/bin/true", NULL };

	if (strcmp(what, "open") == 0)
		return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	/* A directory that every host has, and that no driver needs. /tmp would not do: the
	 * sandbox's file tree has what LD_LIBRARY_PATH names, which is the build directory, so
	 * /tmp is there, read-only, if the daemon was built below it. */
	if (strcmp(what, "create") == 0)
		return create("/var/lib/made");
	if (strcmp(what, "create in the root") == 0)
		return create("/made");
	if (strcmp(what, "create beside the socket") == 0)
		return create(beside);
	if (strcmp(what, "remove the socket") == 0)
		return syscall(SYS_unlinkat, AT_FDCWD, socket_path, 0);
	if (strcmp(what, "ask for peer") == 0)
		return syscall(SYS_getpeername, STDERR_FILENO, NULL, NULL);
	if (strcmp(what, "internet") == 0)
		return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
	if (strcmp(what, "unix") == 0)
		return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
	if (strcmp(what, "kill") == 0)
		return syscall(SYS_kill, 1L, 0);
	if (strcmp(what, "code") == 0)
		return (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (strcmp(what, "exec") == 0)
		return syscall(SYS_execve, "/bin/true", arguments, arguments + 1);
	if (strcmp(what, "ptrace") == 0)
		return syscall(SYS_ptrace, 16, 1L, 0, 0);
	if (strcmp(what, "mount") == 0)
		return syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL);
	return 0;
}

/* Replaces the C library's function. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	const char *what = getenv("VMM_FORBIDDEN");
	char line[80];
	int n;

	if (what) {
		long r = attempt(what);

		n = snprintf(line, sizeof(line), "forbidden %s: %s\n", what,
			     r == -1 ? strerrorname_np(errno) : "done");
		if (write(out, line, (size_t)n) < 0)
			errno = 0;
		unsetenv("VMM_FORBIDDEN");
	}
	return syscall(SYS_recvmsg, fd, message, flags);
}
