// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Where the log of a daemon in its sandbox goes if the daemon runs as a service: to systemd's
 * journal through standard error, or to syslog's socket if standard error is /dev/null, as with
 * libvirt. That socket's path is /dev/log, so the daemon gets its own /dev in a mount namespace.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const debug_2d[] = { "--gpu-mode", "2d", "--log-level", "debug", NULL };
static const char *const wrong[] = { "--no-such-option", NULL };

/* The end that is read: the journal's end of standard error, or syslog's. */
static int reader = -1;

static int teardown(void **state)
{
	if (reader >= 0)
		close(reader);
	reader = -1;
	unsetenv("JOURNAL_STREAM");
	return fixture_teardown(state);
}

static void set_patience(int fd, int ms)
{
	struct timeval patience = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* ---- the journal ---- */

static void give_a_journal(struct vmm *vmm)
{
	struct stat st;
	char name[64];
	int pair[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
	assert_return_code(fstat(pair[1], &st), errno);
	snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", name, 1);
	vmm->daemon.err_fd = pair[1];
	reader = pair[0];
}

/* Reads until the line with which the daemon exits, or the end of the stream. Freed with free(). */
static char *read_journal(void)
{
	size_t size = 1 << 20, used = 0;
	char *text = calloc(1, size);
	ssize_t n;

	set_patience(reader, vmm_default_timeout_ms());
	while (used < size - 1 && (n = recv(reader, text + used, size - 1 - used, 0)) > 0) {
		used += (size_t)n;
		if (strstr(text, "exiting\n"))
			break;
	}
	return text;
}

static void every_line_for_the_journal_begins_with_its_level(void **state)
{
	struct vmm_options options = { .args = debug_2d, .adjust = give_a_journal };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_alive(vmm);
	assert_int_equal(daemon_stop(&vmm->daemon, SIGTERM), 0);

	char *text = read_journal();

	assert_non_null(strstr(text, "<6>main: renderer: "));
	assert_non_null(strstr(text, "<7>session: "));
	assert_non_null(strstr(text, "<6>main: received "));
	for (char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (*line && (line[0] != '<' || line[2] != '>'))
			vmm_fail("a line without a level: %.60s", line);
	}
	free(text);
}

/* ---- syslog ---- */

/* The directory that becomes the daemon's /dev, and the target of "log" there ("": no "log"). */
static char new_dev[96], syslog_path[96];

static void bind_device(const char *name)
{
	char from[64], to[160];

	snprintf(from, sizeof(from), "/dev/%s", name);
	snprintf(to, sizeof(to), "%s/%s", new_dev, name);
	int fd = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0 || mount(from, to, NULL, MS_BIND, NULL) < 0)
		_exit(125);
	close(fd);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(125);
	close(fd);
}

/* Enters a mount namespace; a user who is not root also a user namespace, with the same user id. */
static void enter_namespaces(void)
{
	const unsigned uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) < 0)
		_exit(125);
	if (uid == 0)
		return;
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	write_file("/proc/self/gid_map", map);
}

static void enter_own_dev(void)
{
	static const char *const devices[] = { "null", "zero", "full", "urandom" };
	char link[160];

	enter_namespaces();
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", new_dev, "tmpfs", 0, "mode=755") < 0)
		_exit(125);
	for (unsigned i = 0; i < ARRAY_LENGTH(devices); i++)
		bind_device(devices[i]);
	snprintf(link, sizeof(link), "%s/log", new_dev);
	if (*syslog_path && symlink(syslog_path, link) < 0)
		_exit(125);
	if (mount(new_dev, "/dev", NULL, MS_MOVE, NULL) < 0)
		_exit(125);
}

/* Skips the test unless enter_own_dev() works, which a child tries out. */
static void skip_without_own_dev(void)
{
	int status = -1;

	strcpy(new_dev, "/tmp/reader-XXXXXX");
	assert_non_null(mkdtemp(new_dev));
	syslog_path[0] = '\0';
	pid_t pid = fork();

	if (pid == 0) {
		enter_own_dev();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	rmdir(new_dev);
	if (status != 0)
		skip();
}

static void give_null(struct vmm *vmm)
{
	snprintf(new_dev, sizeof(new_dev), "%s/dev", vmm->daemon.dir);
	assert_return_code(mkdir(new_dev, 0700), errno);
	vmm->daemon.err_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	vmm->daemon.before_exec = enter_own_dev;
}

static void give_null_and_syslog(struct vmm *vmm)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(syslog_path, sizeof(syslog_path), "%s/log", vmm->daemon.dir);
	strcpy(address.sun_path, syslog_path);
	reader = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_return_code(bind(reader, (struct sockaddr *)&address, sizeof(address)), errno);
	give_null(vmm);
}

static void give_null_without_syslog(struct vmm *vmm)
{
	syslog_path[0] = '\0';
	give_null(vmm);
}

static void forget_own_dev(void)
{
	rmdir(new_dev);
}

/* Reads datagrams until one has @severity, @pid and @words; fails if none comes in time. */
static void expect_syslog(int severity, pid_t pid, const char *words)
{
	char text[2048], head[64];
	ssize_t n;

	snprintf(head, sizeof(head), "<%d>vhost-device-gpu[%d]: ", 24 + severity, (int)pid);
	set_patience(reader, vmm_default_timeout_ms());
	while ((n = recv(reader, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = '\0';
		if (strncmp(text, head, strlen(head)) == 0 && strstr(text, words))
			return;
	}
	vmm_fail("syslog is not told: %s%s", head, words);
}

static void a_daemon_on_dev_null_logs_to_syslog_from_its_sandbox(void **state)
{
	struct vmm_options options = { .args = debug_2d, .adjust = give_null_and_syslog };

	skip_without_own_dev();
	struct vmm *vmm = fixture_boot(state, &options);
	pid_t pid = vmm->daemon.pid;

	assert_alive(vmm);
	if (!daemon_has_sanitizer(&vmm->daemon))
		assert_true(daemon_has_filter(&vmm->daemon));
	expect_syslog(6, pid, "]: main: renderer: ");
	expect_syslog(7, pid, "]: session: ");
	assert_int_equal(daemon_stop(&vmm->daemon, SIGTERM), 0);
	expect_syslog(6, pid, "]: main: received ");
	forget_own_dev();
}

/* The datagrams are not read; the kernel keeps ten of them. */
static void a_full_syslog_delays_nothing(void **state)
{
	struct vmm_options options = { .args = debug_2d, .adjust = give_null_and_syslog };

	skip_without_own_dev();
	struct vmm *vmm = fixture_boot(state, &options);
	pid_t pid = vmm->daemon.pid;
	char text[2048];

	for (unsigned i = 0; i < 50; i++)
		assert_alive(vmm);
	while (recv(reader, text, sizeof(text), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(daemon_stop(&vmm->daemon, SIGTERM), 0);
	expect_syslog(4, pid, " lines were dropped: /dev/log was full");
	forget_own_dev();
}

static void a_daemon_without_syslog_serves(void **state)
{
	struct vmm_options options = { .args = debug_2d, .adjust = give_null_without_syslog };

	skip_without_own_dev();
	struct vmm *vmm = fixture_boot(state, &options);

	assert_alive(vmm);
	assert_int_equal(daemon_stop(&vmm->daemon, SIGTERM), 0);
	forget_own_dev();
}

static void expect_fatal(const char *const *args, const char *variable, int due, const char *words)
{
	struct vmm vmm = { .daemon.pidfd = -1 };

	if (variable)
		setenv("VHOST_DEVICE_GPU_OPTIONS", variable, 1);
	daemon_make_dir(&vmm.daemon);
	give_null_and_syslog(&vmm);
	daemon_start(&vmm.daemon, args, -1);
	pid_t pid = vmm.daemon.pid;

	unsetenv("VHOST_DEVICE_GPU_OPTIONS");
	assert_int_equal(daemon_wait(&vmm.daemon, vmm_default_timeout_ms()), due);
	expect_syslog(3, pid, words);
	forget_own_dev();
	daemon_finish(&vmm.daemon);
	close(reader);
}

static void a_fatal_error_goes_to_syslog_too(void **state)
{
	static const char *const no_directory[] = { "--socket-path", "/nonexistent/x.sock", NULL };

	(void)state;
	skip_without_own_dev();
	expect_fatal(wrong, NULL, 2, "--no-such-option");
	expect_fatal(NULL, "--max-outputs 99", 2, "VHOST_DEVICE_GPU_OPTIONS");
	expect_fatal(no_directory, NULL, 1, "/nonexistent");
}

#define READER_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, teardown)

static int run(void)
{
	const struct CMUnitTest tests[] = {
		READER_TEST(every_line_for_the_journal_begins_with_its_level),
		READER_TEST(a_daemon_on_dev_null_logs_to_syslog_from_its_sandbox),
		READER_TEST(a_full_syslog_delays_nothing),
		READER_TEST(a_daemon_without_syslog_serves),
		READER_TEST(a_fatal_error_goes_to_syslog_too),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
