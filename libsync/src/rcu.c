/* SPDX-License-Identifier: MIT */
/* Grace periods: the waiting side of ring3/rcu.h. */
#include "ring3/rcu.h"

#include "ring3/env.h"
#include "ring3/mutex.h"
#include "ring3/wait.h"

#include "misuse.h"
#include "reader.h"
#include "spin.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_PERIOD (RING3_RCU_STEP | 1)

static_assert(RING3_READER_DOMAINS == 14, "one initial value for each");
ring3_rcu_period_t ring3_rcu_periods[RING3_READER_DOMAINS] = {
    {FIRST_PERIOD}, {FIRST_PERIOD}, {FIRST_PERIOD}, {FIRST_PERIOD}, {FIRST_PERIOD},
    {FIRST_PERIOD}, {FIRST_PERIOD}, {FIRST_PERIOD}, {FIRST_PERIOD}, {FIRST_PERIOD},
    {FIRST_PERIOD}, {FIRST_PERIOD}, {FIRST_PERIOD}, {FIRST_PERIOD},
};

/*
 * waiting    held by the one who waits for readers
 * completed  the last period whose readers are all gone; guarded by `waiting`
 */
static struct {
    ring3_mutex_t waiting;
    uint64_t completed;
} RING3_CACHE_ALIGNED domains[RING3_READER_DOMAINS];

/* Bit d: domain d exists. */
static uint32_t open_domains = 1 << RING3_RCU_DEFAULT | 1 << RING3_RCU_QSBR;

/* --- Readers that take long ------------------------------------------------------------------- */

static uint32_t stall_seconds = 10;

void ring3_rcu_stall_after(uint32_t seconds)
{
    ring3_store(&stall_seconds, seconds, RING3_RELAXED);
}

/* Writes the decimal form of `number` so that it ends before `end`; returns where it begins. */
static char *decimal(uint32_t number, char *end)
{
    do
        *--end = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return end;
}

/* The thread's name as the kernel has it; empty for a context that is no kernel thread. */
static void name_of(const char *id, char name[32])
{
    static const char before[] = "/proc/self/task/", after[] = "/comm";
    char path[sizeof before + 10 + sizeof after], *end = path;
    long got = 0;

    for (const char *c = before; *c;)
        *end++ = *c++;
    for (const char *c = id; *c;)
        *end++ = *c++;
    for (const char *c = after; (*end++ = *c++) != '\0';)
        ;
    const long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        got = syscall(SYS_read, fd, name, 31);
        (void)syscall(SYS_close, fd);
    }
    name[got > 0 ? got - 1 : 0] = '\0'; /* without the newline */
}

static void complain(const ring3_reader_t *reader, ring3_rcu_domain_t domain, uint32_t seconds)
{
    const int saved = errno;
    char numbers[3][11] = {"", "", ""}, name[32];
    char *const id = decimal(ring3_load(&reader->id, RING3_RELAXED), &numbers[0][10]);
    const char *const parts[] = {"ring3: rcu: thread ",
                                 id,
                                 " (",
                                 name,
                                 ") has been reading in domain ",
                                 decimal(domain, &numbers[1][10]),
                                 " for ",
                                 decimal(seconds, &numbers[2][10]),
                                 " seconds, and somebody waits for it"};

    name_of(id, name);
    ring3_env_complain(parts, 9);
    errno = saved;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

static bool older(const ring3_reader_t *reader, ring3_rcu_domain_t domain, uint64_t period)
{
    /* Pairs with the releases in ring3_rcu_leave and ring3_rcu_enter: the section has ended. */
    const uint64_t word = ring3_load(&reader->since[domain], RING3_ACQUIRE);

    return (word & RING3_RCU_DEPTH) != 0 && word < period;
}

/* Sleep until the reader says that it has left, or for `seconds` (0: for ever). */
static bool sleep_for_reader(ring3_reader_t *reader, ring3_rcu_domain_t domain, uint64_t period,
                             uint32_t seconds)
{
    const struct timespec limit =
        ring3_deadline_in(CLOCK_MONOTONIC, (int64_t)seconds * RING3_SECOND_NS);
    const uint32_t bit = UINT32_C(1) << domain;
    const uint32_t awaited = ring3_fetch_or(&reader->awaited, bit, RING3_RELAXED) | bit;

    /* Pairs with the light fence in ring3_rcu_leave: the reader sees the bit, or we see it gone. */
    ring3_fence_patient();
    if (!older(reader, domain, period))
        return true;
    return ring3_word_wait(&reader->awaited, awaited, RING3_PRIVATE, CLOCK_MONOTONIC,
                           seconds ? &limit : NULL) != -ETIMEDOUT;
}

static void wait_for_reader(ring3_reader_t *reader, ring3_rcu_domain_t domain, uint64_t period)
{
    uint32_t waited = 0;

    for (uint32_t turn = ring3_spin_limit(RING3_WAIT_ADAPTIVE); turn > 0; turn--) {
        if (!older(reader, domain, period))
            return;
        ring3_cpu_relax();
    }
    while (older(reader, domain, period)) {
        const uint32_t seconds = ring3_load(&stall_seconds, RING3_RELAXED);

        if (!sleep_for_reader(reader, domain, period, seconds) && older(reader, domain, period))
            complain(reader, domain, waited += seconds);
    }
}

void ring3_rcu_tell(ring3_reader_t *reader, ring3_rcu_domain_t domain)
{
    const uint32_t bit = UINT32_C(1) << domain;

    if ((ring3_load(&reader->since[domain], RING3_RELAXED) & RING3_RCU_DEPTH) == 0 &&
        ring3_fetch_and(&reader->awaited, ~bit, RING3_RELAXED) & bit)
        ring3_word_wake(&reader->awaited, INT_MAX, RING3_PRIVATE);
}

static bool exists(ring3_rcu_domain_t domain)
{
    return domain < RING3_READER_DOMAINS &&
           (ring3_load(&open_domains, RING3_RELAXED) >> domain & 1) != 0;
}

/* Begin the next period, and wait until those who began to read before it are gone. */
static uint64_t grace_period(ring3_rcu_domain_t domain)
{
    /* The release pairs with the acquire in ring3_rcu_enter; the acquire with the release in
     * synchronize, so that readers of this period see all changes that count on it. */
    const uint64_t period =
        ring3_fetch_add(&ring3_rcu_periods[domain].period, RING3_RCU_STEP, RING3_ACQ_REL) +
        RING3_RCU_STEP;

    /* Pairs with the light fence in ring3_rcu_enter: a reader whose word we do not see now sees
     * what was changed before. */
    ring3_fence_patient();
    ring3_reader_for_each(reader, run)
    {
        if (ring3_unlikely(older(reader, domain, period)))
            wait_for_reader(reader, domain, period);
    }
    return period;
}

int ring3_rcu_synchronize_domain(ring3_rcu_domain_t domain)
{
    if (!exists(domain))
        return -EINVAL;

    const bool reading = ring3_rcu_reading(domain);

    if (reading && domain != RING3_RCU_QSBR)
        return -EDEADLK;
    ring3_may_sleep(&ring3_rcu_periods[domain]);
    if (reading)
        ring3_qsbr_offline();

    /*
     * A period that has begun may have overlooked our change; the next one cannot. This has to be a
     * read-modify-write: a load, even after a fence, might read the number of the period before
     * although readers of the present one, whom nobody waits for, have not seen our change.
     */
    const uint64_t wanted =
        ring3_fetch_add(&ring3_rcu_periods[domain].period, 0, RING3_RELEASE) + RING3_RCU_STEP;

    ring3_mutex_lock(&domains[domain].waiting);
    if (domains[domain].completed < wanted)
        domains[domain].completed = grace_period(domain);
    ring3_mutex_unlock(&domains[domain].waiting);
    if (reading)
        ring3_qsbr_online();
    return 0;
}

/* --- Domains ---------------------------------------------------------------------------------- */

int ring3_rcu_open(ring3_rcu_domain_t *domain)
{
    for (uint32_t d = 0; d < RING3_READER_DOMAINS; d++)
        /* Relaxed: the domain's own words are ordered by the periods that follow. */
        if ((ring3_fetch_or(&open_domains, UINT32_C(1) << d, RING3_RELAXED) >> d & 1) == 0) {
            *domain = d;
            return 0;
        }
    return -ENOSPC;
}

void ring3_rcu_close(ring3_rcu_domain_t domain)
{
    (void)ring3_fetch_and(&open_domains, ~(UINT32_C(1) << domain), RING3_RELAXED);
}

/* Whoever waited for readers is not in the child; a period that had begun counts as begun. */
static void nobody_waits_after_fork(void)
{
    const ring3_self_t *const self = ring3_self();

    for (int d = 0; d < RING3_READER_DOMAINS; d++)
        ring3_mutex_init(&domains[d].waiting);
    if (self->reader)
        ((ring3_reader_t *)self->reader)->awaited = 0;
}

static bool set_stall(void *context, const char *value, size_t length)
{
    size_t seconds;

    (void)context;
    if (!ring3_env_size(value, length, &seconds) || seconds > INT_MAX)
        return false;
    ring3_rcu_stall_after((uint32_t)seconds);
    return true;
}

static const ring3_env_key_t keys[] = {{"stall", "a number of seconds", set_stall},
                                       {NULL, NULL, NULL}};

__attribute__((constructor(RING3_START_FIRST))) static void rcu_start(void)
{
    (void)ring3_env_read("RING3_RCU", keys, NULL);
    (void)pthread_atfork(NULL, NULL, nobody_waits_after_fork);
}
