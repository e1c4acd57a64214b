// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The sandbox from inside the serving daemon: a preloaded module tries what an attacker in its
 * process would try, before the daemon's first recvmsg(). fixture.c checks at the end of each test
 * that the whole suite runs in the sandbox.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLED (128 + SIGSYS)

struct deed {
	const char *what;
	const char *result; /* NULL: none, because the daemon ends */
};

static void setup_module(const char *what)
{
	const char *module = getenv("VMM_FORBIDDEN_MODULE");

	assert_non_null(module);
	setenv("LD_PRELOAD", module, 1);
	setenv("VMM_FORBIDDEN", what, 1);
}

static void forget_module(void)
{
	unsetenv("LD_PRELOAD");
	unsetenv("VMM_FORBIDDEN");
}

static void check(void **state, const char *const *args, const struct deed *deed)
{
	struct vmm_options options = { .args = args };
	char line[80], *log;
	struct vmm *vmm;

	setup_module(deed->what);
	vmm = fixture_new(state, &options);
	forget_module();
	vmm_connect(vmm);
	if (!deed->result) {
		vhost_send(vmm, VHOST_USER_GET_FEATURES, 0, NULL, 0, NULL, 0);
		assert_int_equal(daemon_wait(&vmm->daemon, vmm->timeout_ms), KILLED);
		*state = NULL;
		vmm_free(fixture_release());
		return;
	}
	vmm_realize(vmm);
	vmm_start(vmm);
	assert_alive(vmm);
	snprintf(line, sizeof(line), "forbidden %s: %s\n", deed->what, deed->result);
	log = daemon_text(vmm->daemon.err_fd);
	if (!strstr(log, line))
		vmm_fail("the log lacks %s", line);
	free(log);
	fixture_end(state);
}

static void every_forbidden_operation_fails_in_2d(void **state)
{
	static const char *const args[] = { "--gpu-mode", "2d", "--sandbox", "strict", NULL };
	static const struct deed deeds[] = {
		{ "open", "EACCES" },
		{ "create", "EACCES" },
		{ "kill", "EPERM" },
		{ "create in the root", "EACCES" },
		{ "create beside the socket", "EACCES" },
		{ "remove the socket", "EACCES" },
		{ "ask for peer", "ENOTSOCK" },
		{ "internet", NULL },
		{ "unix", "EACCES" },
		{ "code", NULL },
		{ "exec", NULL },
		{ "ptrace", NULL },
		{ "mount", NULL },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(deeds); i++)
		check(state, args, &deeds[i]);
}

static void every_forbidden_operation_fails_with_opengl(void **state)
{
	static const struct deed deeds[] = {
		{ "open", "ENOENT" },
		{ "create", "ENOENT" },
		{ "kill", "EPERM" },
		{ "create in the root", "EROFS" },
		{ "create beside the socket", "ENOENT" },
		{ "remove the socket", "ENOENT" },
		{ "ask for peer", "ENOTSOCK" },
		{ "internet", "ENOSYS" },
		{ "unix", "EACCES" },
		{ "code", "done" }, /* a JIT */
		{ "exec", NULL },
		{ "ptrace", NULL },
		{ "mount", NULL },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(deeds); i++)
		check(state, gpu3d_args, &deeds[i]);
}

/* Without the sandbox the same operations succeed, so the sandbox and not the machine prevents
 * them. */
static void without_the_sandbox_these_operations_succeed(void **state)
{
	static const char *const args[] = { "--gpu-mode", "2d", "--sandbox", "off", NULL };
	static const struct deed deeds[] = {
		{ "open", "done" },
		{ "create beside the socket", "done" },
		{ "remove the socket", "done" },
		{ "internet", "done" },
		{ "code", "done" },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(deeds); i++)
		check(state, args, &deeds[i]);
}

/* Whether this host allows every part of the sandbox. With --sandbox strict the daemon does not
 * start otherwise. */
static bool sandbox_works(void)
{
	static const char *const args[] = { "--gpu-mode", "2d", "--sandbox", "strict", NULL };
	struct vmm_options options = { .args = args };
	struct vmm *vmm = vmm_new(&options);
	int64_t deadline = vmm_now_ms() + vmm->timeout_ms;
	bool works = false, has_ended = false;

	while (!works && !has_ended && vmm_now_ms() < deadline) {
		has_ended = daemon_wait(&vmm->daemon, 5) >= 0;
		works = !has_ended && access(vmm->daemon.socket_path, F_OK) == 0;
	}
	vmm_free(vmm);
	if (!works)
		fprintf(stderr, "skipped: --sandbox strict does not start here\n");
	return works;
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(every_forbidden_operation_fails_in_2d),
		DEVICE_TEST(without_the_sandbox_these_operations_succeed),
	};
	const struct CMUnitTest tests_3d[] = {
		DEVICE_TEST(every_forbidden_operation_fails_with_opengl),
	};
	int failed;

	if (!sandbox_works())
		return EXIT_SKIPPED;
	failed = cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
	if (gpu3d_works())
		failed += cmocka_run_group_tests_name("sandbox, virgl", tests_3d, NULL, NULL);
	return failed;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
