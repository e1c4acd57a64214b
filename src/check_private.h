// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The list of findings, which the files of --check share. */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct options;

enum check_status {
	CHECK_INFO, /* does not affect the result */
	CHECK_OK,
	CHECK_LESS, /* works with limits */
	CHECK_NO,   /* does not work with these options */
};

/* One line. All owned. */
struct check_finding {
	enum check_status status;
	char *name, *text;
	char *cure; /* NULL: none is needed */
};

/* Adds a finding to @findings; strings are copied, @cure may be NULL. */
void check_add(GPtrArray *findings, enum check_status status, const char *name, const char *text,
	       const char *cure);

/* check_process.c */

/* How a process ended: by itself, killed at its deadline, or not even then. */
enum check_end { CHECK_END_ITSELF, CHECK_END_KILLED, CHECK_END_NEVER };

/* Appends everything that @fd (borrowed) gives to @text. False if the end of the file has not come
 * by @deadline (microseconds of g_get_monotonic_time()), or after a megabyte. */
bool check_read(int fd, int64_t deadline, GString *text);
/* Waits for the child @pid, and kills it at @deadline. *@ret_status is that of waitpid(). */
enum check_end check_reap(pid_t pid, int64_t deadline, int *ret_status);
/* Runs the program at the path @argv[0] and returns what it prints; freed with g_free(). NULL if it
 * does not end by itself within @seconds. */
char *check_ask(const char *const *argv, unsigned seconds);
/* Whether it is safe to run the program at @path. Root runs only files that no other user can
 * replace, because PATH may be another user's, as under sudo, or name the current directory. */
bool check_may_run(const char *path);

/* check_renderer.c: starts the sandbox, then the renderer inside it, in a child. */
void check_renderer(GPtrArray *findings, const struct options *options);
/* check_host.c: device nodes. */
void check_nodes(GPtrArray *findings, const struct options *options);
void check_udmabuf(GPtrArray *findings);
void check_helpers(GPtrArray *findings);
/* check_vmm.c: QEMU, and the program that libvirt would start. */
void check_qemu(GPtrArray *findings);
void check_libvirt(GPtrArray *findings);
