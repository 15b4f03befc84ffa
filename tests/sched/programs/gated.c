/* SPDX-License-Identifier: MIT */
/*
 * A program that knows nothing of ring3 and uses all that the gate stands in for. It prints "ok", or
 * what went wrong; with an argument only the part of that name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define THREADS 6
#define ROUNDS  300

#define check(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            printf("line %d: %s\n", __LINE__, #what);                                              \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static struct timespec in_ms(clockid_t clock, long ms)
{
    struct timespec time;

    clock_gettime(clock, &time);
    time.tv_sec += ms / 1000;
    time.tv_nsec += ms % 1000 * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static void with_threads(void *(*body)(void *))
{
    pthread_t threads[THREADS];

    for (long i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], NULL, body, (void *)i) == 0);
    for (long i = 0; i < THREADS; i++) {
        void *result;

        check(pthread_join(threads[i], &result) == 0);
        check(result == (void *)i);
    }
}

/* --- Locks ------------------------------------------------------------------------------------ */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static long counted, read_inside, written;

static void *count(void *me)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        const long seen = counted;

        if (i % 32 == 0)
            usleep(100);
        counted = seen + 1;
        pthread_mutex_unlock(&mutex);
        pthread_spin_lock(&spin);
        const long before = read_inside;

        sched_yield();
        read_inside = before + 1;
        pthread_spin_unlock(&spin);
        if (i % 4 == 0) {
            check(pthread_rwlock_wrlock(&rwlock) == 0);
            const long old = written;

            sched_yield();
            written = old + 1;
        } else {
            check(pthread_rwlock_rdlock(&rwlock) == 0);
        }
        check(pthread_rwlock_unlock(&rwlock) == 0);
    }
    return me;
}

static void *try_and_time_out(void *unused)
{
    struct timespec soon = in_ms(CLOCK_REALTIME, 5);

    (void)unused;
    check(pthread_mutex_trylock(&mutex) == EBUSY);
    check(pthread_mutex_timedlock(&mutex, &soon) == ETIMEDOUT);
    check(pthread_rwlock_tryrdlock(&rwlock) == EBUSY);
    soon = in_ms(CLOCK_REALTIME, 5);
    check(pthread_rwlock_timedrdlock(&rwlock, &soon) == ETIMEDOUT);
    soon = in_ms(CLOCK_MONOTONIC, 5);
    check(pthread_rwlock_clockwrlock(&rwlock, CLOCK_MONOTONIC, &soon) == ETIMEDOUT);
    return NULL;
}

static void locks(void)
{
    pthread_mutexattr_t attr;
    pthread_mutex_t checked;
    pthread_t thread;

    with_threads(count);
    check(counted == THREADS * ROUNDS && read_inside == THREADS * ROUNDS);
    check(written == THREADS * (ROUNDS / 4));

    check(pthread_mutex_lock(&mutex) == 0 && pthread_rwlock_wrlock(&rwlock) == 0);
    check(pthread_rwlock_wrlock(&rwlock) == EDEADLK);
    check(pthread_create(&thread, NULL, try_and_time_out, NULL) == 0);
    check(pthread_join(thread, NULL) == 0);
    check(pthread_mutex_unlock(&mutex) == 0 && pthread_rwlock_unlock(&rwlock) == 0);

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&checked, &attr);
    check(pthread_mutex_lock(&checked) == 0 && pthread_mutex_lock(&checked) == EDEADLK);
    check(pthread_mutex_unlock(&checked) == 0 && pthread_mutex_unlock(&checked) == EPERM);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&checked, &attr);
    check(pthread_mutex_lock(&checked) == 0 && pthread_mutex_unlock(&checked) == 0);
}

/* --- Conditions, barriers, semaphores, once --------------------------------------------------- */

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t sem;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static long turn, serial, initialised;

static void initialise(void)
{
    usleep(1000);
    initialised++;
}

static void *meet(void *me)
{
    pthread_once(&once, initialise);
    check(initialised == 1);
    for (int i = 0; i < ROUNDS / 10; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != (long)me)
            check(pthread_cond_wait(&cond, &mutex) == 0);
        turn++;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED);
        check(turn >= (i + 1) * THREADS);
        pthread_barrier_wait(&barrier);
        check(sem_wait(&sem) == 0);
        check(sem_post(&sem) == 0);
    }
    return me;
}

static void waiting(void)
{
    struct timespec soon;

    sem_init(&sem, 0, 2);
    pthread_barrier_init(&barrier, NULL, THREADS);
    with_threads(meet);
    check(turn == THREADS * (ROUNDS / 10) && serial == ROUNDS / 10);
    check(pthread_barrier_destroy(&barrier) == 0);
    pthread_mutex_lock(&mutex);
    soon = in_ms(CLOCK_REALTIME, 5);
    check(pthread_cond_timedwait(&cond, &mutex, &soon) == ETIMEDOUT);
    soon = in_ms(CLOCK_MONOTONIC, 5);
    check(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &soon) == ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    check(sem_wait(&sem) == 0 && sem_wait(&sem) == 0);
    check(sem_trywait(&sem) == -1 && errno == EAGAIN);
    soon = in_ms(CLOCK_REALTIME, 5);
    check(sem_timedwait(&sem, &soon) == -1 && errno == ETIMEDOUT);
}

/* --- Cancellation ----------------------------------------------------------------------------- */

static int cleaned;

static void clean(void *locked)
{
    if (locked)
        pthread_mutex_unlock(locked);
    __atomic_fetch_add(&cleaned, 1, __ATOMIC_RELAXED);
}

static void *wait_for_ever(void *how)
{
    char byte;
    static int nobody_writes[2];

    pthread_cleanup_push(clean, how == (void *)0 ? &mutex : NULL);
    switch ((long)how) {
    case 0:
        pthread_mutex_lock(&mutex);
        for (;;)
            pthread_cond_wait(&cond, &mutex);
    case 1:
        for (;;)
            sem_wait(&sem);
    case 2:
        for (;;)
            sleep(1000);
    default:
        check(pipe(nobody_writes) == 0);
        check(read(nobody_writes[0], &byte, 1) >= 0);
    }
    pthread_cleanup_pop(1);
    return NULL;
}

static void cancelling(void)
{
    sem_init(&sem, 0, 0);
    for (long how = 0; how < 4; how++) {
        pthread_t thread;
        void *result;

        check(pthread_create(&thread, NULL, wait_for_ever, (void *)how) == 0);
        usleep(2000);
        check(pthread_cancel(thread) == 0);
        check(pthread_join(thread, &result) == 0);
        check(result == PTHREAD_CANCELED);
    }
    check(cleaned == 4);
    check(pthread_mutex_trylock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
}

/* --- Input and output, children, fork --------------------------------------------------------- */

static int there[2], back[2], pair[2];

static void *echo(void *unused)
{
    char byte;

    (void)unused;
    while (read(there[0], &byte, 1) == 1) {
        struct pollfd look = {.fd = pair[0], .events = POLLIN};
        char other;

        check(write(back[1], &byte, 1) == 1);
        check(poll(&look, 1, 10000) == 1);
        check(recv(pair[0], &other, 1, 0) == 1 && other == byte);
    }
    return NULL;
}

static void io(void)
{
    fd_set reads;
    struct timeval none = {0, 1000};
    pthread_t thread;
    int status;
    char byte;

    check(pipe(there) == 0 && pipe(back) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    check(pthread_create(&thread, NULL, echo, NULL) == 0);
    for (int i = 0; i < 50; i++) {
        char sent = (char)i;

        check(write(there[1], &sent, 1) == 1);
        FD_ZERO(&reads);
        FD_SET(back[0], &reads);
        check(select(back[0] + 1, &reads, NULL, NULL, NULL) == 1 && FD_ISSET(back[0], &reads));
        check(read(back[0], &byte, 1) == 1 && byte == sent);
        check(send(pair[1], &byte, 1, 0) == 1);
    }
    FD_ZERO(&reads);
    FD_SET(back[0], &reads);
    check(select(back[0] + 1, &reads, NULL, NULL, &none) == 0);
    close(there[1]);
    check(pthread_join(thread, NULL) == 0);

    const pid_t child = fork();

    if (child == 0) {
        /* Threads can be made here, too. */
        if (pthread_create(&thread, NULL, count, (void *)7L) != 0 || pthread_join(thread, NULL))
            _exit(1);
        _exit(42);
    }
    check(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42);
    check(system("exit 3") >> 8 == 3);
}

/* --- C11, keys, and what is asked of the policy ----------------------------------------------- */

static mtx_t c11_mutex;
static cnd_t c11_cond;
static int c11_ready;
static pthread_key_t key;
static int destroyed;

static int c11_body(void *arg)
{
    mtx_lock(&c11_mutex);
    c11_ready = *(int *)arg;
    cnd_signal(&c11_cond);
    mtx_unlock(&c11_mutex);
    thrd_yield();
    return 9;
}

static void destroy(void *value)
{
    /* A destructor that waits: it is at the gate as yet. */
    pthread_mutex_lock(&mutex);
    destroyed += *(int *)value;
    pthread_mutex_unlock(&mutex);
}

static void *with_key(void *me)
{
    static int one = 1;

    pthread_setspecific(key, &one);
    return me;
}

static void others(void)
{
    thrd_t thread;
    int arg = 5, result, policy;
    struct sched_param param = {.sched_priority = 10};

    check(mtx_init(&c11_mutex, mtx_plain) == thrd_success);
    check(cnd_init(&c11_cond) == thrd_success);
    check(thrd_create(&thread, c11_body, &arg) == thrd_success);
    mtx_lock(&c11_mutex);
    while (c11_ready != 5)
        cnd_wait(&c11_cond, &c11_mutex);
    mtx_unlock(&c11_mutex);
    check(thrd_join(thread, &result) == thrd_success && result == 9);
    check(pthread_key_create(&key, destroy) == 0);
    with_threads(with_key);
    check(destroyed == THREADS);
    if (getenv("RING3_GATE")) { /* no privileges needed */
        check(pthread_setschedparam(pthread_self(), SCHED_RR, &param) == 0);
        check(pthread_getschedparam(pthread_self(), &policy, &param) == 0);
        check(policy == SCHED_RR && param.sched_priority == 10);
        param.sched_priority = 1000;
        check(pthread_setschedparam(pthread_self(), SCHED_RR, &param) == EINVAL);
    }
}

/* --- Deadlock; threads that make no calls ----------------------------------------------------- */

static pthread_mutex_t other_mutex = PTHREAD_MUTEX_INITIALIZER;

static void *lock_other_way(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&other_mutex);
    sem_post(&sem);
    pthread_mutex_lock(&mutex);
    return NULL;
}

static void deadlock(void)
{
    pthread_t thread;

    sem_init(&sem, 0, 0);
    pthread_mutex_lock(&mutex);
    check(pthread_create(&thread, NULL, lock_other_way, NULL) == 0);
    sem_wait(&sem);
    pthread_mutex_lock(&other_mutex);
}

static int stop;

static void *spin_for_ever(void *me)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        continue;
    return me;
}

static void *stop_them(void *me)
{
    if (me == (void *)(long)(THREADS - 1)) {
        __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
        return me;
    }
    return spin_for_ever(me);
}

static void loops(void)
{
    with_threads(stop_them);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {{"locks", locks},   {"waiting", waiting}, {"cancelling", cancelling}, {"io", io},
                 {"others", others}, {"loops", loops},     {"deadlock", deadlock}};

    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (argc > 1 ? strcmp(argv[1], parts[i].name) == 0 : parts[i].run != deadlock)
            parts[i].run();
    printf("ok\n");
    return 0;
}
