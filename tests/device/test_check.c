// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * --check: each finding has a line, a missing part has a cure, and the exit status says how well it
 * works. A script acts as QEMU, and VMM_DYING_MODULE as a bad driver.
 */
#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define WITH_LIMITS 3

#define ARGS(...)                                                                                  \
	(const char *const[])                                                                      \
	{                                                                                          \
		"--check", __VA_ARGS__, NULL                                                       \
	}

static char directory[] = "/tmp/check-XXXXXX";
static char qemu[64], egl[64];

/* Returns its output; heap. */
static char *check(const char *const *args, int due)
{
	struct daemon d = { .pidfd = -1 };
	char *out, *err;
	int status;

	daemon_start(&d, args, -1);
	status = daemon_wait(&d, 4 * vmm_default_timeout_ms());
	out = daemon_text(d.out_fd);
	err = daemon_text(d.err_fd);
	daemon_finish(&d);
	if (status != due)
		vmm_fail("status %d, due is %d: %s%s", status, due, out, err);
	if (err[0])
		vmm_fail("on standard error: %s", err);
	free(err);
	return out;
}

static void assert_says(const char *text, const char *line)
{
	if (!strstr(text, line))
		vmm_fail("\"%s\" does not say \"%s\"", text, line);
}

static void expect(const char *const *args, int due, const char *line)
{
	char *text = check(args, due);

	assert_says(text, line);
	free(text);
}

static void write_qemu(const char *path, const char *device, const char *display)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fprintf(f,
		"#!/bin/sh\ncase $1 in\n-version) echo 'QEMU emulator version 11.1.3 (Debian)' ;;\n"
		"-device) echo 'name \"%s\", bus PCI' ;;\n"
		"-display) printf 'Available display backend types:\\nnone\\n%s\\n' ;;\nesac\n",
		device, display);
	fclose(f);
	chmod(path, 0755);
}

static void write_qemu_that_hangs(const char *path)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs("#!/bin/sh\nexec sleep 1000\n", f);
	fclose(f);
	chmod(path, 0755);
}

static void if_everything_works_the_status_is_0(void **state)
{
	char *text;

	(void)state;
	write_qemu(qemu, "vhost-user-gpu-pci", "gtk");
	text = check(ARGS("--gpu-mode", "2d", "--sandbox", "off"), 0);
	assert_says(text, "ok    renderer: 2d\n");
	assert_says(text, ": QEMU emulator version 11.1.3; displays: none gtk\n");
	assert_says(text, "info  sandbox: off");
	assert_says(text, "\neverything works\n");
	free(text);
}

static void a_missing_part_has_a_cure_and_status_3(void **state)
{
	char *text;

	(void)state;
	write_qemu(qemu, "virtio-gpu-pci", "gtk");
	text = check(ARGS("--gpu-mode", "2d", "--sandbox", "off"), WITH_LIMITS);
	assert_says(text, "/qemu-system-");
	assert_says(text, ": has no device vhost-user-gpu\n      -> ");
	assert_says(text, "\nworks with limits\n");
	free(text);
}

static void options_that_do_not_work_here_have_status_1(void **state)
{
	(void)state;
	expect(ARGS("--virgl", "--use-egl", "no"), 1,
	       "no    virglrenderer: virglrenderer needs EGL or GLX, and both are disabled\n");
	expect(ARGS("--gpu-device", "/dev/null"), 1, "no    /dev/null: not a DRM render node\n");
	expect(ARGS("--use-egl", "no"), WITH_LIMITS, "less  virglrenderer: ");
}

static void a_driver_that_crashes_is_a_finding(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(symlink(getenv("VMM_DYING_MODULE"), egl), 0);
	setenv("LD_LIBRARY_PATH", directory, 1);
	text = check(ARGS("--virgl", "--sandbox", "off"), 1);
	unsetenv("LD_LIBRARY_PATH");
	unlink(egl);
	assert_says(
		text,
		"no    renderer: killed the process that tried it: Segmentation fault\n      -> ");
	free(text);
}

static void a_driver_that_ends_the_process_with_status_0_is_a_finding(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(symlink(getenv("VMM_DYING_MODULE"), egl), 0);
	setenv("LD_LIBRARY_PATH", directory, 1);
	setenv("VMM_DIES_QUIETLY", "1", 1);
	text = check(ARGS("--virgl", "--sandbox", "off"), 1);
	unsetenv("VMM_DIES_QUIETLY");
	unsetenv("LD_LIBRARY_PATH");
	unlink(egl);
	assert_says(text,
		    "no    renderer: ended the process that tried it with status 0\n      -> ");
	if (strstr(text, "the driver was here"))
		vmm_fail("what the driver prints is in the answer: %s", text);
	free(text);
}

/* The daemon itself, without --check. */
static void a_signal_ends_a_daemon_whose_driver_never_loads(void **state)
{
	char sign[64], path[64];
	const char *const args[] = { "--socket-path", path, "--virgl", "--sandbox", "off", NULL };
	struct daemon d = { .pidfd = -1 };

	(void)state;
	snprintf(path, sizeof(path), "%s/gpu.sock", directory);
	snprintf(sign, sizeof(sign), "%s/loading", directory);
	assert_int_equal(symlink(getenv("VMM_DYING_MODULE"), egl), 0);
	setenv("LD_LIBRARY_PATH", directory, 1);
	setenv("VMM_NEVER_LOADS", sign, 1);
	daemon_start(&d, args, -1);
	unsetenv("VMM_NEVER_LOADS");
	unsetenv("LD_LIBRARY_PATH");
	for (int ms = vmm_default_timeout_ms(); access(sign, F_OK) < 0 && ms > 0; ms -= 10)
		usleep(10 * 1000);
	assert_int_equal(unlink(sign), 0);
	assert_int_equal(daemon_stop(&d, SIGTERM), 0);
	unlink(egl);
	daemon_finish(&d);
}

static void a_qemu_that_hangs_is_killed(void **state)
{
	(void)state;
	write_qemu_that_hangs(qemu);
	expect(ARGS("--gpu-mode", "2d", "--sandbox", "off"), WITH_LIMITS,
	       ": does not answer -version and -device help\n      -> ");
}

static void root_runs_nothing_that_others_can_replace(void **state)
{
	static const char finding[] = ": not run: a user other than root can replace it, ";

	(void)state;
	if (geteuid() != 0)
		skip();
	write_qemu(qemu, "vhost-user-gpu-pci", "gtk");
	assert_int_equal(chown(qemu, 65534, 0), 0);
	expect(ARGS("--gpu-mode", "2d", "--sandbox", "off"), WITH_LIMITS, finding);
	assert_int_equal(chown(qemu, 0, 0), 0);
	assert_int_equal(chmod(directory, 0777), 0);
	expect(ARGS("--gpu-mode", "2d", "--sandbox", "off"), WITH_LIMITS, finding);
	assert_int_equal(chmod(directory, 0700), 0);
}

static void a_relative_path_is_relative_to_the_start_directory(void **state)
{
	(void)state;
	assert_int_equal(chdir("/dev"), 0);
	expect(ARGS("--gpu-device", "null"), 1, "no    /dev/null: not a DRM render node\n");
	assert_int_equal(chdir("/"), 0);
}

/* Starts the daemon as @script does, waits for status @due, and asserts that descriptor 1 or 2, as
 * @fd says, printed @text. */
static void expect_of_script(const char *script, int due, int fd, const char *text)
{
	struct daemon d = { .pidfd = -1 };
	char *printed;

	snprintf(d.script, sizeof(d.script), "%s", script);
	write_qemu(qemu, "vhost-user-gpu-pci", "gtk");
	daemon_start(&d, ARGS("--gpu-mode", "2d", "--sandbox", "off"), -1);
	assert_int_equal(daemon_wait(&d, 4 * vmm_default_timeout_ms()), due);
	printed = daemon_text(fd == STDOUT_FILENO ? d.out_fd : d.err_fd);
	assert_says(printed, text);
	free(printed);
	daemon_finish(&d);
}

static void unwritable_output_has_status_1(void **state)
{
	(void)state;
	expect_of_script("exec \"$0\" \"$@\" >/dev/full", 1, STDERR_FILENO,
			 "cannot write to standard output");
}

/* A pipe of the daemon may get the number of a standard descriptor that its parent left closed. */
static void closed_standard_descriptors_do_no_harm(void **state)
{
	(void)state;
	expect_of_script("exec \"$0\" \"$@\" <&- 2>&-", 0, STDOUT_FILENO, "ok    renderer: 2d\n");
}

static void json_has_the_same_findings(void **state)
{
	static const char *const args[] = { "--check=json", "--gpu-mode", "2d",
					    "--sandbox",    "off",        NULL };
	char *text;

	(void)state;
	write_qemu(qemu, "vhost-user-gpu-pci", "g\"t\\\\k");
	text = check(args, 0);
	assert_int_equal(strncmp(text, "{\n  \"result\": \"ok\",\n  \"findings\": [\n    {", 36),
			 0);
	assert_says(
		text,
		"{ \"status\": \"ok\", \"name\": \"renderer\", \"text\": \"2d\", \"cure\": null }");
	assert_says(text, "; displays: none g\\\"t\\\\k\", \"cure\": null }");
	assert_says(text, " }\n  ]\n}\n");
	free(text);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(if_everything_works_the_status_is_0),
		DEVICE_TEST(a_missing_part_has_a_cure_and_status_3),
		DEVICE_TEST(options_that_do_not_work_here_have_status_1),
		DEVICE_TEST(a_driver_that_crashes_is_a_finding),
		DEVICE_TEST(a_driver_that_ends_the_process_with_status_0_is_a_finding),
		DEVICE_TEST(a_signal_ends_a_daemon_whose_driver_never_loads),
		DEVICE_TEST(a_qemu_that_hangs_is_killed),
		DEVICE_TEST(root_runs_nothing_that_others_can_replace),
		DEVICE_TEST(a_relative_path_is_relative_to_the_start_directory),
		DEVICE_TEST(unwritable_output_has_status_1),
		DEVICE_TEST(closed_standard_descriptors_do_no_harm),
		DEVICE_TEST(json_has_the_same_findings),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}

/* The name of QEMU's program for this machine. */
static void name_qemu(void)
{
	struct utsname host;

	uname(&host);
	if (strlen(host.machine) == 4 && host.machine[0] == 'i' && strstr(host.machine, "86"))
		host.machine[1] = '3';
	else if (strncmp(host.machine, "armv", 4) == 0)
		strcpy(host.machine, "arm");
	else if (strcmp(host.machine, "ppc64le") == 0)
		strcpy(host.machine, "ppc64");
	snprintf(qemu, sizeof(qemu), "%s/qemu-system-%.30s", directory, host.machine);
}

int main(int argc, char **argv)
{
	char path[256];

	if (!mkdtemp(directory))
		return 1;
	name_qemu();
	snprintf(egl, sizeof(egl), "%s/libEGL.so.1", directory);
	snprintf(path, sizeof(path), "%s:/usr/bin:/bin", directory);
	setenv("PATH", path, 1);
	int result = fixture_run(argc, argv, run);

	unlink(qemu);
	rmdir(directory);
	return result;
}
