// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Requests about the device as a whole: features, configuration space, guest memory, the display
 * socket and resets.
 *
 * Device features are negotiated between guest and front-end, and the front-end adds bits of its
 * own (QEMU always adds RING_RESET). So a bit that we never offered is accepted, except packed
 * rings, which we would misread as split rings. Protocol features are negotiated between the
 * front-end and us. One that was not offered would change the meaning of messages, so it is
 * refused.
 *
 * An invalid memory table is refused as a whole and the old table stays in use, so the session can
 * continue if the front-end asked for an answer.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <stddef.h>
#include <string.h>

#include "base/bits.h"
#include "base/fd.h"
#include "vhost/ring_layout.h"
#include "vhost/descriptor.h"
#include "vhost/session_private.h"

#define OFFERED_RING_FEATURES                                                                      \
	(BIT64(VIRTIO_RING_F_INDIRECT_DESC) | BIT64(VIRTIO_RING_F_EVENT_IDX) |                     \
	 BIT64(VHOST_USER_F_PROTOCOL_FEATURES) | BIT64(VIRTIO_F_VERSION_1))

#define OFFERED_PROTOCOL_FEATURES                                                                  \
	(BIT64(VHOST_USER_PROTOCOL_F_MQ) | BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK) |                \
	 BIT64(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | BIT64(VHOST_USER_PROTOCOL_F_CONFIG) |          \
	 BIT64(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) |                                            \
	 BIT64(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |                                               \
	 BIT64(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS))

static uint64_t offered_protocol_features(const struct vhost_session *s)
{
	const struct vhost_backend_ops *ops = s->backend->ops;
	bool has_window = ops->window && ops->window(s->backend) > 0;

	return OFFERED_PROTOCOL_FEATURES | (has_window ? BIT64(VHOST_USER_PROTOCOL_F_SHMEM) : 0);
}

#define CONFIG_HEADER_SIZE    offsetof(struct vhost_user_config, data)
#define MEM_TABLE_HEADER_SIZE offsetof(struct vhost_user_mem_table, regions)

static uint64_t read_u64(const struct vhost_message *m)
{
	uint64_t value;

	memcpy(&value, m->payload, sizeof(value));
	return value;
}

void session_reset_device(struct vhost_session *s)
{
	session_queues_stop(s);
	s->stopped_base = 0;
	session_window_reset(s);
	s->backend->ops->reset(s->backend);
}

int handle_get_features(struct vhost_session *s, struct vhost_message *m)
{
	(void)m;
	return session_reply_u64(s, s->backend->ops->features(s->backend) | OFFERED_RING_FEATURES);
}

int handle_set_features(struct vhost_session *s, struct vhost_message *m)
{
	uint64_t features = read_u64(m);

	if (features & BIT64(VIRTIO_F_RING_PACKED))
		return session_refuse(s, -EPROTO,
				      "packed rings are not supported (use packed=off)");
	s->features = features;
	s->backend->ops->set_features(s->backend, features);
	/* Without this bit there is no SET_VRING_ENABLE: rings start as soon as they are set up. */
	if (!(features & BIT64(VHOST_USER_F_PROTOCOL_FEATURES)))
		session_queues_enable(s, true);
	return 0;
}

int handle_get_protocol_features(struct vhost_session *s, struct vhost_message *m)
{
	(void)m;
	return session_reply_u64(s, offered_protocol_features(s));
}

int handle_set_protocol_features(struct vhost_session *s, struct vhost_message *m)
{
	uint64_t features = read_u64(m);

	if (features & ~offered_protocol_features(s))
		return session_refuse(
			s, -EPROTO,
			"the front-end acknowledged a protocol feature that was not offered");
	s->protocol_features = features;
	return 0;
}

int handle_set_owner(struct vhost_session *s, struct vhost_message *m)
{
	(void)s;
	(void)m;
	return 0; /* there is only one session, which is the owner */
}

int handle_reset_owner(struct vhost_session *s, struct vhost_message *m)
{
	(void)m;
	session_queues_enable(s, false);
	return 0;
}

int handle_get_queue_num(struct vhost_session *s, struct vhost_message *m)
{
	(void)m;
	return session_reply_u64(s, s->backend->n_queues);
}

int handle_get_max_mem_slots(struct vhost_session *s, struct vhost_message *m)
{
	(void)m;
	return session_reply_u64(s, GUEST_MEMORY_MAX_REGIONS);
}

void session_memory_changed(void *data)
{
	struct vhost_session *s = data;

	for (unsigned i = 0; i < s->backend->n_queues; i++)
		vring_memory_changed(&s->queues[i].vring);
	s->backend->ops->memory_changed(s->backend);
}

/* -EPROTO always ends the session. For an invalid table or region it is replaced by -EINVAL: then
 * the session goes on if the front-end asked for an answer. */
static int memory_result(struct vhost_session *s, int r)
{
	if (r != -EPROTO)
		return r;
	return session_refuse(
		s, -EINVAL,
		"the region is unknown, empty, overlaps another, or ends past its file");
}

/* Drops the regions that are files which the front-end mapped into the window at our request: moves
 * the others, with their descriptors, to the beginning of the table. Returns how many are left. */
static unsigned drop_own_regions(struct vhost_session *s, struct vhost_user_mem_table *table,
				 struct vhost_message *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_fds; i++) {
		if (session_window_owns_file(s, &table->regions[i], m->fds[i]))
			continue;
		int fd = m->fds[i];

		m->fds[i] = m->fds[n];
		m->fds[n] = fd;
		table->regions[n++] = table->regions[i];
	}
	return n;
}

int handle_set_mem_table(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_user_mem_table table;

	memcpy(&table, m->payload, m->header.size);
	if (table.n_regions > VHOST_USER_MAX_MEM_TABLE ||
	    m->header.size != MEM_TABLE_HEADER_SIZE + table.n_regions * sizeof(table.regions[0]))
		return session_refuse(s, -EPROTO, "wrong size");
	if (table.n_regions != m->n_fds)
		return session_refuse(s, -EPROTO, "wrong number of descriptors");
	unsigned n = drop_own_regions(s, &table, m);

	return memory_result(s, guest_memory_set(&s->memory, table.regions, m->fds, n));
}

/* Answers an ADD_MEM_REG for a file that the front-end mapped at our request. It is never added to
 * our table. While queue 0 runs, a request that wants an answer is refused, because QEMU 11.1 keeps
 * accepted regions in a table of its own and crashes at the next reset if such a region is there.
 * When the device starts the request must succeed, or QEMU does not start the device. */
static int take_own_region(struct vhost_session *s)
{
	if (!s->queues[0].vring.is_running || !session_wants_answer(s))
		return 0;
	return session_refuse(s, -EALREADY, "the region is a mapping that this daemon requested");
}

int handle_add_mem_reg(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_user_mem_reg reg;

	memcpy(&reg, m->payload, sizeof(reg));
	if (session_window_owns_file(s, &reg.region, m->fds[0]))
		return take_own_region(s);
	return memory_result(s, guest_memory_add(&s->memory, &reg.region, m->fds[0]));
}

int handle_rem_mem_reg(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_user_mem_reg reg;

	memcpy(&reg, m->payload, sizeof(reg));
	int r = guest_memory_remove(&s->memory, &reg.region);

	if (r == -EPROTO && session_window_owns_address(s, &reg.region))
		return 0; /* it was never added to our table */
	return memory_result(s, r);
}

static bool config_is_sound(const struct vhost_user_config *c)
{
	return c->size > 0 && c->size <= VHOST_USER_MAX_CONFIG &&
	       c->offset <= VHOST_USER_MAX_CONFIG - c->size;
}

/* Any size up to VHOST_USER_MAX_CONFIG is answered: QEMU asks for 16, 20 or more bytes, depending
 * on its version and configuration. A reply without payload tells the front-end that the request
 * failed. */
int handle_get_config(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_user_config c = { 0 };

	memcpy(&c, m->payload, CONFIG_HEADER_SIZE);
	if (!config_is_sound(&c)) {
		vhost_channel_reply(&s->channel, NULL, 0);
		return 0;
	}
	s->backend->ops->config_read(s->backend, c.offset, c.data, c.size);
	vhost_channel_reply(&s->channel, &c, CONFIG_HEADER_SIZE + c.size);
	return 0;
}

int handle_set_config(struct vhost_session *s, struct vhost_message *m)
{
	struct vhost_user_config c;

	memcpy(&c, m->payload, CONFIG_HEADER_SIZE);
	if (!config_is_sound(&c) || m->header.size - CONFIG_HEADER_SIZE != c.size)
		return session_refuse(s, -EINVAL, "outside the configuration space");
	s->backend->ops->config_write(s->backend, c.offset, m->payload + CONFIG_HEADER_SIZE,
				      c.size);
	return 0;
}

int handle_gpu_set_socket(struct vhost_session *s, struct vhost_message *m)
{
	const char *problem = descriptor_check_socket(m->fds[0], s->channel.fd);

	if (problem)
		return session_refuse(s, -EPROTO, problem);
	s->backend->ops->gpu_socket(s->backend, fd_steal(&m->fds[0]));
	return 0;
}

int handle_reset_device(struct vhost_session *s, struct vhost_message *m)
{
	(void)m;
	session_queues_enable(s, false);
	session_reset_device(s);
	return 0;
}
