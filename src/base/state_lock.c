// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#include "base/state_lock.h"

#include <assert.h>
#include <time.h>

void state_lock_init(struct state_lock *lock)
{
	int r = pthread_mutex_init(&lock->mutex, NULL);

	assert(r == 0);
	(void)r;
	pthread_mutex_lock(&lock->mutex);
}

void state_lock_finish(struct state_lock *lock)
{
	pthread_mutex_unlock(&lock->mutex);
	pthread_mutex_destroy(&lock->mutex);
}

/* Polls, because TSan does not support pthread_mutex_clocklock(). */
bool state_lock_take_within(struct state_lock *lock, unsigned milliseconds)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };

	for (unsigned i = 0; pthread_mutex_trylock(&lock->mutex) != 0; i++) {
		if (i >= milliseconds)
			return false;
		nanosleep(&millisecond, NULL);
	}
	return true;
}
