// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Starts sandbox and renderer as the daemon does, but in a child: a driver may crash, wait for ever
 * or end the process, and the sandbox removes access that the other checks need. The child writes
 * one line for each finding into a pipe: status, name, text and cure, separated by TAB characters.
 * Its last line is END. Only END proves that everything was tried: a driver may end the process
 * with status 0, or leave a process behind that keeps the pipe open.
 */
#include <fcntl.h>
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

/* Deadline for the child. */
#define SECONDS 30

#define END "."

/* Freed with g_free(). Messages of drivers may have several lines. */
static char *make_one_line(const char *text)
{
	return g_strdelimit(g_strdup(text ? text : ""), "\t\r\n", ' ');
}

static void tell(FILE *pipe, enum check_status status, const char *name, const char *text,
		 const char *cure)
{
	g_autofree char *name_line = make_one_line(name);
	g_autofree char *text_line = make_one_line(text);
	g_autofree char *cure_line = make_one_line(cure);

	fprintf(pipe, "%d\t%s\t%s\t%s\n", status, name_line, text_line, cure_line);
}

static void tell_sandbox(FILE *pipe, const struct sandbox *sandbox)
{
	enum check_status status = sandbox->options.level == SANDBOX_STRICT ? CHECK_NO : CHECK_LESS;

	for (unsigned i = 0; i < sandbox->n_missing; i++) {
		g_autofree char *text = g_strdup_printf("%s: %s", sandbox->missing[i].what,
							sandbox->missing[i].why);

		tell(pipe, status, "sandbox", text, "see docs/sandbox.md for what each part needs");
	}
	if (sandbox->options.level == SANDBOX_OFF)
		tell(pipe, CHECK_INFO, "sandbox", "off (--sandbox off)", NULL);
	else if (sandbox->n_missing == 0)
		tell(pipe, CHECK_OK, "sandbox",
		     "namespaces, private file tree, no capabilities, system call filter", NULL);
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

/* NULL if OpenGL is not used. Freed with g_free(). */
static char *describe_opengl(const struct options *options)
{
	return options->gpu_mode == GPU_MODE_VIRGLRENDERER ? virgl_describe_driver() : NULL;
}

static void tell_renderer(FILE *pipe, const struct options *options, struct renderer *renderer)
{
	g_autofree char *driver = describe_opengl(options);

	tell(pipe, CHECK_OK, "renderer", renderer->ops->name, NULL);
	if (renderer->ops->capsets && driver)
		tell(pipe, strstr(driver, "llvmpipe") ? CHECK_LESS : CHECK_OK, "OpenGL driver",
		     driver,
		     strstr(driver, "llvmpipe") ? "the CPU draws; a GPU would be faster" : NULL);
	tell_capsets(pipe, renderer);
}

/* Called in the child. */
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
	/* "auto" would fall back to 2D without a reason, and the finding needs the reason. */
	if (tried.gpu_mode == GPU_MODE_AUTO)
		tried.gpu_mode = GPU_MODE_VIRGLRENDERER;
	struct renderer *renderer = start_renderer(&tried, &vulkan, 0, &message);

	if (renderer)
		tell_renderer(pipe, &tried, renderer);
	else
		tell(pipe, options->gpu_mode == GPU_MODE_AUTO ? CHECK_LESS : CHECK_NO,
		     options->gpu_mode == GPU_MODE_GFXSTREAM ? "gfxstream" : "virglrenderer",
		     message, "guests get 2D without it (--gpu-mode 2d)");
	fputs(END "\n", pipe);
	fflush(pipe);
}

/* Standard output carries the parent's result, so output of drivers is discarded. */
static _Noreturn void become_child(int fd, const struct options *options)
{
	/* The pipe may have the number of a standard descriptor that was closed. */
	const int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	FILE *pipe = high < 0 ? NULL : fdopen(high, "w");

	close(fd);
	log_set_level(LOG_LEVEL_ERROR);
	if (!pipe || !freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
		_exit(EXIT_FAILURE);
	signal(SIGALRM, SIG_DFL);
	alarm(2 * SECONDS); /* ends this process if the parent has ended */
	try_renderer(pipe, options);
	_exit(EXIT_SUCCESS);
}

/* False if @line is not a finding. */
static bool add_finding(GPtrArray *findings, const char *line)
{
	g_auto(GStrv) parts = g_strsplit(line, "\t", 4);

	if (g_strv_length(parts) != 4 || strlen(parts[0]) != 1 || parts[0][0] < '0' + CHECK_INFO ||
	    parts[0][0] > '0' + CHECK_NO)
		return false;
	check_add(findings, (enum check_status)(parts[0][0] - '0'), parts[1], parts[2],
		  *parts[3] ? parts[3] : NULL);
	return true;
}

/* Adds the findings in @text, up to END. Whether @text contains END. */
static bool add_findings(GPtrArray *findings, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++)
		if (!add_finding(findings, *line) && strcmp(*line, END) == 0)
			return true;
	return false;
}

/* Why the child did not write END; freed with g_free(). */
static char *describe_end(enum check_end end, int status)
{
	if (end != CHECK_END_ITSELF)
		return g_strdup_printf("did not start within %d s%s", SECONDS,
				       end == CHECK_END_NEVER ? ", and cannot be killed" : "");
	if (WIFSIGNALED(status))
		return g_strdup_printf("killed the process that tried it: %s",
				       strsignal(WTERMSIG(status)));
	return g_strdup_printf("ended the process that tried it with status %d",
			       WEXITSTATUS(status));
}

static void watch_child(GPtrArray *findings, const struct options *options, int fd, pid_t pid)
{
	const int64_t deadline = g_get_monotonic_time() + SECONDS * G_USEC_PER_SEC;
	g_autoptr(GString) said = g_string_new(NULL);
	int status = 0;

	check_read(fd, deadline, said);
	bool has_come_to_end = add_findings(findings, said->str);
	enum check_end end = check_reap(pid, has_come_to_end ? 0 : deadline, &status);
	g_autofree char *text = describe_end(end, status);

	if (!has_come_to_end)
		check_add(findings, options->gpu_mode == GPU_MODE_AUTO ? CHECK_LESS : CHECK_NO,
			  "renderer", text, "install a newer driver, or use --gpu-mode 2d");
}

void check_renderer(GPtrArray *findings, const struct options *options)
{
	int pair[2] = { -1, -1 };
	pid_t pid = -1;

	fflush(stdout);
	if (pipe2(pair, O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0) {
		close(pair[0]);
		become_child(pair[1], options);
	}
	fd_close(&pair[1]);
	if (pid > 0)
		watch_child(findings, options, pair[0], pid);
	else
		check_add(findings, CHECK_NO, "renderer", "cannot start a process to try it in",
			  NULL);
	fd_close(&pair[0]);
}
