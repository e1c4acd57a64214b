// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The daemon as services start it: libvirt, which asks for capabilities and then passes a
 * connection, and systemd, which listens and gets states. libvirt passes one end of its socket
 * pair, and libvirtd's environment.
 */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const no_args[] = { NULL };

/* ---- libvirt ---- */

/* Returns the daemon's output; heap. */
static char *ask_for_capabilities(const char *const *args)
{
	struct daemon d = { .pidfd = -1 };
	char *out, *err;

	daemon_start(&d, args, -1);
	assert_int_equal(daemon_wait(&d, vmm_default_timeout_ms()), 0);
	out = daemon_text(d.out_fd);
	err = daemon_text(d.err_fd);
	assert_string_equal(err, "");
	free(err);
	daemon_finish(&d);
	return out;
}

static void capabilities_are_printed_with_any_other_arguments(void **state)
{
	static const char *const alone[] = { "--print-capabilities", NULL };
	static const char *const more[] = {
		"--fd", "x", "--no-such-option", "--print-capabilities", "-g", "?", NULL
	};
	char *out = ask_for_capabilities(alone);

	(void)state;
	assert_non_null(strstr(out, "\"type\": \"gpu\""));
	assert_non_null(strstr(out, "\"features\": ["));
	for (unsigned i = 0; i < 2; i++) {
		char *again = ask_for_capabilities(more);

		assert_string_equal(again, out);
		free(again);
		setenv("VHOST_DEVICE_GPU_OPTIONS", "--no-such-option", 1);
	}
	unsetenv("VHOST_DEVICE_GPU_OPTIONS");
	/* libvirt must not be told to pass what it cannot pass. */
	if (access("/dev/dri", F_OK) < 0)
		assert_null(strstr(out, "render-node"));
	free(out);
}

static bool offers_virgl(void **state, const char *const *args)
{
	struct vmm_options options = { .hands_over_fd = true, .args = args };
	struct vmm *vmm = fixture_boot(state, &options);
	bool is_offered = vmm->offered & BIT64(VIRTIO_GPU_F_VIRGL);

	assert_alive(vmm);
	fixture_end(state);
	return is_offered;
}

static void a_connected_descriptor_without_options_gets_2d(void **state)
{
	static const char *const with_node[] = { "--render-node=/nonexistent", NULL };

	assert_false(offers_virgl(state, no_args));
	assert_false(offers_virgl(state, with_node));
}

static void the_environment_overrides_libvirts_arguments(void **state)
{
	static const char *const args[] = { "--virgl", "--render-node=/nonexistent", NULL };
	bool is_offered;

	setenv("VHOST_DEVICE_GPU_OPTIONS", "--gpu-mode '2d'", 1);
	is_offered = offers_virgl(state, args);
	unsetenv("VHOST_DEVICE_GPU_OPTIONS");
	assert_false(is_offered);
}

/* ---- systemd ---- */

static int manager = -1; /* the socket to which states are sent */

static void listen_for_states(struct vmm *vmm)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", vmm->daemon.dir);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
}

static int forget_states(void **state)
{
	if (manager >= 0)
		close(manager);
	manager = -1;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("SYSTEMD_EXEC_PID");
	return fixture_teardown(state);
}

static void expect_state(const char *due)
{
	struct timeval patience = { .tv_sec = vmm_default_timeout_ms() / 1000 + 1 };
	char text[256] = "";

	setsockopt(manager, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (recv(manager, text, sizeof(text) - 1, 0) < 0 || strcmp(text, due) != 0)
		vmm_fail("the service manager is told \"%s\", due is \"%s\"", text, due);
}

/* Inside the sandbox the front-end's name cannot be read. */
static void expect_serving(void)
{
	char text[256] = "", due[64];

	snprintf(due, sizeof(due), "STATUS=Serving pid %d", (int)getpid());
	if (recv(manager, text, sizeof(text) - 1, 0) < 0 || strncmp(text, due, strlen(due)) != 0)
		vmm_fail("the service manager is told \"%s\", due is \"%s\"", text, due);
}

static void the_service_manager_is_notified_of_each_state(void **state)
{
	const char *const args[] = { "--gpu-mode", vmm_renderer("2d"), NULL };
	struct vmm_options options = { .args = args,
				       .hands_over_listening_fd = true,
				       .adjust = listen_for_states };
	struct vmm *vmm = fixture_new(state, &options);

	expect_state("STATUS=Waiting for a front-end");
	expect_state("READY=1");
	/* The sandbox's filter is in force by then. */
	if (!daemon_has_sanitizer(&vmm->daemon))
		assert_true(daemon_has_filter(&vmm->daemon));
	for (unsigned i = 0; i < 2; i++) {
		vmm_connect(vmm);
		vmm_realize(vmm);
		expect_serving();
		vmm_disconnect(vmm);
		expect_state("STATUS=Waiting for a front-end");
	}
	assert_int_equal(daemon_stop(&vmm->daemon, SIGTERM), 0);
	expect_state("STOPPING=1");
}

static void the_service_manager_of_libvirtd_is_not_notified(void **state)
{
	struct vmm_options options = { .hands_over_fd = true,
				       .args = no_args,
				       .adjust = listen_for_states };
	char byte;

	setenv("SYSTEMD_EXEC_PID", "1", 1); /* another's */
	assert_alive(fixture_boot(state, &options));
	assert_int_equal(recv(manager, &byte, 1, MSG_DONTWAIT), -1);
}

static void a_socket_of_the_service_manager_serves_several_connections(void **state)
{
	struct vmm_options options = { .hands_over_listening_fd = true };
	struct vmm *vmm = fixture_new(state, &options);
	struct stat s;

	for (unsigned i = 0; i < 3; i++) {
		vmm_connect(vmm);
		vmm_realize(vmm);
		vmm_start(vmm);
		assert_alive(vmm);
		vmm_disconnect(vmm);
		ring_clear(&vmm->rings[CONTROL]);
		ring_clear(&vmm->rings[CURSOR]);
	}
	assert_int_equal(daemon_stop(&vmm->daemon, SIGTERM), 0);
	assert_int_equal(lstat(vmm->daemon.socket_path, &s),
			 0); /* it belongs to the service manager */
}

static void once_ends_a_daemon_with_a_listening_socket_too(void **state)
{
	const char *const args[] = { "--gpu-mode", vmm_renderer("2d"), "--once", NULL };
	struct vmm_options options = { .args = args, .hands_over_listening_fd = true };
	struct vmm *vmm = fixture_boot(state, &options);

	assert_alive(vmm);
	vmm_disconnect(vmm);
	assert_int_equal(daemon_wait(&vmm->daemon, vmm->timeout_ms), 0);
}

#define SERVICE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, forget_states)

static int run(void)
{
	const struct CMUnitTest tests[] = {
		SERVICE_TEST(capabilities_are_printed_with_any_other_arguments),
		SERVICE_TEST(a_connected_descriptor_without_options_gets_2d),
		SERVICE_TEST(the_environment_overrides_libvirts_arguments),
		SERVICE_TEST(the_service_manager_is_notified_of_each_state),
		SERVICE_TEST(the_service_manager_of_libvirtd_is_not_notified),
		SERVICE_TEST(a_socket_of_the_service_manager_serves_several_connections),
		SERVICE_TEST(once_ends_a_daemon_with_a_listening_socket_too),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
