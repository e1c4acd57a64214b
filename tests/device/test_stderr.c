// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Standard error: the daemon is not delayed by a reader that does not read, or by the lack of one;
 * output of libraries is logged within the limits of the log; and the last output of a daemon that
 * ends is printed.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const info_2d[] = { "--gpu-mode", "2d", NULL };
static const char *const debug_2d[] = { "--gpu-mode", "2d", "--log-level", "debug", NULL };
static const char *const debug_3d[] = { "--gpu-mode", "virglrenderer", "--log-level", "debug",
					NULL };

static void setup_module(const char *what)
{
	const char *module = getenv("VMM_PRINTING_MODULE");

	assert_non_null(module);
	setenv("LD_PRELOAD", module, 1);
	setenv("VMM_PRINT", what, 1);
}

static void forget_module(void)
{
	unsetenv("LD_PRELOAD");
	unsetenv("VMM_PRINT");
}

static int teardown(void **state)
{
	forget_module();
	return fixture_teardown(state);
}

static struct vmm *boot_printing(void **state, const char *const *args, const char *what)
{
	struct vmm_options options = { .args = args };

	setup_module(what);
	struct vmm *vmm = fixture_boot(state, &options);
	assert_alive(vmm);
	return vmm;
}

static unsigned count_words(const struct vmm *vmm, const char *words)
{
	char *text = daemon_text(vmm->daemon.err_fd);
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, words)); at += strlen(words))
		n++;
	free(text);
	return n;
}

/* ---- a reader that does not read ---- */

/* A full pipe; its read end must stay open. */
static int full_pipe(int *ret_write_fd)
{
	static const char nothing[4096];
	int pair[2];

	assert_return_code(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(pair[1], nothing, sizeof(nothing)) > 0)
		;
	assert_return_code(fcntl(pair[1], F_SETFL, 0), 0);
	*ret_write_fd = pair[1];
	return pair[0];
}

static int unread_fd;

static void give_a_full_pipe(struct vmm *vmm)
{
	unread_fd = full_pipe(&vmm->daemon.err_fd);
}

static void check_nobody_reads(void **state, const char *const *args)
{
	struct vmm_options options = { .args = args, .adjust = give_a_full_pipe };
	struct vmm *vmm = fixture_boot(state, &options);
	int fd = dup(vmm->daemon.err_fd);

	for (unsigned i = 0; i < 20; i++)
		assert_alive(vmm);
	assert_int_equal(daemon_stop(&vmm->daemon, SIGTERM), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	close(fd);
	close(unread_fd);
	fixture_end(state);
}

static void an_unread_pipe_delays_nothing(void **state)
{
	static const char *const no_sandbox[] = { "--gpu-mode",  "2d",    "--sandbox", "off",
						  "--log-level", "debug", NULL };

	check_nobody_reads(state, debug_2d);
	check_nobody_reads(state, no_sandbox);
}

static void an_unread_flood_of_a_library_delays_nothing(void **state)
{
	setup_module("flood");
	check_nobody_reads(state, debug_2d);
}

/* ---- output of libraries ---- */

static void output_of_a_library_is_not_logged_by_default(void **state)
{
	struct vmm *vmm = boot_printing(state, info_2d, "flood");

	assert_int_equal(count_words(vmm, "a guest's shader is wrong"), 0);
}

static void output_of_a_library_is_logged_at_debug(void **state)
{
	struct vmm *vmm = boot_printing(state, debug_2d, "line");

	assert_int_equal(count_words(vmm, "debug stderr: half a line, and?[2J the rest\n"), 1);
	fixture_end(state);
	vmm = boot_printing(state, debug_2d, "stdout");
	assert_int_equal(count_words(vmm, "debug stderr: to the other one\n"), 1);
}

static void a_flood_of_a_library_is_limited_and_reported(void **state)
{
	int64_t start = vmm_now_ms();
	struct vmm *vmm = boot_printing(state, debug_2d, "flood");
	unsigned n = count_words(vmm, "debug stderr: a guest's shader is wrong");
	/* 50 at once, then 10 a second. */
	unsigned most = 50 + 10 * ((unsigned)(vmm_now_ms() - start) / 1000 + 1);

	if (n < 50 || n > most)
		vmm_fail("%u lines, 50 to %u are due", n, most);
	assert_true(count_words(vmm, "debug stderr: some text that libraries printed was lost") >
		    0);
	assert_int_equal(count_words(vmm, "wrong"), n);
}

/* ---- last output ---- */

static void check_last_words(void **state, const char *const *args, const char *what, int due)
{
	struct vmm_options options = { .args = args };

	setup_module(what);
	struct vmm *vmm = fixture_new(state, &options);
	forget_module();
	vmm_connect(vmm);
	vhost_send(vmm, VHOST_USER_GET_FEATURES, 0, NULL, 0, NULL, 0);
	assert_int_equal(daemon_wait(&vmm->daemon, vmm->timeout_ms), due);
	if (count_words(vmm, "\nerror stderr: last words\n") != 1)
		vmm_fail("%s: the last words are lost", what);
	*state = NULL;
	vmm_free(fixture_release());
}

static void the_last_output_of_a_library_is_printed(void **state)
{
	check_last_words(state, info_2d, "abort", 128 + SIGABRT);
	check_last_words(state, info_2d, "fault", 128 + SIGSEGV);
	check_last_words(state, info_2d, "exit", 3);
}

/* ---- descriptors ---- */

static void close_standard(void)
{
	close_range(0, 2, 0);
}

static void start_without_descriptors(struct vmm *vmm)
{
	vmm->daemon.before_exec = close_standard;
}

static void assert_is_open_as(const struct vmm *vmm, int fd, const char *what)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)vmm->daemon.pid, fd);
	assert_true(readlink(path, target, sizeof(target) - 1) > 0);
	if (strncmp(target, what, strlen(what)) != 0)
		vmm_fail("descriptor %d is %s, due is %s", fd, target, what);
}

static void a_daemon_without_descriptors_0_to_2_opens_its_own(void **state)
{
	struct vmm_options options = { .args = debug_2d, .adjust = start_without_descriptors };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_alive(vmm);
	assert_is_open_as(vmm, 0, "/dev/null");
	assert_is_open_as(vmm, 1, "pipe:");
	assert_is_open_as(vmm, 2, "pipe:");
}

/* ---- OpenGL ---- */

/* libvirglrenderer's message about a shader that names an unknown register file. */
#define COMPLAINT "Unknown register file"

/* CREATE_OBJECT of a fragment shader. */
static void stream_wrong_shader(struct stream *s)
{
	static const char text[] = "FRAG\nDCL THERE_IS_NO_SUCH_FILE\n  0: END\n";
	const uint32_t words = (sizeof(text) + 3) / 4;
	const uint32_t head[] = { 1 | 4 << 8 | (5 + words) << 16, 7, 1, sizeof(text), 100, 0 };

	memcpy(s->words, head, sizeof(head));
	memcpy(s->words + ARRAY_LENGTH(head), text, sizeof(text));
	s->count = ARRAY_LENGTH(head) + words;
}

static void send_wrong_shaders(struct vmm *vmm, unsigned n)
{
	for (uint32_t ctx = 1; ctx <= n; ctx++) {
		struct stream s = { .count = 0 };

		stream_wrong_shader(&s);
		assert_ok(gpu_ctx_create(vmm, ctx, VIRTIO_GPU_CAPSET_VIRGL2));
		gpu_stream(vmm, ctx, &s);
	}
	assert_alive(vmm);
}

static void messages_of_opengl_about_a_guest_are_logged_only_at_debug(void **state)
{
	struct vmm_options options = { .args = gpu3d_args };
	struct vmm *vmm = fixture_boot(state, &options);

	send_wrong_shaders(vmm, 3);
	assert_int_equal(count_words(vmm, COMPLAINT), 0);
	fixture_end(state);
	options.args = debug_3d;
	vmm = fixture_boot(state, &options);
	send_wrong_shaders(vmm, 3);
	assert_int_equal(count_words(vmm, ": " COMPLAINT), 3);
	assert_int_equal(count_words(vmm, COMPLAINT), 3);
}

static void an_unread_pipe_does_not_delay_opengl(void **state)
{
	check_nobody_reads(state, debug_3d);
}

static int run(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_unread_pipe_delays_nothing),
		TEST(an_unread_flood_of_a_library_delays_nothing),
		TEST(output_of_a_library_is_not_logged_by_default),
		TEST(output_of_a_library_is_logged_at_debug),
		TEST(a_flood_of_a_library_is_limited_and_reported),
		TEST(the_last_output_of_a_library_is_printed),
		TEST(a_daemon_without_descriptors_0_to_2_opens_its_own),
	};
	const struct CMUnitTest tests_3d[] = {
		TEST(messages_of_opengl_about_a_guest_are_logged_only_at_debug),
		TEST(an_unread_pipe_does_not_delay_opengl),
	};
	int failed = cmocka_run_group_tests_name("stderr", tests, NULL, NULL);

	if (gpu3d_works())
		failed += cmocka_run_group_tests_name("stderr, virgl", tests_3d, NULL, NULL);
	return failed;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
