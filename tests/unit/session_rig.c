// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "session_rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "descriptors.h"
#include "vhost/backend.h"
#include "vhost/vring.h"

struct session_rig session_rig;

/* ---- the back-end ---- */

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
	va_list args;

	if (session_rig.told->len > 0)
		g_string_append_c(session_rig.told, ' ');
	va_start(args, format);
	g_string_append_vprintf(session_rig.told, format, args);
	va_end(args);
}

static uint64_t fake_features(struct vhost_backend *backend)
{
	(void)backend;
	return BIT64(1);
}

static void fake_set_features(struct vhost_backend *backend, uint64_t features)
{
	(void)backend;
	session_rig.features = features;
}

static void fake_config_read(struct vhost_backend *backend, uint32_t offset, void *buf,
			     uint32_t size)
{
	(void)backend;
	memcpy(buf, session_rig.config + offset, size);
}

static void fake_config_write(struct vhost_backend *backend, uint32_t offset, const void *buf,
			      uint32_t size)
{
	(void)backend;
	memcpy(session_rig.config + offset, buf, size);
}

static void fake_gpu_socket(struct vhost_backend *backend, int fd)
{
	(void)backend;
	fd_close(&session_rig.gpu_fd);
	session_rig.gpu_fd = fd;
	tell("gpu");
}

static void fake_session_opened(struct vhost_backend *backend, struct vhost_session *s)
{
	(void)backend;
	assert_non_null(s);
	tell("opened");
}

static void fake_session_closed(struct vhost_backend *backend)
{
	(void)backend;
	tell("closed");
}

static void fake_queue_started(struct vhost_backend *backend, unsigned index)
{
	(void)backend;
	assert_true(vhost_session_vring(session_rig.session, index)->is_running);
	tell("start%u", index);
}

static void fake_queue_stopped(struct vhost_backend *backend, unsigned index)
{
	(void)backend;
	assert_true(vhost_session_vring(session_rig.session, index)->is_running);
	tell("stop%u", index);
}

static void fake_queue_kicked(struct vhost_backend *backend, unsigned index)
{
	(void)backend;
	assert_true(vhost_session_vring(session_rig.session, index)->is_running);
	tell("kick%u", index);
}

static void fake_memory_changed(struct vhost_backend *backend)
{
	(void)backend;
	tell("memory");
}

static void fake_reset(struct vhost_backend *backend)
{
	(void)backend;
	assert_false(vhost_session_vring(session_rig.session, 0)->is_running);
	assert_false(vhost_session_vring(session_rig.session, 1)->is_running);
	tell("reset");
}

static const struct vhost_backend_ops fake_ops = {
	.features = fake_features,
	.set_features = fake_set_features,
	.config_read = fake_config_read,
	.config_write = fake_config_write,
	.gpu_socket = fake_gpu_socket,
	.session_opened = fake_session_opened,
	.session_closed = fake_session_closed,
	.queue_started = fake_queue_started,
	.queue_stopped = fake_queue_stopped,
	.queue_kicked = fake_queue_kicked,
	.memory_changed = fake_memory_changed,
	.reset = fake_reset,
};

static struct vhost_backend backend = { .ops = &fake_ops, .n_queues = 2 };

/* ---- the session ---- */

static void on_ended(void *data, int error)
{
	assert_ptr_equal(data, &session_rig.loop);
	session_rig.ended_error = error;
	vhost_session_free(session_rig.session); /* closing must be allowed here */
	session_rig.session = NULL;
}

void session_rig_open(void)
{
	int pair[2], error = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	session_rig.front_end = pair[0];
	session_rig.ended_error = 1;
	session_rig.session = vhost_session_new(&session_rig.loop, pair[1], &backend, on_ended,
						&session_rig.loop, &error);
	assert_non_null(session_rig.session);
}

int session_rig_setup(void **state)
{
	(void)state;
	session_rig.n_descriptors = descriptors_count();
	session_rig.told = g_string_new(NULL);
	session_rig.gpu_fd = -1;
	if (loop_init(&session_rig.loop) < 0)
		return -1;
	session_rig_open();
	g_string_truncate(session_rig.told, 0);
	return 0;
}

int session_rig_teardown(void **state)
{
	(void)state;
	vhost_session_free(session_rig.session);
	session_rig.session = NULL;
	loop_finish(&session_rig.loop);
	fd_close(&session_rig.front_end);
	fd_close(&session_rig.gpu_fd);
	g_string_free(session_rig.told, TRUE);
	return descriptors_count() == session_rig.n_descriptors ? 0 : -1;
}

void session_rig_turn(void)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_turn(&session_rig.loop, 0), 0);
}

void session_rig_assert_told(const char *want)
{
	assert_string_equal(session_rig.told->str, want);
	g_string_truncate(session_rig.told, 0);
}

void session_rig_assert_ended(int error)
{
	session_rig_turn();
	assert_null(session_rig.session);
	assert_int_equal(session_rig.ended_error, error);
}

/* ---- the front-end ---- */

void session_rig_send_bytes(const void *bytes, size_t size, const int *fds, unsigned n_fds)
{
	descriptors_send(session_rig.front_end, bytes, size, fds, n_fds);
}

void session_rig_send(uint32_t request, uint32_t flags, const void *payload, uint32_t size,
		      const int *fds, unsigned n_fds)
{
	struct {
		struct vhost_user_header header;
		uint8_t payload[5000];
	} message = { { request, flags, size }, { 0 } };

	if (payload && size > 0)
		memcpy(message.payload, payload, size);
	session_rig_send_bytes(&message, sizeof(message.header) + size, fds, n_fds);
}

bool session_rig_has_reply(void)
{
	char byte;

	return recv(session_rig.front_end, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
}

uint32_t session_rig_receive(uint32_t request, void *payload, size_t room)
{
	struct vhost_user_header h;

	assert_int_equal(recv(session_rig.front_end, &h, sizeof(h), MSG_DONTWAIT), sizeof(h));
	assert_int_equal(h.request, request);
	assert_int_equal(h.flags, REPLY);
	assert_true(h.size <= room);
	if (h.size > 0)
		assert_int_equal(recv(session_rig.front_end, payload, h.size, MSG_DONTWAIT),
				 h.size);
	return h.size;
}

uint64_t session_rig_receive_u64(uint32_t request)
{
	uint64_t value = 0;

	assert_int_equal(session_rig_receive(request, &value, sizeof(value)), sizeof(value));
	return value;
}

uint64_t session_rig_get_u64(uint32_t request)
{
	session_rig_send(request, V1, NULL, 0, NULL, 0);
	session_rig_turn();
	return session_rig_receive_u64(request);
}

void session_rig_set_u64(uint32_t request, uint64_t value)
{
	session_rig_send(request, V1, &value, sizeof(value), NULL, 0);
	session_rig_turn();
	assert_false(session_rig_has_reply());
}

uint64_t session_rig_ask(uint32_t request, const void *payload, uint32_t size, int fd)
{
	session_rig_send(request, NEED_REPLY, payload, size, &fd, fd >= 0);
	session_rig_turn();
	assert_non_null(session_rig.session);
	uint64_t answer = session_rig_receive_u64(request);

	assert_false(session_rig_has_reply());
	return answer;
}

void session_rig_agree(void)
{
	session_rig_set_u64(VHOST_USER_SET_PROTOCOL_FEATURES, OFFERED);
	session_rig_set_u64(VHOST_USER_SET_FEATURES,
			    BIT64(VHOST_USER_F_PROTOCOL_FEATURES) | BIT64(VIRTIO_F_VERSION_1));
}

void session_rig_set_state(uint32_t request, uint32_t index, uint32_t num)
{
	struct vhost_user_vring_state state = { index, num };

	session_rig_send(request, V1, &state, sizeof(state), NULL, 0);
	session_rig_turn();
}

void session_rig_set_queue_fd(uint32_t request, uint64_t index, int fd)
{
	session_rig_send(request, V1, &index, sizeof(index), &fd, fd >= 0);
	session_rig_turn();
}

void session_rig_set_addresses(uint32_t index, uint64_t desc)
{
	struct vhost_user_vring_addr addr = {
		.index = index, .desc = desc, .used = desc + 0x2000, .avail = desc + 0x1000
	};

	session_rig_send(VHOST_USER_SET_VRING_ADDR, V1, &addr, sizeof(addr), NULL, 0);
	session_rig_turn();
}

uint32_t session_rig_get_base(uint32_t index)
{
	struct vhost_user_vring_state state = { 0 };

	session_rig_set_state(VHOST_USER_GET_VRING_BASE, index, 0);
	assert_int_equal(session_rig_receive(VHOST_USER_GET_VRING_BASE, &state, sizeof(state)),
			 sizeof(state));
	assert_int_equal(state.index, index);
	return state.num;
}

void session_rig_add_memory(void)
{
	struct vhost_user_mem_reg reg = { 0, { GPA, MEM_SIZE, USER, 0 } };
	auto_fd fd = memfd_create("guest", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, MEM_SIZE), 0);
	session_rig_send(VHOST_USER_ADD_MEM_REG, V1, &reg, sizeof(reg), &fd, 1);
	session_rig_turn();
	session_rig_assert_told("memory");
}

int session_rig_set_up_ring(uint32_t index, uint32_t base)
{
	int kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	session_rig_set_state(VHOST_USER_SET_VRING_NUM, index, 16);
	session_rig_set_state(VHOST_USER_SET_VRING_BASE, index, base);
	session_rig_set_addresses(index, USER + index * 0x4000);
	session_rig_set_queue_fd(VHOST_USER_SET_VRING_KICK, index, kick);
	return kick;
}

void session_rig_kick(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	session_rig_turn();
}
