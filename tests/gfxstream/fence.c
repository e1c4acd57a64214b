// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
/*
 * Timelines of the stand-in: the global one, and one for each ring of a context. A fence on an idle
 * timeline completes inside create_fence(), on the caller's thread; after work it completes later
 * on the library's thread. The callback runs with the lock of the timelines held, as in the
 * library.
 */
#include "standin.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define WORK_US 500

struct item {
	struct item *next;
	struct standin_ring ring;
	bool is_work, is_done;
	uint64_t fence_id;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_work = PTHREAD_COND_INITIALIZER;
static struct item *items, **last = &items; /* in their order of creation */
static pthread_t worker;
static pid_t worker_pid; /* 0: no worker; a forked child has none */
static bool is_stopping;
static _Thread_local bool is_in_callback;

bool standin_is_in_callback(void)
{
	return is_in_callback;
}

static bool is_same_ring(const struct standin_ring *a, const struct standin_ring *b)
{
	if (a->is_global || b->is_global)
		return a->is_global && b->is_global;
	return a->ctx_id == b->ctx_id && a->ring_idx == b->ring_idx;
}

static void report(const struct item *item)
{
	struct stream_fence fence = { .flags = STREAM_FENCE, .fence_id = item->fence_id };

	if (!item->ring.is_global) {
		fence.flags |= STREAM_FENCE_RING_IDX;
		fence.ctx_id = item->ring.ctx_id;
		fence.ring_idx = item->ring.ring_idx;
	}
	is_in_callback = true;
	standin_fence_fn(standin_user_data, &fence);
	is_in_callback = false;
}

/* Reports what this timeline has completed, up to its first unfinished work. */
static void retire(struct standin_ring ring)
{
	struct item **at = &items;

	while (*at) {
		struct item *item = *at;

		if (!is_same_ring(&item->ring, &ring)) {
			at = &item->next;
			continue;
		}
		if (item->is_work && !item->is_done)
			return;
		*at = item->next;
		if (last == &item->next)
			last = at;
		if (!item->is_work)
			report(item);
		free(item);
	}
}

static void append(const struct item *what)
{
	struct item *item = malloc(sizeof(*item));

	if (!item)
		standin_crash("no memory");
	*item = *what;
	item->next = NULL;
	*last = item;
	last = &item->next;
}

static struct item *find_work(void)
{
	struct item *item = items;

	while (item && (!item->is_work || item->is_done))
		item = item->next;
	return item;
}

static void *work(void *data)
{
	struct item *item;

	pthread_mutex_lock(&lock);
	for (;;) {
		while (!(item = find_work()) && !is_stopping)
			pthread_cond_wait(&has_work, &lock);
		if (!item)
			break;
		pthread_mutex_unlock(&lock);
		usleep(WORK_US);
		pthread_mutex_lock(&lock);
		item->is_done = true;
		retire(item->ring);
	}
	pthread_mutex_unlock(&lock);
	return data;
}

void standin_fence_start(void)
{
	if (pthread_create(&worker, NULL, work, NULL) != 0)
		standin_crash("no thread can be made");
	worker_pid = getpid();
}

void standin_fence_stop(void)
{
	pthread_mutex_lock(&lock);
	is_stopping = true;
	pthread_cond_signal(&has_work);
	pthread_mutex_unlock(&lock);
	pthread_join(worker, NULL);
	worker_pid = 0;
}

/* Ends the thread at an exit without a teardown: LeakSanitizer of gcc 12 crashes on a thread that
 * uses the thread-local storage of a library opened with dlopen(). */
__attribute__((destructor)) static void end_worker(void)
{
	if (worker_pid == getpid())
		standin_fence_stop();
}

void standin_fence_add_work(struct standin_ring ring)
{
	pthread_mutex_lock(&lock);
	append(&(struct item){ .ring = ring, .is_work = true });
	pthread_cond_signal(&has_work);
	pthread_mutex_unlock(&lock);
}

#ifndef STANDIN_LACKS_FENCES
int stream_renderer_create_fence(const struct stream_fence *fence)
{
	STANDIN_CALL();
	struct standin_ring ring = { .is_global = true };

	/* A shared fence exports an object that a command stream created; here no stream does. */
	if (fence->flags & STREAM_FENCE_SHARED)
		return -EINVAL;
	if (fence->flags & STREAM_FENCE_RING_IDX)
		ring = (struct standin_ring){ .ctx_id = fence->ctx_id,
					      .ring_idx = fence->ring_idx };
	if (standin_has_word("late-fences"))
		standin_fence_add_work(ring);
	pthread_mutex_lock(&lock);
	append(&(struct item){ .ring = ring, .fence_id = fence->fence_id });
	retire(ring);
	pthread_mutex_unlock(&lock);
	return 0;
}
#endif

int stream_renderer_export_fence(uint64_t fence_id, struct stream_handle *handle)
{
	STANDIN_CALL();
	return -EINVAL;
}

/* The picture counts as shown, without a window on a desktop, once this work ends. */
void stream_renderer_flush(uint32_t res)
{
	STANDIN_CALL();
	standin_fence_add_work((struct standin_ring){ .is_global = true });
}
