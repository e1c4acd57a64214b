// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The channel in the back-end's direction: our requests and the front-end's replies. (The front-
 * end's requests are in test_session.c.) Every test ends with a check that no descriptor leaked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "descriptors.h"
#include "vhost/channel.h"
#include "vhost/vhost_user.h"

#define REPLY      (VHOST_USER_VERSION | VHOST_USER_REPLY)
#define NEED_REPLY (VHOST_USER_VERSION | VHOST_USER_NEED_REPLY)
#define MAP        VHOST_USER_BACKEND_SHMEM_MAP

/* A message whose payload follows its header without padding. */
struct bytes {
	struct vhost_user_header header;
	uint8_t payload[sizeof(struct vhost_user_shmem_config)];
};

static struct vhost_channel channel;
static int front_end; /* the other end */
static int descriptors_before;

static int setup(void **state)
{
	int pair[2];

	(void)state;
	descriptors_before = descriptors_count();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	vhost_channel_init(&channel, pair[0]);
	front_end = pair[1];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vhost_channel_finish(&channel);
	fd_close(&front_end);
	return descriptors_count() == descriptors_before ? 0 : -1;
}

/* With @n_fds descriptors. */
static void send_bytes(const void *bytes, size_t size, unsigned n_fds)
{
	int fds[DESCRIPTORS_MAX_SENT] = { 0 };

	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = STDERR_FILENO;
	descriptors_send(front_end, bytes, size, fds, n_fds);
}

static struct bytes make_reply(uint32_t request, uint64_t value)
{
	struct bytes b = { .header = { request, REPLY, sizeof(value) } };

	memcpy(b.payload, &value, sizeof(value));
	return b;
}

static void send_reply(uint32_t request, uint64_t value)
{
	struct bytes b = make_reply(request, value);

	send_bytes(&b, sizeof(b.header) + b.header.size, 0);
}

/* Sends a request to map something, with a descriptor. */
static void put_request(void)
{
	const struct vhost_user_shmem_map map = { .id = 1, .shm_offset = 0x1000, .size = 0x2000 };

	vhost_channel_request(&channel, MAP, &map, sizeof(map), dup(STDERR_FILENO));
}

/* Reads a message of the channel and returns the number of its descriptors. */
static unsigned read_message(struct bytes *ret)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &ret->header, sizeof(ret->header) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	unsigned n_fds = 0;

	assert_int_equal(recvmsg(front_end, &msg, MSG_DONTWAIT), sizeof(ret->header));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		int fd;

		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		fd_close(&fd);
		n_fds++;
	}
	assert_true(ret->header.size <= sizeof(ret->payload));
	if (ret->header.size > 0)
		assert_int_equal(recv(front_end, ret->payload, ret->header.size, MSG_DONTWAIT),
				 ret->header.size);
	return n_fds;
}

/* Sends a request that the front-end reads. */
static void ask(void)
{
	struct bytes b;

	put_request();
	assert_int_equal(vhost_channel_flush(&channel), 0);
	assert_int_equal(read_message(&b), 1);
}

static void assert_refused(const char *problem)
{
	assert_int_equal(vhost_channel_receive(&channel), -EPROTO);
	assert_string_equal(channel.problem, problem);
}

static void assert_replied(uint64_t value)
{
	assert_int_equal(vhost_channel_receive(&channel), 1);
	assert_int_equal(channel.in.header.request, MAP);
	assert_int_equal(channel.in.header.size, sizeof(value));
	assert_memory_equal(channel.in.payload, &value, sizeof(value));
	vhost_channel_done(&channel);
}

/* ---- sending ---- */

static void a_request_goes_out_with_its_descriptor_and_needs_a_reply(void **state)
{
	struct vhost_user_shmem_map map;
	struct bytes b;

	(void)state;
	put_request();
	assert_int_equal(vhost_channel_flush(&channel), 0);
	assert_int_equal(channel.out_fd, -1); /* the front-end has its own copy */
	assert_int_equal(read_message(&b), 1);
	assert_int_equal(b.header.request, MAP);
	assert_int_equal(b.header.flags, NEED_REPLY);
	assert_int_equal(b.header.size, sizeof(map));
	memcpy(&map, b.payload, sizeof(map));
	assert_int_equal(map.id, 1);
	assert_int_equal(map.size, 0x2000);
}

static void a_request_without_descriptor_and_payload_is_a_header(void **state)
{
	struct bytes b;

	(void)state;
	vhost_channel_request(&channel, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, NULL, 0, -1);
	assert_int_equal(vhost_channel_flush(&channel), 0);
	assert_int_equal(read_message(&b), 0);
	assert_int_equal(b.header.request, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG);
	assert_int_equal(b.header.size, 0);
}

static void fill_socket(void)
{
	static const char zeros[4096];

	while (send(channel.fd, zeros, sizeof(zeros), MSG_DONTWAIT) > 0)
		;
	while (send(channel.fd, zeros, 1, MSG_DONTWAIT) > 0)
		;
	assert_int_equal(errno, EAGAIN);
}

/* Reads everything that fill_socket() wrote, as the front-end. */
static void drain_socket(void)
{
	char bytes[4096];

	while (recv(front_end, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void a_full_socket_keeps_the_request_and_its_descriptor(void **state)
{
	struct bytes b;

	(void)state;
	fill_socket();
	put_request();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vhost_channel_flush(&channel), -EAGAIN);
	assert_int_equal(vhost_channel_receive(&channel), 0);
	drain_socket();
	assert_int_equal(vhost_channel_flush(&channel), 0);
	assert_int_equal(read_message(&b), 1);
	assert_int_equal(b.header.request, MAP);
	send_reply(MAP, 0);
	assert_replied(0);
}

static void the_descriptor_of_a_request_that_was_not_sent_is_closed(void **state)
{
	(void)state;
	put_request(); /* teardown() counts */
	assert_true(channel.out_fd >= 0);
}

static void a_request_to_a_front_end_that_hung_up_fails(void **state)
{
	(void)state;
	put_request();
	fd_close(&front_end);
	assert_int_equal(vhost_channel_flush(&channel), -ECONNRESET);
}

static void the_longest_reply_fits(void **state)
{
	struct vhost_user_shmem_config config = { .n_regions = 1, .sizes = { [1] = 0x10000000 } };
	struct vhost_user_header request = { VHOST_USER_GET_SHMEM_CONFIG, NEED_REPLY, 0 };
	struct bytes b;

	(void)state;
	send_bytes(&request, sizeof(request), 0);
	assert_int_equal(vhost_channel_receive(&channel), 1);
	vhost_channel_reply(&channel, &config, sizeof(config));
	vhost_channel_done(&channel);
	assert_int_equal(vhost_channel_flush(&channel), 0);
	assert_int_equal(read_message(&b), 0);
	assert_int_equal(b.header.request, VHOST_USER_GET_SHMEM_CONFIG);
	assert_int_equal(b.header.flags, REPLY);
	assert_int_equal(b.header.size, sizeof(config));
	assert_memory_equal(b.payload, &config, sizeof(config));
}

/* ---- receiving ---- */

static void each_request_gets_its_reply(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		ask();
		assert_int_equal(vhost_channel_receive(&channel), 0);
		send_reply(MAP, i);
		assert_replied(i);
	}
}

static void a_reply_may_come_byte_by_byte(void **state)
{
	struct bytes b = make_reply(MAP, 7);
	size_t size = sizeof(b.header) + b.header.size;

	(void)state;
	ask();
	for (size_t i = 0; i < size; i++) {
		assert_int_equal(vhost_channel_receive(&channel), 0);
		send_bytes((uint8_t *)&b + i, 1, 0);
	}
	assert_replied(7);
}

static void a_reply_with_another_request_number_is_refused(void **state)
{
	(void)state;
	ask();
	send_reply(VHOST_USER_BACKEND_SHMEM_UNMAP, 0);
	assert_refused("a reply without a request");
}

static void a_reply_without_a_request_is_refused(void **state)
{
	(void)state;
	send_reply(MAP, 0);
	assert_refused("a reply without a request");
}

static void a_second_reply_to_a_request_is_refused(void **state)
{
	(void)state;
	ask();
	send_reply(MAP, 0);
	send_reply(MAP, 0);
	assert_replied(0);
	assert_refused("a reply without a request");
}

static void a_reply_to_a_request_that_was_not_sent_is_refused(void **state)
{
	(void)state;
	fill_socket();
	put_request();
	assert_int_equal(vhost_channel_flush(&channel), -EAGAIN);
	send_reply(MAP, 0);
	assert_refused("a reply without a request");
}

static void a_request_in_place_of_a_reply_is_refused(void **state)
{
	struct vhost_user_header request = { MAP, VHOST_USER_VERSION, 0 };

	(void)state;
	ask();
	send_bytes(&request, sizeof(request), 0);
	assert_refused("a request where a reply is expected");
}

static void a_reply_with_another_version_or_a_huge_size_is_refused(void **state)
{
	const struct {
		struct vhost_user_header header;
		const char *problem;
	} bad[] = {
		{ { MAP, VHOST_USER_REPLY, 8 }, "unknown protocol version" },
		{ { MAP, VHOST_USER_REPLY | 2, 8 }, "unknown protocol version" },
		{ { MAP, REPLY, VHOST_MAX_PAYLOAD + 1 },
		  "the payload is larger than any message of the protocol" },
		{ { MAP, REPLY, UINT32_MAX },
		  "the payload is larger than any message of the protocol" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		ask();
		send_bytes(&bad[i].header, sizeof(bad[i].header), 0);
		assert_refused(bad[i].problem);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

static void a_hang_up_before_a_reply_differs_from_one_within_it(void **state)
{
	struct bytes b = make_reply(MAP, 0);
	const size_t sizes[] = { 0, 1, sizeof(b.header) - 1, sizeof(b.header),
				 sizeof(b.header) + 7 };

	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		ask();
		if (sizes[i] > 0)
			send_bytes(&b, sizes[i], 0);
		assert_int_equal(vhost_channel_receive(&channel), 0);
		fd_close(&front_end);
		if (sizes[i] == 0)
			assert_int_equal(vhost_channel_receive(&channel), -ECONNRESET);
		else
			assert_refused("the connection was closed in the middle of a message");
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

static void descriptors_of_a_reply_are_closed_unless_they_are_taken(void **state)
{
	struct bytes b = make_reply(MAP, 0);

	(void)state;
	ask();
	send_bytes(&b, sizeof(b.header) + b.header.size, 2);
	assert_int_equal(vhost_channel_receive(&channel), 1);
	assert_int_equal(channel.in.n_fds, 2);
	auto_fd taken = fd_steal(&channel.in.fds[1]);

	vhost_channel_done(&channel);
	assert_true(fcntl(taken, F_GETFD) >= 0);
}

static void too_many_descriptors_with_a_reply_are_refused_and_closed(void **state)
{
	struct bytes b = make_reply(MAP, 0);

	(void)state;
	ask();
	send_bytes(&b, sizeof(b.header), VHOST_MAX_FDS);
	assert_int_equal(vhost_channel_receive(&channel), 0);
	send_bytes(b.payload, b.header.size, 1);
	assert_refused("too many descriptors");
}

static void a_full_descriptor_table_is_reported(void **state)
{
	struct bytes b = make_reply(MAP, 0);
	struct rlimit usual, few;

	(void)state;
	ask();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	few = usual;
	few.rlim_cur = (rlim_t)dup(0); /* the next number */
	close((int)few.rlim_cur);
	send_bytes(&b, sizeof(b.header) + b.header.size, 2);
	few.rlim_cur++;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	ssize_t r = vhost_channel_receive(&channel);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	assert_int_equal(r, -EPROTO);
	assert_string_equal(channel.problem,
			    "the daemon has no free descriptor number (RLIMIT_NOFILE)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_request_goes_out_with_its_descriptor_and_needs_a_reply),
		TEST(a_request_without_descriptor_and_payload_is_a_header),
		TEST(a_full_socket_keeps_the_request_and_its_descriptor),
		TEST(the_descriptor_of_a_request_that_was_not_sent_is_closed),
		TEST(a_request_to_a_front_end_that_hung_up_fails),
		TEST(the_longest_reply_fits),
		TEST(each_request_gets_its_reply),
		TEST(a_reply_may_come_byte_by_byte),
		TEST(a_reply_with_another_request_number_is_refused),
		TEST(a_reply_without_a_request_is_refused),
		TEST(a_second_reply_to_a_request_is_refused),
		TEST(a_reply_to_a_request_that_was_not_sent_is_refused),
		TEST(a_request_in_place_of_a_reply_is_refused),
		TEST(a_reply_with_another_version_or_a_huge_size_is_refused),
		TEST(a_hang_up_before_a_reply_differs_from_one_within_it),
		TEST(descriptors_of_a_reply_are_closed_unless_they_are_taken),
		TEST(too_many_descriptors_with_a_reply_are_refused_and_closed),
		TEST(a_full_descriptor_table_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
