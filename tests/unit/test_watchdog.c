// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * What the front-end and the user see while a call of the renderer's library does not return. A
 * task of the loop acts as that call: it releases the state lock, acts as the front-end, and takes
 * the lock again.
 */
#include "session_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/state_lock.h"
#include "vhost/session_private.h"
#include "vhost/watchdog.h"

/* For tests in which the watchdog ends something, and must not do so at once. */
#define MAX_STALL_MS 300

/* For the test in which the watchdog ends the session after this time, and the call returns before
 * twice this time, when the watchdog would exit the process. */
#define SESSION_STALL_MS 1500

/* For tests in which the call returns before that, however busy the machine is. */
#define LONG_STALL_MS 60000

/* How long a test waits to see that no reply comes. A wrong watchdog would reply at once. */
#define A_WHILE_MS 150

/* What a busy machine may add to any time. */
#define SLACK_MS 15000

static struct {
	struct state_lock lock;
	struct vhost_watchdog *watchdog;
	struct loop_task task;
	void (*call)(void); /* runs during the call */
	int signal_fd;
} rig;

static int on_call(struct loop_task *task)
{
	(void)task;
	state_lock_release(&rig.lock);
	rig.call();
	state_lock_take(&rig.lock);
	return 0;
}

/* Lets the loop make the call, and turn twice after it. */
static void make_call(void (*call)(void))
{
	rig.call = call;
	loop_queue(&session_rig.loop, &rig.task, on_call);
	session_rig_turn();
	session_rig_turn();
	session_rig_turn();
}

static int setup_stall(void **state, unsigned max_stall_ms)
{
	sigset_t set;
	int error;

	session_rig_setup(state);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	rig.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	assert_true(rig.signal_fd >= 0);
	state_lock_init(&rig.lock);

	const struct vhost_watchdog_options options = {
		.loop = &session_rig.loop,
		.lock = &rig.lock,
		.signal_fd = rig.signal_fd,
		.max_stall_ms = max_stall_ms,
	};

	rig.watchdog = vhost_watchdog_new(&options, &error);
	assert_non_null(rig.watchdog);
	vhost_watchdog_watch(rig.watchdog, session_rig.session->channel.fd, session_rig.session);
	return 0;
}

static int setup(void **state)
{
	return setup_stall(state, LONG_STALL_MS);
}

static int setup_impatient(void **state)
{
	return setup_stall(state, MAX_STALL_MS);
}

static int setup_end_of_session(void **state)
{
	return setup_stall(state, SESSION_STALL_MS);
}

static int teardown(void **state)
{
	vhost_watchdog_watch(rig.watchdog, -1, NULL);
	vhost_watchdog_free(rig.watchdog);
	state_lock_finish(&rig.lock);
	fd_close(&rig.signal_fd);
	return session_rig_teardown(state);
}

static void send_get_config(void)
{
	const uint32_t header[] = { 0, 16, 0 };
	uint8_t payload[sizeof(header) + 16] = { 0 };

	memcpy(payload, header, sizeof(header));
	session_rig_send(VHOST_USER_GET_CONFIG, V1, payload, sizeof(payload), NULL, 0);
}

static void send_get_vring_base(void)
{
	const uint32_t ring[] = { 0, 0 };

	session_rig_send(VHOST_USER_GET_VRING_BASE, V1, ring, sizeof(ring), NULL, 0);
}

/* Whether the daemon sends something within @ms. */
static bool comes_within(int ms)
{
	struct pollfd fd = { .fd = session_rig.front_end, .events = POLLIN };

	return poll(&fd, 1, ms) == 1;
}

static void receive_config(void)
{
	uint8_t config[12 + 256];

	assert_int_equal(session_rig_receive(VHOST_USER_GET_CONFIG, config, sizeof(config)),
			 12 + 16);
}

static void read_config(void)
{
	send_get_config();
	assert_true(comes_within(SLACK_MS));
	receive_config();
}

static void a_configuration_read_is_answered_during_a_call(void **state)
{
	(void)state;
	make_call(read_config);
	make_call(read_config);
}

static void read_features_and_be_refused(void)
{
	session_rig_send(VHOST_USER_GET_FEATURES, V1, NULL, 0, NULL, 0);
	assert_true(comes_within(SLACK_MS));
	session_rig_receive_u64(VHOST_USER_GET_FEATURES);
	session_rig_send(99, NEED_REPLY, NULL, 0, NULL, 0);
	assert_true(comes_within(SLACK_MS));
	assert_int_equal(session_rig_receive_u64(99), 1);
}

static void features_and_unknown_requests_are_answered_during_a_call(void **state)
{
	(void)state;
	session_rig_agree();
	make_call(read_features_and_be_refused);
}

static void ask_for_a_base_and_a_config(void)
{
	send_get_vring_base();
	send_get_config();
	assert_false(comes_within(A_WHILE_MS));
}

static void a_message_that_stops_a_queue_waits_for_the_end_of_the_call(void **state)
{
	uint32_t ring[2];

	(void)state;
	make_call(ask_for_a_base_and_a_config);
	assert_true(comes_within(0));
	assert_int_equal(session_rig_receive(VHOST_USER_GET_VRING_BASE, ring, sizeof(ring)), 8);
	receive_config();
}

static void send_half_a_message(void)
{
	const uint32_t half[] = { VHOST_USER_GET_CONFIG, V1, 12 + 16, 0 };

	session_rig_send_bytes(half, sizeof(half), NULL, 0);
	assert_false(comes_within(A_WHILE_MS));
}

static void the_main_thread_finishes_a_partial_message(void **state)
{
	uint8_t rest[8 + 16] = { 16 };

	(void)state;
	make_call(send_half_a_message);
	session_rig_send_bytes(rest, sizeof(rest), NULL, 0);
	session_rig_turn();
	receive_config();
}

static void nothing_is_answered_while_a_handler_is_in_the_call(void **state)
{
	(void)state;
	session_rig.session->is_handling = true;
	make_call(ask_for_a_base_and_a_config);
	session_rig.session->is_handling = false;
	session_rig_turn();
	assert_true(comes_within(0));
	session_rig_receive(VHOST_USER_GET_VRING_BASE, &(uint64_t){ 0 }, 8);
	receive_config();
}

static void break_the_protocol(void)
{
	session_rig_send(VHOST_USER_GET_CONFIG, V1, NULL, 0, NULL, 0);
	assert_false(comes_within(100));
}

static void a_message_of_the_wrong_size_ends_the_session_after_the_call(void **state)
{
	(void)state;
	make_call(break_the_protocol);
	session_rig_assert_ended(-EPROTO);
	vhost_watchdog_watch(rig.watchdog, -1, NULL);
}

static void wait_for_the_end_of_the_session(void)
{
	int64_t start = g_get_monotonic_time();
	uint8_t byte;

	send_get_vring_base();
	assert_true(comes_within(SESSION_STALL_MS + SLACK_MS));
	assert_int_equal(read(session_rig.front_end, &byte, 1), 0);
	assert_true(g_get_monotonic_time() - start >= (SESSION_STALL_MS - 1) * 1000);
}

static void a_session_ends_when_its_message_has_waited_too_long(void **state)
{
	(void)state;
	make_call(wait_for_the_end_of_the_session);
	session_rig_assert_ended(0);
	vhost_watchdog_watch(rig.watchdog, -1, NULL);
}

static void read_config_and_take_long(void)
{
	read_config();
	assert_false(comes_within(MAX_STALL_MS + MAX_STALL_MS / 2));
}

static void a_session_whose_messages_are_answered_outlasts_a_long_call(void **state)
{
	(void)state;
	make_call(read_config_and_take_long);
	make_call(read_config);
}

static void sleep_ms(unsigned ms)
{
	const struct timespec time = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&time, NULL);
}

static void never_return_to_a_front_end(void)
{
	send_get_vring_base();
	sleep_ms(2 * MAX_STALL_MS + SLACK_MS);
	_exit(77);
}

static void never_return_to_a_signal(void)
{
	kill(getpid(), SIGTERM);
	sleep_ms(VHOST_WATCHDOG_EXIT_MS + SLACK_MS);
	_exit(77);
}

static void never_return_at_the_end(void)
{
	vhost_watchdog_expect_exit(rig.watchdog, 3);
	sleep_ms(VHOST_WATCHDOG_EXIT_MS + SLACK_MS);
	_exit(77);
}

/* The exit status of a process whose library does @call. */
static int status_of(void (*call)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		void *state = NULL;

		setup_impatient(&state);
		make_call(call);
		_exit(78);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void the_process_exits_when_a_message_has_waited_twice_as_long(void **state)
{
	(void)state;
	assert_int_equal(status_of(never_return_to_a_front_end), EXIT_FAILURE);
}

static void the_process_obeys_a_signal_during_a_call(void **state)
{
	(void)state;
	assert_int_equal(status_of(never_return_to_a_signal), EXIT_SUCCESS);
}

static void the_process_exits_although_its_last_call_does_not_return(void **state)
{
	(void)state;
	assert_int_equal(status_of(never_return_at_the_end), 3);
}

static void a_write_that_sleeps_is_interrupted_and_ends_the_session(void **state)
{
	struct vhost_user_mem_reg reg = { 0, { GPA, MEM_SIZE, USER, 0 } };
	const uint64_t full = UINT64_MAX - 1;
	auto_fd event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	(void)state;
	session_rig_agree();
	session_rig_add_memory();
	close(session_rig_set_up_ring(0, 0));
	session_rig_set_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	session_rig_set_queue_fd(VHOST_USER_SET_VRING_ERR, 0, event);
	assert_int_equal(write(event, &full, sizeof(full)), sizeof(full));
	assert_int_equal(fcntl(event, F_SETFL, 0), 0); /* also on the daemon's descriptor */
	/* The queue is stopped, and its error descriptor is signalled. */
	session_rig_send(VHOST_USER_REM_MEM_REG, V1, &reg, sizeof(reg), NULL, 0);
	session_rig_turn();
	session_rig_turn();
	session_rig_assert_ended(-EIO);
	vhost_watchdog_watch(rig.watchdog, -1, NULL);
}

/* Returns the status file of the watchdog's thread, which the caller frees. The thread is looked up
 * by its name, because sanitizers have their own threads. */
static char *read_status(void)
{
	g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(tasks))) {
		g_autofree char *path = g_build_filename("/proc/self/task", name, "status", NULL);
		char *text = NULL;

		if (g_file_get_contents(path, &text, NULL, NULL) &&
		    g_str_has_prefix(text, "Name:\twatchdog\n"))
			return text;
		g_free(text);
	}
	fail_msg("there is no watchdog");
	return NULL;
}

/* Waits until the watchdog sleeps, and returns how often it has slept. */
static unsigned count_sleeps(void)
{
	for (;;) {
		g_autofree char *text = read_status();
		const char *line = strstr(text, "\nvoluntary_ctxt_switches:");

		assert_non_null(line);
		if (strstr(text, "\nState:\tS") && atoi(line + 25) > 0)
			return (unsigned)atoi(line + 25);
		sleep_ms(1);
	}
}

static void do_nothing(void)
{
}

static void the_thread_sleeps_while_no_socket_has_an_event(void **state)
{
	(void)state;
	unsigned before = count_sleeps();

	for (unsigned i = 0; i < 20; i++) {
		make_call(do_nothing);
		sleep_ms(10);
	}
	assert_int_equal(count_sleeps(), before);
}

#define TEST(name)             cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_WITH(setup, name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_configuration_read_is_answered_during_a_call),
		TEST(features_and_unknown_requests_are_answered_during_a_call),
		TEST(a_message_that_stops_a_queue_waits_for_the_end_of_the_call),
		TEST(the_main_thread_finishes_a_partial_message),
		TEST(nothing_is_answered_while_a_handler_is_in_the_call),
		TEST(a_message_of_the_wrong_size_ends_the_session_after_the_call),
		TEST_WITH(setup_end_of_session,
			  a_session_ends_when_its_message_has_waited_too_long),
		TEST_WITH(setup_impatient,
			  a_session_whose_messages_are_answered_outlasts_a_long_call),
		TEST(a_write_that_sleeps_is_interrupted_and_ends_the_session),
		TEST(the_thread_sleeps_while_no_socket_has_an_event),
		cmocka_unit_test(the_process_exits_when_a_message_has_waited_twice_as_long),
		cmocka_unit_test(the_process_obeys_a_signal_during_a_call),
		cmocka_unit_test(the_process_exits_although_its_last_call_does_not_return),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
