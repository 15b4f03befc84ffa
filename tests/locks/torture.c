/* SPDX-License-Identifier: MIT */
/*
 * What pthread locks must survive: many threads, cancellation, fork, signal handlers, the ends of
 * threads and processes, old symbol versions. `torture NAME` runs one test; without arguments it
 * lists them. It knows nothing of ring3 and must succeed on libc too.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define check(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim);                            \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

#define THREADS 6
#define ROUNDS  3000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static sem_t sem;
static long shared_count, shared_copy;

static void all(void *(*body)(void *))
{
    pthread_t thread[THREADS];

    for (long i = 0; i < THREADS; i++)
        check(pthread_create(&thread[i], NULL, body, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        check(pthread_join(thread[i], NULL) == 0);
}

static struct timespec in(clockid_t clock, long us)
{
    struct timespec when;

    clock_gettime(clock, &when);
    when.tv_nsec += us % 1000000 * 1000;
    when.tv_sec += us / 1000000 + when.tv_nsec / 1000000000;
    when.tv_nsec %= 1000000000;
    return when;
}

static void section(void)
{
    check(shared_count == shared_copy);
    shared_count++;
    if (shared_count % 64 == 0)
        sched_yield();
    shared_copy++;
}

/* --- Exclusion ------------------------------------------------------------------------------- */

static void *use_mutex(void *me)
{
    for (long i = (long)me; i < ROUNDS + (long)me; i++) {
        struct timespec soon;

        switch (i % 4) {
        case 0:
            while (pthread_mutex_trylock(&mutex) == EBUSY)
                sched_yield();
            break;
        case 1:
            do
                soon = in(CLOCK_REALTIME, 50);
            while (pthread_mutex_timedlock(&mutex, &soon) == ETIMEDOUT);
            break;
        case 2:
            do
                soon = in(CLOCK_MONOTONIC, 50);
            while (pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &soon) == ETIMEDOUT);
            break;
        default:
            check(pthread_mutex_lock(&mutex) == 0);
        }
        section();
        check(pthread_mutex_unlock(&mutex) == 0);
    }
    return NULL;
}

static void mutexes(void)
{
    pthread_mutexattr_t attributes;

    for (int type = 0; type < 4; type++) {
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_settype(&attributes, type);
        check(pthread_mutex_init(&mutex, &attributes) == 0);
        all(use_mutex);
        check(pthread_mutex_destroy(&mutex) == 0);
    }
    check(shared_count == 4L * THREADS * ROUNDS);
}

static void *use_spin(void *me)
{
    (void)me;
    for (int i = 0; i < ROUNDS; i++) {
        check(pthread_spin_lock(&spin) == 0);
        section();
        check(pthread_spin_unlock(&spin) == 0);
    }
    return NULL;
}

static void spins(void)
{
    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    all(use_spin);
    check(shared_count == (long)THREADS * ROUNDS);
}

static void *use_rwlock(void *me)
{
    for (long i = (long)me; i < ROUNDS + (long)me; i++) {
        if (i % 5 == 0) {
            check(pthread_rwlock_wrlock(&rwlock) == 0);
            section();
        } else {
            check(pthread_rwlock_rdlock(&rwlock) == 0);
            check(shared_count == shared_copy);
            /* Allowed also while a writer waits. */
            check(pthread_rwlock_rdlock(&rwlock) == 0);
            check(pthread_rwlock_unlock(&rwlock) == 0);
        }
        check(pthread_rwlock_unlock(&rwlock) == 0);
    }
    return NULL;
}

static void rwlocks(void)
{
    all(use_rwlock);
    check(shared_count == (long)THREADS * ROUNDS / 5);
}

/* --- Conditions ------------------------------------------------------------------------------ */

static int queued, produced, consumed;
static pthread_cond_t room = PTHREAD_COND_INITIALIZER;

static void *produce_or_consume(void *me)
{
    const bool producer = (long)me % 2 == 0;

    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        if (producer) {
            while (queued == 2)
                pthread_cond_wait(&room, &mutex);
            queued++;
            produced++;
            if (i % 2)
                pthread_cond_signal(&cond);
            else
                pthread_cond_broadcast(&cond);
            pthread_mutex_unlock(&mutex);
        } else {
            while (queued == 0) {
                struct timespec soon = in(CLOCK_MONOTONIC, 100);

                if (i % 3)
                    pthread_cond_wait(&cond, &mutex);
                else
                    pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &soon);
            }
            queued--;
            consumed++;
            pthread_mutex_unlock(&mutex);
            pthread_cond_signal(&room);
        }
    }
    return NULL;
}

static void conditions(void)
{
    all(produce_or_consume);
    check(queued == 0 && produced == consumed && produced == THREADS / 2 * ROUNDS);
}

static void clocks(void)
{
    static const clockid_t both[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    pthread_condattr_t attributes;

    sem_init(&sem, 0, 0);
    for (int i = 0; i < 2; i++) {
        const clockid_t clock = both[i];
        struct timespec until, now;

        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, clock);
        pthread_cond_init(&cond, &attributes);
        for (int form = 0; form < 6; form++) {
            until = in(clock, 30000);
            pthread_mutex_lock(&mutex);
            switch (form) {
            case 0:
                check(pthread_cond_timedwait(&cond, &mutex, &until) == ETIMEDOUT);
                break;
            case 1:
                check(pthread_cond_clockwait(&cond, &mutex, clock, &until) == ETIMEDOUT);
                break;
            case 2:
                check(pthread_mutex_clocklock(&mutex, clock, &until) == ETIMEDOUT);
                break;
            case 3:
                check(sem_clockwait(&sem, clock, &until) == -1 && errno == ETIMEDOUT);
                break;
            case 4:
                pthread_rwlock_rdlock(&rwlock);
                check(pthread_rwlock_clockwrlock(&rwlock, clock, &until) == ETIMEDOUT);
                pthread_rwlock_unlock(&rwlock);
                break;
            default:
                clock_gettime(clock, &until);
            }
            pthread_mutex_unlock(&mutex);
            clock_gettime(clock, &now);
            check(now.tv_sec > until.tv_sec ||
                  (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
        }
    }
}

/* --- Cancellation ---------------------------------------------------------------------------- */

static int waiting, cleaned, permits_taken;
static bool told;

static void unlock_in_cleanup(void *unused)
{
    (void)unused;
    cleaned++; /* under the mutex, or two would race here */
    check(pthread_mutex_unlock(&mutex) == 0);
}

static void *wait_to_be_told(void *unused)
{
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock_in_cleanup, NULL);
    waiting++;
    while (!told)
        pthread_cond_wait(&cond, &mutex);
    told = false;
    pthread_cleanup_pop(0);
    pthread_mutex_unlock(&mutex);
    return unused;
}

static void until_waiting(int count)
{
    int seen;

    do {
        sched_yield();
        pthread_mutex_lock(&mutex);
        seen = waiting;
        pthread_mutex_unlock(&mutex);
    } while (seen < count);
}

/* A signal and a cancellation together: if the cancelled one did not act on the signal, the other
 * does. */
static void cancel_wait(void)
{
    for (int round = 0; round < 300; round++) {
        pthread_t first, second;
        void *result;

        waiting = cleaned = 0;
        told = false;
        pthread_create(&first, NULL, wait_to_be_told, NULL);
        until_waiting(1);
        pthread_create(&second, NULL, wait_to_be_told, NULL);
        until_waiting(2);
        if (round % 2)
            pthread_cancel(first);
        pthread_mutex_lock(&mutex);
        told = true;
        pthread_cond_signal(&cond);
        if (round % 4 == 0)
            pthread_cancel(first);
        pthread_mutex_unlock(&mutex);
        if (round % 4 == 2)
            pthread_cancel(first);
        pthread_join(first, &result);
        if (result == PTHREAD_CANCELED) {
            check(cleaned == 1);
            pthread_join(second, &result);
            check(result == NULL && !told);
        } else {
            check(cleaned == 0);
            pthread_cancel(second);
            pthread_join(second, &result);
            check(result == PTHREAD_CANCELED && cleaned == 1);
        }
    }
}

static void *pending_then_wait(void *disabled)
{
    pthread_setcancelstate(disabled ? PTHREAD_CANCEL_DISABLE : PTHREAD_CANCEL_ENABLE, NULL);
    pthread_cancel(pthread_self());
    return wait_to_be_told(NULL);
}

static void cancel_before_wait(void)
{
    pthread_t thread;
    void *result;

    check(pthread_create(&thread, NULL, pending_then_wait, NULL) == 0);
    pthread_join(thread, &result);
    check(result == PTHREAD_CANCELED && cleaned == 1);
    /* Where cancellation is disabled, the wait goes on. */
    waiting = 0;
    check(pthread_create(&thread, NULL, pending_then_wait, &mutex) == 0);
    until_waiting(1);
    pthread_cancel(thread);
    pthread_mutex_lock(&mutex);
    told = true;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, &result);
    check(result == NULL && cleaned == 1);
}

static void *take_permit(void *timed)
{
    struct timespec late = in(CLOCK_REALTIME, 100000000);

    check((timed ? sem_timedwait(&sem, &late) : sem_wait(&sem)) == 0);
    __atomic_fetch_add(&permits_taken, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void cancel_sem(void)
{
    for (int round = 0; round < 300; round++) {
        pthread_t thread[2];
        void *result;
        int cancelled = 0, left;

        sem_init(&sem, 0, 0);
        permits_taken = 0;
        for (int i = 0; i < 2; i++)
            pthread_create(&thread[i], NULL, take_permit, round % 3 ? NULL : &sem);
        for (int i = 0; i < round % 16; i++)
            sched_yield();
        pthread_cancel(thread[round % 2]);
        sem_post(&sem);
        pthread_join(thread[round % 2], &result);
        cancelled += result == PTHREAD_CANCELED;
        if (!cancelled)
            sem_post(&sem);
        pthread_join(thread[1 - round % 2], &result);
        check(result == NULL);
        sem_getvalue(&sem, &left);
        check(permits_taken == 2 - cancelled && left == 0);
        sem_destroy(&sem);
    }
}

/* --- Signals --------------------------------------------------------------------------------- */

static void post(int number)
{
    (void)number;
    sem_post(&sem);
}

static void *wait_many(void *unused)
{
    for (int i = 0; i < 500; i++)
        while (sem_wait(&sem) != 0)
            check(errno == EINTR);
    return unused;
}

static void handlers_post(void)
{
    struct sigaction action = {.sa_handler = post, .sa_flags = SA_RESTART};
    pthread_t thread;
    int left;

    sem_init(&sem, 0, 0);
    sigaction(SIGUSR1, &action, NULL);
    pthread_create(&thread, NULL, wait_many, NULL);
    for (int i = 0; i < 500; i++)
        raise(SIGUSR1);
    pthread_join(thread, NULL);
    sem_getvalue(&sem, &left);
    check(left == 0);
}

static volatile sig_atomic_t came;

static void note(int number)
{
    (void)number;
    came = 1;
}

static void *interrupted(void *restart)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = restart ? SA_RESTART : 0};

    sigaction(SIGUSR1, &action, NULL);
    __atomic_store_n(&waiting, 1, __ATOMIC_RELEASE);
    check(restart ? sem_wait(&sem) == 0 : sem_wait(&sem) == -1 && errno == EINTR);
    __atomic_store_n(&waiting, 2, __ATOMIC_RELEASE);
    return NULL;
}

static void interruption(void)
{
    pthread_t thread;

    sem_init(&sem, 0, 0);
    for (int restart = 0; restart < 2; restart++) {
        waiting = came = 0;
        pthread_create(&thread, NULL, interrupted, restart ? &sem : NULL);
        while (!__atomic_load_n(&waiting, __ATOMIC_ACQUIRE))
            sched_yield();
        /* A handler that runs before the wait does not end it: so again and again. */
        for (int i = 0; restart ? i < 20 : __atomic_load_n(&waiting, __ATOMIC_ACQUIRE) != 2; i++) {
            pthread_kill(thread, SIGUSR1);
            usleep(1000);
        }
        if (restart)
            sem_post(&sem);
        pthread_join(thread, NULL);
        check(came);
    }
}

/* --- Fork ------------------------------------------------------------------------------------ */

static void *wait_for_mutex(void *lock)
{
    __atomic_fetch_add(&waiting, 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

/* The child unlocks what the parent held when it forked, whoever waited for it there, and uses it
 * and everything else with threads of its own. */
static void child(pthread_mutex_t *held, bool recursive)
{
    if (recursive)
        check(pthread_mutex_lock(held) == 0 && pthread_mutex_unlock(held) == 0);
    check(pthread_mutex_trylock(held) == (recursive ? 0 : EBUSY));
    if (recursive)
        check(pthread_mutex_unlock(held) == 0);
    check(pthread_mutex_unlock(held) == 0);
    check(pthread_mutex_trylock(held) == 0);
    check(pthread_mutex_unlock(held) == 0);
    mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    shared_count = shared_copy = 0;
    all(use_mutex);
    conditions();
    sem_post(&sem);
    check(sem_wait(&sem) == 0);
    check(sem_trywait(&sem) == -1 && errno == EAGAIN);
    _exit(0);
}

static void *wait_for_permit(void *unused)
{
    __atomic_fetch_add(&waiting, 1, __ATOMIC_RELEASE);
    sem_wait(&sem);
    return unused;
}

static void forks(void)
{
    static pthread_mutex_t held;
    pthread_mutexattr_t attributes;

    /* glibc does not let a child unlock the parent's recursive mutex; see what you run on. */
    for (int recursive = 0; recursive <= (getenv("RECURSIVE") != NULL); recursive++) {
        pthread_t waiter[3], sleeper;
        int status;

        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_settype(&attributes, recursive);
        pthread_mutex_init(&held, &attributes);
        sem_init(&sem, 0, 0);
        waiting = 0;
        pthread_mutex_lock(&held);
        for (int i = 0; i < 3; i++)
            pthread_create(&waiter[i], NULL, wait_for_mutex, &held);
        pthread_create(&sleeper, NULL, wait_for_permit, NULL);
        while (__atomic_load_n(&waiting, __ATOMIC_ACQUIRE) < 4)
            sched_yield();
        usleep(20000);
        const pid_t pid = fork();

        if (pid == 0)
            child(&held, recursive);
        check(waitpid(pid, &status, 0) == pid && status == 0);
        pthread_mutex_unlock(&held);
        sem_post(&sem);
        for (int i = 0; i < 3; i++)
            pthread_join(waiter[i], NULL);
        pthread_join(sleeper, NULL);
    }
}

/* --- Beginnings and ends --------------------------------------------------------------------- */

static pthread_mutex_t from_the_start = PTHREAD_MUTEX_INITIALIZER;
static pthread_key_t key;
static int destructors;

__attribute__((constructor)) static void before_main(void)
{
    check(pthread_mutex_lock(&from_the_start) == 0);
}

static void in_destructor(void *value)
{
    pthread_mutex_lock(&mutex);
    pthread_rwlock_rdlock(&rwlock);
    destructors++;
    pthread_rwlock_unlock(&rwlock);
    pthread_mutex_unlock(&mutex);
    if ((long)value > 1)
        pthread_setspecific(key, (void *)((long)value - 1));
}

static void *with_destructor(void *unused)
{
    pthread_setspecific(key, (void *)3L);
    pthread_rwlock_rdlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
    return unused;
}

static void at_exit(void)
{
    check(pthread_mutex_lock(&from_the_start) == 0);
    check(pthread_cond_broadcast(&cond) == 0);
    check(pthread_mutex_unlock(&from_the_start) == 0);
    puts("after exit");
}

static void lifetimes(void)
{
    check(pthread_mutex_trylock(&from_the_start) == EBUSY);
    check(pthread_mutex_unlock(&from_the_start) == 0);
    pthread_key_create(&key, in_destructor);
    all(with_destructor);
    all(with_destructor);
    check(destructors == 2 * 3 * THREADS);
    atexit(at_exit);
}

/* --- Old versions ---------------------------------------------------------------------------- */

#if defined(__x86_64__)
int old_wait(pthread_cond_t *, pthread_mutex_t *);
int old_signal(pthread_cond_t *);
__asm__(".symver old_wait, pthread_cond_wait@GLIBC_2.2.5");
__asm__(".symver old_signal, pthread_cond_signal@GLIBC_2.2.5");

static void *wait_old(void *unused)
{
    pthread_mutex_lock(&mutex);
    waiting = 1;
    while (!told)
        old_wait(&cond, &mutex);
    pthread_mutex_unlock(&mutex);
    return unused;
}

static void old_versions(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, wait_old, NULL);
    until_waiting(1);
    pthread_mutex_lock(&mutex);
    told = true;
    pthread_mutex_unlock(&mutex);
    old_signal(&cond);
    pthread_join(thread, NULL);
}
#else
static void old_versions(void) {}
#endif

static const struct {
    const char *name;
    void (*body)(void);
} tests[] = {
    {"mutexes", mutexes},
    {"spins", spins},
    {"rwlocks", rwlocks},
    {"conditions", conditions},
    {"clocks", clocks},
    {"cancel_wait", cancel_wait},
    {"cancel_before_wait", cancel_before_wait},
    {"cancel_sem", cancel_sem},
    {"handlers_post", handlers_post},
    {"interruption", interruption},
    {"forks", forks},
    {"lifetimes", lifetimes},
    {"old_versions", old_versions},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        if (argc < 2)
            puts(tests[i].name);
        else if (strcmp(argv[1], tests[i].name) == 0) {
            tests[i].body();
            return 0;
        }
    }
    return argc < 2 ? 0 : 2;
}
