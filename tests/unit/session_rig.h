// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * A session with the VMM's end of its socket pair in the test's hand. The back-end only writes down
 * what it is told, as words in a line: "start0 kick0 stop0". Every test ends by checking that no
 * descriptor is left.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "vhost/backend.h"
#include "vhost/memory.h"
#include "vhost/ring_layout.h"
#include "vhost/session.h"
#include "vhost/vhost_user.h"
#include "vhost/vring.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

#define V1         VHOST_USER_VERSION
#define REPLY      (VHOST_USER_VERSION | VHOST_USER_REPLY)
#define NEED_REPLY (VHOST_USER_VERSION | VHOST_USER_NEED_REPLY)
#define OFFERED                                                                                    \
	(BIT64(VHOST_USER_PROTOCOL_F_MQ) | BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK) |                \
	 BIT64(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | BIT64(VHOST_USER_PROTOCOL_F_CONFIG) |          \
	 BIT64(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) |                                            \
	 BIT64(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |                                               \
	 BIT64(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS))

#define GPA      UINT64_C(0x100000)
#define USER     UINT64_C(0x7f0000000000)
#define MEM_SIZE 0x20000u

static struct loop loop;
static struct vhost_session *session; /* NULL when it has ended */
static int vmm;                       /* the other end */
static int ended_error;
static GString *story;
static uint64_t heard_features;
static int gpu_fd;
static uint8_t config[256];
static int descriptors_before;

/* ---- the back-end ---- */

static inline void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void tell(const char *format, ...)
{
	va_list args;

	if (story->len > 0)
		g_string_append_c(story, ' ');
	va_start(args, format);
	g_string_append_vprintf(story, format, args);
	va_end(args);
}

static inline uint64_t fake_features(struct vhost_backend *backend)
{
	(void)backend;
	return BIT64(1);
}

static inline void fake_set_features(struct vhost_backend *backend, uint64_t features)
{
	(void)backend;
	heard_features = features;
}

static inline void fake_config_read(struct vhost_backend *backend, uint32_t offset, void *buf,
				    uint32_t size)
{
	(void)backend;
	memcpy(buf, config + offset, size);
}

static inline void fake_config_write(struct vhost_backend *backend, uint32_t offset,
				     const void *buf, uint32_t size)
{
	(void)backend;
	memcpy(config + offset, buf, size);
}

static inline void fake_gpu_socket(struct vhost_backend *backend, int fd)
{
	(void)backend;
	fd_close(&gpu_fd);
	gpu_fd = fd;
	tell("gpu");
}

static inline void fake_session_opened(struct vhost_backend *backend, struct vhost_session *s)
{
	(void)backend;
	assert_non_null(s);
	tell("opened");
}

static inline void fake_session_closed(struct vhost_backend *backend)
{
	(void)backend;
	tell("closed");
}

static inline void fake_queue_started(struct vhost_backend *backend, unsigned index)
{
	(void)backend;
	assert_true(vhost_session_vring(session, index)->is_running);
	tell("start%u", index);
}

static inline void fake_queue_stopped(struct vhost_backend *backend, unsigned index)
{
	(void)backend;
	assert_true(vhost_session_vring(session, index)->is_running);
	tell("stop%u", index);
}

static inline void fake_queue_kicked(struct vhost_backend *backend, unsigned index)
{
	(void)backend;
	assert_true(vhost_session_vring(session, index)->is_running);
	tell("kick%u", index);
}

static inline void fake_memory_changed(struct vhost_backend *backend)
{
	(void)backend;
	tell("memory");
}

static inline void fake_reset(struct vhost_backend *backend)
{
	(void)backend;
	assert_false(vhost_session_vring(session, 0)->is_running);
	assert_false(vhost_session_vring(session, 1)->is_running);
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

/* ---- the test's own machine ---- */

static inline int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	if (!dir)
		return 0; /* where there is no /proc nothing is compared */
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline void session_ended(void *data, int error)
{
	assert_ptr_equal(data, &loop);
	ended_error = error;
	vhost_session_free(session); /* must be safe here */
	session = NULL;
}

static inline void open_session(void)
{
	int pair[2], error = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	vmm = pair[0];
	ended_error = 1;
	session = vhost_session_new(&loop, pair[1], &backend, session_ended, &loop, &error);
	assert_non_null(session);
}

static inline int setup(void **state)
{
	(void)state;
	descriptors_before = count_descriptors();
	story = g_string_new(NULL);
	gpu_fd = -1;
	if (loop_init(&loop) < 0)
		return -1;
	open_session();
	g_string_truncate(story, 0);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	vhost_session_free(session);
	session = NULL;
	loop_finish(&loop);
	fd_close(&vmm);
	fd_close(&gpu_fd);
	g_string_free(story, TRUE);
	return count_descriptors() == descriptors_before ? 0 : -1;
}

static inline void turn(void)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_turn(&loop, 0), 0);
}

static inline void assert_story(const char *want)
{
	assert_string_equal(story->str, want);
	g_string_truncate(story, 0);
}

static inline void assert_ended(int error)
{
	turn();
	assert_null(session);
	assert_int_equal(ended_error, error);
}

/* Raw bytes with descriptors; the loop does not turn. */
static inline void send_bytes(const void *bytes, size_t size, const int *fds, unsigned n_fds)
{
	char control[CMSG_SPACE(sizeof(int) * 16)] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { (void *)(uintptr_t)bytes, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > 0) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	assert_int_equal(sendmsg(vmm, &msg, MSG_NOSIGNAL), (ssize_t)size);
}

static inline void send_message(uint32_t request, uint32_t flags, const void *payload,
				uint32_t size, const int *fds, unsigned n_fds)
{
	struct {
		struct vhost_user_header header;
		uint8_t payload[5000];
	} message = { { request, flags, size }, { 0 } };

	if (payload && size > 0)
		memcpy(message.payload, payload, size);
	send_bytes(&message, sizeof(message.header) + size, fds, n_fds);
}

static inline bool has_reply(void)
{
	char byte;

	return recv(vmm, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
}

/* Reads one reply; returns the size of its payload. */
static inline uint32_t receive(uint32_t request, void *payload, size_t room)
{
	struct vhost_user_header h;

	assert_int_equal(recv(vmm, &h, sizeof(h), MSG_DONTWAIT), sizeof(h));
	assert_int_equal(h.request, request);
	assert_int_equal(h.flags, REPLY);
	assert_true(h.size <= room);
	if (h.size > 0)
		assert_int_equal(recv(vmm, payload, h.size, MSG_DONTWAIT), h.size);
	return h.size;
}

static inline uint64_t receive_u64(uint32_t request)
{
	uint64_t value = 0;

	assert_int_equal(receive(request, &value, sizeof(value)), sizeof(value));
	return value;
}

static inline uint64_t get_u64(uint32_t request)
{
	send_message(request, V1, NULL, 0, NULL, 0);
	turn();
	return receive_u64(request);
}

static inline void set_u64(uint32_t request, uint64_t value)
{
	send_message(request, V1, &value, sizeof(value), NULL, 0);
	turn();
	assert_false(has_reply());
}

/* With REPLY_ACK agreed: 0 or 1. */
static inline uint64_t ask(uint32_t request, const void *payload, uint32_t size, int fd)
{
	send_message(request, NEED_REPLY, payload, size, &fd, fd >= 0);
	turn();
	assert_non_null(session);
	uint64_t answer = receive_u64(request);

	assert_false(has_reply());
	return answer;
}

static inline void agree(void)
{
	set_u64(VHOST_USER_SET_PROTOCOL_FEATURES, OFFERED);
	set_u64(VHOST_USER_SET_FEATURES,
		BIT64(VHOST_USER_F_PROTOCOL_FEATURES) | BIT64(VIRTIO_F_VERSION_1));
}

static inline void set_state(uint32_t request, uint32_t index, uint32_t num)
{
	struct vhost_user_vring_state state = { index, num };

	send_message(request, V1, &state, sizeof(state), NULL, 0);
	turn();
}

static inline void set_queue_fd(uint32_t request, uint64_t index, int fd)
{
	send_message(request, V1, &index, sizeof(index), &fd, fd >= 0);
	turn();
}

static inline void set_addresses(uint32_t index, uint64_t desc)
{
	struct vhost_user_vring_addr addr = {
		.index = index, .desc = desc, .used = desc + 0x2000, .avail = desc + 0x1000
	};

	send_message(VHOST_USER_SET_VRING_ADDR, V1, &addr, sizeof(addr), NULL, 0);
	turn();
}

static inline uint32_t get_base(uint32_t index)
{
	struct vhost_user_vring_state state = { 0 };

	set_state(VHOST_USER_GET_VRING_BASE, index, 0);
	assert_int_equal(receive(VHOST_USER_GET_VRING_BASE, &state, sizeof(state)), sizeof(state));
	assert_int_equal(state.index, index);
	return state.num;
}

/* One region, big enough for the rings; nothing of it is looked at here. */
static inline void add_memory(void)
{
	struct vhost_user_mem_reg reg = { 0, { GPA, MEM_SIZE, USER, 0 } };
	auto_fd fd = memfd_create("guest", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, MEM_SIZE), 0);
	send_message(VHOST_USER_ADD_MEM_REG, V1, &reg, sizeof(reg), &fd, 1);
	turn();
	assert_story("memory");
}

/* Both sides' part of a ring up to, but not with, the enabling. Returns the kick descriptor. */
static inline int set_up_ring(uint32_t index, uint32_t base)
{
	int kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	set_state(VHOST_USER_SET_VRING_NUM, index, 16);
	set_state(VHOST_USER_SET_VRING_BASE, index, base);
	set_addresses(index, USER + index * 0x4000);
	set_queue_fd(VHOST_USER_SET_VRING_KICK, index, kick);
	return kick;
}

static inline void kick_it(int fd)
{
	uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	turn();
}
