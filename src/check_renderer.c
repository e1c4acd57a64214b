// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Starts sandbox and renderer as the daemon would, in a child: a driver may crash, wait for ever or
 * end the process, and the sandbox takes away what the other findings need. The child writes a line
 * for each finding into a pipe: status, name, text and cure, between TAB characters.
 */
#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "check_private.h"
#include "options.h"
#include "render/renderer.h"
#include "render/virgl.h"
#include "sandbox/sandbox.h"
#include "start.h"
#include "vulkan.h"

/* How long a driver may take. */
#define SECONDS 30

static void tell(FILE *pipe, enum check_status status, const char *name, const char *text,
		 const char *cure)
{
	fprintf(pipe, "%d\t%s\t%s\t%s\n", status, name, text, cure ? cure : "");
}

static void tell_sandbox(FILE *pipe, const struct sandbox *sandbox)
{
	enum check_status status = sandbox->options.level == SANDBOX_STRICT ? CHECK_NO : CHECK_LESS;

	for (unsigned i = 0; i < sandbox->n_missing; i++) {
		g_autofree char *text = g_strdup_printf("%s: %s", sandbox->missing[i].what,
							sandbox->missing[i].why);

		tell(pipe, status, "sandbox", text, "docs/sandbox.md says what each part needs");
	}
	if (sandbox->options.level == SANDBOX_OFF)
		tell(pipe, CHECK_INFO, "sandbox", "off, as the options want it", NULL);
	else if (sandbox->n_missing == 0)
		tell(pipe, CHECK_OK, "sandbox",
		     "namespaces, file tree, no capabilities, filter of system calls", NULL);
}

static void tell_capsets(FILE *pipe, struct renderer *renderer)
{
	struct renderer_capset capsets[RENDERER_MAX_CAPSETS];
	unsigned n = renderer->ops->capsets ? renderer->ops->capsets(renderer, capsets) : 0;
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(text, "%s%s", i > 0 ? ", " : "",
				       options_capset_name(capsets[i].id));
	if (n > 0)
		tell(pipe, CHECK_OK, "capsets", text->str, NULL);
	g_string_free(text, TRUE);
}

static void tell_renderer(FILE *pipe, struct renderer *renderer)
{
	g_autofree char *driver = virgl_describe_driver();

	tell(pipe, CHECK_OK, "renderer", renderer->ops->name, NULL);
	if (renderer->ops->capsets && driver)
		tell(pipe, strstr(driver, "llvmpipe") ? CHECK_LESS : CHECK_OK, "OpenGL driver",
		     driver, strstr(driver, "llvmpipe") ? "a GPU: the CPU draws" : NULL);
	tell_capsets(pipe, renderer);
}

/* In the child. */
static void try_renderer(FILE *pipe, const struct options *options)
{
	struct options tried = *options;
	struct sandbox sandbox = { 0 };
	struct vulkan vulkan = { .options = &tried, .pidfd = -1 };
	g_autofree char *message = NULL;

	tried.fd = fileno(pipe);
	tried.sandbox = options->sandbox == SANDBOX_STRICT ? SANDBOX_AUTO : options->sandbox;
	start_sandbox(&sandbox, &tried);
	sandbox.options.level = options->sandbox;
	tell_sandbox(pipe, &sandbox);
	fflush(pipe);
	/* With "auto" a renderer that does not start is one with less, and the reason is wanted. */
	if (tried.gpu_mode == GPU_MODE_AUTO)
		tried.gpu_mode = GPU_MODE_VIRGLRENDERER;
	struct renderer *renderer = start_renderer(&tried, &vulkan, &message);

	if (renderer)
		tell_renderer(pipe, renderer);
	else
		tell(pipe, options->gpu_mode == GPU_MODE_AUTO ? CHECK_LESS : CHECK_NO,
		     "virglrenderer", message, "without it guests get 2D (--gpu-mode 2d)");
	fflush(pipe);
}

static _Noreturn void become_child(int fd, const struct options *options)
{
	FILE *pipe = fdopen(fd, "w");

	log_set_level(LOG_LEVEL_ERROR);
	if (!freopen("/dev/null", "w", stderr))
		_exit(EXIT_FAILURE);
	alarm(SECONDS);
	if (pipe)
		try_renderer(pipe, options);
	_exit(EXIT_SUCCESS);
}

static void read_findings(GPtrArray *findings, int fd)
{
	FILE *pipe = fdopen(fd, "r");
	char line[1024];

	while (pipe && fgets(line, sizeof(line), pipe)) {
		g_auto(GStrv) parts = g_strsplit(g_strchomp(line), "\t", 4);

		if (g_strv_length(parts) >= 3)
			check_add(findings, (enum check_status)atoi(parts[0]), parts[1], parts[2],
				  parts[3] && *parts[3] ? parts[3] : NULL);
	}
	if (pipe)
		fclose(pipe);
}

static void report_death(GPtrArray *findings, const struct options *options, int status)
{
	enum check_status worth = options->gpu_mode == GPU_MODE_AUTO ? CHECK_LESS : CHECK_NO;
	const char *cure = "a newer driver, or --gpu-mode 2d";
	g_autofree char *text = NULL;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		text = g_strdup_printf("it did not start within %d s", SECONDS);
	else if (WIFSIGNALED(status))
		text = g_strdup_printf("it ended the process: %s", strsignal(WTERMSIG(status)));
	else
		text = g_strdup_printf("it ended the process with status %d", WEXITSTATUS(status));
	check_add(findings, worth, "renderer", text, cure);
}

void check_renderer(GPtrArray *findings, const struct options *options)
{
	int pair[2], status = 0;

	if (pipe(pair) < 0)
		return;
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		close(pair[0]);
		become_child(pair[1], options);
	}
	close(pair[1]);
	read_findings(findings, pair[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0)
		report_death(findings, options, status);
	else
		check_add(findings, CHECK_NO, "renderer", "no process to try it in", NULL);
}
