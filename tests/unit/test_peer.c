// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/* The description of the front-end, which is the test itself: both ends of its socket pair are of
 * this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vhost/peer.h"

static void a_front_end_is_described_by_pid_and_name(void **state)
{
	static const struct {
		struct vhost_peer peer;
		const char *due;
	} cases[] = {
		{ { 12, "qemu" }, "pid 12 (qemu)" },
		{ { 12, "" }, "pid 12" },
		{ { 0, "" }, "an unknown process" },
	};

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = vhost_peer_describe(&cases[i].peer);

		assert_string_equal(text, cases[i].due);
	}
}

/* A process chooses its own name, which must not add a line to the log or to systemd's status. */
static void the_name_of_a_front_end_is_one_line(void **state)
{
	char before[16];
	struct vhost_peer peer;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	prctl(PR_GET_NAME, before);
	prctl(PR_SET_NAME, "a\nREADY=0\x1b");
	vhost_peer_look_at(&peer, pair[0]);
	prctl(PR_SET_NAME, before);
	assert_string_equal(peer.name, "a?READY=0?");
	close(pair[0]);
	close(pair[1]);
	vhost_peer_look_at(&peer, 1 << 20);
	assert_int_equal(peer.pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_front_end_is_described_by_pid_and_name),
		cmocka_unit_test(the_name_of_a_front_end_is_one_line),
	};

	return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
