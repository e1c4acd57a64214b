// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Loaded into the daemon with LD_PRELOAD: prints what a library may print, when the daemon first
 * waits for the front-end. $VMM_PRINT selects the text.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FLOOD_LINES 100000

static void print(const char *what)
{
	if (strcmp(what, "flood") == 0) {
		for (unsigned i = 0; i < FLOOD_LINES; i++)
			fprintf(stderr, "a guest's shader is wrong, number %u\n", i);
	} else if (strcmp(what, "line") == 0) {
		fprintf(stderr, "half a line, ");
		fprintf(stderr, "and\033[2J the rest\n");
	} else if (strcmp(what, "stdout") == 0) {
		printf("to the other one\n");
		fflush(stdout);
	} else if (strcmp(what, "abort") == 0) {
		fprintf(stderr, "last words\n");
		abort();
	} else if (strcmp(what, "fault") == 0) {
		fprintf(stderr, "last words\n");
		*(volatile int *)strtol("8", NULL, 0) = 0;
	} else if (strcmp(what, "exit") == 0) {
		fprintf(stderr, "last words\n");
		exit(3);
	}
}

/* Replaces the C library's function. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	static int is_done;
	const char *what = getenv("VMM_PRINT");

	if (what && !is_done) {
		is_done = 1;
		print(what);
	}
	return syscall(SYS_recvmsg, fd, message, flags);
}
