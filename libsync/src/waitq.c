/* SPDX-License-Identifier: MIT */
/* Wait queues and cancel tokens: see ring3/waitq.h. */
#include "ring3/waitq.h"

#include "ring3/wait.h"

#include <errno.h>

/*
 * state of an entry, the word on which its context sleeps
 *     ASLEEP     set by prepare
 *     CALLED     set by a wake-up that has taken the entry out of the queue, under its guard
 *     WOKEN      set by the same wake-up, its last access to the entry
 *     CANCELLED  set by a token, from ASLEEP
 */
enum { IDLE, ASLEEP, CALLED, WOKEN, CANCELLED };

static void lock(ring3_ttas_t *guard)
{
    ring3_ttas_lock(guard, RING3_WAIT_ADAPTIVE);
}

/* The heads are all-zero at birth, and empty so. */
static bool empty(const ring3_list_t *head)
{
    return !head->next || ring3_list_empty(head);
}

static void stand(ring3_waitq_t *queue, ring3_waitq_entry_t *entry)
{
    ring3_list_t *place = &queue->entries;

    if (!queue->entries.next)
        ring3_list_init(&queue->entries);
    if (!(entry->flags & RING3_WAITQ_EXCLUSIVE)) {
        ring3_list_add(place, &entry->link);
        return;
    }
    /* Before the first exclusive one, or at the end. */
    if (entry->flags & RING3_WAITQ_LIFO)
        while (place->next != &queue->entries &&
               !(ring3_container_of(place->next, ring3_waitq_entry_t, link)->flags &
                 RING3_WAITQ_EXCLUSIVE))
            place = place->next;
    else
        place = queue->entries.prev;
    ring3_list_add(place, &entry->link);
}

/* The wake-up that has taken the entry out is about to let go of it. */
static void await_waker(ring3_waitq_entry_t *entry)
{
    ring3_pause_t pause = {0};

    /* Pairs with the release in deliver. */
    while (ring3_load(&entry->state, RING3_ACQUIRE) == CALLED)
        (void)ring3_pause(&pause, RING3_WAIT_ADAPTIVE, NULL);
}

void ring3_waitq_prepare(ring3_waitq_t *queue, ring3_waitq_entry_t *entry, uint32_t flags)
{
    entry->self = ring3_self();
    lock(&queue->guard);
    if (!ring3_list_linked(&entry->link)) {
        ring3_ttas_unlock(&queue->guard);
        await_waker(entry);
        lock(&queue->guard);
        entry->flags = flags;
        stand(queue, entry);
    }
    ring3_store(&entry->state, ASLEEP, RING3_RELAXED);
    ring3_ttas_unlock(&queue->guard);
    /* The caller looks at its condition next: a waker has changed it before it looks at the queue. */
    ring3_fence_full();
}

static bool matches(ring3_waitq_entry_t *entry, uintptr_t key)
{
    if (key && entry->key && entry->key != key)
        return false;
    return !entry->wake || entry->wake(entry, key);
}

/* The entry may be gone as soon as its state is WOKEN. */
static void deliver(ring3_waitq_entry_t *entry)
{
    const ring3_parker_t *const parker = entry->self->parker;
    void *const claimed = parker->claim(entry->self, &entry->state);

    /* Pairs with the acquires in ring3_waitq_sleep and await_waker. */
    ring3_store(&entry->state, WOKEN, RING3_RELEASE);
    parker->unpark(claimed);
}

int ring3_waitq_wake(ring3_waitq_t *queue, int count, uintptr_t key)
{
    ring3_waitq_entry_t *chain = NULL, **end = &chain, *entry, *ahead;
    int woken = 0, exclusive = 0;

    /* Pairs with the fence in prepare: we see the waiter, or it sees what was changed. */
    ring3_fence_full();
    lock(&queue->guard);
    if (!empty(&queue->entries))
        ring3_list_for_each_entry_safe (entry, ahead, &queue->entries, link) {
            if (!matches(entry, key))
                continue;
            ring3_list_remove(&entry->link);
            /* A cancelled one stays so for its sleep, and is woken here all the same. */
            ring3_store(&entry->state, CALLED, RING3_RELAXED);
            entry->chain = NULL;
            *end = entry;
            end = &entry->chain;
            woken++;
            if (entry->flags & RING3_WAITQ_EXCLUSIVE && ++exclusive == count)
                break;
        }
    ring3_ttas_unlock(&queue->guard);
    while ((entry = chain) != NULL) {
        chain = entry->chain;
        deliver(entry);
    }
    return woken;
}

bool ring3_waitq_active(ring3_waitq_t *queue)
{
    lock(&queue->guard);
    const bool active = !empty(&queue->entries);

    ring3_ttas_unlock(&queue->guard);
    return active;
}

bool ring3_waitq_finish(ring3_waitq_t *queue, ring3_waitq_entry_t *entry)
{
    lock(&queue->guard);
    const bool standing = ring3_list_linked(&entry->link);

    if (standing)
        ring3_list_remove(&entry->link);
    ring3_ttas_unlock(&queue->guard);
    if (standing || ring3_load(&entry->state, RING3_RELAXED) == IDLE)
        return false;
    await_waker(entry);
    return true;
}

/* --- Sleeping ---------------------------------------------------------------------------------------- */

static bool join_token(ring3_cancel_t *token, ring3_waitq_entry_t *entry)
{
    lock(&token->guard);
    if (!token->sleepers.next)
        ring3_list_init(&token->sleepers);
    const bool cancelled = token->cancelled != 0;

    if (!cancelled)
        ring3_list_add_tail(&token->sleepers, &entry->token_link);
    ring3_ttas_unlock(&token->guard);
    return !cancelled;
}

static void leave_token(ring3_cancel_t *token, ring3_waitq_entry_t *entry)
{
    lock(&token->guard);
    if (ring3_list_linked(&entry->token_link))
        ring3_list_remove(&entry->token_link);
    ring3_ttas_unlock(&token->guard);
}

static int sleep(ring3_waitq_entry_t *entry, ring3_waitq_mode_t mode, clockid_t clock,
                 const struct timespec *deadline)
{
    for (;;) {
        /* Pairs with the release in deliver, or in ring3_cancel. */
        const uint32_t state = ring3_load(&entry->state, RING3_ACQUIRE);
        int result;

        if (state == CANCELLED)
            return -ECANCELED;
        if (state == CALLED)
            await_waker(entry);
        if (state != ASLEEP)
            return 0;
        result = entry->self->parker->park(entry->self, &entry->state, ASLEEP, clock, deadline);
        if (ring3_load(&entry->state, RING3_ACQUIRE) == ASLEEP &&
            (result == -ETIMEDOUT || (result == -EINTR && mode == RING3_WAITQ_INTERRUPTIBLE)))
            return result;
    }
}

int ring3_waitq_sleep(ring3_waitq_entry_t *entry, ring3_waitq_mode_t mode, clockid_t clock,
                      const struct timespec *deadline, ring3_cancel_t *token)
{
    int result = ring3_deadline_check(clock, deadline);

    if (result)
        return result;
    if (!token)
        return sleep(entry, mode, clock, deadline);
    if (!join_token(token, entry))
        return -ECANCELED;
    result = sleep(entry, mode, clock, deadline);
    leave_token(token, entry);
    return result;
}

void ring3_cancel(ring3_cancel_t *token)
{
    ring3_list_t *link;

    lock(&token->guard);
    ring3_store(&token->cancelled, 1, RING3_RELEASE);
    /* Under the guard, because the sleeper leaves the token's list before its entry vanishes. */
    while (token->sleepers.next && (link = ring3_list_pop(&token->sleepers)) != NULL) {
        ring3_waitq_entry_t *const entry =
            ring3_container_of(link, ring3_waitq_entry_t, token_link);
        uint32_t seen = ASLEEP;

        /* Pairs with the acquire in sleep. One that is being woken already stays so. */
        if (ring3_cas_try(&entry->state, &seen, CANCELLED, RING3_RELEASE)) {
            const ring3_parker_t *const parker = entry->self->parker;

            parker->unpark(parker->claim(entry->self, &entry->state));
        }
    }
    ring3_ttas_unlock(&token->guard);
}
