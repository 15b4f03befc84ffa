/* SPDX-License-Identifier: MIT */
/*
 * Prints what every pthread lock function answers in every situation that one thread can bring
 * about, or two. It knows nothing of ring3: tests/scripts/locks-preload.sh runs it on libc and on
 * the preload object, and the output must be the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const char *word(int result)
{
    switch (result) {
    case 0:
        return "0";
    case PTHREAD_BARRIER_SERIAL_THREAD:
        return errno == 0 ? "-1" : strerrorname_np(errno);
    default:
        return result > 0 && strerrorname_np(result) ? strerrorname_np(result) : "?";
    }
}

#define show(what, call) (errno = 0, printf("%s: %s\n", what, word(call)))

static struct timespec in(clockid_t clock, long ms)
{
    struct timespec when;

    clock_gettime(clock, &when);
    when.tv_nsec += ms % 1000 * 1000000;
    when.tv_sec += ms / 1000 + when.tv_nsec / 1000000000;
    when.tv_nsec %= 1000000000;
    return when;
}

static const struct timespec malformed = {0, 1000000000}, negative = {0, -1}, past = {1, 0},
                             before_epoch = {-5, 0};

/* Runs the statement in another thread, and waits for it. */
static void in_another_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;

    pthread_create(&thread, NULL, body, argument);
    pthread_join(thread, NULL);
}

/* --- Mutexes --------------------------------------------------------------------------------- */

static void *mutex_from_elsewhere(void *argument)
{
    pthread_mutex_t *const mutex = argument;
    const struct timespec real = in(CLOCK_REALTIME, 5), mono = in(CLOCK_MONOTONIC, 5);

    show("  trylock when held by another", pthread_mutex_trylock(mutex));
    show("  timedlock when held by another", pthread_mutex_timedlock(mutex, &real));
    show("  clocklock monotonic", pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &mono));
    show("  clocklock realtime", pthread_mutex_clocklock(mutex, CLOCK_REALTIME, &real));
    show("  clocklock other clock", pthread_mutex_clocklock(mutex, CLOCK_BOOTTIME, &mono));
    show("  timedlock in the past", pthread_mutex_timedlock(mutex, &past));
    show("  timedlock before the epoch", pthread_mutex_timedlock(mutex, &before_epoch));
    show("  timedlock malformed", pthread_mutex_timedlock(mutex, &malformed));
    show("  timedlock negative", pthread_mutex_timedlock(mutex, &negative));
    return NULL;
}

static void *unlock_from_elsewhere(void *argument)
{
    show("  unlock what another holds", pthread_mutex_unlock(argument));
    return NULL;
}

static void try_mutex(const char *name, pthread_mutex_t *mutex, int checks, int recursive)
{
    const struct timespec soon = in(CLOCK_REALTIME, 5);

    printf("mutex %s\n", name);
    show("  lock", pthread_mutex_lock(mutex));
    in_another_thread(mutex_from_elsewhere, mutex);
    show("  trylock when held", pthread_mutex_trylock(mutex));
    if (recursive) {
        show("  lock again", pthread_mutex_lock(mutex));
        show("  timedlock again", pthread_mutex_timedlock(mutex, &soon));
        for (int i = 0; i < 3; i++)
            show("  unlock one", pthread_mutex_unlock(mutex));
        in_another_thread(unlock_from_elsewhere, mutex);
    } else if (checks) {
        show("  lock again", pthread_mutex_lock(mutex));
        show("  timedlock again", pthread_mutex_timedlock(mutex, &soon));
        in_another_thread(unlock_from_elsewhere, mutex);
    } else {
        show("  timedlock again", pthread_mutex_timedlock(mutex, &soon));
    }
    if (!strstr(name, "robust")) /* which libc destroys all the same */
        show("  destroy when held", pthread_mutex_destroy(mutex));
    show("  unlock", pthread_mutex_unlock(mutex));
    if (checks || recursive)
        show("  unlock when free", pthread_mutex_unlock(mutex));
    show("  trylock", pthread_mutex_trylock(mutex));
    show("  unlock", pthread_mutex_unlock(mutex));
    show("  timedlock in the past when free", pthread_mutex_timedlock(mutex, &past));
    show("  unlock", pthread_mutex_unlock(mutex));
    show("  timedlock malformed when free", pthread_mutex_timedlock(mutex, &malformed));
    show("  unlock", pthread_mutex_unlock(mutex));
    show("  clocklock other clock when free",
         pthread_mutex_clocklock(mutex, CLOCK_PROCESS_CPUTIME_ID, &soon));
    show("  consistent", pthread_mutex_consistent(mutex));
    int ceiling = 0;
    show("  getprioceiling", pthread_mutex_getprioceiling(mutex, &ceiling));
    show("  setprioceiling", pthread_mutex_setprioceiling(mutex, 1, &ceiling));
    show("  destroy", pthread_mutex_destroy(mutex));
    show("  lock when destroyed", pthread_mutex_lock(mutex));
}

static void *die_holding(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

static void try_mutexes(void)
{
    static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER,
                           recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
                           check = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP,
                           adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
    static const char *const names[] = {"normal", "recursive", "errorcheck", "adaptive"};
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;

    try_mutex("static", &plain, 0, 0);
    try_mutex("static recursive", &recursive, 1, 1);
    try_mutex("static errorcheck", &check, 1, 0);
    try_mutex("static adaptive", &adaptive, 0, 0);
    pthread_mutex_init(&mutex, NULL);
    try_mutex("default", &mutex, 0, 0);
    for (int shared = 0; shared < 2; shared++)
        for (int inherit = 0; inherit < 2; inherit++)
            for (int robust = 0; robust < 2; robust++)
                for (int type = 0; type < 4; type++) {
                    char name[64];

                    pthread_mutexattr_init(&attributes);
                    pthread_mutexattr_settype(&attributes, type);
                    pthread_mutexattr_setpshared(&attributes, shared ? PTHREAD_PROCESS_SHARED
                                                                     : PTHREAD_PROCESS_PRIVATE);
                    pthread_mutexattr_setprotocol(&attributes, inherit ? PTHREAD_PRIO_INHERIT
                                                                       : PTHREAD_PRIO_NONE);
                    pthread_mutexattr_setrobust(&attributes, robust ? PTHREAD_MUTEX_ROBUST
                                                                    : PTHREAD_MUTEX_STALLED);
                    snprintf(name, sizeof name, "%s%s%s%s", names[type], shared ? " shared" : "",
                             inherit ? " inherit" : "", robust ? " robust" : "");
                    show("init", pthread_mutex_init(&mutex, &attributes));
                    try_mutex(name, &mutex, type == 2, type == 1);
                    if (robust) {
                        pthread_mutex_init(&mutex, &attributes);
                        in_another_thread(die_holding, &mutex);
                        show("  lock after the owner died", pthread_mutex_lock(&mutex));
                        show("  consistent", pthread_mutex_consistent(&mutex));
                        show("  unlock", pthread_mutex_unlock(&mutex));
                        show("  lock", pthread_mutex_lock(&mutex));
                        show("  unlock", pthread_mutex_unlock(&mutex));
                        pthread_mutex_destroy(&mutex);
                    }
                    pthread_mutexattr_destroy(&attributes);
                }
}

/* --- Conditions ------------------------------------------------------------------------------ */

struct wait {
    pthread_cond_t *cond;
    pthread_mutex_t *mutex;
    int waiting, told, result;
};

static void *wait_for_it(void *argument)
{
    struct wait *const wait = argument;

    pthread_mutex_lock(wait->mutex);
    wait->waiting = 1;
    while (!wait->told)
        wait->result = pthread_cond_wait(wait->cond, wait->mutex);
    wait->told = 0;
    pthread_mutex_unlock(wait->mutex);
    return NULL;
}

/* Another thread waits, and we tell it by `tell`. */
static void hand_shake(const char *what, pthread_cond_t *cond, pthread_mutex_t *mutex,
                       int (*tell)(pthread_cond_t *), int inside)
{
    struct wait wait = {cond, mutex, 0, 0, -1};
    pthread_t thread;
    int waiting;

    pthread_create(&thread, NULL, wait_for_it, &wait);
    do {
        pthread_mutex_lock(mutex);
        waiting = wait.waiting;
        if (waiting)
            wait.told = 1;
        if (waiting && inside)
            tell(cond);
        pthread_mutex_unlock(mutex);
    } while (!waiting);
    if (!inside)
        tell(cond);
    pthread_join(thread, NULL);
    show(what, wait.result);
}

static void try_cond(const char *name, pthread_cond_t *cond, pthread_mutex_t *mutex,
                     clockid_t clock)
{
    struct timespec soon;

    printf("cond %s\n", name);
    show("  signal to nobody", pthread_cond_signal(cond));
    show("  broadcast to nobody", pthread_cond_broadcast(cond));
    pthread_mutex_lock(mutex);
    soon = in(clock, 5);
    show("  timedwait", pthread_cond_timedwait(cond, mutex, &soon));
    soon = in(CLOCK_MONOTONIC, 5);
    show("  clockwait monotonic", pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &soon));
    soon = in(CLOCK_REALTIME, 5);
    show("  clockwait realtime", pthread_cond_clockwait(cond, mutex, CLOCK_REALTIME, &soon));
    show("  clockwait other clock", pthread_cond_clockwait(cond, mutex, CLOCK_BOOTTIME, &soon));
    show("  timedwait in the past", pthread_cond_timedwait(cond, mutex, &past));
    show("  timedwait before the epoch", pthread_cond_timedwait(cond, mutex, &before_epoch));
    show("  timedwait malformed", pthread_cond_timedwait(cond, mutex, &malformed));
    show("  timedwait negative", pthread_cond_timedwait(cond, mutex, &negative));
    show("  unlock", pthread_mutex_unlock(mutex));
    hand_shake("  signal under the mutex", cond, mutex, pthread_cond_signal, 1);
    hand_shake("  signal after the mutex", cond, mutex, pthread_cond_signal, 0);
    hand_shake("  broadcast under the mutex", cond, mutex, pthread_cond_broadcast, 1);
    hand_shake("  broadcast after the mutex", cond, mutex, pthread_cond_broadcast, 0);
    show("  destroy", pthread_cond_destroy(cond));
}

static void try_conds(void)
{
    static pthread_cond_t plain = PTHREAD_COND_INITIALIZER;
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER,
                           check = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    pthread_condattr_t attributes;
    pthread_mutexattr_t kind;
    pthread_mutex_t other;
    pthread_cond_t cond;

    try_cond("static", &plain, &mutex, CLOCK_REALTIME);
    pthread_cond_init(&cond, NULL);
    show("wait with a mutex that is not held", pthread_cond_wait(&cond, &check));
    for (int shared = 0; shared < 2; shared++)
        for (int monotonic = 0; monotonic < 2; monotonic++)
            for (int with = 0; with < 5; with++) {
                static const char *const withs[] = {"normal", "recursive", "errorcheck", "shared",
                                                    "robust inherit"};
                char name[64];

                pthread_condattr_init(&attributes);
                pthread_condattr_setpshared(&attributes, shared ? PTHREAD_PROCESS_SHARED
                                                                : PTHREAD_PROCESS_PRIVATE);
                pthread_condattr_setclock(&attributes,
                                          monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME);
                pthread_mutexattr_init(&kind);
                if (with < 3)
                    pthread_mutexattr_settype(&kind, with);
                if (with == 3)
                    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
                if (with == 4) {
                    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
                    pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
                }
                pthread_mutex_init(&other, &kind);
                show("init", pthread_cond_init(&cond, &attributes));
                snprintf(name, sizeof name, "%s%s with a %s mutex", shared ? "shared" : "private",
                         monotonic ? " monotonic" : "", withs[with]);
                try_cond(name, &cond, &other, monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME);
                pthread_mutex_destroy(&other);
            }
}

/* --- Read-write locks ------------------------------------------------------------------------ */

static void *rwlock_from_elsewhere(void *argument)
{
    pthread_rwlock_t *const lock = argument;
    struct timespec soon = in(CLOCK_REALTIME, 5);

    show("  other: trywrlock", pthread_rwlock_trywrlock(lock));
    show("  other: timedwrlock", pthread_rwlock_timedwrlock(lock, &soon));
    soon = in(CLOCK_MONOTONIC, 5);
    show("  other: clockwrlock", pthread_rwlock_clockwrlock(lock, CLOCK_MONOTONIC, &soon));
    show("  other: clockwrlock other clock",
         pthread_rwlock_clockwrlock(lock, CLOCK_BOOTTIME, &soon));
    show("  other: timedwrlock malformed", pthread_rwlock_timedwrlock(lock, &malformed));
    show("  other: timedwrlock before the epoch", pthread_rwlock_timedwrlock(lock, &before_epoch));
    int got = pthread_rwlock_tryrdlock(lock);
    show("  other: tryrdlock", got);
    if (got == 0)
        pthread_rwlock_unlock(lock);
    soon = in(CLOCK_REALTIME, 5);
    got = pthread_rwlock_timedrdlock(lock, &soon);
    show("  other: timedrdlock", got);
    if (got == 0)
        pthread_rwlock_unlock(lock);
    soon = in(CLOCK_MONOTONIC, 5);
    got = pthread_rwlock_clockrdlock(lock, CLOCK_MONOTONIC, &soon);
    show("  other: clockrdlock", got);
    if (got == 0)
        pthread_rwlock_unlock(lock);
    show("  other: clockrdlock other clock",
         pthread_rwlock_clockrdlock(lock, CLOCK_BOOTTIME, &soon));
    show("  other: timedrdlock malformed", pthread_rwlock_timedrdlock(lock, &malformed));
    return NULL;
}

static void try_rwlock(const char *name, pthread_rwlock_t *lock)
{
    struct timespec soon = in(CLOCK_REALTIME, 5);

    printf("rwlock %s\n", name);
    show("  rdlock", pthread_rwlock_rdlock(lock));
    show("  rdlock again", pthread_rwlock_rdlock(lock));
    show("  trywrlock when reading", pthread_rwlock_trywrlock(lock));
    show("  timedwrlock when reading", pthread_rwlock_timedwrlock(lock, &soon));
    in_another_thread(rwlock_from_elsewhere, lock);
    show("  unlock", pthread_rwlock_unlock(lock));
    show("  unlock", pthread_rwlock_unlock(lock));
    show("  wrlock", pthread_rwlock_wrlock(lock));
    show("  wrlock when writing", pthread_rwlock_wrlock(lock));
    show("  rdlock when writing", pthread_rwlock_rdlock(lock));
    show("  tryrdlock when writing", pthread_rwlock_tryrdlock(lock));
    show("  trywrlock when writing", pthread_rwlock_trywrlock(lock));
    show("  timedrdlock when writing", pthread_rwlock_timedrdlock(lock, &soon));
    in_another_thread(rwlock_from_elsewhere, lock);
    show("  unlock", pthread_rwlock_unlock(lock));
    show("  timedwrlock in the past when free", pthread_rwlock_timedwrlock(lock, &past));
    show("  unlock", pthread_rwlock_unlock(lock));
    show("  timedrdlock malformed when free", pthread_rwlock_timedrdlock(lock, &malformed));
    show("  tryrdlock", pthread_rwlock_tryrdlock(lock));
    show("  unlock", pthread_rwlock_unlock(lock));
    show("  trywrlock", pthread_rwlock_trywrlock(lock));
    show("  unlock", pthread_rwlock_unlock(lock));
    show("  destroy", pthread_rwlock_destroy(lock));
}

static void try_rwlocks(void)
{
    static pthread_rwlock_t plain = PTHREAD_RWLOCK_INITIALIZER,
                            writers = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    pthread_rwlockattr_t attributes;
    pthread_rwlock_t lock;

    try_rwlock("static", &plain);
    try_rwlock("static preferring writers", &writers);
    for (int shared = 0; shared < 2; shared++)
        for (int kind = 0; kind < 3; kind++) {
            char name[64];

            pthread_rwlockattr_init(&attributes);
            pthread_rwlockattr_setkind_np(&attributes, kind);
            pthread_rwlockattr_setpshared(&attributes, shared ? PTHREAD_PROCESS_SHARED
                                                              : PTHREAD_PROCESS_PRIVATE);
            show("init", pthread_rwlock_init(&lock, &attributes));
            snprintf(name, sizeof name, "kind %d%s", kind, shared ? " shared" : "");
            try_rwlock(name, &lock);
        }
}

/* --- The rest -------------------------------------------------------------------------------- */

static void try_spins(void)
{
    pthread_spinlock_t lock;

    for (int shared = 0; shared < 2; shared++) {
        printf("spin %d\n", shared);
        show("  init", pthread_spin_init(&lock, shared));
        show("  lock", pthread_spin_lock(&lock));
        show("  trylock when held", pthread_spin_trylock(&lock));
        show("  unlock", pthread_spin_unlock(&lock));
        show("  trylock", pthread_spin_trylock(&lock));
        show("  unlock", pthread_spin_unlock(&lock));
        show("  destroy", pthread_spin_destroy(&lock));
    }
}

static void *arrive(void *barrier)
{
    return pthread_barrier_wait(barrier) == PTHREAD_BARRIER_SERIAL_THREAD ? barrier : NULL;
}

static void try_barriers(void)
{
    pthread_barrierattr_t attributes;
    pthread_barrier_t barrier;
    pthread_t thread[3];

    for (int shared = 0; shared < 2; shared++) {
        printf("barrier %d\n", shared);
        pthread_barrierattr_init(&attributes);
        pthread_barrierattr_setpshared(&attributes, shared);
        show("  init for nobody", pthread_barrier_init(&barrier, &attributes, 0));
        show("  init for one", pthread_barrier_init(&barrier, &attributes, 1));
        show("  wait alone", pthread_barrier_wait(&barrier));
        show("  wait alone again", pthread_barrier_wait(&barrier));
        show("  destroy", pthread_barrier_destroy(&barrier));
        show("  init for a million", pthread_barrier_init(&barrier, &attributes, 1000000));
        show("  destroy", pthread_barrier_destroy(&barrier));
        show("  init for four", pthread_barrier_init(&barrier, &attributes, 4));
        for (int round = 0; round < 3; round++) {
            int serial = 0;

            for (int i = 0; i < 3; i++)
                pthread_create(&thread[i], NULL, arrive, &barrier);
            serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
            for (int i = 0; i < 3; i++) {
                void *got;

                pthread_join(thread[i], &got);
                serial += got != NULL;
            }
            printf("  serial threads: %d\n", serial);
        }
        show("  destroy", pthread_barrier_destroy(&barrier));
    }
}

static void try_sem(const char *name, sem_t *sem)
{
    struct timespec soon = in(CLOCK_REALTIME, 5);
    int value = -1;

    printf("sem %s\n", name);
    show("  trywait", sem_trywait(sem));
    show("  trywait without a permit", sem_trywait(sem));
    show("  timedwait", sem_timedwait(sem, &soon));
    show("  clockwait realtime", sem_clockwait(sem, CLOCK_REALTIME, &soon));
    soon = in(CLOCK_MONOTONIC, 5);
    show("  clockwait monotonic", sem_clockwait(sem, CLOCK_MONOTONIC, &soon));
    show("  clockwait other clock", sem_clockwait(sem, CLOCK_BOOTTIME, &soon));
    show("  timedwait in the past", sem_timedwait(sem, &past));
    show("  timedwait before the epoch", sem_timedwait(sem, &before_epoch));
    show("  timedwait malformed", sem_timedwait(sem, &malformed));
    show("  post", sem_post(sem));
    show("  post", sem_post(sem));
    sem_getvalue(sem, &value);
    printf("  value %d\n", value);
    show("  wait", sem_wait(sem));
    show("  timedwait in the past with a permit", sem_timedwait(sem, &past));
    sem_getvalue(sem, &value);
    printf("  value %d\n", value);
}

static void try_sems(void)
{
    char name[32];
    sem_t sem, *named;

    for (int shared = 0; shared < 2; shared++) {
        show("sem_init", sem_init(&sem, shared, 1));
        try_sem(shared ? "shared" : "private", &sem);
        show("  destroy", sem_destroy(&sem));
        show("init at the maximum", sem_init(&sem, shared, 0x7fffffff));
        show("  post above it", sem_post(&sem));
        show("  destroy", sem_destroy(&sem));
        show("init above the maximum", sem_init(&sem, shared, 0x80000000u));
    }
    snprintf(name, sizeof name, "/conformance-%d", (int)getpid());
    named = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    if (named == SEM_FAILED) {
        puts("no named semaphores here");
        return;
    }
    sem_unlink(name);
    try_sem("named", named);
    show("  close", sem_close(named));
}

static int runs;

static void once_body(void)
{
    runs++;
}

static void try_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    show("once", pthread_once(&once, once_body));
    show("once again", pthread_once(&once, once_body));
    printf("runs %d\n", runs);
}

static void try_c11(void)
{
    static const int types[] = {mtx_plain, mtx_timed, mtx_recursive, mtx_recursive | mtx_timed};
    struct timespec soon;
    mtx_t mutex;
    cnd_t cond;

    for (int i = 0; i < 4; i++) {
        const int made = mtx_init(&mutex, types[i]);

        printf("mtx %d: %d\n", types[i], made);
        if (made != thrd_success)
            continue;
        printf("  lock %d\n", mtx_lock(&mutex));
        printf("  trylock %d\n", mtx_trylock(&mutex));
        soon = in(CLOCK_REALTIME, 5);
        printf("  timedlock %d\n", mtx_timedlock(&mutex, &soon));
        if (types[i] & mtx_recursive)
            printf("  unlock %d %d\n", mtx_unlock(&mutex), mtx_unlock(&mutex));
        printf("  cnd_init %d\n", cnd_init(&cond));
        soon = in(CLOCK_REALTIME, 5);
        printf("  cnd_timedwait %d\n", cnd_timedwait(&cond, &mutex, &soon));
        printf("  cnd_signal %d\n", cnd_signal(&cond));
        printf("  cnd_broadcast %d\n", cnd_broadcast(&cond));
        printf("  unlock %d\n", mtx_unlock(&mutex));
        cnd_destroy(&cond);
        mtx_destroy(&mutex);
    }
}

int main(void)
{
    try_mutexes();
    try_conds();
    try_rwlocks();
    try_spins();
    try_barriers();
    try_sems();
    try_once();
    try_c11();
    return 0;
}
