// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The machine: the messages of a front-end to a GPU daemon when a device is created, when the
 * guest's driver is ready, at `stop` and `cont`, at a reset and at the end, in the order in which
 * QEMU 7.2, 10.0 and 11.1 send them. (These differ in the features that they know, in the messages
 * whose acknowledgement they ask for, in RESET_DEVICE and in the order of the last messages; a
 * profile holds these differences.) Only the functions of wait.c serve the two rings and the
 * display. vmm_wait() polls every descriptor, also the daemon's pidfd and the vhost-user socket, so
 * the end of a daemon is reported as such and not as a time-out.
 */
#include "vmm.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PROTOCOL_UP_TO(n) (BIT64((n) + 1) - 1)

const struct vmm_profile vmm_qemu_7_2 = {
	.name = "QEMU 7.2",
	.protocol_features = PROTOCOL_UP_TO(16),
	.config_size = 16,
	.closes_display_first = true,
	.has_display = true,
};

const struct vmm_profile vmm_qemu_10_0 = {
	.name = "QEMU 10.0",
	.protocol_features = PROTOCOL_UP_TO(19),
	.config_size = 16,
	.display_features = DISPLAY_F_EDID | DISPLAY_F_DMABUF2,
	.acks_enable = true,
	.sends_reset_device = true,
	.closes_display_first = true,
	.has_display = true,
};

const struct vmm_profile vmm_qemu_11_1 = {
	.name = "QEMU 11.1",
	.protocol_features = PROTOCOL_UP_TO(22) & ~BIT64(20),
	.config_size = 20,
	.display_features = DISPLAY_F_EDID | DISPLAY_F_DMABUF2,
	.acks_ring_fds = true,
	.acks_enable = true,
	.sends_reset_device = true,
	.has_display = true,
};

const struct vmm_profile vmm_strict = {
	.name = "a VMM that wants everything acknowledged",
	.protocol_features = PROTOCOL_UP_TO(22) & ~BIT64(20),
	.config_size = 24,
	.display_features = DISPLAY_F_EDID,
	.acks_ring_fds = true,
	.acks_enable = true,
	.acks_everything = true,
	.sends_reset_device = true,
	.has_display = true,
};

const struct vmm_profile vmm_minimal = {
	.name = "a VMM with CONFIG and MQ only",
	.protocol_features = BIT64(VHOST_USER_PROTOCOL_F_CONFIG) | BIT64(VHOST_USER_PROTOCOL_F_MQ),
	.config_size = 16,
	.has_display = true,
};

const struct vmm_profile vmm_generic = {
	.name = "QEMU 11.1, generic device",
	.protocol_features = PROTOCOL_UP_TO(22) & ~BIT64(20),
	.config_size = 20,
	.acks_ring_fds = true,
	.acks_enable = true,
	.has_window = true,
};

const struct vmm_profile vmm_later_qemu = {
	.name = "a QEMU whose vhost-user-gpu has a window",
	.protocol_features = PROTOCOL_UP_TO(22) & ~BIT64(20),
	.config_size = 20,
	.display_features = DISPLAY_F_EDID | DISPLAY_F_DMABUF2,
	.acks_ring_fds = true,
	.acks_enable = true,
	.sends_reset_device = true,
	.has_display = true,
	.has_window = true,
};

const struct vmm_profile vmm_cloud_hypervisor = {
	.name = "Cloud Hypervisor, generic device",
	.protocol_features = BIT64(VHOST_USER_PROTOCOL_F_MQ) |
			     BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK) |
			     BIT64(VHOST_USER_PROTOCOL_F_CONFIG) |
			     BIT64(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |
			     BIT64(VHOST_USER_PROTOCOL_F_DEVICE_STATE),
	.config_size = 20,
};

const struct vmm_profile vmm_libkrun = {
	.name = "libkrun",
	.protocol_features = BIT64(VHOST_USER_PROTOCOL_F_CONFIG) | BIT64(VHOST_USER_PROTOCOL_F_MQ),
	.config_size = 20,
};

static void say_and_exit(const char *text)
{
	fprintf(stderr, "%s\n", text);
	exit(1);
}

void (*vmm_on_failure)(const char *text) = say_and_exit;

void vmm_fail(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	vmm_on_failure(text);
	abort();
}

int64_t vmm_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

int vmm_default_timeout_ms(void)
{
	const char *s = getenv("VMM_TIMEOUT_MS");
	int ms = s ? atoi(s) : 0;

	return ms > 0 ? ms : 60000;
}

/* ---- life ---- */

/* Prepares socket activation: a listening descriptor, which is returned, and a script with which
 * the shell puts its own pid, which becomes the daemon's, into LISTEN_PID. */
static int activate_socket(struct daemon *d)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, d->socket_path, sizeof(d->socket_path));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		vmm_fail("%s: %s", d->socket_path, strerror(errno));
	snprintf(d->script, sizeof(d->script), "%s",
		 "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\"");
	return fd;
}

bool vmm_is_gfxstream(void)
{
	const char *name = getenv("VMM_RENDERER");

	return name && strcmp(name, "gfxstream") == 0;
}

const char *vmm_renderer(const char *usual)
{
	return vmm_is_gfxstream() ? "gfxstream" : usual;
}

/* Appends @more to the list @args that has @n entries, and gfxstream's library, if it needs one and
 * names none. */
static void append_args(const char **args, unsigned n, unsigned max, const char *const *more)
{
	bool is_gfxstream = false, has_library = false;

	for (; *more && n < max; more++) {
		is_gfxstream |= strcmp(*more, "gfxstream") == 0;
		has_library |= strcmp(*more, "--gfxstream-library") == 0;
		args[n++] = *more;
	}
	if (!is_gfxstream || has_library || n + 2 > max)
		return;
	args[n++] = "--gfxstream-library";
	args[n] = getenv("VMM_GFXSTREAM_LIBRARY");
}

static void start_daemon(struct vmm *vmm)
{
	const char *const usual[] = { "--gpu-mode", vmm_renderer("2d"), NULL };
	const char *const *more = vmm->options.args ? vmm->options.args : usual;
	const char *args[32] = { "--socket-path", vmm->daemon.socket_path };
	int pair[2] = { -1, -1 };
	unsigned n = 2;
	char number[16];

	if (vmm->options.hands_over_listening_fd) {
		pair[1] = activate_socket(&vmm->daemon);
		args[0] = args[1] = NULL;
		n = 0;
	}
	if (vmm->options.hands_over_fd) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			vmm_fail("socketpair: %s", strerror(errno));
		snprintf(number, sizeof(number), "%d", pair[1]);
		args[0] = "--fd";
		args[1] = number;
		vmm->socket = pair[0];
	}
	append_args(args, n, ARRAY_LENGTH(args) - 1, more);
	daemon_start(&vmm->daemon, args, pair[1]);
	if (pair[1] >= 0)
		close(pair[1]);
}

/* $VMM_PROFILE runs a whole test program as another front-end. */
static const struct vmm_profile *default_profile(void)
{
	static const struct {
		const char *name;
		const struct vmm_profile *profile;
	} known[] = {
		{ "7.2", &vmm_qemu_7_2 },
		{ "10.0", &vmm_qemu_10_0 },
		{ "strict", &vmm_strict },
		{ "minimal", &vmm_minimal },
	};
	const char *name = getenv("VMM_PROFILE");

	for (unsigned i = 0; name && i < ARRAY_LENGTH(known); i++) {
		if (strcmp(name, known[i].name) == 0)
			return known[i].profile;
	}
	return &vmm_qemu_11_1;
}

struct vmm *vmm_new(const struct vmm_options *options)
{
	struct vmm *vmm = calloc(1, sizeof(*vmm));

	if (!vmm)
		vmm_fail("out of memory");
	if (options)
		vmm->options = *options;
	vmm->profile = vmm->options.profile ? vmm->options.profile : default_profile();
	vmm->timeout_ms = vmm_default_timeout_ms();
	vmm->socket = vmm->backend_fd = -1;
	vmm->next_fence = BIT64(32) + 1;
	memory_init(&vmm->memory);
	ring_init(&vmm->rings[CONTROL], vmm, CONTROL,
		  vmm->options.control_size ? vmm->options.control_size : 64);
	ring_init(&vmm->rings[CURSOR], vmm, CURSOR,
		  vmm->options.cursor_size ? vmm->options.cursor_size : 16);
	display_init(&vmm->display);
	vmm->display.features = vmm->profile->display_features;
	daemon_make_dir(&vmm->daemon);
	if (vmm->options.adjust)
		vmm->options.adjust(vmm);
	start_daemon(vmm);
	return vmm;
}

void vmm_free(struct vmm *vmm)
{
	if (!vmm)
		return;
	daemon_finish(&vmm->daemon);
	window_forget(vmm);
	display_finish(&vmm->display);
	ring_finish(&vmm->rings[CONTROL]);
	ring_finish(&vmm->rings[CURSOR]);
	memory_finish(&vmm->memory);
	if (vmm->socket >= 0)
		close(vmm->socket);
	if (vmm->backend_fd >= 0)
		close(vmm->backend_fd);
	free(vmm);
}

int vmm_end(struct vmm *vmm)
{
	vmm_disconnect(vmm);
	if (vmm->options.hands_over_fd)
		return daemon_wait(&vmm->daemon, vmm->timeout_ms);
	return daemon_stop(&vmm->daemon, SIGTERM);
}

void vmm_connect(struct vmm *vmm)
{
	if (vmm->socket < 0)
		vmm->socket = daemon_connect(&vmm->daemon);
}

void vmm_disconnect(struct vmm *vmm)
{
	if (vmm->socket >= 0)
		close(vmm->socket);
	if (vmm->backend_fd >= 0)
		close(vmm->backend_fd);
	vmm->socket = vmm->backend_fd = -1;
	vmm->protocol = 0;
	window_forget(vmm);
	vmm->window.size = 0;
	for (unsigned i = 0; i < vmm->memory.count; i++)
		vmm->memory.regions[i].is_known = false;
	vmm->rings[CONTROL].is_running = vmm->rings[CURSOR].is_running = false;
	/* Messages that the display socket still holds are read and checked; then the daemon must
	 * close it. */
	vmm->display.is_paused = false;
	vmm_drain_display(vmm);
}

/* ---- sequences ---- */

static void set_masked_calls(struct vmm *vmm, bool with_error_fds)
{
	for (unsigned i = 0; i < 2; i++) {
		vhost_set_ring_fd(vmm, VHOST_USER_SET_VRING_CALL, i, vmm->rings[i].call_fd);
		if (with_error_fds)
			vhost_set_ring_fd(vmm, VHOST_USER_SET_VRING_ERR, i, vmm->rings[i].error_fd);
	}
}

static void set_backend_fd(struct vmm *vmm)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		vmm_fail("socketpair: %s", strerror(errno));
	vmm->backend_fd = pair[0];
	vhost_set(vmm, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, pair[1], true);
	close(pair[1]);
}

static void reset_device(struct vmm *vmm)
{
	if (vmm->profile->sends_reset_device &&
	    vmm->protocol & BIT64(VHOST_USER_PROTOCOL_F_RESET_DEVICE))
		vhost_set(vmm, VHOST_USER_RESET_DEVICE, NULL, 0, -1, false);
}

void vmm_realize(struct vmm *vmm)
{
	uint64_t protocol;

	vmm->offered = vhost_get_u64(vmm, VHOST_USER_GET_FEATURES);
	if (!(vmm->offered & BIT64(VHOST_USER_F_PROTOCOL_FEATURES)))
		vmm_fail("features %#llx lack bit 30", (unsigned long long)vmm->offered);
	vmm->offered_protocol = vhost_get_u64(vmm, VHOST_USER_GET_PROTOCOL_FEATURES);
	if (!(vmm->offered_protocol & BIT64(VHOST_USER_PROTOCOL_F_CONFIG)))
		vmm_fail("CONFIG is not offered");
	protocol = vmm->offered_protocol & vmm->profile->protocol_features;
	vhost_set(vmm, VHOST_USER_SET_PROTOCOL_FEATURES, &protocol, sizeof(protocol), -1, false);
	vmm->protocol = protocol;
	if (protocol & BIT64(VHOST_USER_PROTOCOL_F_MQ) &&
	    vhost_get_u64(vmm, VHOST_USER_GET_QUEUE_NUM) != 2)
		vmm_fail("GET_QUEUE_NUM is not 2");
	if (protocol & BIT64(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS) &&
	    vhost_get_u64(vmm, VHOST_USER_GET_MAX_MEM_SLOTS) < 8)
		vmm_fail("GET_MAX_MEM_SLOTS is below 8");
	if (protocol & BIT64(VHOST_USER_PROTOCOL_F_BACKEND_REQ))
		set_backend_fd(vmm);
	vhost_set(vmm, VHOST_USER_SET_OWNER, NULL, 0, -1, false);
	vmm->offered = vhost_get_u64(vmm, VHOST_USER_GET_FEATURES);
	if (vmm->profile->has_window && protocol & BIT64(VHOST_USER_PROTOCOL_F_SHMEM))
		window_ask(vmm);
	set_masked_calls(vmm, true);
	reset_device(vmm);
}

void vmm_open_display(struct vmm *vmm)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		vmm_fail("socketpair: %s", strerror(errno));
	vhost_set(vmm, VHOST_USER_GPU_SET_SOCKET, NULL, 0, pair[1], false);
	close(pair[1]);
	display_open(&vmm->display, pair[0]);
}

static void set_features(struct vmm *vmm)
{
	/* QEMU does not mask these three with the offered features, and it returns bit 30. */
	vmm->features = vmm->offered | BIT64(VIRTIO_RING_F_INDIRECT_DESC) |
			BIT64(VIRTIO_RING_F_EVENT_IDX) | BIT64(VIRTIO_F_RING_RESET);
	vmm->features |= vmm->options.features_on;
	vmm->features &= ~vmm->options.features_off;
	vhost_set(vmm, VHOST_USER_SET_FEATURES, &vmm->features, sizeof(vmm->features), -1, false);
	for (unsigned i = 0; i < 2; i++) {
		vmm->rings[i].uses_event_idx = vmm->features & BIT64(VIRTIO_RING_F_EVENT_IDX);
		vmm->rings[i].uses_indirect = vmm->features & BIT64(VIRTIO_RING_F_INDIRECT_DESC);
	}
}

void vmm_start(struct vmm *vmm)
{
	uint8_t config[VHOST_USER_MAX_CONFIG];

	for (unsigned i = 0; i < 2; i++) {
		if (!vhost_get_config(vmm, 0, vmm->profile->config_size, config))
			vmm_fail("GET_CONFIG was refused");
	}
	if (vmm->profile->has_display)
		vmm_open_display(vmm);
	set_masked_calls(vmm, false);
	set_features(vmm);
	vhost_send_memory(vmm);
	window_tell_all(vmm);
	vhost_start_ring(vmm, CONTROL);
	vhost_start_ring(vmm, CURSOR);
	vhost_enable_ring(vmm, CONTROL, true);
	vhost_enable_ring(vmm, CURSOR, true);
	set_masked_calls(vmm, false);
}

void vmm_stop(struct vmm *vmm)
{
	if (vmm->profile->closes_display_first)
		display_close(&vmm->display);
	vhost_enable_ring(vmm, CONTROL, false);
	vhost_enable_ring(vmm, CURSOR, false);
	vhost_stop_ring(vmm, CONTROL);
	vhost_stop_ring(vmm, CURSOR);
	set_masked_calls(vmm, false);
	display_close(&vmm->display);
}

void vmm_reset(struct vmm *vmm)
{
	vmm_stop(vmm);
	window_forget(vmm);
	reset_device(vmm);
	ring_clear(&vmm->rings[CONTROL]);
	ring_clear(&vmm->rings[CURSOR]);
	reset_device(vmm); /* QEMU sends it two or three times during a reboot */
}

struct vmm *vmm_boot(const struct vmm_options *options)
{
	struct vmm *vmm = vmm_new(options);

	vmm_connect(vmm);
	vmm_realize(vmm);
	vmm_start(vmm);
	return vmm;
}
