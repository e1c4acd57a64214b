// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Connects cmocka and the fake front-end. Each test has its own daemon, so that no test affects the
 * next one. The end is part of every test: the teardown hangs up, reads the display socket to its
 * end, ends the daemon with SIGTERM and requires status 0, so a crash, a sanitizer's report or a
 * hang at the end is noticed. The daemon's output is shown after a failure, and always if VMM_LOG
 * is set.
 */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#define LOG_TAIL 2000 /* bytes */

static struct vmm *current;
static bool has_failed;

static void show_log(void)
{
	size_t length, start;
	char *text;

	if (!current || current->daemon.err_fd <= 0)
		return;
	text = daemon_text(current->daemon.err_fd);
	length = text ? strlen(text) : 0;
	start = length > LOG_TAIL ? length - LOG_TAIL : 0;
	if (length > 0)
		fprintf(stderr, "--- the daemon's log ---\n%s---\n", text + start);
	free(text);
}

static void fail_test(const char *text)
{
	has_failed = true;
	print_error("%s\n", text);
	show_log();
	_fail(__FILE__, __LINE__);
}

struct vmm *fixture_new(void **state, const struct vmm_options *options)
{
	current = vmm_new(options);
	*state = current;
	return current;
}

struct vmm *fixture_boot(void **state, const struct vmm_options *options)
{
	struct vmm *vmm = fixture_new(state, options);

	vmm_connect(vmm);
	vmm_realize(vmm);
	vmm_start(vmm);
	return vmm;
}

int fixture_setup(void **state)
{
	vmm_free(current); /* of a failed setup: cmocka then skips the teardown */
	*state = NULL;
	current = NULL;
	has_failed = false;
	return 0;
}

int fixture_setup_booted(void **state)
{
	fixture_setup(state);
	fixture_boot(state, NULL);
	return 0;
}

/* The whole suite runs in the sandbox. A filter that the log says is in force must be in force;
 * without a filter the log must say why. A daemon that logs nothing about a filter is not ours, or
 * was started with --sandbox off or with a log level above info. */
static bool is_in_sandbox(const struct vmm *vmm)
{
	char *log = daemon_text(vmm->daemon.err_fd);
	bool has_said = strstr(log, "; system call filter: ");
	bool has_none = strstr(log, "; system call filter: none\n");
	bool says_why = strstr(log, "no system call filter");

	free(log);
	if (has_said && has_none)
		return says_why;
	return !has_said || daemon_has_filter(&vmm->daemon);
}

int fixture_teardown(void **state)
{
	struct vmm *vmm = *state;
	int status = 0;

	if (vmm && !has_failed && vmm->daemon.pid && !is_in_sandbox(vmm)) {
		print_error("the daemon is not in its sandbox\n");
		status = 1;
	} else if (vmm && !has_failed && vmm->daemon.pid) {
		status = vmm_end(vmm);
	}
	if (status != 0)
		print_error("the daemon ended with status %d\n", status);
	if (status != 0 || getenv("VMM_LOG"))
		show_log();
	current = NULL;
	*state = NULL;
	vmm_free(vmm);
	return status;
}

struct vmm *fixture_release(void)
{
	struct vmm *vmm = current;

	current = NULL;
	return vmm;
}

void fixture_end(void **state)
{
	if (fixture_teardown(state) != 0)
		vmm_fail("the daemon did not end well");
}

int fixture_run(int argc, char **argv, int (*run)(void))
{
	if (argc > 1)
		setenv("VHOST_DEVICE_GPU", argv[1], 1);
	if (argc > 2)
		cmocka_set_test_filter(argv[2]);
	signal(SIGPIPE, SIG_IGN);
	vmm_on_failure = fail_test;
	int failed = run();
	vmm_free(current);
	return failed;
}

static const char *name_of(uint32_t type)
{
	static const struct {
		uint32_t type;
		const char *name;
	} names[] = {
		{ VIRTIO_GPU_RESP_OK_NODATA, "OK_NODATA" },
		{ VIRTIO_GPU_RESP_OK_DISPLAY_INFO, "OK_DISPLAY_INFO" },
		{ VIRTIO_GPU_RESP_OK_EDID, "OK_EDID" },
		{ VIRTIO_GPU_RESP_OK_RESOURCE_UUID, "OK_RESOURCE_UUID" },
		{ VIRTIO_GPU_RESP_ERR_UNSPEC, "ERR_UNSPEC" },
		{ VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "ERR_OUT_OF_MEMORY" },
		{ VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID, "ERR_INVALID_SCANOUT_ID" },
		{ VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID, "ERR_INVALID_RESOURCE_ID" },
		{ VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID, "ERR_INVALID_CONTEXT_ID" },
		{ VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "ERR_INVALID_PARAMETER" },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(names); i++) {
		if (names[i].type == type)
			return names[i].name;
	}
	return "?";
}

void fixture_check_response(uint32_t type, uint32_t due, const char *call, const char *file,
			    int line)
{
	if (type != due)
		vmm_fail("%s:%d: %s\n\tgave %#x %s, due is %#x %s", file, line, call, type,
			 name_of(type), due, name_of(due));
}

void assert_session_alive(struct vmm *vmm)
{
	uint8_t config[16];

	if (!vhost_get_config(vmm, 0, sizeof(config), config))
		vmm_fail("the daemon refuses GET_CONFIG, or the session is closed");
}

void assert_alive(struct vmm *vmm)
{
	struct virtio_gpu_resp_display_info info;

	assert_session_alive(vmm);
	assert_response(gpu_display_info(vmm, &info), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
}

struct usage usage_of(const struct daemon *d)
{
	return (struct usage){ daemon_count_fds(d), daemon_count_threads(d),
			       daemon_count_mappings(d), daemon_rss_kib(d),
			       daemon_has_sanitizer(d) };
}

void usage_look_again(struct usage *usage, const struct daemon *d)
{
	struct usage now = usage_of(d);

	now.mappings = MIN(usage->mappings, now.mappings);
	now.rss_kib = MIN(usage->rss_kib, now.rss_kib);
	*usage = now;
}

void assert_usage(const struct usage *after, const struct usage *before, struct usage_spare spare,
		  const char *what)
{
	print_message("\t%s: %u descriptors, %u threads, %u mappings, %ld KiB, then %ld KiB\n",
		      what, after->fds, after->threads, after->mappings, before->rss_kib,
		      after->rss_kib);
	assert_int_equal(after->fds, before->fds);
	assert_int_equal(after->threads, before->threads);
	/* A sanitizer keeps freed memory for a while, and finds leaks by itself. */
	if (before->has_sanitizer)
		return;
	if (after->mappings > before->mappings + spare.mappings)
		vmm_fail("%s: the daemon grew from %u to %u mappings", what, before->mappings,
			 after->mappings);
	if (after->rss_kib > before->rss_kib + spare.rss_kib)
		vmm_fail("%s: the daemon grew from %ld to %ld KiB", what, before->rss_kib,
			 after->rss_kib);
}
