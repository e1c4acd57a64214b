// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "library.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define CHILD_MS 2000

struct library lib;
void *library_user_data = &lib;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_fence = PTHREAD_COND_INITIALIZER;
static struct library_fences passed;
static pthread_t caller;

static void *find(void *handle, const char *name)
{
	void *function = dlsym(handle, name);

	if (!function) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return function;
}

void library_open(void)
{
	const char *path = getenv("GFXSTREAM_LIBRARY");
	void *handle = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

	if (!handle) {
		fprintf(stderr, "GFXSTREAM_LIBRARY: %s\n", path ? dlerror() : "not set");
		exit(1);
	}
#define FIND(name) lib.name = find(handle, "stream_renderer_" #name);
	LIBRARY_FUNCTIONS(FIND)
#undef FIND
}

uint32_t library_flags(void)
{
	const char *flags = getenv("GFXSTREAM_FLAGS");

	return flags ? (uint32_t)strtoul(flags, NULL, 0) : 0xe8;
}

static void on_fence(void *user_data, struct stream_fence *fence)
{
	pthread_mutex_lock(&lock);
	if (user_data == library_user_data && passed.n < 32) {
		passed.is_on_caller[passed.n] = pthread_equal(caller, pthread_self());
		passed.fences[passed.n++] = *fence;
	}
	pthread_cond_signal(&has_fence);
	pthread_mutex_unlock(&lock);
}

static void on_debug(void *user_data, struct stream_debug *debug)
{
	(void)user_data;
	if (getenv("GFXSTREAM_LOG"))
		fprintf(stderr, "\t%u: %s\n", debug->type, debug->message);
}

int library_init(uint32_t flags)
{
	struct stream_param params[] = {
		{ STREAM_PARAM_USER_DATA, (uintptr_t)library_user_data },
		{ STREAM_PARAM_FLAGS, flags },
		{ STREAM_PARAM_FENCE_CALLBACK, (uintptr_t)on_fence },
		{ STREAM_PARAM_DEBUG_CALLBACK, (uintptr_t)on_debug },
	};

	caller = pthread_self();
	return lib.init(params, 4);
}

struct library_fences library_wait_fences(unsigned n)
{
	struct library_fences result;
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 60;
	pthread_mutex_lock(&lock);
	while (passed.n < n && pthread_cond_timedwait(&has_fence, &lock, &end) == 0)
		;
	result = passed;
	passed.n = 0;
	pthread_mutex_unlock(&lock);
	return result;
}

/* cmocka's handlers would continue the tests in the child. */
static void die_of_signals(void)
{
	const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

	for (unsigned i = 0; i < 5; i++)
		signal(signals[i], SIG_DFL);
}

static _Noreturn void become_child(bool (*step)(void), bool is_warm)
{
	die_of_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	if (!getenv("GFXSTREAM_LOG") && !freopen("/dev/null", "w", stderr))
		_exit(1);
	library_open();
	if (is_warm && library_init(library_flags()) != 0)
		_exit(2);
	_exit(step() ? 0 : 1);
}

static enum library_end wait_child(pid_t child)
{
	struct pollfd p = { .fd = pidfd_open(child, 0), .events = POLLIN };
	bool has_ended = poll(&p, 1, CHILD_MS) == 1;
	int status;

	if (!has_ended)
		kill(child, SIGKILL);
	waitpid(child, &status, 0);
	close(p.fd);
	if (!has_ended)
		return HANGS;
	if (WIFSIGNALED(status))
		return CRASHES;
	return WEXITSTATUS(status) == 0 ? ENDS_WELL : ENDS_BADLY;
}

static enum library_end try_child(bool (*step)(void), bool is_warm)
{
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0)
		become_child(step, is_warm);
	return wait_child(child);
}

enum library_end library_try(bool (*step)(void))
{
	return try_child(step, true);
}

enum library_end library_try_cold(bool (*step)(void))
{
	return try_child(step, false);
}
