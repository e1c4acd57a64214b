// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * The invariant: a part of the window is in `parts` from the time when its owner asks for the map
 * until the front-end has refused the map, has confirmed the unmap or has dropped the map in a
 * reset, or until a map that was not sent yet fails or is cancelled. A part whose unmap failed, or
 * whose state is not known, stays there without an owner, and nothing else is mapped at its place.
 *
 * Requests are asynchronous, because the front-end's main loop may be waiting for us. Only one is
 * in flight at a time. They are sent in the order in which they were asked for, so that an unmap is
 * sent before a later map at the same place. If a map is no longer wanted when its answer comes,
 * its unmap is sent before all others.
 *
 * QEMU 11.1 answers a map before the map is in place, but puts it in place before it reads the next
 * request. So any later answer proves that the map is in place, and the owner is called then. After
 * the last map of a batch a barrier, which is a request that changes nothing, causes such an
 * answer. A front-end that does not answer a barrier within a second is sent no further one.
 *
 * If an answer takes too long, the owner is called with an error. The request stays in flight,
 * because the late answer says whether the map was made; if so, it is unmapped. Until that answer
 * new maps are refused.
 *
 * On a reset the front-end drops all maps without a message. A map that is in flight then may be
 * put in place after the reset, so it is unmapped. We may learn of a reset only at the next start
 * of the rings; maps that were answered after the rings had stopped are unmapped for the same
 * reason.
 */
#include "vhost/shmem_private.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/container.h"
#include "base/fd.h"

#define LOG_MODULE "window"
#include "base/log.h"

#define REGION_ID 1 /* VIRTIO_GPU_SHM_ID_HOST_VISIBLE */

static struct shmem_part *part_new(struct shmem *shmem, struct vhost_mapping *owner, int fd,
				   const struct stat *st)
{
	struct shmem_part *part = g_new(struct shmem_part, 1);

	*part = (struct shmem_part){
		.state = PART_MAP_WAITS,
		.offset = owner->offset,
		.size = owner->size,
		.fd = fd,
		.device = st->st_dev,
		.inode = st->st_ino,
		.owner = owner,
	};
	part->link.data = part->queue_link.data = part;
	g_queue_push_tail_link(&shmem->parts, &part->link);
	owner->part = part;
	return part;
}

void shmem_part_free(struct shmem *shmem, struct shmem_part *part)
{
	g_queue_unlink(&shmem->parts, &part->link);
	fd_close(&part->fd);
	g_free(part);
}

void shmem_part_unqueue(struct shmem *shmem, struct shmem_part *part)
{
	if (part->state == PART_MAP_WAITS || part->state == PART_UNMAP_WAITS)
		g_queue_unlink(&shmem->to_send, &part->queue_link);
	else if (part->state == PART_UNPROVEN)
		g_queue_unlink(&shmem->unproven, &part->queue_link);
}

void shmem_tell_owner(struct shmem_part *part, int error, bool is_mapped)
{
	struct vhost_mapping *owner = part->owner;

	if (!owner)
		return;
	if (!is_mapped) {
		part->owner = NULL;
		owner->part = NULL;
	}
	owner->fn(owner, error);
}

void shmem_prove_maps(struct shmem *shmem)
{
	GList *link;

	while ((link = g_queue_pop_head_link(&shmem->unproven))) {
		struct shmem_part *part = link->data;

		part->state = PART_MAPPED;
		shmem_tell_owner(part, 0, true);
	}
}

/* ---- sending ---- */

static void await_answer(struct shmem *shmem, int ms)
{
	shmem->n_ticks = (unsigned)ms / SHMEM_TICK_MS + 1; /* the first tick may be short */
	if (!shmem->timer.is_armed)
		loop_timer_arm(&shmem->timer, SHMEM_TICK_MS);
}

static void send_part(struct shmem *shmem, struct shmem_part *part)
{
	const bool is_map = part->state == PART_MAP_WAITS;
	const struct vhost_user_shmem_map request = {
		.id = REGION_ID,
		.shm_offset = part->offset,
		.size = part->size,
		.flags = is_map ? VHOST_USER_SHMEM_MAP_WRITABLE : 0,
	};

	part->state = is_map ? PART_MAP_SENT : PART_UNMAP_SENT;
	shmem->in_flight = part;
	vhost_channel_request(&shmem->channel,
			      is_map ? VHOST_USER_BACKEND_SHMEM_MAP
				     : VHOST_USER_BACKEND_SHMEM_UNMAP,
			      &request, sizeof(request), fd_steal(&part->fd));
	await_answer(shmem, SHMEM_REQUEST_MS);
}

/* Looks up an object that does not exist: QEMU answers this request whichever features were
 * negotiated. */
static void send_barrier(struct shmem *shmem)
{
	static const uint8_t no_object[16];

	shmem->is_barrier_in_flight = true;
	vhost_channel_request(&shmem->channel, VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP, no_object,
			      sizeof(no_object), -1);
	await_answer(shmem, SHMEM_BARRIER_MS);
}

/* An error is ignored here, where no owner may be called: on_channel() will get the same error from
 * the loop, and may call owners. */
static void flush(struct shmem *shmem)
{
	int r = vhost_channel_flush(&shmem->channel);

	if (shmem->source.loop)
		(void)loop_modify(&shmem->source, r == -EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void shmem_send_next(struct shmem *shmem)
{
	if (shmem->channel.fd < 0 || shmem_is_waiting(shmem))
		return;
	if (shmem->may_send && !g_queue_is_empty(&shmem->to_send))
		send_part(shmem, g_queue_pop_head_link(&shmem->to_send)->data);
	else if (!g_queue_is_empty(&shmem->unproven) && shmem->has_barriers)
		send_barrier(shmem);
	else
		return;
	flush(shmem);
}

void shmem_set_running(struct shmem *shmem, bool is_running)
{
	shmem->may_send = is_running;
	for (GList *link = shmem->parts.head; is_running && link; link = link->next)
		((struct shmem_part *)link->data)->came_while_stopped = false;
	shmem_send_next(shmem);
}

/* ---- answers ---- */

static void ask_unmap(struct shmem *shmem, struct shmem_part *part, bool is_urgent)
{
	part->state = PART_UNMAP_WAITS;
	if (is_urgent)
		g_queue_push_head_link(&shmem->to_send, &part->queue_link);
	else
		g_queue_push_tail_link(&shmem->to_send, &part->queue_link);
}

static void on_map_answer(struct shmem *shmem, struct shmem_part *part, bool is_done)
{
	part->came_while_stopped = !shmem->may_send;
	if (!is_done) {
		log_debug("the front-end refused to map 0x%" PRIx64 " bytes at 0x%" PRIx64,
			  part->size, part->offset);
		shmem_tell_owner(part, -EINVAL, false);
		shmem_part_free(shmem, part);
	} else if (part->is_unwanted) {
		/* It must be unmapped before anything else is mapped at its place. */
		ask_unmap(shmem, part, true);
	} else {
		part->state = PART_UNPROVEN;
		g_queue_push_tail_link(&shmem->unproven, &part->queue_link);
	}
}

static void on_unmap_answer(struct shmem *shmem, struct shmem_part *part, bool is_done)
{
	shmem_tell_owner(part, is_done ? 0 : -EINVAL, false);
	if (is_done || part->is_forgotten)
		shmem_part_free(shmem, part);
	else
		shmem_close_part(shmem, part);
}

/* Handles the answer in channel.in. Returns 0 or -EPROTO. */
static int take_answer(struct shmem *shmem)
{
	const struct vhost_message *m = &shmem->channel.in;
	struct shmem_part *part = shmem->in_flight;
	uint64_t value;

	if (!(m->header.flags & VHOST_USER_REPLY))
		return -EPROTO;
	if (m->header.request == VHOST_USER_BACKEND_SHARED_OBJECT_LOOKUP) {
		shmem->is_barrier_in_flight = false; /* already so if it was given up */
		shmem_prove_maps(shmem);
		return 0;
	}
	if (!part || m->header.size != sizeof(value))
		return -EPROTO;
	memcpy(&value, m->payload, sizeof(value));
	shmem->in_flight = NULL;
	shmem->is_late = false;
	shmem_prove_maps(shmem);
	if (part->state == PART_MAP_SENT)
		on_map_answer(shmem, part, value == 0);
	else
		on_unmap_answer(shmem, part, value == 0);
	if (!shmem->has_barriers)
		shmem_prove_maps(shmem);
	return 0;
}

static int on_channel(struct loop_source *source, uint32_t events)
{
	struct shmem *shmem = container_of(source, struct shmem, source);
	int r = vhost_channel_flush(&shmem->channel);

	(void)events; /* read() or write() reports an error or a hang-up */
	if (r == 0 || r == -EAGAIN)
		r = vhost_channel_receive(&shmem->channel);
	if (r == 1) {
		r = take_answer(shmem);
		vhost_channel_done(&shmem->channel);
	}
	if (r == -EPROTO) {
		const char *problem = shmem->channel.problem;

		shmem_disconnect(shmem);
		shmem->failed(shmem->data, r,
			      problem ? problem : "invalid reply to a request of the daemon");
		return 0;
	}
	if (r < 0) {
		log_debug("the front-end closed the back-end channel");
		shmem_disconnect(shmem);
		return 0;
	}
	shmem_send_next(shmem);
	if (shmem->source.loop)
		flush(shmem);
	return 0;
}

/* ---- requests of the owners ---- */

/* Whether another part is, or may be, mapped at the same place, and nobody has asked to unmap it.
 */
static bool overlaps(const struct shmem *shmem, const struct vhost_mapping *mapping)
{
	for (const GList *link = shmem->parts.head; link; link = link->next) {
		const struct shmem_part *part = link->data;
		bool is_leaving = part->state == PART_UNMAP_WAITS ||
				  part->state == PART_UNMAP_SENT ||
				  (part->state == PART_MAP_SENT && part->is_unwanted);

		if (!is_leaving && shmem_part_is_over(part, mapping->offset, mapping->size))
			return true;
	}
	return false;
}

static bool is_within_window(const struct shmem *shmem, const struct vhost_mapping *mapping)
{
	return mapping->size > 0 && mapping->size <= shmem->size &&
	       mapping->offset <= shmem->size - mapping->size &&
	       (mapping->offset | mapping->size) % SHMEM_PAGE == 0;
}

/* 0 or -errno. */
static int check_map(const struct shmem *shmem, const struct vhost_mapping *mapping)
{
	if (shmem->channel.fd < 0)
		return -ENOTCONN;
	if (!is_within_window(shmem, mapping) || overlaps(shmem, mapping))
		return -EINVAL;
	if (shmem->is_late)
		return -ETIMEDOUT;
	return shmem->parts.length < SHMEM_MAX_PARTS ? 0 : -ENOSPC;
}

int shmem_map(struct shmem *shmem, struct vhost_mapping *mapping, int fd)
{
	auto_fd owned = fd;
	struct stat st;
	int r = check_map(shmem, mapping);

	assert(!mapping->part);
	if (r == 0 && fstat(owned, &st) < 0)
		r = -errno;
	if (r < 0)
		return r;
	struct shmem_part *part = part_new(shmem, mapping, fd_steal(&owned), &st);

	g_queue_push_tail_link(&shmem->to_send, &part->queue_link);
	shmem_send_next(shmem);
	return 0;
}

void shmem_forget(struct shmem *shmem, struct vhost_mapping *mapping)
{
	struct shmem_part *part = mapping->part;

	if (!part)
		return;
	mapping->part = NULL;
	part->owner = NULL;
	switch (part->state) {
	case PART_MAP_WAITS:
		shmem_part_unqueue(shmem, part);
		shmem_part_free(shmem, part);
		break;
	case PART_MAP_SENT:
		part->is_unwanted = true;
		break;
	case PART_UNPROVEN:
	case PART_MAPPED:
		shmem_part_unqueue(shmem, part);
		ask_unmap(shmem, part, false);
		break;
	case PART_UNMAP_WAITS: /* stays in to_send: a map at its place may be queued behind it */
	case PART_UNMAP_SENT:
	case PART_CLOSED:
		break;
	}
	shmem_send_next(shmem);
}

int shmem_unmap(struct shmem *shmem, struct vhost_mapping *mapping)
{
	struct shmem_part *part = mapping->part;

	assert(part && part->state == PART_MAPPED);
	if (shmem->channel.fd < 0 || shmem->is_late) {
		shmem_forget(shmem, mapping);
		return shmem->is_late ? -ETIMEDOUT : -ENOTCONN;
	}
	ask_unmap(shmem, part, false);
	shmem_send_next(shmem);
	return 0;
}

static void reset_part(struct shmem *shmem, struct shmem_part *part)
{
	shmem_part_unqueue(shmem, part);
	if (part->owner)
		part->owner->part = NULL;
	part->owner = NULL;
	part->is_unwanted = part->is_forgotten = true;
	if (part->came_while_stopped)
		ask_unmap(shmem, part, true);
	else if (part != shmem->in_flight)
		shmem_part_free(shmem, part);
}

void shmem_reset(struct shmem *shmem)
{
	for (GList *link = shmem->parts.head, *next; link; link = next) {
		next = link->next;
		reset_part(shmem, link->data);
	}
}

/* ---- the front-end's memory table ---- */

bool shmem_owns_file(struct shmem *shmem, int fd, uint64_t gpa, uint64_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	for (const GList *link = shmem->parts.head; link; link = link->next) {
		const struct shmem_part *part = link->data;

		if (part->device != st.st_dev || part->inode != st.st_ino)
			continue;
		if (part->size == size && gpa > part->offset)
			shmem->gpa = gpa - part->offset;
		return true;
	}
	return false;
}

bool shmem_owns_address(const struct shmem *shmem, uint64_t gpa, uint64_t size)
{
	return shmem->gpa != 0 && gpa >= shmem->gpa && size <= shmem->size &&
	       gpa - shmem->gpa <= shmem->size - size;
}

/* ---- life ---- */

int shmem_init(struct shmem *shmem, struct loop *loop, uint64_t size, shmem_failed_fn failed,
	       void *data)
{
	*shmem = (struct shmem){
		.loop = loop,
		.failed = failed,
		.data = data,
		.size = size,
		.has_barriers = true,
	};
	vhost_channel_init(&shmem->channel, -1);
	return loop_timer_init(loop, &shmem->timer, shmem_on_tick);
}

int shmem_connect(struct shmem *shmem, int fd)
{
	int r = fd_prepare(fd);

	shmem_disconnect(shmem);
	shmem->has_barriers = true;
	if (r == 0)
		r = loop_add(shmem->loop, &shmem->source, fd, EPOLLIN, on_channel);
	if (r < 0) {
		fd_close(&fd);
		return r;
	}
	vhost_channel_init(&shmem->channel, fd);
	shmem_send_next(shmem);
	return 0;
}

void shmem_finish(struct shmem *shmem)
{
	GList *link;

	loop_remove(&shmem->source);
	vhost_channel_finish(&shmem->channel);
	loop_timer_finish(&shmem->timer);
	while ((link = shmem->parts.head)) {
		struct shmem_part *part = link->data;

		if (part->owner)
			part->owner->part = NULL;
		shmem_part_free(shmem, part);
	}
}
