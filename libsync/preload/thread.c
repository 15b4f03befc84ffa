/* SPDX-License-Identifier: MIT */
/* Records of threads, and cancelling those that wait. */
#include "thread.h"

#include "lockdep.h"

#include "cond_dismiss.h"
#include "queue.h"

#include "ring3/sem.h"

#include <sys/mman.h>
#include <unistd.h>

/* The first records cost no system call. */
#define STATIC_RECORDS 16
#define CHUNK_RECORDS  64

/* One registry per process, under `registry`. */
static ring3_mutex_t registry;
ring3_list_t threads_all = RING3_LIST_INIT(threads_all);
static ring3_list_t spare = RING3_LIST_INIT(spare);
static struct thread first_records[STATIC_RECORDS];
static uint32_t first_used;
static struct thread
    of_last_resort; /* shared by all who found no memory: they cannot be cancelled */

__thread struct thread *thread_pointer;
static pthread_key_t ending;
static bool ending_made;

void threads_lock(void)
{
    ring3_mutex_lock(&registry);
}

void threads_unlock(void)
{
    ring3_mutex_unlock(&registry);
}

/* Under the registry's lock. */
static struct thread *new_record(void)
{
    if (!ring3_list_empty(&spare))
        return ring3_container_of(ring3_list_pop(&spare), struct thread, link);
    if (first_used < STATIC_RECORDS)
        return &first_records[first_used++];

    const int saved = errno;
    struct thread *const chunk = mmap(NULL, CHUNK_RECORDS * sizeof *chunk, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    errno = saved;
    if (chunk == MAP_FAILED)
        return NULL;
    for (int i = 1; i < CHUNK_RECORDS; i++)
        ring3_list_add(&spare, &chunk[i].link);
    return chunk;
}

struct thread *thread_enter(void)
{
    threads_lock();
    struct thread *const record = new_record();

    if (record) {
        *record = (struct thread){.handle = pthread_self(), .self = ring3_self()};
        ring3_list_add_tail(&threads_all, &record->link);
    }
    threads_unlock();
    thread_pointer = record ? record : &of_last_resort;
    if (record && ending_made)
        (void)pthread_setspecific(ending, record);
    return thread_pointer;
}

/* A destructor of another key may lock something after us: then there is a new record, and we run
 * once more. */
static void thread_ends(void *record)
{
    struct thread *const me = record;

    if (locks.lockdep && me->depth)
        lockdep_thread_ends(me);
    threads_lock();
    ring3_list_remove(&me->link);
    ring3_list_add(&spare, &me->link);
    thread_pointer = NULL;
    threads_unlock();
}

/* The other threads' records are spare now. */
static void only_me_after_fork(void)
{
    struct thread *record, *next;

    ring3_mutex_init(&registry);
    if (locks.watched)
        watch_after_fork();
    if (locks.lockdep)
        lockdep_after_fork(thread_pointer);
    watcher_after_fork();
    ring3_list_for_each_entry_safe (record, next, &threads_all, link) {
        if (record == thread_pointer)
            continue;
        ring3_list_remove(&record->link);
        ring3_list_add(&spare, &record->link);
    }
    if (thread_pointer)
        ring3_mutex_init(&thread_pointer->guard);
}

__attribute__((constructor(RING3_START_FIRST))) static void thread_start(void)
{
    ending_made = pthread_key_create(&ending, thread_ends) == 0;
    (void)pthread_atfork(NULL, NULL, only_me_after_fork);
}

/* --- Cancellation ---------------------------------------------------------------------------- */

static void publish(struct thread *me, enum wait_kind kind, void *object)
{
    ring3_mutex_lock(&me->guard);
    me->kind = kind;
    me->object = object;
    ring3_store(&me->cancelled, 0, RING3_RELAXED);
    ring3_mutex_unlock(&me->guard);
}

static void unpublish(void *record)
{
    publish(record, WAITS_NOT, NULL);
}

void cancel_begin(struct cancellable *wait, enum wait_kind kind, void *object)
{
    wait->thread = thread_self();
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &wait->before);
    if (wait->before != PTHREAD_CANCEL_ENABLE || wait->thread == &of_last_resort)
        return;
    /* From now on pthread_cancel sees us; what came before is acted on here. */
    publish(wait->thread, kind, object);
    pthread_cleanup_push(unpublish, wait->thread);
    (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_testcancel();
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_cleanup_pop(0);
}

void cancel_end(struct cancellable *wait, bool cancelled)
{
    if (wait->before != PTHREAD_CANCEL_ENABLE)
        return;
    if (wait->thread != &of_last_resort)
        unpublish(wait->thread);
    (void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    if (cancelled)
        pthread_testcancel();
}

/* Take the thread out of the semaphore's queue. */
static bool dismiss_from_sem(ring3_sem_t *sem, const ring3_self_t *self)
{
    struct ring3_taken taken = {NULL, NULL};
    const struct ring3_queue queue = ring3_queue_lock(sem);
    ring3_waiter_t *waiter = ring3_queue_first(queue, sem);

    while (waiter && waiter->self != self)
        waiter = ring3_queue_after(waiter);
    if (waiter) {
        (void)ring3_fetch_sub(&sem->state, RING3_SEM_WAITER, RING3_RELAXED);
        ring3_queue_take(queue, waiter, -ECANCELED, &taken);
    }
    ring3_queue_unlock(queue);
    ring3_queue_wake(&taken);
    return waiter != NULL;
}

static struct thread *find(pthread_t handle)
{
    struct thread *record;

    ring3_list_for_each_entry (record, &threads_all, link) {
        if (pthread_equal(record->handle, handle))
            return record;
    }
    return NULL;
}

/*
 * End the wait of the thread, if it is in one. False if it has to be tried again: the thread is on
 * its way into the queue of a semaphore, or out of it; neither takes long.
 */
static bool end_wait(pthread_t handle)
{
    bool done = true;

    threads_lock();
    struct thread *const record = find(handle);

    if (record) {
        ring3_mutex_lock(&record->guard);
        ring3_store(&record->cancelled, 1, RING3_RELAXED);
        if (record->kind == WAITS_COND)
            (void)ring3_cond_dismiss(record->object, record->self);
        else if (record->kind == WAITS_SEM)
            done = dismiss_from_sem(record->object, record->self);
        ring3_mutex_unlock(&record->guard);
    }
    threads_unlock();
    return done;
}

PUBLIC int pthread_cancel(pthread_t handle)
{
    const int result = real()->pthread_cancel(handle);
    ring3_pause_t pause = {0};

    while (result == 0 && !end_wait(handle))
        (void)ring3_pause(&pause, RING3_WAIT_ADAPTIVE, NULL);
    return result;
}
