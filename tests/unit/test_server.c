// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Sessions of the server, in a directory of the test. The back-end counts sessions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "vhost/backend.h"
#include "vhost/peer.h"
#include "sandbox_child.h"
#include "vhost/server.h"
#include "vhost/socket_file.h"

#define NOBODY 65534

static struct loop loop;
static int n_opened, n_closed;
static char *directory, *path;

static void count_opened(struct vhost_backend *backend, struct vhost_session *session)
{
	(void)backend;
	(void)session;
	n_opened++;
}

static void count_closed(struct vhost_backend *backend)
{
	(void)backend;
	n_closed++;
}

/* The back-end has no queue and gets no message, so nothing else is called. */
static const struct vhost_backend_ops counting_ops = {
	.session_opened = count_opened,
	.session_closed = count_closed,
};
static struct vhost_backend backend = { .ops = &counting_ops };

static int setup(void **state)
{
	(void)state;
	n_opened = n_closed = 0;
	directory = g_dir_make_tmp("server-XXXXXX", NULL);
	path = g_build_filename(directory, "socket", NULL);
	return loop_init(&loop);
}

static int teardown(void **state)
{
	(void)state;
	loop_finish(&loop);
	unlink(path);
	int r = rmdir(directory); /* fails if a file was left in it */

	g_free(path);
	g_free(directory);
	return r;
}

/* The socket file of the last server with a path; NULL if there is none. */
static struct vhost_socket_file *socket_file;

static struct vhost_server *serve(const char *socket_path, int fd, bool is_once, char **ret_message)
{
	struct vhost_server_options options = { NULL, fd, is_once };
	const struct vhost_socket_file_options file_options = { .path = socket_path };
	struct vhost_server *server;

	*ret_message = NULL;
	if (!socket_path)
		return vhost_server_new(&loop, &options, &backend, ret_message);
	options.socket_file = vhost_socket_file_new(&file_options, ret_message);
	if (!options.socket_file)
		return NULL;
	server = vhost_server_new(&loop, &options, &backend, ret_message);
	if (server)
		socket_file = options.socket_file;
	else
		vhost_socket_file_free(options.socket_file);
	return server;
}

/* main does this at its end. */
static void stop_serving(struct vhost_server *server)
{
	vhost_server_free(server);
	vhost_socket_file_free(socket_file);
	socket_file = NULL;
}

static struct vhost_server *serve_path(bool is_once)
{
	char *message;
	struct vhost_server *server = serve(path, -1, is_once, &message);

	if (!server)
		fail_msg("%s", message);
	return server;
}

static void assert_refused(const char *socket_path, int fd, const char *because)
{
	char *message;

	assert_null(serve(socket_path, fd, false, &message));
	assert_non_null(message);
	if (!strstr(message, because))
		fail_msg("\"%s\" does not say \"%s\"", message, because);
	g_free(message);
}

static struct sockaddr_un address_of(const char *socket_path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	g_strlcpy(address.sun_path, socket_path, sizeof(address.sun_path));
	return address;
}

static int connect_to(const char *socket_path)
{
	struct sockaddr_un address = address_of(socket_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int turns(void)
{
	int r = 0;

	for (int i = 0; i < 4 && r == 0; i++)
		r = loop_turn(&loop, 0);
	return r;
}

static void an_invalid_path_is_refused_with_a_sentence(void **state)
{
	(void)state;
	g_autofree char *missing = g_build_filename(directory, "missing", "socket", NULL);
	g_autofree char *through_file = g_build_filename(path, "socket", NULL);
	g_autofree char *nameless = g_strconcat(directory, "/", NULL);
	char longest[200];

	memset(longest, 'x', sizeof(longest));
	longest[108] = '\0';
	assert_refused(missing, -1, "No such file or directory");
	assert_refused(nameless, -1, "is the path of a directory, not of a socket");
	assert_refused("", -1, "1 to 107 bytes");
	assert_refused(longest, -1, "1 to 107 bytes");
	assert_true(g_file_set_contents(path, "precious", -1, NULL));
	assert_refused(path, -1, "is not a socket");
	assert_refused(through_file, -1, "Not a directory");
	assert_true(g_file_test(path, G_FILE_TEST_IS_REGULAR));
}

static void a_listening_socket_is_neither_replaced_nor_connected_to(void **state)
{
	(void)state;
	struct vhost_server *server = serve_path(true);

	assert_refused(path, -1, "in use");
	assert_int_equal(turns(), 0);
	assert_int_equal(n_opened, 0);
	assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
	stop_serving(server);
}

static void a_stale_socket_is_replaced(void **state)
{
	(void)state;
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
	stop_serving(serve_path(false));
	assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

/* @mode: permissions of the stale socket, in a directory that belongs to root too. */
static void leave_behind(mode_t mode)
{
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(chmod(path, mode), 0);
	close(fd);
}

static void be_refused_as_nobody(const void *because)
{
	char *message;

	/* This cannot be tested if root is root only in a user namespace, or if the directory is
	 * inside one that "nobody" may not enter. */
	if (setresuid(NOBODY, NOBODY, NOBODY) < 0 || access(directory, X_OK) < 0)
		_exit(NO_VERDICT);
	CHECK(!serve(path, -1, false, &message) && strstr(message, because));
}

static void a_stale_socket_of_another_user_is_kept_and_reported(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	leave_behind(0777);
	int result = sandbox_child_run(be_refused_as_nobody, "Permission denied");
	if (result == NO_VERDICT)
		skip();
	assert_int_equal(result, 0);
	assert_int_equal(chmod(directory, 01777), 0); /* as /tmp */
	assert_int_equal(sandbox_child_run(be_refused_as_nobody, "cannot remove the stale socket"),
			 0);
	unlink(path);
	leave_behind(0600);
	assert_int_equal(sandbox_child_run(be_refused_as_nobody, "a connection to it failed"), 0);
	assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void a_socket_file_that_was_replaced_is_not_removed(void **state)
{
	(void)state;
	struct vhost_server *server = serve_path(false);

	unlink(path);
	assert_true(g_file_set_contents(path, "another's", -1, NULL));
	stop_serving(server);
	assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void a_descriptor_that_is_not_a_connection_is_refused_and_closed(void **state)
{
	(void)state;
	int pair[2], fd;

	assert_refused(NULL, 1 << 20, "is not a socket");
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_refused(NULL, fd, "is not a socket");
	assert_int_equal(fcntl(fd, F_GETFD), -1);

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_refused(NULL, pair[0], "not a UNIX stream socket");
	close(pair[1]);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		assert_refused(NULL, fd, "not a UNIX stream socket");
	}

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_refused(NULL, fd, "neither connected nor listening");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(n_opened, 0);
}

static struct vhost_peer last_peer;
static int n_reports;

static void note_session(void *data, const struct vhost_peer *peer)
{
	assert_ptr_equal(data, &n_reports);
	last_peer = peer ? *peer : (struct vhost_peer){ 0 };
	n_reports++;
}

static void an_inherited_listening_socket_is_served_and_its_file_stays(void **state)
{
	(void)state;
	struct sockaddr_un address = address_of(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct vhost_server_options options = { .fd = fd,
						.on_session = note_session,
						.data = &n_reports };
	char *message = NULL;

	n_reports = 0;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	struct vhost_server *server = vhost_server_new(&loop, &options, &backend, &message);
	assert_non_null(server);
	for (int i = 1; i <= 2; i++) {
		int vmm = connect_to(path);

		assert_int_equal(turns(), 0);
		assert_int_equal(n_opened, i);
		assert_int_equal(n_reports, 2 * i - 1);
		assert_int_equal(last_peer.pid, getpid());
		assert_string_equal(last_peer.name, "test_server");
		close(vmm);
		assert_int_equal(turns(), 0);
		assert_int_equal(n_reports, 2 * i);
		assert_int_equal(last_peer.pid, 0);
	}
	stop_serving(server);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void a_second_front_end_is_served_after_the_first(void **state)
{
	(void)state;
	struct vhost_server *server = serve_path(false);
	int first = connect_to(path), second = connect_to(path);

	assert_int_equal(turns(), 0);
	assert_int_equal(n_opened, 1);
	assert_int_equal(n_closed, 0);
	close(first);
	assert_int_equal(turns(), 0);
	assert_int_equal(n_closed, 1);
	assert_int_equal(n_opened, 2);
	close(second);
	assert_int_equal(turns(), 0);
	assert_int_equal(n_closed, 2);
	stop_serving(server);
}

static void a_front_end_that_breaks_the_protocol_does_not_end_the_server(void **state)
{
	(void)state;
	struct vhost_server *server = serve_path(false);
	int vmm = connect_to(path);

	assert_int_equal(send(vmm, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
	assert_int_equal(turns(), 0);
	assert_int_equal(n_closed, 1);
	close(vmm);
	vmm = connect_to(path);
	assert_int_equal(turns(), 0);
	assert_int_equal(n_opened, 2);
	stop_serving(server); /* with a session */
	assert_int_equal(n_closed, 2);
	close(vmm);
}

/* The connection stays in the backlog, where it would wake a polling server again and again. */
static void without_a_free_descriptor_a_front_end_waits_and_uses_no_cpu(void **state)
{
	(void)state;
	struct vhost_server *server = serve_path(false);
	int vmm = connect_to(path);
	struct rlimit whole, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &whole), 0);
	none = whole;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(turns(), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &whole), 0);
	assert_int_equal(n_opened, 0);
	assert_int_equal(poll(&(struct pollfd){ loop.epoll_fd, POLLIN, 0 }, 1, 0), 0);
	for (int i = 0; i < 4 && n_opened == 0; i++)
		assert_int_equal(loop_turn(&loop, 3000), 0);
	assert_int_equal(n_opened, 1);
	close(vmm);
	assert_int_equal(turns(), 0);
	assert_int_equal(n_closed, 1);
	stop_serving(server);
}

static void once_means_one_session(void **state)
{
	(void)state;
	struct vhost_server *server = serve_path(true);

	assert_int_equal(turns(), 0);
	close(connect_to(path));
	assert_int_equal(turns(), LOOP_QUIT);
	assert_int_equal(n_closed, 1);
	stop_serving(server);
}

static void an_inherited_connection_is_the_one_session(void **state)
{
	(void)state;
	char *message;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	struct vhost_server *server = serve(NULL, pair[0], false, &message);

	assert_non_null(server);
	assert_int_equal(n_opened, 1);
	assert_int_equal(turns(), 0);
	close(pair[1]);
	assert_int_equal(turns(), LOOP_QUIT);
	assert_int_equal(n_closed, 1);
	stop_serving(server);
	vhost_server_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(an_invalid_path_is_refused_with_a_sentence),
		TEST(a_listening_socket_is_neither_replaced_nor_connected_to),
		TEST(a_stale_socket_is_replaced),
		TEST(a_stale_socket_of_another_user_is_kept_and_reported),
		TEST(a_socket_file_that_was_replaced_is_not_removed),
		TEST(a_descriptor_that_is_not_a_connection_is_refused_and_closed),
		TEST(an_inherited_listening_socket_is_served_and_its_file_stays),
		TEST(a_second_front_end_is_served_after_the_first),
		TEST(a_front_end_that_breaks_the_protocol_does_not_end_the_server),
		TEST(without_a_free_descriptor_a_front_end_waits_and_uses_no_cpu),
		TEST(once_means_one_session),
		TEST(an_inherited_connection_is_the_one_session),
	};

	log_set_level(g_getenv("TEST_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
