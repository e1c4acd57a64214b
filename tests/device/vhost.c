// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The front-end's side of the vhost-user socket. While it waits for a reply it serves nothing else,
 * because QEMU does the same under its big lock; so the time-out of vhost_recv tests that the
 * daemon never blocks. Replies are checked strictly: the request's number, flags exactly 5 (version
 * 1, reply), the expected size. The profile (vmm.c) decides which messages ask for an
 * acknowledgement: 7.2 asks on SET_BACKEND_REQ_FD and the memory messages, 10.0 also on
 * SET_VRING_ENABLE, 11.1 also on the messages with eventfds.
 */
#include "vmm.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool vhost_send(struct vmm *vmm, uint32_t request, uint32_t flags, const void *payload, size_t size,
		const int *fds, unsigned count)
{
	struct vhost_user_header h = { request, flags | VHOST_USER_VERSION, (uint32_t)size };
	struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)payload, size } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = size ? 2 : 1 };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))];
	ssize_t n;

	if (count > 0) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
		memset(control, 0, m.msg_controllen);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	n = sendmsg(vmm->socket, &m, MSG_NOSIGNAL);
	if (n < 0 && errno != EPIPE && errno != ECONNRESET)
		vmm_fail("vhost-user request %u: %s", request, strerror(errno));
	return n == (ssize_t)(sizeof(h) + size);
}

/* False at EOF. */
static bool read_all(struct vmm *vmm, void *to, size_t size, int64_t deadline, uint32_t request)
{
	size_t have = 0;

	while (have < size) {
		struct pollfd p = { .fd = vmm->socket, .events = POLLIN };
		int64_t left = deadline - vmm_now_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			vmm_fail("no reply to vhost-user request %u (%zu of %zu bytes came)",
				 request, have, size);
		n = recv(vmm->socket, (uint8_t *)to + have, size - have, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

bool vhost_recv(struct vmm *vmm, uint32_t request, void *payload, size_t size, size_t *ret_size)
{
	int64_t deadline = vmm_now_ms() + vmm->timeout_ms;
	struct vhost_user_header h;

	if (!read_all(vmm, &h, sizeof(h), deadline, request))
		return false;
	if (h.request != request || h.flags != (VHOST_USER_VERSION | VHOST_USER_REPLY))
		vmm_fail("reply to vhost-user request %u has request %u, flags %#x", request,
			 h.request, h.flags);
	if (h.size > size || (!ret_size && h.size != size))
		vmm_fail("reply to vhost-user request %u has %u bytes, due are %zu", request,
			 h.size, size);
	if (ret_size)
		*ret_size = h.size;
	return read_all(vmm, payload, h.size, deadline, request);
}

uint64_t vhost_get_u64(struct vmm *vmm, uint32_t request)
{
	uint64_t value = 0;

	if (!vhost_send(vmm, request, 0, NULL, 0, NULL, 0) ||
	    !vhost_recv(vmm, request, &value, sizeof(value), NULL))
		vmm_fail("session closed at vhost-user request %u", request);
	return value;
}

void vhost_set(struct vmm *vmm, uint32_t request, const void *payload, size_t size, int fd,
	       bool acked)
{
	bool wants = (acked || vmm->profile->acks_everything) &&
		     vmm->protocol & BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK);
	uint64_t value = 0;

	if (!vhost_send(vmm, request, wants ? VHOST_USER_NEED_REPLY : 0, payload, size, &fd,
			fd >= 0))
		vmm_fail("session closed before vhost-user request %u", request);
	if (wants && !vhost_recv(vmm, request, &value, sizeof(value), NULL))
		vmm_fail("session closed by vhost-user request %u", request);
	if (value)
		vmm_fail("vhost-user request %u was answered with %llu", request,
			 (unsigned long long)value);
}

bool vhost_is_refused(struct vmm *vmm, uint32_t request, const void *payload, size_t size,
		      const int *fds, unsigned count)
{
	bool acked = vmm->protocol & BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK);
	uint32_t asked = acked ? request : VHOST_USER_GET_FEATURES;
	uint64_t value = 0;

	if (!vhost_send(vmm, request, acked ? VHOST_USER_NEED_REPLY : 0, payload, size, fds, count))
		return true;
	/* Without acknowledgements only the end of the session can be seen. */
	if (!acked && !vhost_send(vmm, asked, 0, NULL, 0, NULL, 0))
		return true;
	return !vhost_recv(vmm, asked, &value, sizeof(value), NULL) || (acked && value != 0);
}

bool vhost_is_closed(struct vmm *vmm, int ms)
{
	int64_t deadline = vmm_now_ms() + ms;

	for (;;) {
		struct pollfd p = { .fd = vmm->socket, .events = POLLIN };
		int64_t left = deadline - vmm_now_ms();
		uint8_t buffer[256];
		ssize_t n;

		if (left < 0 || poll(&p, 1, (int)left) == 0)
			return false;
		n = recv(vmm->socket, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
	}
}

bool vhost_get_config(struct vmm *vmm, uint32_t offset, uint32_t size, void *data)
{
	struct long_config c = { .offset = offset, .size = size };
	size_t head = offsetof(struct long_config, data), got;

	if (!vhost_send(vmm, VHOST_USER_GET_CONFIG, 0, &c, head + size, NULL, 0) ||
	    !vhost_recv(vmm, VHOST_USER_GET_CONFIG, &c, sizeof(c), &got) || got == 0)
		return false;
	if (got != head + size || c.offset != offset || c.size != size)
		vmm_fail("GET_CONFIG of %u at %u: reply of %zu bytes says %u at %u", size, offset,
			 got, c.size, c.offset);
	memcpy(data, c.data, size);
	return true;
}

/* A region is valid from its acknowledgement on; without that, from the next reply on. */
static void send_region(struct vmm *vmm, uint32_t request, const struct vhost_user_mem_reg *m,
			int fd)
{
	vhost_set(vmm, request, m, sizeof(*m), fd, true);
	if (!(vmm->protocol & BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK)))
		vhost_get_u64(vmm, VHOST_USER_GET_FEATURES);
}

void vhost_add_region(struct vmm *vmm, unsigned index)
{
	struct guest_region *r = &vmm->memory.regions[index];
	struct vhost_user_mem_reg m = { .region = r->wire };

	send_region(vmm, VHOST_USER_ADD_MEM_REG, &m, r->fd);
	r->is_known = true;
}

void vhost_remove_region(struct vmm *vmm, unsigned index)
{
	struct guest_region *r = &vmm->memory.regions[index];
	struct vhost_user_mem_reg m = { .region = r->wire };

	m.region.mmap_offset = 0; /* as QEMU sends it */
	send_region(vmm, VHOST_USER_REM_MEM_REG, &m, -1);
	r->is_known = false;
}

static void send_mem_table(struct vmm *vmm)
{
	struct long_mem_table t = { .n_regions = vmm->memory.count };
	size_t size = offsetof(struct long_mem_table, regions) + t.n_regions * sizeof(t.regions[0]);
	bool acked = vmm->protocol & BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK);
	uint64_t value = 0;
	int fds[MEMORY_REGIONS];

	for (unsigned i = 0; i < t.n_regions; i++) {
		t.regions[i] = vmm->memory.regions[i].wire;
		fds[i] = vmm->memory.regions[i].fd;
		vmm->memory.regions[i].is_known = true;
	}
	if (!vhost_send(vmm, VHOST_USER_SET_MEM_TABLE, acked ? VHOST_USER_NEED_REPLY : 0, &t, size,
			fds, t.n_regions) ||
	    (acked && !vhost_recv(vmm, VHOST_USER_SET_MEM_TABLE, &value, sizeof(value), NULL)) ||
	    value)
		vmm_fail("SET_MEM_TABLE was refused");
}

/* With memory slots only new regions, without them the whole table, every time. */
void vhost_send_memory(struct vmm *vmm)
{
	if (!(vmm->protocol & BIT64(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS))) {
		send_mem_table(vmm);
		return;
	}
	for (unsigned i = 0; i < vmm->memory.count; i++) {
		if (!vmm->memory.regions[i].is_known)
			vhost_add_region(vmm, i);
	}
}

void vhost_set_ring_fd(struct vmm *vmm, uint32_t request, unsigned ring, int fd)
{
	uint64_t value = ring | (fd < 0 ? VHOST_USER_VRING_NO_FD : 0);

	vhost_set(vmm, request, &value, sizeof(value), fd, vmm->profile->acks_ring_fds);
}

static void set_ring_state(struct vmm *vmm, uint32_t request, unsigned ring, uint32_t num,
			   bool acked)
{
	struct vhost_user_vring_state s = { ring, num };

	vhost_set(vmm, request, &s, sizeof(s), -1, acked);
}

void vhost_enable_ring(struct vmm *vmm, unsigned ring, bool enable)
{
	set_ring_state(vmm, VHOST_USER_SET_VRING_ENABLE, ring, enable, vmm->profile->acks_enable);
}

void vhost_start_ring(struct vmm *vmm, unsigned index)
{
	struct ring *r = &vmm->rings[index];
	struct vhost_user_vring_addr a = {
		.index = index,
		.desc = memory_user_addr(&vmm->memory, r->desc_gpa),
		.used = memory_user_addr(&vmm->memory, r->used_gpa),
		.avail = memory_user_addr(&vmm->memory, r->avail_gpa),
		.log = r->used_gpa, /* QEMU fills it in; flags say that it is not used */
	};

	set_ring_state(vmm, VHOST_USER_SET_VRING_NUM, index, r->size, false);
	set_ring_state(vmm, VHOST_USER_SET_VRING_BASE, index, r->base, false);
	vhost_set(vmm, VHOST_USER_SET_VRING_ADDR, &a, sizeof(a), -1, false);
	vhost_set_ring_fd(vmm, VHOST_USER_SET_VRING_KICK, index, r->kick_fd);
	r->is_running = true;
}

uint16_t vhost_stop_ring(struct vmm *vmm, unsigned index)
{
	struct vhost_user_vring_state s = { index, 0 };
	struct ring *r = &vmm->rings[index];

	if (!vhost_send(vmm, VHOST_USER_GET_VRING_BASE, 0, &s, sizeof(s), NULL, 0) ||
	    !vhost_recv(vmm, VHOST_USER_GET_VRING_BASE, &s, sizeof(s), NULL) || s.index != index)
		vmm_fail("GET_VRING_BASE of ring %u got no good answer", index);
	r->base = (uint16_t)s.num;
	r->is_running = false;
	return r->base;
}
