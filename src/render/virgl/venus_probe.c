// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A capset is offered only if it works, and for Venus that is seen only when all of it is there: a
 * driver, a render server that runs in its jail, a worker that makes a context and gives memory
 * away. It is tried in a child, before this process has threads: what drivers load and open, and a
 * library that does not come back, end with the child.
 *
 * The child answers with a sentence, empty if all is well; none at all means that it ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_gpu.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "render/virgl/rings_private.h"
#include "render/virgl/venus_private.h"

#define LONGEST_MS   10000
#define MAX_SENTENCE 512

#define CONTEXT   1
#define RESOURCE  1
#define BLOB_SIZE 4096

/* ---- the child ---- */

static struct virgl *tried;

static void ignore_fence(void *cookie, uint32_t id)
{
	(void)cookie;
	(void)id;
}

static void ignore_context_fence(void *cookie, uint32_t ctx_id, uint32_t ring_idx, uint64_t id)
{
	(void)cookie;
	(void)ctx_id;
	(void)ring_idx;
	(void)id;
}

/* The worker answers this one, so it has started. */
static bool can_share_memory(void)
{
	const struct virgl_renderer_resource_create_blob_args args = {
		.res_handle = RESOURCE,
		.ctx_id = CONTEXT,
		.blob_mem = VIRGL_RENDERER_BLOB_MEM_HOST3D,
		.blob_flags = VIRGL_RENDERER_BLOB_FLAG_USE_MAPPABLE,
		.size = BLOB_SIZE,
	};
	uint32_t type;
	int fd = -1;

	return virgl_renderer_resource_create_blob(&args) == 0 &&
	       virgl_renderer_resource_export_blob(RESOURCE, &type, &fd) == 0 &&
	       type == VIRGL_RENDERER_BLOB_FD_TYPE_SHM;
}

/* NULL, or a sentence. */
static const char *try_library(struct virgl *virgl)
{
	const int flags = VIRGL_RENDERER_THREAD_SYNC | VIRGL_RENDERER_USE_EXTERNAL_BLOB |
			  VIRGL_RENDERER_NO_VIRGL | VIRGL_RENDERER_VENUS |
			  VIRGL_RENDERER_RENDER_SERVER;

	virgl->callbacks = (struct virgl_renderer_callbacks){
		.version = 3,
		.write_fence = ignore_fence,
		.write_context_fence = ignore_context_fence,
		.get_server_fd = virgl_venus_get_server_fd,
	};
	if (virgl_renderer_init(virgl, flags, &virgl->callbacks) != 0)
		return virgl->venus.problem ? virgl->venus.problem
					    : "virglrenderer was built without Venus";
	if (virgl_renderer_context_create_with_flags(CONTEXT, VIRGL_CAPSET_VENUS, 0, "") != 0)
		return "the render server makes no context";
	if (!can_share_memory())
		return "the render server's context does not work; does the sandbox or a limit "
		       "refuse what it needs?";
	return NULL;
}

static _Noreturn void answer(int fd, const char *sentence)
{
	(void)!write(fd, sentence, MIN(strlen(sentence) + 1, MAX_SENTENCE));
	_exit(EXIT_SUCCESS);
}

static _Noreturn void run_child(const struct virgl_options *options, int fd)
{
	const char *problem = virgl_vulkan_find_problem();
	auto_fd null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* What is printed on the way is said again when it is done for real. */
	if (null >= 0) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	tried = g_new0(struct virgl, 1);
	tried->venus.start_server = options->start_server;
	tried->venus.start_server_data = options->start_server_data;
	if (!problem)
		problem = try_library(tried);
	answer(fd, problem ? problem : "");
}

/* ---- the parent ---- */

/* NULL, or a sentence. Waits for no longer than the answer takes. */
static char *read_answer(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	char text[MAX_SENTENCE] = "";
	int n;

	do
		n = poll(&pollfd, 1, LONGEST_MS);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return g_strdup("a trial of it did not come to an end");
	ssize_t size = read(fd, text, sizeof(text) - 1);

	if (size <= 0)
		return g_strdup("a trial of it ended in a crash of the driver or the library");
	return text[0] ? g_strdup(text) : NULL;
}

char *virgl_venus_probe(const struct virgl_options *options)
{
	int pipe_fds[2], status;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return g_strdup_printf("it cannot be tried: %s", g_strerror(errno));
	pid_t pid = fork();

	if (pid == 0)
		run_child(options, pipe_fds[1]);
	close(pipe_fds[1]);
	char *problem = pid < 0 ? g_strdup_printf("it cannot be tried: %s", g_strerror(errno))
				: read_answer(pipe_fds[0]);

	close(pipe_fds[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	return problem;
}
