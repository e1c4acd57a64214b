// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * File descriptors from the front-end that are of the wrong kind for their request. Each ends its
 * session with one line in the log, so that the daemon never waits for such a descriptor.
 */
#include "session_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "vhost/descriptor.h"

#define LOG_MODULE "test"
#include "base/log.h"

static int new_pipe_end(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	return ends[1];
}

static int new_socket(int domain, int type)
{
	return socket(domain, type | SOCK_CLOEXEC, 0);
}

static void an_eventfd_and_a_pipe_can_signal(void **state)
{
	auto_fd event = eventfd(0, EFD_CLOEXEC), pipe_end = new_pipe_end();

	(void)state;
	assert_null(descriptor_check_event(event));
	assert_null(descriptor_check_event(pipe_end));
}

static void a_file_a_device_and_a_socket_cannot_signal(void **state)
{
	auto_fd file = memfd_create("file", MFD_CLOEXEC),
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	auto_fd other = new_socket(AF_UNIX, SOCK_STREAM),
		directory = open("/", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_non_null(descriptor_check_event(file));
	assert_non_null(descriptor_check_event(null));
	assert_non_null(descriptor_check_event(other));
	assert_non_null(descriptor_check_event(directory));
}

static void only_a_unix_stream_socket_is_a_channel(void **state)
{
	auto_fd stream = new_socket(AF_UNIX, SOCK_STREAM),
		datagram = new_socket(AF_UNIX, SOCK_DGRAM);
	auto_fd packets = new_socket(AF_UNIX, SOCK_SEQPACKET),
		tcp = new_socket(AF_INET, SOCK_STREAM);
	auto_fd event = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_null(descriptor_check_socket(stream, session_rig.front_end));
	assert_non_null(descriptor_check_socket(datagram, session_rig.front_end));
	assert_non_null(descriptor_check_socket(packets, session_rig.front_end));
	assert_non_null(descriptor_check_socket(tcp, session_rig.front_end));
	assert_non_null(descriptor_check_socket(event, session_rig.front_end));
}

static void the_front_ends_own_end_of_the_connection_is_recognised(void **state)
{
	g_autofree char *path = g_strdup_printf("/tmp/test_descriptor.%d", getpid());
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_fd listening = new_socket(AF_UNIX, SOCK_STREAM),
		client = new_socket(AF_UNIX, SOCK_STREAM);
	auto_fd other = new_socket(AF_UNIX, SOCK_STREAM);

	(void)state;
	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	auto_fd connection = accept4(listening, NULL, NULL, SOCK_CLOEXEC);

	assert_true(connection >= 0);
	assert_non_null(descriptor_check_socket(client, connection));
	assert_null(descriptor_check_socket(connection, connection)); /* its peer has no name */
	assert_null(descriptor_check_socket(other, connection));
	unlink(path);
}

/* Sends one request with @fd, which is of the wrong kind for it. */
static void assert_ends_the_session(uint32_t request, bool has_index, int fd)
{
	uint64_t index = 0;

	session_rig_agree();
	session_rig_send(request, V1, &index, has_index ? sizeof(index) : 0, &fd, 1);
	session_rig_turn();
	session_rig_turn();
	session_rig_assert_ended(-EPROTO);
	fd_close(&session_rig.front_end);
	session_rig_open();
}

static void a_descriptor_of_the_wrong_kind_ends_the_session(void **state)
{
	auto_fd file = memfd_create("file", MFD_CLOEXEC), stream = new_socket(AF_UNIX, SOCK_STREAM);
	auto_fd datagram = new_socket(AF_UNIX, SOCK_DGRAM);

	(void)state;
	assert_ends_the_session(VHOST_USER_SET_VRING_KICK, true, stream);
	assert_ends_the_session(VHOST_USER_SET_VRING_CALL, true, stream);
	assert_ends_the_session(VHOST_USER_SET_VRING_ERR, true, file);
	assert_ends_the_session(VHOST_USER_SET_BACKEND_REQ_FD, false, datagram);
	assert_ends_the_session(VHOST_USER_GPU_SET_SOCKET, false, datagram);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, session_rig_setup, session_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_eventfd_and_a_pipe_can_signal),
		TEST(a_file_a_device_and_a_socket_cannot_signal),
		TEST(only_a_unix_stream_socket_is_a_channel),
		TEST(the_front_ends_own_end_of_the_connection_is_recognised),
		TEST(a_descriptor_of_the_wrong_kind_ends_the_session),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
