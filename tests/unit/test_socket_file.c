// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The socket's file and its keeper, in a directory of the test's own. The test adopts keepers whose
 * daemon died, so it can wait for what they do.
 */
#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "sandbox_child.h"
#include "vhost/socket_file.h"

#define NOBODY 65534

static char *directory, *path;

static int setup(void **state)
{
	(void)state;
	directory = g_dir_make_tmp("socket-file-XXXXXX", NULL);
	path = g_build_filename(directory, "socket", NULL);
	return chmod(directory, 0777);
}

static int teardown(void **state)
{
	(void)state;
	while (waitpid(-1, NULL, 0) > 0)
		;
	int r = rmdir(directory); /* fails if something was left in it */

	g_free(path);
	g_free(directory);
	return r;
}

static struct vhost_socket_file *new_file(const gid_t *group)
{
	const struct vhost_socket_file_options options = { .path = path, .group = group };
	char *message;
	struct vhost_socket_file *file = vhost_socket_file_new(&options, &message);

	if (!file)
		fprintf(stderr, "%s\n", message);
	return file;
}

/* The listening socket, as a daemon has it. */
static int listen_on(struct vhost_socket_file *file)
{
	int fd = -1;
	g_autofree char *message = vhost_socket_file_listen(file, &fd);

	if (message)
		fprintf(stderr, "%s\n", message);
	return fd;
}

static bool is_socket(void)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void test_there_is_no_file_before_the_daemon_listens(void **state)
{
	(void)state;
	struct vhost_socket_file *file = new_file(NULL);

	assert_non_null(file);
	assert_false(is_socket());
	vhost_socket_file_free(file);
	while (waitpid(-1, NULL, 0) > 0)
		;
	assert_false(is_socket());
}

static void test_the_file_goes_before_the_daemon_does(void **state)
{
	(void)state;
	struct vhost_socket_file *file = new_file(NULL);
	int fd = listen_on(file);

	assert_true(fd >= 0 && is_socket());
	close(fd);
	assert_true(is_socket());
	vhost_socket_file_free(file);
	assert_false(is_socket());
}

static void be_killed(const void *unused)
{
	(void)unused;
	CHECK(listen_on(new_file(NULL)) >= 0 && is_socket());
	raise(SIGKILL);
}

static void be_replaced_and_killed(const void *unused)
{
	(void)unused;
	CHECK(listen_on(new_file(NULL)) >= 0 && is_socket());
	CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0);
	raise(SIGKILL);
}

static void test_the_file_of_a_daemon_that_is_killed_goes_too(void **state)
{
	(void)state;
	assert_int_equal(sandbox_child_run(be_killed, NULL), BY_SIGNAL + SIGKILL);
	assert_true(waitpid(-1, NULL, 0) > 0); /* the keeper */
	assert_false(is_socket());
}

static void test_a_file_in_its_place_stays(void **state)
{
	(void)state;
	assert_int_equal(sandbox_child_run(be_replaced_and_killed, NULL), BY_SIGNAL + SIGKILL);
	assert_true(waitpid(-1, NULL, 0) > 0);
	assert_return_code(unlink(path), errno);
}

/* The only child of this process. */
static pid_t find_keeper(void)
{
	g_autofree char *list = g_strdup_printf("/proc/self/task/%d/children", getpid());
	g_autofree char *text = NULL;

	if (!g_file_get_contents(list, &text, NULL, NULL))
		skip();
	return (pid_t)g_ascii_strtoll(text, NULL, 10);
}

static void test_the_keeper_holds_its_pair_and_the_file_and_no_more(void **state)
{
	(void)state;
	struct vhost_socket_file *file = new_file(NULL);
	int fd = listen_on(file);
	g_autofree char *fds = g_strdup_printf("/proc/%d/fd", find_keeper());
	GDir *dir = g_dir_open(fds, 0, NULL);
	unsigned n = 0;

	assert_non_null(dir);
	while (g_dir_read_name(dir))
		n++;
	g_dir_close(dir);
	assert_int_equal(n, 2);
	close(fd);
	vhost_socket_file_free(file);
}

static void test_signals_that_mean_the_daemon_do_not_end_the_keeper(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGTSTP };
	struct vhost_socket_file *file = new_file(NULL);
	int fd = listen_on(file);
	pid_t keeper = find_keeper();

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++)
		assert_return_code(kill(keeper, signals[i]), errno);
	assert_int_not_equal(getpgid(keeper), getpgrp());
	close(fd);
	vhost_socket_file_free(file);
	assert_false(is_socket());
}

static void test_a_group_may_connect_if_it_is_named(void **state)
{
	const gid_t group = geteuid() == 0 ? 12345 : getegid();
	mode_t umask_before = umask(0077);
	struct vhost_socket_file *file = new_file(&group);
	int fd = listen_on(file);
	struct stat st;

	(void)state;
	umask(umask_before);
	assert_return_code(lstat(path, &st), errno);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(st.st_gid, group);
	close(fd);
	vhost_socket_file_free(file);
}

static void be_refused_a_group(const void *unused)
{
	const gid_t group = 12345;
	int fd;

	(void)unused;
	if (geteuid() == 0 &&
	    (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(NO_VERDICT);
	if (access(directory, W_OK) < 0)
		_exit(NO_VERDICT);
	struct vhost_socket_file *file = new_file(&group);
	g_autofree char *message = vhost_socket_file_listen(file, &fd);

	CHECK(message && strstr(message, "to group 12345: Operation not permitted"));
	CHECK(!is_socket());
}

static void test_a_group_that_may_not_be_given_is_an_error_and_no_file(void **state)
{
	(void)state;
	int result = sandbox_child_run(be_refused_a_group, NULL);

	if (result == NO_VERDICT)
		skip();
	assert_int_equal(result, 0);
}

static void do_without_a_keeper(const void *unused)
{
	(void)unused;
	if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0)
		_exit(NO_VERDICT);
	CHECK(setrlimit(RLIMIT_NPROC, &(struct rlimit){ 0, 0 }) == 0);
	if (fork() >= 0 || access(directory, W_OK) < 0)
		_exit(NO_VERDICT);
	struct vhost_socket_file *file = new_file(NULL);

	CHECK(file && is_socket() && listen_on(file) >= 0);
	vhost_socket_file_free(file);
	CHECK(!is_socket());
}

static void test_without_a_process_for_the_keeper_there_is_a_file(void **state)
{
	(void)state;
	int result = sandbox_child_run(do_without_a_keeper, NULL);

	if (result == NO_VERDICT)
		skip();
	assert_int_equal(result, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_there_is_no_file_before_the_daemon_listens),
		TEST(test_the_file_goes_before_the_daemon_does),
		TEST(test_the_file_of_a_daemon_that_is_killed_goes_too),
		TEST(test_a_file_in_its_place_stays),
		TEST(test_the_keeper_holds_its_pair_and_the_file_and_no_more),
		TEST(test_signals_that_mean_the_daemon_do_not_end_the_keeper),
		TEST(test_a_group_may_connect_if_it_is_named),
		TEST(test_a_group_that_may_not_be_given_is_an_error_and_no_file),
		TEST(test_without_a_process_for_the_keeper_there_is_a_file),
	};

	log_set_level(LOG_LEVEL_ERROR);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
