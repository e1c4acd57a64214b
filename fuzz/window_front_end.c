// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "window_front_end.h"

#include <glib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"
#include "vhost/vhost_user.h"
#include "vmm.h"

#define PAGE 4096u

struct request {
	struct vhost_user_header header;
	struct vhost_user_shmem_map map; /* a SHARED_OBJECT_LOOKUP has only its first 16 bytes */
} __attribute__((packed));

enum how { HOW_ANSWER, HOW_LATER, HOW_REFUSE, HOW_IN_PIECES };

static size_t bytes_waiting(const struct window_front_end *front_end)
{
	int n = 0;

	CHECK(ioctl(front_end->fd, FIONREAD, &n) == 0);
	return (size_t)n;
}

/* False if there is no whole request. */
static bool receive(struct window_front_end *front_end, struct request *ret, int *ret_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = { ret, sizeof(ret->header) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(front_end->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return false;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*ret_fd = -1;
	if (c) {
		CHECK(c->cmsg_len == CMSG_LEN(sizeof(int)));
		memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
	}
	CHECK(n == sizeof(ret->header) && ret->header.flags == VMM_NEED_REPLY);
	CHECK(ret->header.size <= sizeof(ret->map));
	CHECK(recv(front_end->fd, &ret->map, ret->header.size, MSG_DONTWAIT) ==
	      (ssize_t)ret->header.size);
	return true;
}

static void check_is_allowed(struct window_front_end *front_end, const struct request *r)
{
	size_t size = sizeof(r->header) + r->header.size;

	if (!front_end->is_stopped)
		return;
	if (front_end->before_stop >= size)
		front_end->before_stop -= size;
	else
		CHECK(r->header.request == VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP);
}

static void check_part(const struct window_front_end *front_end, const struct request *r)
{
	const struct vhost_user_shmem_map map = r->map;

	CHECK(r->header.size == sizeof(map) && map.id == 1 && map.fd_offset == 0);
	CHECK(map.size > 0 && (map.size | map.shm_offset) % PAGE == 0);
	CHECK(map.size <= front_end->size && map.shm_offset <= front_end->size - map.size);
}

static void check_is_free(const struct window_front_end *front_end, uint64_t offset, uint64_t size)
{
	for (unsigned i = 0; i < front_end->n_maps; i++) {
		const struct window_front_end_map *map = &front_end->maps[i];

		CHECK(offset >= map->offset + map->size || map->offset >= offset + size);
	}
}

static bool do_map(struct window_front_end *front_end, const struct request *r, int fd,
		   bool is_refused)
{
	struct stat st;

	check_part(front_end, r);
	CHECK(r->map.flags == VHOST_USER_SHMEM_MAP_WRITABLE);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size >= r->map.size);
	if (is_refused)
		return false;
	/* After a wrong reply the daemon may believe that a part is free. */
	if (!front_end->is_liar)
		check_is_free(front_end, r->map.shm_offset, r->map.size);
	if (front_end->n_maps == WINDOW_FRONT_END_MAPS)
		return false;
	front_end->maps[front_end->n_maps++] =
		(struct window_front_end_map){ r->map.shm_offset, r->map.size, st.st_ino };
	front_end->is_last_in_place = false;
	return true;
}

static bool do_unmap(struct window_front_end *front_end, const struct request *r, int fd,
		     bool is_refused)
{
	check_part(front_end, r);
	CHECK(fd < 0 && r->map.flags == 0);
	/* After a reset a refusal means that nothing is mapped there. */
	is_refused = is_refused && !front_end->was_reset;
	for (unsigned i = 0; i < front_end->n_maps; i++) {
		struct window_front_end_map *map = &front_end->maps[i];

		if (map->offset != r->map.shm_offset || map->size != r->map.size)
			continue;
		front_end->has_kept |= is_refused;
		if (!is_refused)
			*map = front_end->maps[--front_end->n_maps];
		return !is_refused;
	}
	return false;
}

static void put_reply(struct window_front_end *front_end, uint32_t request, bool is_done)
{
	const struct vhost_user_header header = { request, VMM_REPLY, sizeof(uint64_t) };
	const uint64_t value = !is_done;

	memcpy(front_end->reply, &header, sizeof(header));
	memcpy(front_end->reply + sizeof(header), &value, sizeof(value));
	front_end->reply_left = sizeof(front_end->reply);
}

void window_front_end_answer(struct window_front_end *front_end, size_t max)
{
	size_t at = sizeof(front_end->reply) - front_end->reply_left;
	size_t n = MIN(front_end->reply_left, max);

	if (n > 0 && front_end->fd >= 0)
		(void)vmm_send(front_end->fd, front_end->reply + at, n, NULL, 0);
	front_end->reply_left -= n;
}

bool window_front_end_serve(struct window_front_end *front_end, struct input *in)
{
	struct request r;
	auto_fd fd = -1;

	if (front_end->fd < 0 || front_end->reply_left > 0 || !receive(front_end, &r, &fd))
		return false;
	uint8_t byte = input_u8(in);
	enum how how = byte & 3;
	bool is_done = true;

	front_end->is_last_in_place = true;
	check_is_allowed(front_end, &r);
	if (r.header.request == VHOST_USER_BACKEND_SHMEM_MAP)
		is_done = do_map(front_end, &r, fd, how == HOW_REFUSE);
	else if (r.header.request == VHOST_USER_BACKEND_SHMEM_UNMAP)
		is_done = do_unmap(front_end, &r, fd, how == HOW_REFUSE);
	else
		CHECK(r.header.request == VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP && fd < 0 &&
		      r.header.size == 16);
	put_reply(front_end, r.header.request, is_done);
	if (how != HOW_LATER)
		window_front_end_answer(front_end, how == HOW_IN_PIECES ? byte >> 2 : SIZE_MAX);
	return true;
}

void window_front_end_lie(struct window_front_end *front_end, struct input *in)
{
	uint8_t bytes[32];
	size_t n = input_u8(in) & 31;

	input_copy(in, bytes, n);
	if (front_end->fd < 0 || n == 0)
		return;
	front_end->is_liar = true;
	(void)vmm_send(front_end->fd, bytes, n, NULL, 0);
}

void window_front_end_stop(struct window_front_end *front_end, bool is_stopped)
{
	front_end->before_stop = front_end->fd >= 0 ? bytes_waiting(front_end) : 0;
	front_end->is_stopped = is_stopped;
}

int window_front_end_connect(struct window_front_end *front_end)
{
	int pair[2];

	window_front_end_hang_up(front_end);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	front_end->fd = pair[0];
	front_end->before_stop = 0;
	return pair[1];
}

void window_front_end_hang_up(struct window_front_end *front_end)
{
	/* A truncated reply is invalid. */
	front_end->is_liar |= front_end->reply_left % sizeof(front_end->reply) != 0;
	fd_close(&front_end->fd);
	front_end->reply_left = 0;
	front_end->is_last_in_place = true;
}

void window_front_end_drop(struct window_front_end *front_end)
{
	front_end->n_maps = 0;
	front_end->is_last_in_place = true;
	front_end->was_reset = true;
}

bool window_front_end_has(const struct window_front_end *front_end, uint64_t offset, uint64_t size,
			  ino_t inode)
{
	for (unsigned i = 0; i < front_end->n_maps; i++) {
		const struct window_front_end_map *map = &front_end->maps[i];

		if (map->offset == offset && map->size == size && map->inode == inode)
			return i + 1 < front_end->n_maps || front_end->is_last_in_place;
	}
	return false;
}
