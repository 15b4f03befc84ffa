/* SPDX-License-Identifier: MIT */
/* Locks in states that a debugger should show; it stops at `look`. */
#include "ring3/event.h"
#include "ring3/mutex.h"
#include "ring3/robust.h"
#include "ring3/sem.h"
#include "ring3/spinlock.h"

ring3_mutex_t mutex;
ring3_robust_t robust;
ring3_sem_t sem;
ring3_event_t event;
ring3_spinlock_t ticket, queued, slice, adaptive, array;
static ring3_array_slot_t slots[4];

__attribute__((noinline)) static void look(void)
{
    __asm__ volatile("");
}

int main(void)
{
    ring3_mutex_lock(&mutex);
    (void)ring3_robust_lock(&robust);
    (void)ring3_sem_init(&sem, 3, 0, RING3_PRIVATE);
    ring3_event_set(&event);
    (void)ring3_spinlock_init(&ticket, RING3_SPINLOCK_TICKET, RING3_WAIT_PARK);
    ring3_spinlock_lock(&ticket);
    (void)ring3_spinlock_init(&queued, RING3_SPINLOCK_QUEUED, RING3_WAIT_ADAPTIVE);
    (void)ring3_spinlock_init(&slice, RING3_SPINLOCK_SLICE, RING3_WAIT_SPIN);
    ring3_spinlock_lock(&slice);
    (void)ring3_spinlock_init(&adaptive, RING3_SPINLOCK_ADAPTIVE, RING3_WAIT_ADAPTIVE);
    (void)ring3_spinlock_init_array(&array, slots, 4, RING3_WAIT_YIELD);
    ring3_spinlock_lock(&array);
    look();
    return 0;
}
