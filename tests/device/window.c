// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The window of host memory, as in QEMU 11.1: requests are checked as QEMU checks them, unmaps must
 * equal maps, and a reply comes before the map is in place. Then the map comes back over the main
 * socket as a region of guest memory.
 */
#include "vmm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct vhost_user_header header;
	union {
		struct vhost_user_shmem_map map;
		uint8_t bytes[64];
	} payload;
	int fd; /* -1: none came */
};

void window_ask(struct vmm *vmm)
{
	struct vhost_user_shmem_config c;

	if (!vhost_send(vmm, VHOST_USER_GET_SHMEM_CONFIG, 0, NULL, 0, NULL, 0) ||
	    !vhost_recv(vmm, VHOST_USER_GET_SHMEM_CONFIG, &c, sizeof(c), NULL))
		vmm_fail("GET_SHMEM_CONFIG got no good answer");
	if (c.sizes[1] == 0 || (c.sizes[1] & (c.sizes[1] - 1)) != 0 || c.n_regions != 1)
		vmm_fail("a window of %#llx bytes, %u regions: QEMU would end",
			 (unsigned long long)c.sizes[1], c.n_regions);
	vmm->window.size = c.sizes[1];
}

static void read_bytes(struct vmm *vmm, void *to, size_t size, int *ret_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { to, size };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(vmm->backend_fd, &m, MSG_WAITALL | MSG_CMSG_CLOEXEC);

	if (n != (ssize_t)size || m.msg_flags & MSG_CTRUNC)
		vmm_fail("back-end channel: %zd of %zu bytes", n, size);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
}

static bool read_request(struct vmm *vmm, struct request *ret)
{
	char byte;

	if (recv(vmm->backend_fd, &byte, 1, MSG_PEEK) <= 0)
		return false;
	*ret = (struct request){ .fd = -1 };
	read_bytes(vmm, &ret->header, sizeof(ret->header), &ret->fd);
	if (ret->header.flags != (VHOST_USER_VERSION | VHOST_USER_NEED_REPLY) ||
	    ret->header.size > sizeof(ret->payload))
		vmm_fail("back-end request %u has flags %#x, %u bytes", ret->header.request,
			 ret->header.flags, ret->header.size);
	read_bytes(vmm, &ret->payload, ret->header.size, &ret->fd);
	return true;
}

static void send_reply(struct vmm *vmm, uint32_t request, uint64_t value, bool in_pieces)
{
	struct {
		struct vhost_user_header header;
		uint8_t value[8];
	} reply = { { request, VHOST_USER_VERSION | VHOST_USER_REPLY, 8 }, { 0 } };

	memcpy(reply.value, &value, sizeof(value));
	for (size_t at = 0, n; at < sizeof(reply); at += n) {
		n = in_pieces ? 1 : sizeof(reply);
		if (send(vmm->backend_fd, (const uint8_t *)&reply + at, n, MSG_NOSIGNAL) !=
		    (ssize_t)n)
			vmm_fail("back-end channel: %s", strerror(errno));
		if (in_pieces)
			usleep(200);
	}
}

static struct vhost_user_mem_reg region_of(const struct window_map *map)
{
	return (struct vhost_user_mem_reg){
		.region = { .gpa = WINDOW_GPA + map->offset,
			    .size = map->size,
			    .user_addr = UINT64_C(0x7e0000000000) + map->offset },
	};
}

bool window_tell_region(struct vmm *vmm, const struct window_map *map, uint32_t request)
{
	const struct vhost_user_mem_reg m = region_of(map);

	return !vhost_is_refused(vmm, request, &m, sizeof(m), &map->fd,
				 request == VHOST_USER_ADD_MEM_REG);
}

struct window_map *window_find(struct vmm *vmm, uint64_t offset)
{
	struct window *w = &vmm->window;

	for (unsigned i = 0; i < w->count; i++)
		if (offset >= w->maps[i].offset && offset - w->maps[i].offset < w->maps[i].size)
			return &w->maps[i];
	return NULL;
}

static bool is_free(struct vmm *vmm, const struct vhost_user_shmem_map *m)
{
	for (unsigned i = 0; i < vmm->window.count; i++) {
		const struct window_map *map = &vmm->window.maps[i];

		if (m->shm_offset < map->offset + map->size &&
		    map->offset < m->shm_offset + m->size)
			return false;
	}
	return true;
}

/* Whether the map can be made. False: QEMU would refuse it. The test fails at a request that is
 * wrong in itself, even where QEMU does not check that. */
static bool can_map(struct vmm *vmm, const struct request *r)
{
	const struct vhost_user_shmem_map *m = &r->payload.map;

	if (m->id != 1 || m->size == 0 || (m->size | m->shm_offset | m->fd_offset) % 4096 != 0 ||
	    r->fd < 0)
		vmm_fail("a map of %#llx bytes at %#llx, fd offset %#llx, descriptor %d",
			 (unsigned long long)m->size, (unsigned long long)m->shm_offset,
			 (unsigned long long)m->fd_offset, r->fd);
	return m->size <= vmm->window.size && m->shm_offset <= vmm->window.size - m->size &&
	       is_free(vmm, m) && lseek(r->fd, 0, SEEK_END) >= (off_t)(m->fd_offset + m->size) &&
	       vmm->window.count < WINDOW_MAX_MAPS;
}

static void drop_map(struct vmm *vmm, struct window_map *map)
{
	struct window *w = &vmm->window;

	close(map->fd);
	*map = w->maps[--w->count];
}

static bool do_map(struct vmm *vmm, struct request *r)
{
	const struct vhost_user_shmem_map *m = &r->payload.map;
	bool is_good = can_map(vmm, r);

	if (is_good)
		vmm->window.maps[vmm->window.count++] =
			(struct window_map){ m->shm_offset, m->size, r->fd, false };
	else
		close(r->fd);
	return is_good;
}

static void commit_map(struct vmm *vmm, struct window_map *map)
{
	bool runs = vmm->rings[CONTROL].is_running;

	if (vmm->window.hides_regions)
		return;
	map->is_known = window_tell_region(vmm, map, VHOST_USER_ADD_MEM_REG);
	if (runs && map->is_known)
		vmm_fail("a map was taken as memory while the rings run");
	vmm->window.n_refused_regions += !map->is_known;
}

static bool do_unmap(struct vmm *vmm, const struct request *r)
{
	const struct vhost_user_shmem_map *m = &r->payload.map;
	struct window_map *map = window_find(vmm, m->shm_offset);

	if (!map || map->offset != m->shm_offset || map->size != m->size)
		return false;
	if (map->is_known && !window_tell_region(vmm, map, VHOST_USER_REM_MEM_REG))
		vmm_fail("a region that was taken is not given back");
	drop_map(vmm, map);
	return true;
}

static void answer(struct vmm *vmm, const struct request *r, enum window_answer how, bool is_good)
{
	struct window *w = &vmm->window;

	if (how == WINDOW_HOLD) {
		w->held = r->header;
		w->held_value = !is_good;
		w->has_held = true;
		return;
	}
	send_reply(vmm, r->header.request, !is_good, how == WINDOW_IN_PIECES);
}

static void serve_map(struct vmm *vmm, struct request *r)
{
	struct window *w = &vmm->window;

	w->n_maps++;
	if (w->on_map == WINDOW_REFUSE) {
		close(r->fd);
		answer(vmm, r, WINDOW_ANSWER, false);
		return;
	}
	bool is_good = do_map(vmm, r);

	answer(vmm, r, w->on_map, is_good);
	if (is_good)
		commit_map(vmm, &w->maps[w->count - 1]);
}

static void serve_unmap(struct vmm *vmm, const struct request *r)
{
	struct window *w = &vmm->window;

	w->n_unmaps++;
	if (!vmm->rings[CONTROL].is_running)
		vmm_fail("an unmap while the rings are stopped");
	if (r->fd >= 0)
		vmm_fail("an unmap with a descriptor");
	answer(vmm, r, w->on_unmap == WINDOW_REFUSE ? WINDOW_ANSWER : w->on_unmap,
	       w->on_unmap != WINDOW_REFUSE && do_unmap(vmm, r));
}

bool window_serve(struct vmm *vmm)
{
	struct request r;

	if (!read_request(vmm, &r))
		return false;
	if (vmm->window.has_held)
		vmm_fail("back-end request %u before the answer to %u", r.header.request,
			 vmm->window.held.request);
	switch (r.header.request) {
	case VHOST_USER_BACKEND_SHMEM_MAP:
		serve_map(vmm, &r);
		break;
	case VHOST_USER_BACKEND_SHMEM_UNMAP:
		serve_unmap(vmm, &r);
		break;
	case VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP:
		vmm->window.n_barriers++;
		answer(vmm, &r, vmm->window.on_barrier, false);
		break;
	default:
		vmm_fail("unexpected back-end request %u", r.header.request);
	}
	return true;
}

static bool is_held(struct vmm *vmm, const void *arg)
{
	return vmm->window.has_held && vmm->window.held.request == *(const uint32_t *)arg;
}

void window_wait_held(struct vmm *vmm, uint32_t request)
{
	vmm_wait(vmm, is_held, &request, "a request for the window");
}

void window_answer_held(struct vmm *vmm)
{
	struct window *w = &vmm->window;

	if (!w->has_held)
		vmm_fail("no request of the window is held");
	w->has_held = false;
	send_reply(vmm, w->held.request, w->held_value, false);
}

static uint8_t *byte_at(struct vmm *vmm, uint64_t offset, struct window_map **ret)
{
	struct window_map *map = window_find(vmm, offset);

	if (!map)
		vmm_fail("nothing is mapped at %#llx of the window", (unsigned long long)offset);
	uint8_t *bytes = mmap(NULL, map->size, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);

	if (bytes == MAP_FAILED)
		vmm_fail("mmap: %s", strerror(errno));
	*ret = map;
	return bytes;
}

uint8_t window_peek(struct vmm *vmm, uint64_t offset)
{
	struct window_map *map;
	uint8_t *bytes = byte_at(vmm, offset, &map), value = bytes[offset - map->offset];

	munmap(bytes, map->size);
	return value;
}

void window_poke(struct vmm *vmm, uint64_t offset, uint8_t value)
{
	struct window_map *map;
	uint8_t *bytes = byte_at(vmm, offset, &map);

	bytes[offset - map->offset] = value;
	munmap(bytes, map->size);
}

void window_tell_all(struct vmm *vmm)
{
	struct window *w = &vmm->window;

	for (unsigned i = 0; i < w->count && !w->hides_regions; i++) {
		w->maps[i].is_known = w->maps[i].is_known ||
				      window_tell_region(vmm, &w->maps[i], VHOST_USER_ADD_MEM_REG);
		if (!w->maps[i].is_known)
			vmm_fail("a map is refused as memory at a start: QEMU would not start");
	}
}

void window_forget(struct vmm *vmm)
{
	while (vmm->window.count > 0)
		drop_map(vmm, &vmm->window.maps[0]);
}
