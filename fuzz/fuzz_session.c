// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * A whole vhost-user connection: messages of every kind with every kind of descriptor, cut up at
 * odd places, with turns of the loop in between, replies that are not read and an end at any
 * moment. Behind the session is either a back-end that only watches over what it is told (starts
 * and stops in pairs, no reset while a ring runs), or the real device with its 2D renderer and a
 * display.
 *
 * Each input is one connection. After it no descriptor is left (the lowest free number is the same
 * as before), and nothing is queued in the loop.
 *
 * The first byte says what is behind the session; then each byte is a request or an operation.
 */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "display/display.h"
#include "display/socket.h"
#include "fuzz.h"
#include "gpu/device.h"
#include "input.h"
#include "render/renderer.h"
#include "render/soft2d.h"
#include "vhost/backend.h"
#include "vhost/session.h"
#include "vhost/vring.h"
#include "vhost_payload.h"
#include "vmm.h"

#define MAX_STEPS   96
#define FILE_SIZE   0x8000u
#define MAX_PAYLOAD 4200

/* Descriptors that go with messages. */
enum {
	KIND_MEMORY,
	KIND_MEMORY2,
	KIND_EVENT,
	KIND_PIPE_IN,
	KIND_PIPE_OUT,
	KIND_SOCKET,
	KIND_NULL,
	N_KINDS
};

static struct {
	struct loop loop;
	struct renderer *renderer;
	struct display *display;
	struct gpu_device *device;
	struct vhost_session *session; /* NULL: over */
	bool has_ended;
	int vmm; /* our end; -1: hung up */
	int fds[N_KINDS];
	int socket_peer; /* the other end of KIND_SOCKET */
	uint8_t *memory; /* the first file, as the guest sees it */
	uint8_t replies[4096];
	size_t n_replies;
	uint8_t message[sizeof(struct vhost_user_header) + MAX_PAYLOAD];
	bool runs[VHOST_MAX_QUEUES]; /* as the watching back-end was told */
	bool is_open;
} scene;

/* ---- the back-end that checks its calls ---- */

static uint64_t watch_features(struct vhost_backend *backend)
{
	(void)backend;
	return 2;
}

static void watch_set_features(struct vhost_backend *backend, uint64_t features)
{
	(void)backend;
	(void)features;
}

static void watch_config_read(struct vhost_backend *backend, uint32_t offset, void *buf,
			      uint32_t size)
{
	(void)backend;
	CHECK(size > 0 && size <= 256 && offset <= 256 - size);
	memset(buf, 0xa5, size);
}

static void watch_config_write(struct vhost_backend *backend, uint32_t offset, const void *buf,
			       uint32_t size)
{
	static uint8_t config[256];

	(void)backend;
	CHECK(size > 0 && size <= sizeof(config) && offset <= sizeof(config) - size);
	memcpy(config + offset, buf, size);
}

static void watch_gpu_socket(struct vhost_backend *backend, int fd)
{
	(void)backend;
	CHECK(fd >= 0);
	fd_close(&fd);
}

static void watch_opened(struct vhost_backend *backend, struct vhost_session *session)
{
	(void)backend;
	CHECK(!scene.is_open && session);
	scene.is_open = true;
}

static void watch_closed(struct vhost_backend *backend)
{
	(void)backend;
	CHECK(scene.is_open && !scene.runs[0] && !scene.runs[1]);
	scene.is_open = false;
}

static void watch_started(struct vhost_backend *backend, unsigned index)
{
	(void)backend;
	CHECK(!scene.runs[index] && vhost_session_vring(scene.session, index)->is_running);
	scene.runs[index] = true;
}

static void watch_stopped(struct vhost_backend *backend, unsigned index)
{
	(void)backend;
	CHECK(scene.runs[index] && vhost_session_vring(scene.session, index)->is_running);
	scene.runs[index] = false;
}

static void watch_kicked(struct vhost_backend *backend, unsigned index)
{
	struct vring *vring = vhost_session_vring(scene.session, index);
	struct vring_chain chain;

	(void)backend;
	CHECK(scene.runs[index] && vring->is_running);
	for (unsigned i = 0; i < 4 && vring_pop(vring, &chain); i++)
		vring_push(vring, chain.head, 0);
	vring_notify(vring);
}

static void watch_memory_changed(struct vhost_backend *backend)
{
	(void)backend;
	CHECK(scene.is_open);
}

static uint64_t watch_window(struct vhost_backend *backend)
{
	(void)backend;
	return 1 << 20;
}

static void watch_reset(struct vhost_backend *backend)
{
	(void)backend;
	CHECK(scene.is_open && !scene.runs[0] && !scene.runs[1]);
}

static const struct vhost_backend_ops watch_ops = {
	.features = watch_features,
	.set_features = watch_set_features,
	.config_read = watch_config_read,
	.config_write = watch_config_write,
	.gpu_socket = watch_gpu_socket,
	.session_opened = watch_opened,
	.session_closed = watch_closed,
	.queue_started = watch_started,
	.queue_stopped = watch_stopped,
	.queue_kicked = watch_kicked,
	.memory_changed = watch_memory_changed,
	.reset = watch_reset,
	.window = watch_window,
};

static struct vhost_backend watching_backend = { .ops = &watch_ops, .n_queues = 2 };

/* ---- messages ---- */

static void turn(void)
{
	CHECK(loop_turn(&scene.loop, 0) == 0);
}

/* Sends the message in one piece, or in two with a turn between them and the descriptors with
 * either. */
static void deliver(size_t size, const int *fds, unsigned n_fds, uint32_t cut, bool fds_come_late)
{
	if (scene.vmm < 0)
		return;
	if (cut == 0 || cut >= size) {
		vmm_send(scene.vmm, scene.message, size, fds, n_fds);
		return;
	}
	vmm_send(scene.vmm, scene.message, cut, fds, fds_come_late ? 0 : n_fds);
	turn();
	vmm_send(scene.vmm, scene.message + cut, size - cut, fds, fds_come_late ? n_fds : 0);
}

/* @how: 1 not asking for an answer, 2 another size, 4 other descriptors, 8 cut in two, 16 any
 * flags, 32 fds late, 64 no turn after it. */
static void send_request(uint32_t request, struct input *in)
{
	uint8_t how = input_u8(in);
	uint8_t *at = scene.message + sizeof(struct vhost_user_header);
	struct vhost_user_header header = { request, how & 1 ? VHOST_USER_VERSION : VMM_NEED_REPLY,
					    0 };
	int fds[VMM_MAX_FDS];
	unsigned n_fds, kind = KIND_EVENT;
	uint32_t cut = 0;

	vhost_payload_put(&at, request, in, &n_fds);
	header.size = (uint32_t)(at - scene.message - sizeof(struct vhost_user_header));
	if (how & 2)
		header.size = input_number(in);
	if (how & 16)
		header.flags = input_number(in);
	if (request == VHOST_USER_SET_MEM_TABLE || request == VHOST_USER_ADD_MEM_REG)
		kind = KIND_MEMORY;
	else if (request == VHOST_USER_GPU_SET_SOCKET)
		kind = KIND_SOCKET;
	if (how & 4) {
		uint8_t other = input_u8(in);

		n_fds = other & 15;
		kind = other >> 4;
	}
	n_fds = n_fds < VMM_MAX_FDS ? n_fds : VMM_MAX_FDS;
	for (unsigned i = 0; i < n_fds; i++)
		fds[i] = scene.fds[(kind + (how & 4 ? i : 0)) % N_KINDS];
	if (how & 8)
		cut = input_number(in);
	memcpy(scene.message, &header, sizeof(header));
	size_t size = header.size <= MAX_PAYLOAD ? sizeof(struct vhost_user_header) + header.size
						 : (size_t)(at - scene.message);
	deliver(size, fds, n_fds, cut, how & 32);
	if (!(how & 64))
		turn();
}

/* ---- everything else ---- */

static void write_memory(struct input *in)
{
	const uint8_t *bytes;
	uint32_t at = input_u16(in) % FILE_SIZE;
	uint32_t want = input_u8(in);
	size_t n = input_take(in, MIN(want, FILE_SIZE - at), &bytes);

	if (n > 0)
		memcpy(scene.memory + at, bytes, n);
}

/* Offers a chain of a request, whose type is in @in, and room for a response in queue 0 or 1, whose
 * rings are taken to be where vhost_payload.c usually puts them. */
static void write_chain(struct input *in)
{
	uint32_t queue = input_below(in, 2) * 0x1000u;
	uint16_t index, head = input_below(in, 8) * 2;
	uint32_t request = 0x4000 + head * 0x200u;
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} desc[2] = {
		{ VHOST_PAYLOAD_GPA + request, 96, 1, (uint16_t)(head + 1) },
		{ VHOST_PAYLOAD_GPA + request + 0x100, 0x100, 2, 0 },
	};
	uint32_t type = 0x100u + input_u8(in);

	memcpy(scene.memory + request, &type, sizeof(type));
	for (unsigned i = 24; i < 72; i += 4) {
		uint32_t word = input_number(in);

		memcpy(scene.memory + request + i, &word, sizeof(word));
	}
	memcpy(scene.memory + queue + head * 16, desc, sizeof(desc));
	memcpy(&index, scene.memory + queue + 0x402, sizeof(index));
	memcpy(scene.memory + queue + 0x404 + (index % 16) * 2, &head, sizeof(head));
	index++;
	memcpy(scene.memory + queue + 0x402, &index, sizeof(index));
}

static void read_replies(void)
{
	if (scene.vmm >= 0)
		vmm_read(scene.vmm, scene.replies, sizeof(scene.replies), &scene.n_replies);
}

static void other_step(struct input *in, unsigned op)
{
	uint64_t one = 1;

	switch (op) {
	case 0:
		turn();
		break;
	case 1:
		CHECK(write(scene.fds[KIND_EVENT], &one, sizeof(one)) == sizeof(one));
		turn();
		break;
	case 2:
		read_replies();
		break;
	case 3:
		write_memory(in);
		break;
	case 4:
		write_chain(in);
		break;
	case 5:
		fd_close(&scene.vmm);
		break;
	case 6:
		(void)!write(scene.fds[KIND_PIPE_OUT], &one, sizeof(one));
		break;
	case 7: /* the whole buffer; a few such steps send more bytes than any message has */
		if (scene.vmm >= 0)
			vmm_send(scene.vmm, scene.message, sizeof(scene.message), NULL, 0);
		turn();
		break;
	default:
		turn();
	}
}

static void step(struct input *in)
{
	static const uint8_t known[] = {
		VHOST_USER_GET_FEATURES,
		VHOST_USER_SET_FEATURES,
		VHOST_USER_SET_OWNER,
		VHOST_USER_RESET_OWNER,
		VHOST_USER_SET_MEM_TABLE,
		VHOST_USER_SET_VRING_NUM,
		VHOST_USER_SET_VRING_ADDR,
		VHOST_USER_SET_VRING_BASE,
		VHOST_USER_GET_VRING_BASE,
		VHOST_USER_SET_VRING_KICK,
		VHOST_USER_SET_VRING_CALL,
		VHOST_USER_SET_VRING_ERR,
		VHOST_USER_GET_PROTOCOL_FEATURES,
		VHOST_USER_SET_PROTOCOL_FEATURES,
		VHOST_USER_GET_QUEUE_NUM,
		VHOST_USER_SET_VRING_ENABLE,
		VHOST_USER_SET_BACKEND_REQ_FD,
		VHOST_USER_GET_CONFIG,
		VHOST_USER_SET_CONFIG,
		VHOST_USER_GPU_SET_SOCKET,
		VHOST_USER_RESET_DEVICE,
		VHOST_USER_GET_MAX_MEM_SLOTS,
		VHOST_USER_ADD_MEM_REG,
		VHOST_USER_REM_MEM_REG,
		VHOST_USER_GET_SHMEM_CONFIG,
	};
	uint8_t op = input_u8(in);

	if (op < 0x40)
		send_request(op < sizeof(known) ? known[op] : op, in);
	else if (op < 0x80)
		send_request(known[op % sizeof(known)], in);
	else
		other_step(in, op & 15);
	if (op & 0x20)
		read_replies();
}

static void ended(void *data, int error)
{
	CHECK(data == &scene && !scene.has_ended && error <= 0);
	scene.has_ended = true;
	vhost_session_free(scene.session);
	scene.session = NULL;
}

static int next_descriptor(void)
{
	int fd = fcntl(scene.fds[KIND_NULL], F_DUPFD_CLOEXEC, 0), next = fd;

	CHECK(fd >= 0);
	fd_close(&fd);
	return next;
}

static void make_files(void)
{
	int pair[2];

	for (unsigned i = KIND_MEMORY; i <= KIND_MEMORY2; i++) {
		scene.fds[i] = memfd_create("guest", MFD_CLOEXEC);
		CHECK(scene.fds[i] >= 0 && ftruncate(scene.fds[i], FILE_SIZE) == 0);
	}
	scene.memory = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    scene.fds[KIND_MEMORY], 0);
	CHECK(scene.memory != MAP_FAILED);
	scene.fds[KIND_EVENT] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	scene.fds[KIND_NULL] = open("/dev/null", O_RDWR | O_CLOEXEC);
	CHECK(pipe2(pair, O_CLOEXEC | O_NONBLOCK) == 0);
	scene.fds[KIND_PIPE_IN] = pair[0];
	scene.fds[KIND_PIPE_OUT] = pair[1];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	scene.fds[KIND_SOCKET] = pair[0];
	scene.socket_peer = pair[1];
}

static void prepare(void)
{
	struct gpu_device_options options = { .limits = GPU_LIMITS_DEFAULT, .n_scanouts = 1 };

	fuzz_prepare();
	make_files();
	options.limits.max_hostmem = 1 << 20;
	CHECK(loop_init(&scene.loop) == 0);
	scene.renderer = soft2d_renderer_new(0);
	scene.display = socket_display_new(&scene.loop, 0);
	scene.device = gpu_device_new(&scene.loop, scene.renderer, scene.display, &options);
	CHECK(scene.device);
}

static void empty(int fd)
{
	char bytes[4096];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0 ||
	       read(fd, bytes, sizeof(bytes)) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	int pair[2], error = 0, before;

	if (!scene.memory)
		prepare();
	memset(scene.memory, 0, FILE_SIZE);
	before = next_descriptor();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	scene.vmm = pair[0];
	scene.n_replies = 0;
	scene.has_ended = false;
	scene.session = vhost_session_new(&scene.loop, pair[1],
					  input_u8(&in) & 1 ? gpu_device_backend(scene.device)
							    : &watching_backend,
					  ended, &scene, &error);
	CHECK(scene.session);
	for (unsigned i = 0; i < MAX_STEPS && !input_is_empty(&in) && scene.session; i++)
		step(&in);
	fd_close(&scene.vmm);
	/* The guest's objects are freed after the session. */
	for (unsigned i = 0; i < 20 && (scene.session || !g_queue_is_empty(&scene.loop.tasks)); i++)
		turn();
	CHECK(!scene.session && !scene.is_open);
	CHECK(g_queue_is_empty(&scene.loop.tasks));
	CHECK(next_descriptor() == before);
	empty(scene.fds[KIND_EVENT]);
	empty(scene.fds[KIND_PIPE_IN]);
	empty(scene.fds[KIND_SOCKET]);
	empty(scene.socket_peer);
	return 0;
}
