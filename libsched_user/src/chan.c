/* SPDX-License-Identifier: MIT */
/*
 * Channels. Most operations have one case; a select has several.
 *
 * A select holds the locks of all its channels, in the order of their addresses, while it looks
 * which case is possible and, if none is, while it queues for all of them. Whoever comes to serve a
 * waiter of several channels claims its party by compare-and-swap of `done`: one wins. Data move
 * under the lock, straight between the two sides' items where there is no buffer.
 *
 * One who waits at a single channel is in its list until somebody serves it, who says so in `done` when
 * the data have been moved: then it needs no lock to go.
 */
#include "ring3/chan.h"

#include "runtime.h"

#include <errno.h>
#include <string.h>

/* One who waits, perhaps at several channels. */
struct party {
    struct thread *thread; /* NULL: a kernel thread, on `done` */
    uint32_t done;         /* 0 waits, 1 + the index of the case, or GIVEN_UP */
    bool single;           /* it waits at one channel */
};

#define GIVEN_UP UINT32_MAX

struct waiter {
    ring3_list_t link;
    struct party *party;
    ring3_chan_case_t *of;
    uint32_t index;
};

/* --- Locks ------------------------------------------------------------------------------------ */

static struct kernel_lock *lock_of(ring3_chan_t *chan)
{
    return (struct kernel_lock *)&chan->lock;
}

/* The channel of the cases with the least address above `above`; NULL: there is none. */
static ring3_chan_t *next_chan(const ring3_chan_case_t *cases, int count, const ring3_chan_t *above)
{
    ring3_chan_t *least = NULL;

    for (int i = 0; i < count; i++) {
        ring3_chan_t *const chan = cases[i].chan;

        if ((uintptr_t)chan > (uintptr_t)above && (!least || (uintptr_t)chan < (uintptr_t)least))
            least = chan;
    }
    return least;
}

static void lock_all(ring3_chan_case_t *cases, int count)
{
    for (ring3_chan_t *chan = NULL; (chan = next_chan(cases, count, chan));)
        kernel_lock(lock_of(chan));
}

static void unlock_all(ring3_chan_case_t *cases, int count)
{
    for (ring3_chan_t *chan = NULL; (chan = next_chan(cases, count, chan));)
        kernel_unlock(lock_of(chan));
}

/* --- Waiters ---------------------------------------------------------------------------------- */

/* Who was claimed; to be woken when the locks are released. Its party may then be gone. */
struct call {
    struct thread *thread;
    const uint32_t *word;
};

/* Take the first waiter of the list that no other channel has served. */
static struct waiter *claim(ring3_list_t *waiters, struct call *call)
{
    ring3_list_t *link;

    while ((link = ring3_list_pop(waiters))) {
        struct waiter *const waiter = ring3_container_of(link, struct waiter, link);
        uint32_t *const done = &waiter->party->done;

        *call = (struct call){waiter->party->thread, done};
        if (waiter->party->single)
            return waiter;
        /* Pairs with the acquires in wait_for: it sees the item. It cannot return before we
         * release this channel's lock, which it needs to leave the others. */
        if (ring3_cas(done, 0, waiter->index + 1, RING3_ACQ_REL) == 0)
            return waiter;
    }
    *call = (struct call){NULL, NULL};
    return NULL;
}

/* The waiter, whose case has been carried out, may go; it may be gone at once. */
static void served(struct waiter *waiter, int result)
{
    waiter->of->result = result;
    if (waiter->party->single)
        ring3_store(&waiter->party->done, 1,
                    RING3_RELEASE); /* pairs with the acquires in wait_for */
}

static void finish(struct call call)
{
    if (call.thread)
        thread_wake(call.thread);
    else if (call.word)
        ring3_word_wake(call.word, 1, RING3_PRIVATE);
}

/* --- Items ------------------------------------------------------------------------------------ */

/* Most items are a pointer or a number. */
static inline void copy(const ring3_chan_t *chan, void *to, const void *from)
{
    if (ring3_likely(chan->item_size == sizeof(uint64_t)))
        memcpy(to, from, sizeof(uint64_t));
    else
        memcpy(to, from, chan->item_size);
}

static void put(ring3_chan_t *chan, const void *item)
{
    const size_t place = (chan->first + chan->count) % chan->capacity;

    copy(chan, chan->buffer + place * chan->item_size, item);
    ring3_store(&chan->count, chan->count + 1, RING3_RELAXED);
}

static void take(ring3_chan_t *chan, void *item)
{
    copy(chan, item, chan->buffer + chan->first * chan->item_size);
    if (++chan->first == chan->capacity)
        chan->first = 0;
    ring3_store(&chan->count, chan->count - 1, RING3_RELAXED);
}

/* What an attempt returns besides 0 and -EPIPE. */
#define NOT_YET 1

static int try_send(ring3_chan_t *chan, const void *item, struct call *call)
{
    struct waiter *receiver;

    if (chan->closed)
        return -EPIPE;
    receiver = claim(&chan->receivers, call);
    if (receiver) {
        copy(chan, receiver->of->receive, item);
        served(receiver, 0);
        return 0;
    }
    if (chan->count == chan->capacity)
        return NOT_YET;
    put(chan, item);
    return 0;
}

static int try_receive(ring3_chan_t *chan, void *item, struct call *call)
{
    struct waiter *sender;

    if (chan->count > 0) {
        take(chan, item);
        sender = claim(&chan->senders, call);
        if (sender) {
            put(chan, sender->of->send);
            served(sender, 0);
        }
        return 0;
    }
    sender = claim(&chan->senders, call);
    if (sender) {
        copy(chan, item, sender->of->send);
        served(sender, 0);
        return 0;
    }
    return chan->closed ? -EPIPE : NOT_YET;
}

static bool attempt(ring3_chan_case_t *of, struct call *call)
{
    of->result =
        of->send ? try_send(of->chan, of->send, call) : try_receive(of->chan, of->receive, call);
    return of->result != NOT_YET;
}

/* The index of the case that was done, or -1. */
static int try_all(ring3_chan_case_t *cases, int count, struct call *call)
{
    for (int i = 0; i < count; i++)
        if (cases[i].chan && attempt(&cases[i], call))
            return i;
    return -1;
}

/* --- Select ----------------------------------------------------------------------------------- */

static void queue_all(ring3_chan_case_t *cases, int count, struct waiter *waiters,
                      struct party *party)
{
    for (int i = 0; i < count; i++) {
        ring3_chan_t *const chan = cases[i].chan;

        if (!chan)
            continue;
        waiters[i] = (struct waiter){.party = party, .of = &cases[i], .index = (uint32_t)i};
        ring3_list_add_tail(cases[i].send ? &chan->senders : &chan->receivers, &waiters[i].link);
    }
}

static void leave_all(const ring3_chan_case_t *cases, int count, struct waiter *waiters)
{
    for (int i = 0; i < count; i++)
        if (cases[i].chan && ring3_list_linked(&waiters[i].link))
            ring3_list_remove(&waiters[i].link);
}

/* Until somebody claims the party; or -ETIMEDOUT or -ECANCELED. */
static int wait_for(struct party *party, const struct timespec *deadline)
{
    int err = 0;

    /* Pairs with the compare-and-swap in claim. */
    while (!err && ring3_load(&party->done, RING3_ACQUIRE) == 0) {
        err = ring3_thread_cancelled();
        if (err)
            break;
        if (party->thread)
            err = thread_wait(party->thread,
                              deadline ? (ns_of(deadline) > 0 ? ns_of(deadline) : 1) : 0);
        else
            err = ring3_word_wait(&party->done, 0, RING3_PRIVATE, CLOCK_MONOTONIC, deadline);
    }
    return err;
}

static int operate(ring3_chan_case_t *cases, int count, const struct timespec *deadline)
{
    ring3_self_t *const self = ring3_self();
    struct party party = {.thread = thread_here()};
    struct waiter waiters[RING3_CHAN_CASES];
    struct call call = {NULL, NULL};
    int done, err;

    ring3_preempt_disable(self);
    lock_all(cases, count);
    done = try_all(cases, count, &call);
    if (done < 0)
        queue_all(cases, count, waiters, &party);
    unlock_all(cases, count);
    ring3_preempt_enable(self);
    finish(call);
    if (done >= 0)
        return done;

    err = wait_for(&party, deadline);
    ring3_preempt_disable(self);
    lock_all(cases, count);
    if (err)
        (void)ring3_cas(&party.done, 0, GIVEN_UP, RING3_ACQUIRE);
    leave_all(cases, count, waiters);
    unlock_all(cases, count);
    ring3_preempt_enable(self);
    return party.done == GIVEN_UP ? err : (int)party.done - 1;
}

int ring3_chan_select(ring3_chan_case_t *cases, int count, const struct timespec *deadline)
{
    int err = 0;

    if (count < 0 || count > RING3_CHAN_CASES)
        return -EINVAL;
    for (int i = 0; i < count; i++)
        if (!cases[i].send == !cases[i].receive)
            return -EINVAL;
    if (deadline)
        err = ring3_deadline_check(CLOCK_MONOTONIC, deadline);
    if (!err)
        err = ring3_thread_cancelled();
    return err ? err : operate(cases, count, deadline);
}

/* --- One case --------------------------------------------------------------------------------- */

/* The wait has ended without success; perhaps somebody has served us meanwhile. */
static int give_up(struct waiter *waiter, int err)
{
    ring3_chan_t *const chan = waiter->of->chan;

    kernel_lock(lock_of(chan));
    if (ring3_load(&waiter->party->done, RING3_RELAXED))
        err = 0;
    else
        ring3_list_remove(&waiter->link);
    kernel_unlock(lock_of(chan));
    return err;
}

/* Under the lock of the channel, which it releases. One of the items is NULL. */
static int queue_and_wait(ring3_chan_t *chan, const void *send, void *receive,
                          const struct timespec *deadline)
{
    struct party party = {.thread = thread_here(), .single = true};
    ring3_chan_case_t of = {.chan = chan, .send = send, .receive = receive};
    struct waiter waiter = {.party = &party, .of = &of};
    int err;

    ring3_list_add_tail(send ? &chan->senders : &chan->receivers, &waiter.link);
    kernel_unlock(lock_of(chan));
    err = wait_for(&party, deadline);
    if (err)
        err = give_up(&waiter, err);
    return err ? err : of.result;
}

static int may_wait(const struct timespec *deadline)
{
    const int err = deadline ? ring3_deadline_check(CLOCK_MONOTONIC, deadline) : 0;

    return err ? err : ring3_thread_cancelled();
}

static inline int done(ring3_chan_t *chan, int result, struct call call)
{
    kernel_unlock(lock_of(chan));
    finish(call);
    return result == NOT_YET ? -EAGAIN : result;
}

int ring3_chan_send(ring3_chan_t *chan, const void *item, const struct timespec *deadline)
{
    struct call call = {NULL, NULL};
    int result = may_wait(deadline);

    if (result)
        return result;
    kernel_lock(lock_of(chan));
    result = try_send(chan, item, &call);
    return result == NOT_YET ? queue_and_wait(chan, item, NULL, deadline)
                             : done(chan, result, call);
}

int ring3_chan_receive(ring3_chan_t *chan, void *item, const struct timespec *deadline)
{
    struct call call = {NULL, NULL};
    int result = may_wait(deadline);

    if (result)
        return result;
    kernel_lock(lock_of(chan));
    result = try_receive(chan, item, &call);
    return result == NOT_YET ? queue_and_wait(chan, NULL, item, deadline)
                             : done(chan, result, call);
}

int ring3_chan_try_send(ring3_chan_t *chan, const void *item)
{
    struct call call = {NULL, NULL};

    kernel_lock(lock_of(chan));
    const int result = try_send(chan, item, &call);

    return done(chan, result, call);
}

int ring3_chan_try_receive(ring3_chan_t *chan, void *item)
{
    struct call call = {NULL, NULL};

    kernel_lock(lock_of(chan));
    const int result = try_receive(chan, item, &call);

    return done(chan, result, call);
}

/* --- Beginning and end ------------------------------------------------------------------------ */

int ring3_chan_init(ring3_chan_t *chan, size_t item_size, size_t capacity, void *buffer)
{
    if (item_size == 0 || (capacity > 0 && !buffer))
        return -EINVAL;
    *chan = (ring3_chan_t){.item_size = item_size, .capacity = capacity, .buffer = buffer};
    ring3_list_init(&chan->senders);
    ring3_list_init(&chan->receivers);
    return 0;
}

int ring3_chan_close(ring3_chan_t *chan)
{
    ring3_self_t *const self = ring3_self();
    bool more = true, was;

    for (bool first = true; more; first = false) {
        struct call call;
        struct waiter *waiter;

        ring3_preempt_disable(self);
        kernel_lock(lock_of(chan));
        was = chan->closed;
        chan->closed = 1;
        waiter = first && was ? NULL : claim(&chan->senders, &call);
        if (!waiter && !(first && was))
            waiter = claim(&chan->receivers, &call);
        if (waiter)
            served(waiter, -EPIPE);
        kernel_unlock(lock_of(chan));
        ring3_preempt_enable(self);
        if (first && was)
            return -EPIPE;
        more = waiter != NULL;
        if (more)
            finish(call);
    }
    return 0;
}

size_t ring3_chan_count(const ring3_chan_t *chan)
{
    return ring3_load(&chan->count, RING3_RELAXED);
}
