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

bool state_lock_take_within(struct state_lock *lock, unsigned milliseconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += milliseconds / 1000;
	until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &until) == 0;
}
