// SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#pragma once

/* The host memory that a guest uses: estimated and charged before an allocation, measured after it.
 */

#include <stdbool.h>
#include <stdint.h>

struct hostmem {
	uint64_t max, used; /* bytes, charged */
	uint64_t most;      /* the highest value of used since the last guest was gone */
	int statm_fd;       /* owned; -1: nothing is measured */
	uint64_t base;      /* bytes of the process that do not count as the guest's */
	uint64_t measured;  /* bytes, at the last hostmem_look() */
	int64_t trimmed_at; /* microseconds: when hostmem_look() last trimmed the allocator */
};

/* The guest may take @max bytes. */
void hostmem_init(struct hostmem *hostmem, uint64_t max);
/* From now on the private memory of this process is measured too. Its present size, and @reserve
 * bytes for libraries, do not count as the guest's. @statm_fd (takes) is an open /proc/self/statm;
 * -1: it is opened here. Returns 0, or -errno if nothing is measured. */
int hostmem_measure(struct hostmem *hostmem, int statm_fd, uint64_t reserve);
void hostmem_finish(struct hostmem *hostmem);

/* In all functions below @hostmem may be NULL: then there is no limit. */

/* Whether @bytes more may be charged. */
bool hostmem_has(const struct hostmem *hostmem, uint64_t bytes);
/* Charges @bytes; false, with nothing charged, if that would pass the limit. */
bool hostmem_charge(struct hostmem *hostmem, uint64_t bytes);
/* Charges @bytes even past the limit, for memory that is already allocated. */
void hostmem_charge_anyway(struct hostmem *hostmem, uint64_t bytes);
/* Takes @bytes off the charge. */
void hostmem_release(struct hostmem *hostmem, uint64_t bytes);
/* Measures the process. False: nothing more may be allocated for the guest. */
bool hostmem_look(struct hostmem *hostmem);
/* Bytes that could still be allocated at the last hostmem_look(). */
uint64_t hostmem_headroom(const struct hostmem *hostmem);
/* Whether the last hostmem_look() returned false. */
bool hostmem_is_short(const struct hostmem *hostmem);
/* Whether the last hostmem_look() found so much that the session has to end. */
bool hostmem_is_over(const struct hostmem *hostmem);
/* The guest is gone: returns the allocator's free memory to the system. */
void hostmem_settle(struct hostmem *hostmem);
