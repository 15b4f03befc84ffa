/* SPDX-License-Identifier: MIT */
/*
 * Programs with one mistake each in their use of locks, which ends well here by luck, and some with
 * none. `order NAME` runs one; `order` lists them as "NAME headline", the headline of the report that
 * is due, or "-". Knows nothing of ring3.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER,
                       c = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t r = PTHREAD_RWLOCK_INITIALIZER, s = PTHREAD_RWLOCK_INITIALIZER,
                        fair = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP,
                        fair2 = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

/* In a thread of its own, one after the other. */
static void then(void *(*body)(void *))
{
    pthread_t thread;

    pthread_create(&thread, NULL, body, NULL);
    pthread_join(thread, NULL);
}

static void nest(pthread_mutex_t *outer, pthread_mutex_t *inner)
{
    pthread_mutex_lock(outer);
    pthread_mutex_lock(inner);
    pthread_mutex_unlock(inner);
    pthread_mutex_unlock(outer);
}

static void *a_then_b(void *unused)
{
    nest(&a, &b);
    return unused;
}

static void *b_then_a(void *unused)
{
    nest(&b, &a);
    return unused;
}

static void two(void)
{
    then(a_then_b);
    then(b_then_a);
}

/* All made at one place: one class. */
static pthread_mutex_t forks[5];

static void philosophers(int last_is_left_handed)
{
    for (int i = 0; i < 5; i++)
        pthread_mutex_init(&forks[i], NULL);
    for (int i = 0; i < 4; i++)
        nest(&forks[i], &forks[i + 1]);
    if (last_is_left_handed)
        nest(&forks[0], &forks[4]);
    else
        nest(&forks[4], &forks[0]);
}

static void five(void)
{
    philosophers(0);
}

static void five_remedied(void)
{
    philosophers(1);
}

static void five_classes(void)
{
    static pthread_mutex_t chain[5] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                       PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                       PTHREAD_MUTEX_INITIALIZER};

    for (int i = 0; i < 5; i++)
        nest(&chain[i], &chain[(i + 1) % 5]);
}

static void lock_rw(pthread_rwlock_t *lock, int writes)
{
    if (writes)
        pthread_rwlock_wrlock(lock);
    else
        pthread_rwlock_rdlock(lock);
}

static void nest_rw(pthread_rwlock_t *outer, int writes, pthread_rwlock_t *inner, int also)
{
    lock_rw(outer, writes);
    lock_rw(inner, also);
    pthread_rwlock_unlock(inner);
    pthread_rwlock_unlock(outer);
}

static void read_write(void)
{
    nest_rw(&r, 0, &s, 1);
    nest_rw(&s, 0, &r, 1);
}

static void readers_only(void)
{
    nest_rw(&r, 0, &s, 0);
    nest_rw(&s, 0, &r, 0);
}

/* A reader that waits behind a waiting writer waits for readers. */
static void readers_behind_writers(void)
{
    pthread_mutex_lock(&a);
    pthread_rwlock_rdlock(&fair);
    pthread_rwlock_unlock(&fair);
    pthread_mutex_unlock(&a);
    pthread_rwlock_rdlock(&fair);
    pthread_mutex_lock(&a);
    pthread_mutex_unlock(&a);
    pthread_rwlock_unlock(&fair);
    nest_rw(&fair, 1, &fair2, 1);
}

static void tries(void)
{
    nest(&a, &b);
    pthread_mutex_lock(&b);
    if (pthread_mutex_trylock(&a) == 0)
        pthread_mutex_unlock(&a);
    pthread_mutex_unlock(&b);
}

/* What was taken by a try is held all the same. */
static void held_after_try(void)
{
    nest(&a, &b);
    pthread_mutex_trylock(&b);
    pthread_mutex_lock(&a);
    pthread_mutex_unlock(&a);
    pthread_mutex_unlock(&b);
}

static void out_of_order(void)
{
    pthread_mutex_lock(&a);
    pthread_mutex_lock(&b);
    pthread_mutex_unlock(&a);
    pthread_mutex_lock(&c);
    pthread_mutex_unlock(&b);
    pthread_mutex_unlock(&c);
    nest(&a, &c);
    nest(&b, &c);
}

static void again(void)
{
    struct timespec soon = {0, 0};

    pthread_mutex_lock(&a);
    /* It would hang here, so only the read lock does it: that has no owner. */
    pthread_mutex_timedlock(&a, &soon);
    pthread_mutex_unlock(&a);
    pthread_rwlock_rdlock(&fair);
    pthread_rwlock_timedwrlock(&fair, &soon);
    pthread_rwlock_unlock(&fair);
}

static void recursive(void)
{
    static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

    pthread_mutex_lock(&lock);
    nest(&a, &lock);
    nest(&lock, &b);
    pthread_mutex_unlock(&lock);
    pthread_rwlock_rdlock(&r);
    nest_rw(&r, 0, &r, 0);
    pthread_rwlock_unlock(&r);
}

static int told;

static void *tell(void *unused)
{
    nest(&b, &a);
    pthread_mutex_lock(&a);
    told = 1;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&a);
    return unused;
}

/* Holds b while it waits; to be told, somebody needs b. */
static void waits_with_a_lock(void)
{
    struct timespec soon;

    pthread_mutex_lock(&c);
    pthread_mutex_lock(&b);
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&b);
    pthread_mutex_unlock(&c);
    clock_gettime(CLOCK_REALTIME, &soon);
    pthread_mutex_lock(&b);
    pthread_mutex_lock(&a);
    pthread_cond_timedwait(&cond, &a, &soon);
    pthread_mutex_unlock(&a);
    pthread_mutex_unlock(&b);
}

static void waits(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, tell, NULL);
    pthread_mutex_lock(&a);
    while (!told)
        pthread_cond_wait(&cond, &a);
    pthread_mutex_unlock(&a);
    pthread_join(thread, NULL);
}

static void handler(int number)
{
    (void)number;
    pthread_mutex_lock(&a);
    pthread_mutex_unlock(&a);
}

static void handle(int with_sigaction)
{
    struct sigaction action = {.sa_handler = handler};

    if (with_sigaction)
        sigaction(SIGUSR1, &action, NULL);
    else
        signal(SIGUSR1, handler);
    raise(SIGUSR1);
}

static void in_handler(void)
{
    handle(1);
    pthread_mutex_lock(&a);
    pthread_mutex_unlock(&a);
}

static void in_old_handler(void)
{
    pthread_mutex_lock(&a);
    pthread_mutex_unlock(&a);
    handle(0);
}

static void in_handler_blocked(void)
{
    sigset_t set;

    handle(1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_mutex_lock(&a);
    pthread_mutex_unlock(&a);
}

static void *leave_it_locked(void *unused)
{
    pthread_mutex_lock(&a);
    return unused;
}

static void thread_ends(void)
{
    then(leave_it_locked);
}

static pthread_barrier_t meeting;

static void *hold_during_fork(void *unused)
{
    pthread_mutex_lock(&a);
    pthread_barrier_wait(&meeting);
    pthread_barrier_wait(&meeting);
    pthread_mutex_unlock(&a);
    return unused;
}

static void across_fork(void)
{
    pthread_t thread;
    pid_t pid;

    pthread_barrier_init(&meeting, NULL, 2);
    pthread_create(&thread, NULL, hold_during_fork, NULL);
    pthread_barrier_wait(&meeting);
    pid = fork();
    if (pid == 0) {
        struct timespec soon;

        clock_gettime(CLOCK_REALTIME, &soon);
        _exit(pthread_mutex_timedlock(&a, &soon) == ETIMEDOUT ? 0 : 1);
    }
    waitpid(pid, NULL, 0);
    pthread_barrier_wait(&meeting);
    pthread_join(thread, NULL);
}

static void foreign_unlock(void)
{
    pthread_mutex_lock(&a);
    pthread_mutex_unlock(&a);
    pthread_mutex_unlock(&a);
}

/* The same objects in another order after they were made anew. */
static void made_anew(void)
{
    for (int i = 0; i < 2; i++) {
        pthread_mutex_init(&forks[0], NULL);
        pthread_mutex_init(&forks[1], NULL);
        nest(&forks[i], &forks[1 - i]);
        pthread_mutex_destroy(&forks[0]);
        pthread_mutex_destroy(&forks[1]);
    }
}

/* As allocators do around fork: a child makes anew what it holds. */
static void anew_while_held(void)
{
    static pthread_mutex_t many[40];

    for (int i = 0; i < 40; i++)
        pthread_mutex_lock(&many[i]);
    for (int i = 39; i >= 0; i--)
        pthread_mutex_unlock(&many[i]);
    for (int i = 0; i < 20; i++)
        pthread_mutex_lock(&many[i]);
    for (int i = 0; i < 20; i++)
        pthread_mutex_init(&many[i], NULL);
    for (int i = 0; i < 20; i++)
        pthread_mutex_lock(&many[i]);
    for (int i = 0; i < 20; i++)
        pthread_mutex_unlock(&many[i]);
}

static const struct {
    const char *name;
    void (*body)(void);
    const char *headline;
} programs[] = {
    {"two", two, "lock order"},
    {"five", five, "lock order"},
    {"five_classes", five_classes, "lock order"},
    {"five_remedied", five_remedied, "-"},
    {"read_write", read_write, "lock order"},
    {"readers_only", readers_only, "-"},
    {"readers_behind_writers", readers_behind_writers, "lock order"},
    {"tries", tries, "-"},
    {"held_after_try", held_after_try, "lock order"},
    {"out_of_order", out_of_order, "-"},
    {"again", again, "locked again"},
    {"recursive", recursive, "-"},
    {"waits_with_a_lock", waits_with_a_lock, "lock order"},
    {"waits", waits, "-"},
    {"in_handler", in_handler, "signal handler"},
    {"in_old_handler", in_old_handler, "signal handler"},
    {"in_handler_blocked", in_handler_blocked, "-"},
    {"thread_ends", thread_ends, "a thread ends"},
    {"across_fork", across_fork, "when the parent forked"},
    {"foreign_unlock", foreign_unlock, "does not hold it"},
    {"made_anew", made_anew, "-"},
    {"anew_while_held", anew_while_held, "-"},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        if (argc < 2)
            printf("%s %s\n", programs[i].name, programs[i].headline);
        else if (strcmp(argv[1], programs[i].name) == 0) {
            programs[i].body();
            return 0;
        }
    }
    return argc < 2 ? 0 : 2;
}
