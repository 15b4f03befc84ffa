/* SPDX-License-Identifier: MIT */
/* Wait morphing: those who wait for a condition are moved to the queue of its mutex. */
#ifndef RING3_MUTEX_QUEUE_H
#define RING3_MUTEX_QUEUE_H

#include "ring3/mutex.h"

#include "queue.h"

/* Have those who were taken from another queue lock `mutex` next, in order. */
void ring3_mutex_adopt(ring3_mutex_t *mutex, struct ring3_taken *taken);

/* What each of them does when ring3_queue_sleep has returned. */
void ring3_mutex_lock_from_queue(ring3_mutex_t *mutex, ring3_waiter_t *waiter);

#endif
