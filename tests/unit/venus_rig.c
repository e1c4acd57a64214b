// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "venus_rig.h"

#include <glib.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/needs.h"
#include "render/trial_private.h"
#include "sandbox/sandbox.h"
#include "venus_stream.h"

#define EXIT_SKIPPED 77

#define OPENGL (NEEDS_FILES | NEEDS_THREADS | NEEDS_GENERATED_CODE)

#define MAX_PROCESSES 64
#define PROCESSES_MS  60000

struct render_server venus_rig_server;

static char *start_server(void *data, int *ret_fd)
{
	const struct render_server_options *options = data;
	char *message = render_server_start(options, &venus_rig_server);

	*ret_fd = venus_rig_server.socket;
	return message;
}

static int start(enum sandbox_level level)
{
	static struct render_server_options server;
	const struct virgl_options options = {
		.use_egl = true,
		.use_surfaceless = true,
		.start_server = start_server,
		.start_server_data = &server,
		.max_venus_contexts = 32,
	};

	server = (struct render_server_options){
		.level = level,
		.max_memory = UINT64_C(1) << 30,
		.max_fds = 1024,
	};
	return virgl_rig_start(&options);
}

int venus_rig_start(void **state)
{
	(void)state;
	return start(SANDBOX_AUTO);
}

int venus_rig_start_strict(void **state)
{
	(void)state;
	return start(SANDBOX_STRICT);
}

int venus_rig_start_confined(void **state)
{
	static const struct sandbox_options options = {
		.level = SANDBOX_STRICT,
		.needs = OPENGL | NEEDS_RENDER_SERVER,
		.keep_fd = -1,
		.max_fds = 4096,
		.max_threads = 8192,
	};
	static struct sandbox sandbox;

	(void)state;
	if (!sandbox_start(&sandbox, &options) || start(SANDBOX_STRICT) < 0)
		return -1;
	return sandbox_lock(&sandbox, virgl_rig.renderer->needs) ? 0 : -1;
}

/* Whether the host has all parts; it does not test whether they start. */
static int look_for_needs(void)
{
#ifdef VIRGL_HAS_CONTEXT_FENCES
	const char *problem = vulkan_driver_find_problem();

	if (!problem && !render_server_find())
		problem = "there is no render server";
#else
	const char *problem = "virglrenderer is too old";
#endif
	if (problem)
		print_message("skipped: %s\n", problem);
	return problem ? EXIT_SKIPPED : 0;
}

static int run_in_child(int (*fn)(void))
{
	int status;

	fflush(NULL);
	pid_t child = fork();

	if (child == 0)
		exit(fn());
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* _exit(), because LeakSanitizer runs at exit() and would wait for ever for a process that it
 * creates in this namespace. */
static int enter_namespaces(void)
{
	_exit(unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET) < 0);
}

bool venus_rig_has_namespaces(void)
{
	return run_in_child(enter_namespaces) == 0;
}

int venus_rig_run_groups(int (*const groups[])(void), unsigned n)
{
	int worst = run_in_child(look_for_needs);

	for (unsigned i = 0; i < n && worst == 0; i++)
		worst = run_in_child(groups[i]);
	return worst;
}

int venus_rig_new_context(uint32_t ctx)
{
	return virgl_rig.ops->context_create(virgl_rig.renderer, ctx, CAPSET_VENUS, "venus", 5);
}

struct renderer_resource *venus_rig_new_shm(uint32_t ctx, uint32_t id, uint64_t size)
{
	const struct renderer_blob_args args = {
		.id = id,
		.ctx_id = ctx,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
		.blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
		.size = size,
	};
	struct renderer_resource *resource;

	return virgl_rig.ops->resource_create_blob(virgl_rig.renderer, &args, &resource) == 0
		       ? resource
		       : NULL;
}

static int submit(uint32_t ctx, struct venus_stream *stream)
{
	return virgl_rig.ops->submit(virgl_rig.renderer, ctx, stream->words, stream->size);
}

int venus_rig_make_queue(uint32_t ctx, uint32_t ring)
{
	struct venus_stream stream = { .size = 0 };

	venus_stream_make_queue(&stream, ring);
	return submit(ctx, &stream);
}

int venus_rig_block_queue(uint32_t ctx)
{
	struct venus_stream stream = { .size = 0 };

	venus_stream_block_queue(&stream);
	return submit(ctx, &stream);
}

/* ---- processes ---- */

static int parent_of(const char *pid)
{
	g_autofree char *path = g_strconcat("/proc/", pid, "/stat", NULL);
	g_autofree char *text = NULL;
	const char *end;
	int parent = -1;
	char state;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return -1;
	end = strrchr(text, ')');
	return end && sscanf(end, ") %c %d", &state, &parent) == 2 && state != 'Z' ? parent : -1;
}

static int pid_of_server(void)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", venus_rig_server.pidfd);
	g_autofree char *text = NULL;
	const char *line;
	int pid = -1;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return -1;
	line = strstr(text, "Pid:");
	return line && sscanf(line, "Pid: %d", &pid) == 1 ? pid : -1;
}

static unsigned list_processes(int *ret, unsigned size)
{
	const int server = pid_of_server();
	GDir *dir = g_dir_open("/proc", 0, NULL);
	const char *name;
	unsigned n = 0;

	if (server > 0 && n < size)
		ret[n++] = server;
	while (dir && server > 0 && (name = g_dir_read_name(dir)))
		if (g_ascii_isdigit(name[0]) && n < size && parent_of(name) == server)
			ret[n++] = atoi(name);
	if (dir)
		g_dir_close(dir);
	return n;
}

bool venus_rig_wait_for_processes(int *ret, unsigned n)
{
	gint64 end = g_get_monotonic_time() + PROCESSES_MS * INT64_C(1000);
	int pids[MAX_PROCESSES];

	while (list_processes(pids, MAX_PROCESSES) != n) {
		if (g_get_monotonic_time() > end)
			return false;
		g_usleep(1000);
	}
	memcpy(ret, pids, n * sizeof(*ret));
	return true;
}
