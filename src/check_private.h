// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* What the files of --check share: the list of findings. */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

struct options;

enum check_status {
	CHECK_INFO, /* good to know; says nothing about whether it works */
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

/* How a process ended: by itself, killed at its deadline, or not at all. */
enum check_end { CHECK_END_ITSELF, CHECK_END_KILLED, CHECK_END_NEVER };

/* Adds to @text what comes from @fd (borrowed). False if that has not ended at @deadline, in
 * microseconds of g_get_monotonic_time(), or is more than a program's answer. */
bool check_read(int fd, int64_t deadline, GString *text);
/* Waits for the child @pid, and kills it at @deadline. *@ret_status is as of waitpid(). */
enum check_end check_reap(pid_t pid, int64_t deadline, int *ret_status);
/* What the program @argv[0], a path, prints within @seconds; freed with g_free(). NULL if it does
 * not end by itself. */
char *check_ask(const char *const *argv, unsigned seconds);
/* Whether to run the program at @path: root runs only what root alone can have put there, for PATH
 * may be another user's, as under sudo, or name the current directory. */
bool check_may_run(const char *path);

/* check_renderer.c: the sandbox, then the renderer inside of it, in a child. */
void check_renderer(GPtrArray *findings, const struct options *options);
/* check_host.c: device nodes. */
void check_nodes(GPtrArray *findings, const struct options *options);
void check_udmabuf(GPtrArray *findings);
void check_helpers(GPtrArray *findings);
/* check_vmm.c: QEMU, and what libvirt would take. */
void check_qemu(GPtrArray *findings);
void check_libvirt(GPtrArray *findings);
