// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The daemon as a process: how it starts, where it listens, how it ends. A user, a service manager
 * or libvirt starts it, and sees only exit statuses, one sentence on stderr, and a socket file that
 * exists or not.
 */
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool socket_exists(const struct vmm *vmm)
{
	struct stat s;

	return lstat(vmm->daemon.socket_path, &s) == 0;
}

/* Starts another daemon, which inherits @keep_fd; returns its exit status, and its output in
 * *@ret_text (heap). */
static int run_another(const char *const *args, int keep_fd, char **ret_text)
{
	struct daemon d = { .pidfd = -1 };
	int status;

	daemon_start(&d, args, keep_fd);
	status = daemon_wait(&d, vmm_default_timeout_ms());
	*ret_text = daemon_text(d.err_fd);
	daemon_finish(&d);
	return status;
}

static void assert_is_one_sentence(const char *text)
{
	if (!daemon_sentence(text))
		vmm_fail("this is no sentence on one line: \"%s\"", text);
}

static void bind_socket(const char *path, bool listens, int *ret_fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
	*ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*ret_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	if (listens)
		assert_int_equal(listen(*ret_fd, 1), 0);
}

/* ---- the end ---- */

/* The keeper of the socket file, a child process of the daemon, removes the file when the daemon
 * has ended. */
static void wait_until_gone(const struct vmm *vmm)
{
	int64_t deadline = vmm_now_ms() + vmm->timeout_ms;

	while (socket_exists(vmm) && vmm_now_ms() < deadline)
		poll(NULL, 0, 1);
	assert_false(socket_exists(vmm));
}

static void assert_ends_on(struct vmm *vmm, int signal)
{
	assert_true(socket_exists(vmm));
	assert_int_equal(daemon_stop(&vmm->daemon, signal), 0);
	wait_until_gone(vmm);
}

static const int endings[] = { SIGINT, SIGTERM, SIGHUP };

static void a_signal_ends_an_idle_daemon(void **state)
{
	for (unsigned i = 0; i < ARRAY_LENGTH(endings); i++) {
		struct vmm *vmm = fixture_new(state, NULL);

		close(daemon_connect(&vmm->daemon));
		assert_ends_on(vmm, endings[i]);
		fixture_end(state);
	}
}

static void a_signal_ends_a_daemon_at_work(void **state)
{
	for (unsigned i = 0; i < ARRAY_LENGTH(endings); i++) {
		struct vmm *vmm = fixture_boot(state, NULL);

		assert_alive(vmm);
		assert_ends_on(vmm, endings[i]);
		fixture_end(state);
	}
}

static void ignore_hangup(void)
{
	signal(SIGHUP, SIG_IGN);
}

static void start_ignoring_hangup(struct vmm *vmm)
{
	vmm->daemon.before_exec = ignore_hangup;
}

static void sighup_is_ignored_if_the_parent_ignores_it(void **state)
{
	struct vmm_options options = { .adjust = start_ignoring_hangup };
	struct vmm *vmm = fixture_boot(state, &options);

	kill(vmm->daemon.pid, SIGHUP);
	assert_int_equal(daemon_wait(&vmm->daemon, 50), -1);
	assert_alive(vmm);
}

static void sigusr1_and_sigusr2_do_not_end_the_daemon(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);

	kill(vmm->daemon.pid, SIGUSR1);
	kill(vmm->daemon.pid, SIGUSR2);
	assert_int_equal(daemon_wait(&vmm->daemon, 50), -1);
	assert_alive(vmm);
}

static void a_signal_ends_a_daemon_whose_display_is_stuck(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);
	struct image i = image_new(vmm, 1, BGRX, 1920, 1080);

	vmm->display.is_paused = true;
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	assert_ends_on(vmm, SIGTERM);
}

static void a_front_end_that_disconnects_does_not_end_the_daemon(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);

	for (unsigned i = 0; i < 3; i++) {
		vmm_disconnect(vmm);
		assert_int_equal(daemon_wait(&vmm->daemon, 20), -1);
		ring_clear(&vmm->rings[CONTROL]);
		ring_clear(&vmm->rings[CURSOR]);
		vmm_connect(vmm);
		vmm_realize(vmm);
		vmm_start(vmm);
		assert_alive(vmm);
	}
}

static void once_serves_one_connection(void **state)
{
	const char *const args[] = { "--gpu-mode", vmm_renderer("2d"), "--once", NULL };
	struct vmm_options options = { .args = args };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_alive(vmm);
	vmm_disconnect(vmm);
	assert_int_equal(daemon_wait(&vmm->daemon, vmm->timeout_ms), 0);
	assert_false(socket_exists(vmm));
}

static void once_exits_with_0_after_an_invalid_message(void **state)
{
	const char *const args[] = { "--gpu-mode", vmm_renderer("2d"), "--once", NULL };
	struct vmm_options options = { .args = args };
	struct vmm *vmm = fixture_boot(state, &options);
	static const uint8_t rubbish[64] = { 0xff, 0xff, 0xff, 0xff, 0xff };

	send(vmm->socket, rubbish, sizeof(rubbish), MSG_NOSIGNAL);
	assert_true(vhost_is_closed(vmm, vmm->timeout_ms));
	assert_int_equal(daemon_wait(&vmm->daemon, vmm->timeout_ms), 0);
	assert_false(socket_exists(vmm));
}

/* ---- the inherited connection ---- */

static void an_inherited_connection_is_served_and_ends_the_daemon(void **state)
{
	struct vmm_options options = { .hands_over_fd = true };
	struct vmm *vmm = fixture_boot(state, &options);
	struct image i = image_new(vmm, 1, BGRX, 64, 64);

	image_fill(&i, 1);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	image_wait_shown(vmm, &i, 0, image_rect(&i));
	assert_false(socket_exists(vmm));
	assert_int_equal(vmm_end(vmm), 0);
}

static void a_signal_ends_a_daemon_with_an_inherited_connection(void **state)
{
	struct vmm_options options = { .hands_over_fd = true };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_alive(vmm);
	assert_int_equal(daemon_stop(&vmm->daemon, SIGTERM), 0);
}

static void a_descriptor_that_is_no_connection_is_refused(void **state)
{
	const char *args[] = { "--gpu-mode", "2d", "--fd", "9", NULL };
	int kinds[3] = { -1, open("/dev/null", O_RDWR | O_CLOEXEC),
			 socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	char number[16], *text;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(kinds); i++) {
		snprintf(number, sizeof(number), "%d", kinds[i] < 0 ? 77 : kinds[i]);
		args[3] = number;
		assert_int_equal(run_another(args, kinds[i], &text), 1);
		assert_is_one_sentence(text);
		free(text);
		if (kinds[i] >= 0)
			close(kinds[i]);
	}
}

/* A descriptor that the daemon opens itself never gets the number that it was told to serve. */
static void a_closed_descriptor_number_is_refused(void **state)
{
	const char *args[] = { "--gpu-mode", "2d", "--fd", "3", NULL };
	char number[16], *text;

	(void)state;
	for (int fd = 3; fd < 24; fd++) {
		snprintf(number, sizeof(number), "%d", fd);
		args[3] = number;
		assert_int_equal(run_another(args, -1, &text), 1);
		assert_is_one_sentence(text);
		assert_non_null(strstr(text, number));
		free(text);
	}
}

static void standard_output_and_error_are_refused_as_fd(void **state)
{
	static const char *const numbers[] = { "1", "2" };
	const char *args[] = { "--gpu-mode", "2d", "--fd", NULL, NULL };
	char *text;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++) {
		args[3] = numbers[i];
		assert_int_equal(run_another(args, -1, &text), 1);
		assert_non_null(strstr(text, "is where the log goes"));
		free(text);
	}
}

/* ---- the socket file ---- */

static int refused_path(const char *path)
{
	const char *const args[] = { "--gpu-mode", "2d", "--socket-path", path, NULL };
	char *text;
	int status = run_another(args, -1, &text);

	assert_is_one_sentence(text);
	free(text);
	return status;
}

static void leave_a_stale_socket(struct vmm *vmm)
{
	int fd;

	bind_socket(vmm->daemon.socket_path, true, &fd);
	close(fd);
}

static void a_stale_socket_file_is_replaced(void **state)
{
	struct vmm_options options = { .adjust = leave_a_stale_socket };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_alive(vmm);
	assert_ends_on(vmm, SIGTERM);
}

static void the_socket_of_a_running_daemon_is_not_replaced(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);

	assert_int_equal(refused_path(vmm->daemon.socket_path), 1);
	assert_true(socket_exists(vmm));
	assert_alive(vmm);
	vmm_disconnect(vmm);
	assert_int_equal(refused_path(vmm->daemon.socket_path), 1);
	vmm_connect(vmm);
	vmm_realize(vmm);
}

static void a_file_that_is_no_socket_is_not_replaced(void **state)
{
	struct daemon d = { .pidfd = -1, .out_fd = -1, .err_fd = -1 };
	struct stat s;
	int fd;

	(void)state;
	daemon_make_dir(&d);
	fd = open(d.socket_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	assert_int_equal(refused_path(d.socket_path), 1);
	assert_int_equal(stat(d.socket_path, &s), 0);
	assert_int_equal(s.st_size, 8);
	assert_int_equal(refused_path(d.dir), 1);
	daemon_finish(&d);
}

static void an_invalid_path_is_refused(void **state)
{
	char path[300] = "/tmp/";

	(void)state;
	assert_int_equal(refused_path("/nonexistent/directory/gpu.sock"), 1);
	memset(path + 5, 'x', sizeof(path) - 6);
	assert_int_equal(refused_path(path), 1);
}

static void a_socket_file_of_another_process_is_not_removed(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);
	int fd;

	assert_alive(vmm);
	assert_int_equal(unlink(vmm->daemon.socket_path), 0);
	bind_socket(vmm->daemon.socket_path, true, &fd);
	assert_int_equal(daemon_stop(&vmm->daemon, SIGTERM), 0);
	assert_true(socket_exists(vmm));
	close(fd);
}

/* The child process of the daemon, or 0. */
static pid_t find_keeper(const struct vmm *vmm)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)vmm->daemon.pid,
		 (int)vmm->daemon.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		skip();
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return (pid_t)atoi(text);
}

static void the_socket_file_of_a_killed_daemon_is_removed(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);

	assert_alive(vmm);
	assert_int_equal(daemon_stop(&vmm->daemon, SIGKILL), 128 + SIGKILL);
	wait_until_gone(vmm);
}

static void signals_do_not_end_the_keeper_of_the_socket_file(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct vmm *vmm = fixture_boot(state, NULL);
	pid_t keeper = find_keeper(vmm);

	assert_true(keeper > 0);
	for (unsigned i = 0; i < ARRAY_LENGTH(signals); i++)
		assert_int_equal(kill(keeper, signals[i]), 0);
	assert_alive(vmm);
	assert_ends_on(vmm, SIGTERM);
}

static void an_inherited_connection_has_no_keeper(void **state)
{
	struct vmm_options options = { .hands_over_fd = true };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_alive(vmm);
	assert_int_equal(find_keeper(vmm), 0);
}

static void group_of_the_test(struct vmm *vmm)
{
	static char number[16];
	static const char *args[] = { "--gpu-mode", "2d", "--socket-group", number, NULL };

	snprintf(number, sizeof(number), "%u", (unsigned)getegid());
	vmm->options.args = args;
}

static void members_of_a_named_group_can_connect(void **state)
{
	struct vmm_options options = { .adjust = group_of_the_test };
	struct vmm *vmm = fixture_boot(state, &options);
	struct stat s;

	assert_alive(vmm);
	assert_int_equal(stat(vmm->daemon.socket_path, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0660);
	assert_int_equal(s.st_gid, getegid());
}

static void give_directory_away(struct vmm *vmm)
{
	assert_int_equal(chown(vmm->daemon.dir, 65534, 65534), 0);
}

/* Because root may access every file. The daemon has given up that privilege when it serves. */
static void root_can_serve_in_another_users_directory(void **state)
{
	static const char *const args[] = { "--gpu-mode", "2d", "--sandbox", "strict", NULL };
	struct vmm_options options = { .args = args, .adjust = give_directory_away };
	struct vmm *vmm;

	if (geteuid() != 0 || getenv("ASAN_OPTIONS") || getenv("TSAN_OPTIONS"))
		skip(); /* a sanitizer's build has no private file tree, which strict needs */
	vmm = fixture_boot(state, &options);
	assert_alive(vmm);
	assert_ends_on(vmm, SIGTERM);
}

/* ---- descriptors that a parent leaves open ---- */

/* How often @d has the file @name open. */
static unsigned count_open(const struct daemon *d, const char *name)
{
	char path[300], target[256];
	const struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)d->pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		ssize_t length = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target));

		n += length == (ssize_t)strlen(name) && memcmp(target, name, strlen(name)) == 0;
	}
	closedir(dir);
	return n;
}

/* Starts a daemon that inherits @fd, a descriptor of @name; returns how often it has the file open.
 */
static unsigned leave_open(const char *level, int fd, const char *name)
{
	struct daemon d = { .pidfd = -1 };
	const char *args[] = {
		"--gpu-mode", "2d", "--sandbox", level, "--socket-path", NULL, NULL
	};
	unsigned n;

	daemon_make_dir(&d);
	args[5] = d.socket_path;
	daemon_start(&d, args, fd);
	close(daemon_connect(&d));
	n = count_open(&d, name);
	daemon_stop(&d, SIGTERM);
	daemon_finish(&d);
	return n;
}

static void inherited_descriptors_are_closed(void **state)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(leave_open("auto", fd, "/etc/passwd"), 0);
	assert_int_equal(leave_open("off", fd, "/etc/passwd"), 1);
	close(fd);
}

static void a_locked_file_stays_open(void **state)
{
	char path[] = "/tmp/locked-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(leave_open("auto", fd, path), 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(leave_open("auto", fd, path), 1);
	close(fd);
	unlink(path);
}

/* ---- without a display ---- */

static void headless_shows_nothing_and_works(void **state)
{
	static const char *const args[] = { "--gpu-mode", "2d", "--headless", NULL };
	struct vmm_options options = { .args = args };
	struct vmm *vmm = fixture_boot(state, &options);
	struct image i = image_new(vmm, 1, BGRA, 64, 64);
	struct virtio_gpu_resp_display_info info;

	assert_response(gpu_display_info(vmm, &info), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, 1, image_rect(&i)));
	assert_ok(gpu_flush(vmm, 1, image_rect(&i)));
	assert_ok(gpu_update_cursor(vmm, 0, 1, 1, 1, 0, 0));
	assert_alive(vmm);
	assert_int_equal(vmm->display.counts[DISPLAY_UPDATE], 0);
	assert_int_equal(vmm->display.counts[DISPLAY_GET_DISPLAY_INFO], 0);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(a_signal_ends_an_idle_daemon),
		DEVICE_TEST(a_signal_ends_a_daemon_at_work),
		DEVICE_TEST(sighup_is_ignored_if_the_parent_ignores_it),
		DEVICE_TEST(sigusr1_and_sigusr2_do_not_end_the_daemon),
		DEVICE_TEST(a_signal_ends_a_daemon_whose_display_is_stuck),
		DEVICE_TEST(a_front_end_that_disconnects_does_not_end_the_daemon),
		DEVICE_TEST(once_serves_one_connection),
		DEVICE_TEST(once_exits_with_0_after_an_invalid_message),
		DEVICE_TEST(an_inherited_connection_is_served_and_ends_the_daemon),
		DEVICE_TEST(a_signal_ends_a_daemon_with_an_inherited_connection),
		DEVICE_TEST(a_descriptor_that_is_no_connection_is_refused),
		DEVICE_TEST(a_closed_descriptor_number_is_refused),
		DEVICE_TEST(standard_output_and_error_are_refused_as_fd),
		DEVICE_TEST(a_stale_socket_file_is_replaced),
		DEVICE_TEST(the_socket_of_a_running_daemon_is_not_replaced),
		DEVICE_TEST(a_file_that_is_no_socket_is_not_replaced),
		DEVICE_TEST(an_invalid_path_is_refused),
		DEVICE_TEST(a_socket_file_of_another_process_is_not_removed),
		DEVICE_TEST(the_socket_file_of_a_killed_daemon_is_removed),
		DEVICE_TEST(signals_do_not_end_the_keeper_of_the_socket_file),
		DEVICE_TEST(an_inherited_connection_has_no_keeper),
		DEVICE_TEST(members_of_a_named_group_can_connect),
		DEVICE_TEST(root_can_serve_in_another_users_directory),
		DEVICE_TEST(inherited_descriptors_are_closed),
		DEVICE_TEST(a_locked_file_stays_open),
		DEVICE_TEST(headless_shows_nothing_and_works),
	};

	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
