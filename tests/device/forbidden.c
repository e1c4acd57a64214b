// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Loaded into the daemon with LD_PRELOAD: does what an attacker would do who has taken over the
 * process. It runs when the daemon first waits for the front-end, after all privileges are dropped.
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

__attribute__((constructor)) static void keep_stderr(void)
{
	out = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static long attempt(const char *what)
{
	static char *const arguments[] = { (char *)"/bin/true", NULL };

	if (strcmp(what, "open") == 0)
		return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	/* A directory that every host has, and that no driver needs. In the file tree /tmp is
	 * there, read-only, if the daemon was built below it: LD_LIBRARY_PATH has the build
	 * directory. */
	if (strcmp(what, "create") == 0)
		return syscall(SYS_openat, AT_FDCWD, "/var/lib/made", O_CREAT | O_WRONLY, 0600);
	/* The socket's place, relative to the working directory. */
	if (strcmp(what, "create beside") == 0)
		return syscall(SYS_openat, AT_FDCWD, "made", O_CREAT | O_WRONLY, 0600);
	if (strcmp(what, "remove socket") == 0)
		return syscall(SYS_unlinkat, AT_FDCWD, "gpu.sock", 0);
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
