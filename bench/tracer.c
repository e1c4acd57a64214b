// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Counts system calls by ptrace, from its own process, so that the program under test and its
 * driver run unchanged, only slower. It counts entries of every thread, including threads that
 * start later.
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t is_over;

static void on_term(int number)
{
	(void)number;
	is_over = 1;
}

static void seize_all(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid > 0 &&
		    ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) == 0)
			ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	}
	if (dir)
		closedir(dir);
}

static bool is_entry(pid_t tid)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

/* Counts until SIGTERM. */
static uint64_t count(void)
{
	uint64_t n = 0;

	while (!is_over) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			break;
		if (!WIFSTOPPED(status))
			continue;
		int signal = WSTOPSIG(status), deliver = 0;

		if (signal == (SIGTRAP | 0x80))
			n += is_entry(tid);
		else if (status >> 16 == 0)
			deliver = signal;
		ptrace(PTRACE_SYSCALL, tid, 0, deliver);
	}
	return n;
}

pid_t tracer_start(pid_t pid, int *ret_pipe)
{
	int ends[2];
	char ready;

	if (pipe(ends) < 0)
		vmm_fail("pipe");
	fflush(NULL);
	pid_t tracer = fork();
	if (tracer == 0) {
		struct sigaction action = { .sa_handler = on_term };

		sigaction(SIGTERM, &action, NULL);
		seize_all(pid);
		if (write(ends[1], "r", 1) != 1)
			_exit(1);
		uint64_t n = count();
		if (write(ends[1], &n, sizeof(n)) != sizeof(n))
			_exit(1);
		_exit(0); /* the kernel detaches the remaining threads */
	}
	close(ends[1]);
	if (read(ends[0], &ready, 1) != 1)
		vmm_fail("the tracer does not start");
	*ret_pipe = ends[0];
	return tracer;
}

uint64_t tracer_stop(pid_t tracer, int pipe)
{
	uint64_t n = 0;

	kill(tracer, SIGTERM);
	if (read(pipe, &n, sizeof(n)) != sizeof(n))
		n = 0;
	close(pipe);
	waitpid(tracer, NULL, 0);
	return n;
}
