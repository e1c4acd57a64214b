// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* What a guest takes of the host's memory: reckoned before it is allocated, and measured after. */

#include <stdbool.h>
#include <stdint.h>

struct hostmem {
	uint64_t max, used; /* bytes, reckoned */
	uint64_t most;      /* of used, since the last guest went */
	int statm_fd;       /* owned; -1: nothing is measured */
	uint64_t base;      /* bytes that the process may have beside the guest's */
	uint64_t measured;  /* bytes, when it was last looked at */
	int64_t trimmed_at; /* microseconds */
};

/* The guest may take @max bytes. */
void hostmem_init(struct hostmem *hostmem, uint64_t max);
/* From now on the private memory of this process is measured too. What there is of it now, and
 * @reserve bytes for what libraries keep for themselves, are not the guest's. @statm_fd (takes) is
 * an open /proc/self/statm; -1: it is opened here. 0 or -errno: nothing is measured. */
int hostmem_measure(struct hostmem *hostmem, int statm_fd, uint64_t reserve);
void hostmem_finish(struct hostmem *hostmem);

/* In all that follow NULL is fine: there is no limit. */

/* Whether @bytes more may be taken. */
bool hostmem_has(const struct hostmem *hostmem, uint64_t bytes);
/* Takes @bytes; false, and takes nothing, if there are not so many. */
bool hostmem_charge(struct hostmem *hostmem, uint64_t bytes);
/* For what is there already, however much there is. */
void hostmem_charge_anyway(struct hostmem *hostmem, uint64_t bytes);
/* Gives back what was charged. */
void hostmem_release(struct hostmem *hostmem, uint64_t bytes);
/* Measures. False: nothing more may be allocated for the guest. */
bool hostmem_look(struct hostmem *hostmem);
/* Bytes that could still be allocated when it was last looked at. */
uint64_t hostmem_headroom(const struct hostmem *hostmem);
/* Whether the last look said so. */
bool hostmem_is_short(const struct hostmem *hostmem);
/* Whether the last look found so much that the guest has to go. */
bool hostmem_is_over(const struct hostmem *hostmem);
/* The guest is gone: gives the system what the allocator keeps. */
void hostmem_settle(struct hostmem *hostmem);
