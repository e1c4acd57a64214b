// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The socket's file and its keeper process, in a directory of the test. The test adopts keepers
 * whose daemon was killed, so it can wait for them.
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
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "sandbox_child.h"
#include "vhost/socket_file.h"

#define NOBODY 65534

static char *directory, *path;

/* The alarm, because teardown() would wait for ever for a keeper that a failed test left. */
static int setup(void **state)
{
	(void)state;
	alarm(60);
	directory = g_dir_make_tmp("socket-file-XXXXXX", NULL);
	path = g_build_filename(directory, "socket", NULL);
	return chmod(directory, 0777);
}

static int teardown(void **state)
{
	(void)state;
	while (waitpid(-1, NULL, 0) > 0)
		;
	int r = rmdir(directory); /* fails if a file was left in it */

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

/* The listening socket, as the daemon has it. */
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

static void the_file_appears_when_the_daemon_listens(void **state)
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

static void the_file_is_removed_before_the_daemon_exits(void **state)
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

static void the_file_of_a_killed_daemon_is_removed(void **state)
{
	(void)state;
	assert_int_equal(sandbox_child_run(be_killed, NULL), BY_SIGNAL + SIGKILL);
	assert_true(waitpid(-1, NULL, 0) > 0); /* the keeper */
	assert_false(is_socket());
}

static void a_file_that_replaced_it_is_not_removed(void **state)
{
	(void)state;
	assert_int_equal(sandbox_child_run(be_replaced_and_killed, NULL), BY_SIGNAL + SIGKILL);
	assert_true(waitpid(-1, NULL, 0) > 0);
	assert_return_code(unlink(path), errno);
}

static struct sockaddr_un address_of_path(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	return address;
}

static int try_connect(void)
{
	struct sockaddr_un address = address_of_path();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void leave_behind(void)
{
	struct sockaddr_un address = address_of_path();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_return_code(bind(fd, (struct sockaddr *)&address, sizeof(address)), errno);
	close(fd);
}

/* Connects as soon as the file exists, as a front-end can. */
static _Noreturn void connect_when_it_is_there(void)
{
	alarm(60);
	while (try_connect() < 0)
		if (errno != ENOENT)
			_exit(errno);
	_exit(0);
}

static void a_connection_to_a_new_file_is_never_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		int status = -1;

		alarm(60); /* a slow machine needs longer for all of them */
		pid_t waiter = fork();

		if (waiter == 0)
			connect_when_it_is_there();
		struct vhost_socket_file *file = new_file(NULL);
		int fd = listen_on(file);

		pid_t ended = waitpid(waiter, &status, 0);

		close(fd);
		vhost_socket_file_free(file);
		assert_int_equal(ended, waiter);
		if (status != 0)
			fail_msg("start %u: %s", i, g_strerror(WEXITSTATUS(status)));
	}
}

#define DAEMONS  4
#define HAS_PATH 2 /* exit status */

/* Waits until all write ends of the pipe @fd are closed, and closes @fd. */
static void wait_for(int fd)
{
	char byte;

	while (read(fd, &byte, 1) > 0)
		;
	close(fd);
}

struct race {
	int go[2], tried[2], done[2]; /* pipes; the end of file means that the step is done */
};

static _Noreturn void start_one_of_many(struct race *race)
{
	const struct vhost_socket_file_options options = { .path = path };
	char *message = NULL;
	int fd = -1;

	close(race->go[1]);
	close(race->done[1]);
	struct vhost_socket_file *file = vhost_socket_file_new(&options, &message);

	wait_for(race->go[0]);
	if (file)
		message = vhost_socket_file_listen(file, &fd);
	close(race->tried[1]);
	wait_for(race->done[0]);
	vhost_socket_file_free(file);
	_exit(message ? 1 : HAS_PATH);
}

/* Starts several daemons, waits until each has tried, checks that one answers, and ends them.
 * Returns how many got the path. */
static unsigned start_many(bool *ret_answers)
{
	struct race race;
	unsigned n = 0;

	assert_return_code(pipe2(race.go, O_CLOEXEC), errno);
	assert_return_code(pipe2(race.tried, O_CLOEXEC), errno);
	assert_return_code(pipe2(race.done, O_CLOEXEC), errno);
	for (unsigned i = 0; i < DAEMONS; i++)
		if (fork() == 0)
			start_one_of_many(&race);
	close(race.go[0]);
	close(race.tried[1]);
	close(race.done[0]);
	close(race.go[1]);
	wait_for(race.tried[0]);
	int fd = try_connect();

	*ret_answers = fd >= 0;
	close(fd);
	close(race.done[1]);
	for (int status; waitpid(-1, &status, 0) > 0;)
		n += WIFEXITED(status) && WEXITSTATUS(status) == HAS_PATH;
	return n;
}

static void exactly_one_of_several_daemons_gets_the_path(void **state)
{
	(void)state;
	/* Without the lock two daemons get the path once in about 500 runs; a test below checks
	 * that the lock exists. */
	for (unsigned i = 0; i < 200; i++) {
		bool answers;

		leave_behind();
		unsigned n = start_many(&answers);

		if (n != 1 || !answers)
			fail_msg("start %u: %u daemons have the path, one answers: %d", i, n,
				 answers);
		assert_false(is_socket());
	}
}

static void a_client_sees_the_pid_of_the_daemon(void **state)
{
	struct vhost_socket_file *file = new_file(NULL);
	int fd = listen_on(file), connection = try_connect();
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);

	(void)state;
	assert_return_code(getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size), errno);
	assert_int_equal(peer.pid, getpid());
	close(connection);
	close(fd);
	vhost_socket_file_free(file);
}

/* Leaves no room for a temporary name in the same directory. */
static void a_path_of_the_largest_length_works(void **state)
{
	const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	char *whole = path;

	(void)state;
	for (size_t name_len = 1; name_len < 40; name_len += 37) {
		g_autofree char *dir_name = g_strnfill(max - strlen(directory) - 2 - name_len, 'd');
		g_autofree char *name = g_strnfill(name_len, 'n');
		g_autofree char *dir = g_build_filename(directory, dir_name, NULL);

		assert_return_code(mkdir(dir, 0700), errno);
		path = g_build_filename(dir, name, NULL);
		assert_int_equal(strlen(path), max);
		struct vhost_socket_file *file = new_file(NULL);
		int fd = listen_on(file), connection = try_connect();

		assert_true(is_socket() && connection >= 0);
		close(connection);
		close(fd);
		vhost_socket_file_free(file);
		g_free(path);
		assert_return_code(rmdir(dir), errno);
	}
	path = whole;
}

static int lock_directory(void)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_return_code(flock(fd, LOCK_EX), errno);
	return fd;
}

static void a_directory_lock_that_is_never_released_is_an_error(void **state)
{
	struct vhost_socket_file *file = new_file(NULL);
	int lock = lock_directory(), fd = -1;
	g_autofree char *message = vhost_socket_file_listen(file, &fd);

	(void)state;
	assert_non_null(message);
	assert_non_null(strstr(message, "locked its directory"));
	close(lock);
	vhost_socket_file_free(file);
}

static void a_short_directory_lock_is_waited_for(void **state)
{
	int lock = lock_directory();
	pid_t holder = fork();

	(void)state;
	if (holder == 0) {
		usleep(100000);
		_exit(0);
	}
	close(lock);
	struct vhost_socket_file *file = new_file(NULL);
	int fd = listen_on(file);

	assert_true(fd >= 0 && is_socket());
	close(fd);
	vhost_socket_file_free(file);
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

static void the_keeper_holds_only_its_socket_pair_and_the_file(void **state)
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

static void signals_for_the_daemon_do_not_end_the_keeper(void **state)
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

static void a_named_group_can_connect(void **state)
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

static void a_group_that_cannot_be_set_is_an_error_and_leaves_no_file(void **state)
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

static void listen_in_unreadable_directory(const void *unused)
{
	(void)unused;
	if (geteuid() == 0 &&
	    (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(NO_VERDICT);
	struct vhost_socket_file *file = new_file(NULL);

	if (access(directory, R_OK) == 0 || access(directory, W_OK) < 0)
		_exit(NO_VERDICT);
	CHECK(listen_on(file) >= 0 && is_socket());
	vhost_socket_file_free(file);
	CHECK(!is_socket());
}

static void a_directory_without_read_permission_works(void **state)
{
	(void)state;
	assert_return_code(chmod(directory, 0333), errno);
	int result = sandbox_child_run(listen_in_unreadable_directory, NULL);

	assert_return_code(chmod(directory, 0777), errno);
	if (result == NO_VERDICT)
		skip();
	assert_int_equal(result, 0);
}

static void without_a_keeper_the_daemon_makes_the_file(void **state)
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
		TEST(the_file_appears_when_the_daemon_listens),
		TEST(the_file_is_removed_before_the_daemon_exits),
		TEST(a_connection_to_a_new_file_is_never_refused),
		TEST(exactly_one_of_several_daemons_gets_the_path),
		TEST(a_client_sees_the_pid_of_the_daemon),
		TEST(a_path_of_the_largest_length_works),
		TEST(a_directory_lock_that_is_never_released_is_an_error),
		TEST(a_short_directory_lock_is_waited_for),
		TEST(a_directory_without_read_permission_works),
		TEST(the_file_of_a_killed_daemon_is_removed),
		TEST(a_file_that_replaced_it_is_not_removed),
		TEST(the_keeper_holds_only_its_socket_pair_and_the_file),
		TEST(signals_for_the_daemon_do_not_end_the_keeper),
		TEST(a_named_group_can_connect),
		TEST(a_group_that_cannot_be_set_is_an_error_and_leaves_no_file),
		TEST(without_a_keeper_the_daemon_makes_the_file),
	};

	log_set_level(LOG_LEVEL_ERROR);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
