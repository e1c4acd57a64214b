// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Each log line names the scanout, resource, context or queue. Errors of the guest appear only at
 * --log-level debug.
 */
#include "fixture.h"
#include "gpu3d.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char trace_path[96];

static struct vmm *boot(void **state, const char *mode)
{
	const char *args[] = { "--gpu-mode", mode, "--log-level", "debug", NULL };
	struct vmm_options options = { .args = args };

	return fixture_boot(state, &options);
}

/* The daemon has logged one line that contains all of @line. */
static void assert_said(struct vmm *vmm, const char *line)
{
	char *text = daemon_text(vmm->daemon.err_fd);
	bool is_there = strstr(text, line);

	free(text);
	if (!is_there)
		vmm_fail("the log does not say \"%s\"", line);
}

static void assert_said_once(struct vmm *vmm, const char *line)
{
	char *text = daemon_text(vmm->daemon.err_fd), *first = strstr(text, line);

	if (!first || strstr(first + 1, line))
		vmm_fail("the log does not say \"%s\" once: %s", line, text);
	free(text);
}

static void assert_not_said(struct vmm *vmm, const char *line)
{
	char *text = daemon_text(vmm->daemon.err_fd);

	if (strstr(text, line))
		vmm_fail("the log says \"%s\": %s", line, text);
	free(text);
}

static void a_refused_command_is_logged_with_its_object(void **state)
{
	struct vmm *vmm = boot(state, "2d");
	struct virtio_gpu_rect r = gpu_rect(0, 0, 8, 8);
	struct virtio_gpu_mem_entry e = { 0x100000, 4096, 0 };
	struct virtio_gpu_resp_edid edid;
	struct image none = { 41, BGRX, 8, 8, 0x100000, NULL };
	uint8_t uuid[16];

	gpu_create_2d(vmm, 31, 9999, 8, 8);
	assert_said(vmm, "RESOURCE_CREATE_2D (resource 31): error 0x1205 (INVALID_PARAMETER)");
	gpu_set_scanout(vmm, 3, 32, r);
	assert_said(vmm, "SET_SCANOUT (scanout 3, resource 32): error 0x1203");
	gpu_set_scanout(vmm, 77, 33, r);
	assert_said(vmm, "SET_SCANOUT (scanout 77, resource 33): error 0x1202");
	gpu_flush(vmm, 34, r);
	assert_said(vmm, "RESOURCE_FLUSH (resource 34): error 0x1203");
	gpu_attach(vmm, 35, &e, 1);
	assert_said(vmm, "RESOURCE_ATTACH_BACKING (resource 35): error 0x1203");
	gpu_detach(vmm, 36);
	assert_said(vmm, "RESOURCE_DETACH_BACKING (resource 36): error 0x1203");
	gpu_unref(vmm, 37);
	assert_said(vmm, "RESOURCE_UNREF (resource 37): error 0x1203");
	gpu_update_cursor(vmm, 2, 0, 0, 38, 0, 0);
	assert_said(vmm, "UPDATE_CURSOR (scanout 2, resource 38): error 0x1203");
	gpu_edid(vmm, 39, &edid);
	assert_said(vmm, "GET_EDID (scanout 39): error 0x1202");
	gpu_assign_uuid(vmm, 40, uuid);
	assert_said(vmm, "RESOURCE_ASSIGN_UUID (resource 40): error 0x1203");
	image_transfer(vmm, &none, r);
	assert_said(vmm, "TRANSFER_TO_HOST_2D (resource 41): error 0x1203");
	gpu_set_scanout_blob(vmm, (set_scanout_blob_t){ .scanout_id = 4, .resource_id = 42 });
	assert_said(vmm, "SET_SCANOUT_BLOB (scanout 4, resource 42): error 0x1203");
	gpu_ctx_create(vmm, 5, 0);
	assert_said(vmm, "CTX_CREATE (context 5): error 0x1200");
}

static void a_refused_3d_command_is_logged_with_its_context(void **state)
{
	struct vmm *vmm = boot(state, "virglrenderer");
	struct virtio_gpu_resp_capset_info info;
	struct stream s = { .count = 0 };

	stream_clear(&s, 0);
	gpu_ctx_destroy(vmm, 51);
	assert_said(vmm, "CTX_DESTROY (context 51): error 0x1204");
	gpu_ctx_attach(vmm, 52, 53);
	assert_said(vmm, "CTX_ATTACH_RESOURCE (context 52, resource 53): error 0x1204");
	gpu_stream(vmm, 54, &s);
	assert_said(vmm, "SUBMIT_3D (context 54): error 0x1204");
	gpu_create_3d(vmm, (create_3d_t){ .resource_id = 55 });
	assert_said(vmm, "RESOURCE_CREATE_3D (resource 55): error 0x1205");
	gpu_to_host_3d(vmm, (transfer_3d_t){ .hdr.ctx_id = 0, .resource_id = 56 });
	assert_said(vmm, "TRANSFER_TO_HOST_3D (resource 56): error 0x1203");
	gpu_capset_info(vmm, 57, &info);
	assert_said(vmm, "GET_CAPSET_INFO (capset 57): error 0x1205");
}

static void an_unknown_command_is_logged_with_its_number(void **state)
{
	struct vmm *vmm = boot(state, "2d");
	struct virtio_gpu_ctrl_hdr h = { .type = 0x177 };

	assert_response(gpu_call(vmm, CONTROL, &h, sizeof(h), &h, sizeof(h)), RESP_UNSPEC);
	assert_said(vmm, "command 0x177: error 0x1200");
}

static void a_missing_edid_is_logged_with_its_scanout(void **state)
{
	struct vmm *vmm = boot(state, "2d");
	struct virtio_gpu_resp_edid edid;

	vmm->display.on_info = vmm->display.on_edid = NEVER;
	assert_response(gpu_edid(vmm, 3, &edid), VIRTIO_GPU_RESP_OK_EDID);
	assert_said(vmm, "scanout 3: the display did not answer in time (EDID)");
}

/* Connected, with @features in addition to all that are offered; no ring runs yet. */
static struct vmm *agree(void **state, uint64_t features)
{
	struct vmm *vmm = fixture_new(state, NULL);

	vmm_connect(vmm);
	vmm_realize(vmm);
	features |= vmm->offered;
	vhost_set(vmm, VHOST_USER_SET_FEATURES, &features, sizeof(features), -1, true);
	return vmm;
}

static void start_rings(struct vmm *vmm)
{
	for (unsigned i = 0; i < 2; i++) {
		vhost_start_ring(vmm, i);
		vhost_enable_ring(vmm, i, true);
	}
	assert_session_alive(vmm);
}

/* As in QEMU without a memory backend, or with share=off. */
static void unshared_memory_is_an_error_with_a_cure(void **state)
{
	struct vmm *vmm = agree(state, 0);

	start_rings(vmm);
	assert_said(vmm, "error session: the front-end shares no guest memory (0 regions came");
	assert_said(vmm, "share=on -machine memory-backend=mem; libvirt: <memoryBacking>");
	assert_said_once(vmm, "shares no guest memory");
}

static void a_viommu_is_an_error_with_a_cure(void **state)
{
	struct vmm *vmm = agree(state, BIT64(VIRTIO_F_ACCESS_PLATFORM));

	vhost_send_memory(vmm);
	for (unsigned i = 0; i < vmm->memory.count; i++)
		vmm->memory.regions[i].wire.user_addr =
			i << 30; /* addresses that a vIOMMU would use */
	start_rings(vmm);
	assert_said_once(vmm, "error session: the guest's addresses go through a vIOMMU");
}

static void without_a_viommu_iommu_platform_works(void **state)
{
	struct vmm_options options = { .features_on = BIT64(VIRTIO_F_ACCESS_PLATFORM) };
	struct vmm *vmm = fixture_boot(state, &options);
	char *text;

	assert_alive(vmm);
	text = daemon_text(vmm->daemon.err_fd);
	assert_null(strstr(text, "error"));
	free(text);
}

/* Waits until the daemon logs @line. */
static void await_line(struct vmm *vmm, const char *line)
{
	int64_t deadline = vmm_now_ms() + vmm->timeout_ms;

	for (;;) {
		char *text = daemon_text(vmm->daemon.err_fd);
		bool is_there = strstr(text, line);

		if (!is_there && vmm_now_ms() > deadline)
			vmm_fail("the log does not say \"%s\": %s", line, text);
		free(text);
		if (is_there)
			return;
		vmm_serve(vmm, 5);
	}
}

static struct image show_image(struct vmm *vmm, uint32_t id, uint32_t width, uint32_t height)
{
	struct image i = image_new(vmm, id, BGRX, width, height);

	image_fill(&i, 1);
	assert_ok(image_transfer(vmm, &i, image_rect(&i)));
	assert_ok(gpu_set_scanout(vmm, 0, id, image_rect(&i)));
	assert_ok(gpu_flush(vmm, id, image_rect(&i)));
	return i;
}

static void each_step_to_a_picture_is_logged_once(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);

	show_image(vmm, 1, 64, 48);
	show_image(vmm, 2, 64, 48);
	gpu_unref(vmm, 99);
	assert_said_once(vmm, "info server: front-end connected: pid ");
	assert_said_once(vmm, "info device: the guest's driver is ready: ");
	assert_said_once(vmm, " edid resource-uuid resource-blob");
	assert_said_once(vmm, " MiB shared in 3 regions\n");
	assert_said_once(vmm, "info display: the display is connected; EDID: yes, ");
	assert_said_once(vmm, "info device: scanout 0: 64x48 of resource 1, shown as pixels\n");
	assert_not_said(vmm, "of resource 2");
	show_image(vmm, 3, 65, 48);
	assert_said_once(vmm, "scanout 0: 65x48 of resource 3");
	vmm_stop(vmm);
	vmm_start(vmm);
	assert_alive(vmm);
	assert_said_once(vmm, "the guest's driver is ready");
	assert_said_once(vmm, "the display is connected");
	vmm_disconnect(vmm);
	await_line(vmm, "info device: served 00:0");
	assert_said_once(vmm, " commands, 3 frames (0 as dma-bufs), 1 guest errors");
}

static void constant_screen_changes_do_not_flood_the_log(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);
	struct image i = image_new(vmm, 1, BGRX, 64, 64);
	char *text, *line;
	unsigned n = 0;

	for (uint32_t width = 1; width <= 40; width++) {
		struct virtio_gpu_rect r = gpu_rect(0, 0, width, 8);

		assert_ok(gpu_set_scanout(vmm, 0, i.id, r));
	}
	text = daemon_text(vmm->daemon.err_fd);
	for (line = text; (line = strstr(line, "info device: scanout 0")); line++)
		n++;
	assert_int_equal(n, 16);
	free(text);
}

static void constant_feature_changes_do_not_flood_the_log(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);
	char *text, *line;
	unsigned n = 0;

	for (unsigned i = 0; i < 12; i++) {
		vmm_reset(vmm);
		vmm->options.features_off = i % 2 ? 0 : BIT64(VIRTIO_GPU_F_EDID);
		vmm_start(vmm);
		assert_alive(vmm);
	}
	text = daemon_text(vmm->daemon.err_fd);
	for (line = text; (line = strstr(line, "info device: the guest's driver is ")); line++)
		n++;
	assert_int_equal(n, 4);
	free(text);
}

static void sigusr1_logs_statistics(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);

	show_image(vmm, 7, 64, 48);
	gpu_unref(vmm, 99);
	kill(vmm->daemon.pid, SIGUSR1);
	await_line(vmm, "statistics: display: ");
	assert_said(vmm, "info server: statistics: the front-end is pid ");
	assert_said(vmm, "MiB of guest memory shared in 3 regions");
	assert_said(vmm, "statistics: queue 0 running: size 64; indices: available ");
	assert_said(
		vmm,
		"statistics: queue 1 running: size 16; indices: available 0, taken 0, used 0\n");
	assert_said(vmm, "statistics: session: 00:0");
	assert_said(vmm, " commands, 1 frames (0 as dma-bufs), 1 guest errors, 0 host");
	assert_said(vmm, "statistics: 1 resources, 0 contexts; 0 of 1024 MiB charged");
	assert_said(vmm, "statistics: no fence is pending");
	assert_said(vmm, "statistics: scanout 0: 64x48 of resource 7, shown as pixels\n");
	assert_said(vmm, "statistics: last error: RESOURCE_UNREF (resource 99): error 0x1203 "
			 "(INVALID_RESOURCE_ID)");
	assert_said(vmm, "statistics: display: connected, ");
	assert_alive(vmm);
}

static void statistics_without_a_front_end_are_logged(void **state)
{
	struct vmm *vmm = fixture_boot(state, NULL);

	vmm_disconnect(vmm);
	await_line(vmm, "front-end disconnected");
	kill(vmm->daemon.pid, SIGUSR1);
	await_line(vmm, "statistics: display: not connected");
	assert_said(vmm, "statistics: no front-end is connected");
	assert_said(vmm, "statistics: 0 resources, 0 contexts; 0 of ");
}

static void the_first_context_is_logged_with_its_name(void **state)
{
	struct vmm *vmm = boot(state, "virglrenderer");

	assert_ok(gpu_ctx_create(vmm, 1, 0));
	assert_ok(gpu_ctx_create(vmm, 2, 0));
	assert_said_once(vmm, "info device: the guest made its first 3D context (\"");
}

static void a_name_given_by_the_guest_is_logged_without_control_characters(void **state)
{
	struct vmm *vmm = boot(state, "virglrenderer");
	struct virtio_gpu_ctx_create c = {
		{ .type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = 1 }, 10, 0, "a\xc2\x9bK\"\n\x1b\x80z"
	};
	struct virtio_gpu_ctrl_hdr h;

	assert_ok(gpu_call(vmm, CONTROL, &c, sizeof(c), &h, sizeof(h)));
	assert_said_once(vmm, "the guest made its first 3D context (\"a??K????z\")\n");
}

static void name_trace(struct vmm *vmm)
{
	daemon_make_dir(&vmm->daemon);
	snprintf(trace_path, sizeof(trace_path), "%s/trace", vmm->daemon.dir);
}

static void a_trace_has_a_line_for_each_command(void **state)
{
	const char *const args[] = { "--gpu-mode", "2d", "--trace", trace_path, NULL };
	struct vmm_options options = { .args = args, .adjust = name_trace };
	struct vmm *vmm = fixture_boot(state, &options);
	char *text;
	int fd;

	vmm->fences_all = true;
	assert_ok(gpu_create_2d(vmm, 5, BGRX, 8, 8));
	vmm->fences_all = false;
	gpu_unref(vmm, 6);
	fd = open(trace_path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	text = daemon_text(fd);
	close(fd);
	assert_non_null(strstr(text, " control RESOURCE_CREATE_2D (resource 5) fence "));
	assert_non_null(strstr(text, " -> 0x1100 in "));
	assert_non_null(strstr(text, " control RESOURCE_UNREF (resource 6) -> 0x1203 in "));
	assert_string_equal(text + strlen(text) - 4, " us\n");
	free(text);
	unlink(trace_path);
}

static void allow_no_bytes_in_files(struct vmm *vmm)
{
	name_trace(vmm);
	snprintf(vmm->daemon.script, sizeof(vmm->daemon.script), "%s",
		 "ulimit -f 0; exec \"$0\" \"$@\"");
}

/* The size limit of 0 applies to the log too, which is a file here, so the daemon cannot log that
 * the trace stopped. */
static void a_full_trace_stops_and_the_daemon_goes_on(void **state)
{
	const char *const args[] = { "--gpu-mode", "2d",       "--log-level", "error",
				     "--trace",    trace_path, NULL };
	struct vmm_options options = { .args = args, .adjust = allow_no_bytes_in_files };
	struct vmm *vmm = fixture_boot(state, &options);
	struct stat st;

	gpu_unref(vmm, 6);
	assert_alive(vmm);
	assert_int_equal(stat(trace_path, &st), 0);
	assert_int_equal(st.st_size, 0);
	unlink(trace_path);
}

static void two_daemons_cannot_use_the_same_trace(void **state)
{
	const char *const args[] = { "--gpu-mode", "2d", "--trace", trace_path, NULL };
	const char *const others[] = { "--gpu-mode",  "2d",      "--socket-path",
				       "/dev/null/x", "--trace", trace_path,
				       NULL };
	struct vmm_options options = { .args = args, .adjust = name_trace };
	struct vmm *vmm = fixture_boot(state, &options);
	struct daemon d = { .pidfd = -1 };
	struct stat before, after;
	char *text;

	gpu_unref(vmm, 6);
	assert_int_equal(stat(trace_path, &before), 0);
	daemon_start(&d, others, -1);
	assert_int_equal(daemon_wait(&d, vmm->timeout_ms), 1);
	text = daemon_text(d.err_fd);
	assert_non_null(strstr(text, "is in use by another process"));
	free(text);
	daemon_finish(&d);
	assert_int_equal(stat(trace_path, &after), 0);
	assert_true(before.st_size > 0 && after.st_size == before.st_size);
	unlink(trace_path);
}

static int run(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(a_refused_command_is_logged_with_its_object),
		DEVICE_TEST(an_unknown_command_is_logged_with_its_number),
		DEVICE_TEST(a_missing_edid_is_logged_with_its_scanout),
		DEVICE_TEST(unshared_memory_is_an_error_with_a_cure),
		DEVICE_TEST(a_viommu_is_an_error_with_a_cure),
		DEVICE_TEST(without_a_viommu_iommu_platform_works),
		DEVICE_TEST(each_step_to_a_picture_is_logged_once),
		DEVICE_TEST(constant_screen_changes_do_not_flood_the_log),
		DEVICE_TEST(constant_feature_changes_do_not_flood_the_log),
		DEVICE_TEST(sigusr1_logs_statistics),
		DEVICE_TEST(a_trace_has_a_line_for_each_command),
		DEVICE_TEST(a_full_trace_stops_and_the_daemon_goes_on),
		DEVICE_TEST(two_daemons_cannot_use_the_same_trace),
		DEVICE_TEST(statistics_without_a_front_end_are_logged),
	};
	const struct CMUnitTest tests_3d[] = {
		DEVICE_TEST(a_refused_3d_command_is_logged_with_its_context),
		DEVICE_TEST(the_first_context_is_logged_with_its_name),
		DEVICE_TEST(a_name_given_by_the_guest_is_logged_without_control_characters),
	};
	int failed = cmocka_run_group_tests_name("log", tests, NULL, NULL);

	if (gpu3d_works())
		failed += cmocka_run_group_tests_name("log, virgl", tests_3d, NULL, NULL);
	return failed;
}

int main(int argc, char **argv)
{
	return fixture_run(argc, argv, run);
}
