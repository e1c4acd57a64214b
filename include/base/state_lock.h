// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/*
 * The lock that protects the daemon's state. The main thread always holds it, except during calls
 * of a renderer's library, which may take long or never return, and while it makes or reads a
 * dma-buf. Meanwhile another thread may take the lock and answer the front-end.
 *
 * A callback of the library that uses the state takes the lock back for its duration.
 */

#include <pthread.h>
#include <stdbool.h>

struct state_lock {
	pthread_mutex_t mutex;
};

/* The calling thread holds it then. */
void state_lock_init(struct state_lock *lock);
/* The calling thread holds it. */
void state_lock_finish(struct state_lock *lock);

/* @lock NULL: no other thread uses the state. */
static inline void state_lock_release(struct state_lock *lock)
{
	if (lock)
		pthread_mutex_unlock(&lock->mutex);
}

static inline void state_lock_take(struct state_lock *lock)
{
	if (lock)
		pthread_mutex_lock(&lock->mutex);
}

/* For other threads than the main thread. False if the lock was not free within @milliseconds. */
bool state_lock_take_within(struct state_lock *lock, unsigned milliseconds);
