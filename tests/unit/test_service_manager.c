// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The environment of a service, and a service manager that is a datagram socket of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "service_manager.h"

static void set_pid(const char *variable, pid_t pid)
{
	g_autofree char *number = g_strdup_printf("%d", (int)pid);

	g_setenv(variable, number, true);
}

static int clear_environment(void **state)
{
	(void)state;
	g_unsetenv("LISTEN_PID");
	g_unsetenv("LISTEN_FDS");
	g_unsetenv("LISTEN_FDNAMES");
	g_unsetenv("NOTIFY_SOCKET");
	g_unsetenv("SYSTEMD_EXEC_PID");
	return 0;
}

/* ---- sockets ---- */

static void sockets_for_this_process_are_taken_once(void **state)
{
	(void)state;
	set_pid("LISTEN_PID", getpid());
	g_setenv("LISTEN_FDS", "2", true);
	g_setenv("LISTEN_FDNAMES", "a:b", true);
	assert_int_equal(service_manager_take_sockets(), 2);
	assert_null(g_getenv("LISTEN_PID"));
	assert_null(g_getenv("LISTEN_FDS"));
	assert_null(g_getenv("LISTEN_FDNAMES"));
	assert_int_equal(service_manager_take_sockets(), 0);
}

static void sockets_for_another_process_are_left_alone(void **state)
{
	(void)state;
	g_setenv("LISTEN_FDS", "1", true);
	assert_int_equal(service_manager_take_sockets(), 0);
	set_pid("LISTEN_PID", getppid());
	assert_int_equal(service_manager_take_sockets(), 0);
	assert_string_equal(g_getenv("LISTEN_FDS"), "1");
}

static void an_invalid_number_of_sockets_means_none(void **state)
{
	static const char *const numbers[] = { "", "-1", "0", "x", "1x", "99999999999" };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
		set_pid("LISTEN_PID", getpid());
		g_setenv("LISTEN_FDS", numbers[i], true);
		assert_int_equal(service_manager_take_sockets(), 0);
	}
}

/* ---- notifications ---- */

/* Binds the service manager's socket and puts its name into the environment; '@' first: abstract.
 */
static int bind_manager(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	g_strlcpy(address.sun_path, name, sizeof(address.sun_path));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (const struct sockaddr *)&address,
			      offsetof(struct sockaddr_un, sun_path) + strlen(name)),
			 0);
	g_setenv("NOTIFY_SOCKET", name, true);
	return fd;
}

static void assert_receives(int fd, const char *due)
{
	char state[256] = "";
	ssize_t n = recv(fd, state, sizeof(state) - 1, MSG_DONTWAIT);

	assert_int_equal(n, strlen(due));
	assert_string_equal(state, due);
}

/* Opens the connection, sends one state, and closes it. */
static void notify_once(void)
{
	struct service_manager manager;

	service_manager_open(&manager);
	service_manager_notify(&manager, "READY=1");
	service_manager_close(&manager);
	assert_null(g_getenv("NOTIFY_SOCKET"));
}

static void a_state_is_one_datagram(void **state)
{
	g_autofree char *path = g_strdup_printf("%s/notify-%d", g_get_tmp_dir(), getpid());
	auto_fd fd = bind_manager(path);
	struct service_manager manager;

	(void)state;
	service_manager_open(&manager);
	assert_null(g_getenv("NOTIFY_SOCKET"));
	unlink(path); /* as in the sandbox, where the name is not reachable */
	service_manager_notify(&manager, "READY=1");
	service_manager_notify(&manager, "STATUS=a\nSTOPPING=1");
	assert_receives(fd, "READY=1");
	assert_receives(fd, "STATUS=a\nSTOPPING=1");
	service_manager_close(&manager);
	assert_int_equal(manager.notify_fd, -1);
}

static void an_abstract_socket_is_notified_too(void **state)
{
	g_autofree char *name = g_strdup_printf("@notify-%d", getpid());
	auto_fd fd = bind_manager(name);

	(void)state;
	set_pid("SYSTEMD_EXEC_PID", getpid());
	notify_once();
	assert_receives(fd, "READY=1");
}

static void the_service_manager_of_the_parent_is_not_notified(void **state)
{
	g_autofree char *name = g_strdup_printf("@notify-%d", getpid());
	auto_fd fd = bind_manager(name);
	char byte;

	(void)state;
	set_pid("SYSTEMD_EXEC_PID", getppid());
	notify_once();
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void an_unreachable_service_manager_does_no_harm(void **state)
{
	static const char *const names[] = { "/nonexistent/notify", "vsock:2:1", "" };

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		g_setenv("NOTIFY_SOCKET", names[i], true);
		notify_once();
	}
	notify_once(); /* without one */
}

static void a_full_notify_socket_does_not_block(void **state)
{
	g_autofree char *name = g_strdup_printf("@notify-%d", getpid());
	auto_fd fd = bind_manager(name);
	struct service_manager manager;

	(void)state;
	service_manager_open(&manager);
	for (unsigned i = 0; i < 10000; i++)
		service_manager_notify(&manager, "STATUS=a");
	assert_receives(fd, "STATUS=a");
	service_manager_close(&manager);
}

#define CASE(f) cmocka_unit_test_teardown(f, clear_environment)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(sockets_for_this_process_are_taken_once),
		CASE(sockets_for_another_process_are_left_alone),
		CASE(an_invalid_number_of_sockets_means_none),
		CASE(a_state_is_one_datagram),
		CASE(an_abstract_socket_is_notified_too),
		CASE(the_service_manager_of_the_parent_is_not_notified),
		CASE(an_unreachable_service_manager_does_no_harm),
		CASE(a_full_notify_socket_does_not_block),
	};

	log_set_level(LOG_LEVEL_ERROR);
	clear_environment(NULL);
	return cmocka_run_group_tests_name("service_manager", tests, NULL, NULL);
}
