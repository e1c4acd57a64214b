// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "gpu_rig.h"

#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "descriptors.h"
#include "vhost/session.h"
#include "vhost/vhost_user.h"

struct gpu_rig gpu_rig;

void gpu_rig_turn(void)
{
	for (int i = 0; i < 4; i++)
		assert_int_equal(loop_turn(&gpu_rig.loop, 0), 0);
}

static void on_ended(void *data, int error)
{
	(void)data, (void)error;
	vhost_session_free(gpu_rig.session);
	gpu_rig.session = NULL;
}

void gpu_rig_tell(uint32_t request, const void *payload, uint32_t size, int fd)
{
	struct {
		struct vhost_user_header header;
		uint8_t payload[64];
	} message = { { request, VHOST_USER_VERSION, size }, { 0 } };

	if (size > 0)
		memcpy(message.payload, payload, size);
	descriptors_send(gpu_rig.front_end, &message, sizeof(message.header) + size, &fd, fd >= 0);
	gpu_rig_turn();
	assert_non_null(gpu_rig.session);
}

static void tell_state(uint32_t request, uint32_t index, uint32_t num)
{
	const struct vhost_user_vring_state state = { index, num };

	gpu_rig_tell(request, &state, sizeof(state), -1);
}

void gpu_rig_tell_memory(uint32_t request)
{
	const struct vhost_user_mem_reg reg = { 0, { GPA, MEM_SIZE, USER, 0 } };

	gpu_rig_tell(request, &reg, sizeof(reg),
		     request == VHOST_USER_ADD_MEM_REG ? gpu_rig.memory_fd : -1);
}

void gpu_rig_start_queue(unsigned i)
{
	const uint64_t at = USER + i * RING_AT, index = i;
	const struct vhost_user_vring_addr addr = { i, 0, at, at + USED_AT, at + AVAIL_AT, 0 };

	tell_state(VHOST_USER_SET_VRING_NUM, i, RING_SIZE);
	tell_state(VHOST_USER_SET_VRING_BASE, i, gpu_rig.bases[i]);
	gpu_rig_tell(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1);
	gpu_rig_tell(VHOST_USER_SET_VRING_KICK, &index, sizeof(index), gpu_rig.kick_fds[i]);
	gpu_rig_tell(VHOST_USER_SET_VRING_CALL, &index, sizeof(index), gpu_rig.call_fds[i]);
	tell_state(VHOST_USER_SET_VRING_ENABLE, i, 1);
}

void gpu_rig_stop_queue(unsigned i)
{
	struct {
		struct vhost_user_header header;
		struct vhost_user_vring_state state;
	} reply;

	tell_state(VHOST_USER_GET_VRING_BASE, i, 0);
	assert_int_equal(recv(gpu_rig.front_end, &reply, sizeof(reply), MSG_DONTWAIT),
			 sizeof(reply));
	gpu_rig.bases[i] = (uint16_t)reply.state.num;
}

void gpu_rig_stop(void)
{
	gpu_rig_stop_queue(0);
	gpu_rig_stop_queue(1);
}

void gpu_rig_cont(void)
{
	gpu_rig_start_queue(0);
	gpu_rig_start_queue(1);
}

void gpu_rig_reset_device(void)
{
	gpu_rig_stop();
	gpu_rig_tell(VHOST_USER_RESET_DEVICE, NULL, 0, -1);
	memset(gpu_rig.memory, 0, SLOTS_AT);
	gpu_rig.bases[0] = gpu_rig.bases[1] = 0;
	gpu_rig_cont();
}

void gpu_rig_set_features(uint64_t features)
{
	features |= BIT64(VHOST_USER_F_PROTOCOL_FEATURES) | BIT64(VIRTIO_F_VERSION_1);
	gpu_rig_tell(VHOST_USER_SET_FEATURES, &features, sizeof(features), -1);
}

void gpu_rig_open_session(void)
{
	int pair[2], error = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	gpu_rig.front_end = pair[0];
	gpu_rig.session = vhost_session_new(
		&gpu_rig.loop, pair[1], gpu_device_backend(gpu_rig.device), on_ended, NULL, &error);
	assert_non_null(gpu_rig.session);
	memset(gpu_rig.memory, 0, SLOTS_AT);
	gpu_rig.bases[0] = gpu_rig.bases[1] = 0;
	gpu_rig_set_features(ALL_FEATURES);
	gpu_rig_tell_memory(VHOST_USER_ADD_MEM_REG);
	gpu_rig_cont();
}

void gpu_rig_close_session(void)
{
	fd_close(&gpu_rig.front_end);
	gpu_rig_turn();
	assert_null(gpu_rig.session);
}

static int setup_around_renderer(const struct gpu_limits *limits)
{
	const struct gpu_device_options options = { .limits = *limits,
						    .udmabuf = gpu_rig.udmabuf,
						    .n_scanouts = 1 };

	log_set_level(LOG_LEVEL_ERROR);
	gpu_rig.memory_fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (loop_init(&gpu_rig.loop) < 0 || ftruncate(gpu_rig.memory_fd, MEM_SIZE) < 0 ||
	    (gpu_rig.udmabuf > 0 && fcntl(gpu_rig.memory_fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0))
		return -1;
	gpu_rig.memory =
		mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, gpu_rig.memory_fd, 0);
	assert_ptr_not_equal(gpu_rig.memory, MAP_FAILED);
	for (unsigned i = 0; i < N_QUEUES; i++) {
		gpu_rig.kick_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		gpu_rig.call_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	fake_display_init(&gpu_rig.display);
	gpu_rig.display.shows_dmabufs = gpu_rig.udmabuf > 0;
	gpu_rig.device = gpu_device_new(&gpu_rig.loop, &gpu_rig.renderer.base,
					&gpu_rig.display.base, &options);
	assert_non_null(gpu_rig.device);
	gpu_rig_open_session();
	return 0;
}

int gpu_rig_setup_renderer(const struct gpu_limits *limits, bool hides_poll_fd)
{
	fake_renderer_init(&gpu_rig.renderer);
	gpu_rig.renderer.hides_poll_fd = hides_poll_fd;
	return setup_around_renderer(limits);
}

int gpu_rig_setup_cpu(void **state)
{
	(void)state;
	fake_renderer_init_cpu(&gpu_rig.renderer);
	return setup_around_renderer(&GPU_LIMITS_DEFAULT);
}

int gpu_rig_setup_with(const struct gpu_limits *limits)
{
	return gpu_rig_setup_renderer(limits, false);
}

int gpu_rig_setup(void **state)
{
	(void)state;
	return gpu_rig_setup_with(&GPU_LIMITS_DEFAULT);
}

int gpu_rig_setup_udmabuf(void **state)
{
	gpu_rig.udmabuf = INT_MAX;
	return gpu_rig_setup(state);
}

int gpu_rig_teardown(void **state)
{
	(void)state;
	if (gpu_rig.session)
		gpu_rig_close_session();
	assert_true(gpu_rig.device->hostmem.used == 0 || gpu_rig.device->dying.length > 0);
	assert_int_equal(gpu_rig.device->n_fences, 0);
	assert_int_equal(gpu_rig.device->n_commands,
			 g_queue_get_length(&gpu_rig.device->free_commands));
	assert_int_equal(gpu_rig.renderer.n_attached, 0);
	gpu_device_free(gpu_rig.device);
	display_free(&gpu_rig.display.base);
	renderer_free(&gpu_rig.renderer.base);
	for (unsigned i = 0; i < N_QUEUES; i++) {
		fd_close(&gpu_rig.kick_fds[i]);
		fd_close(&gpu_rig.call_fds[i]);
	}
	munmap(gpu_rig.memory, MEM_SIZE);
	fd_close(&gpu_rig.memory_fd);
	loop_finish(&gpu_rig.loop);
	return 0;
}

void gpu_rig_pass_fence(unsigned n)
{
	const uint64_t one = 1;

	assert_true(n < gpu_rig.renderer.n_fences);
	gpu_rig.renderer.passing = gpu_rig.renderer.fences[n];
	assert_int_equal(write(gpu_rig.renderer.poll_fd, &one, sizeof(one)), sizeof(one));
	gpu_rig_turn();
}
