/* SPDX-License-Identifier: MIT */
/* RING3_SCHED (the policy), RING3_GATE (the rest), and libc's own functions. */
#include "gate.h"

#include "ring3/env.h"

#include <dlfcn.h>

/* Logical time that a call takes on average, with a seed. */
#define STEP_NS INT64_C(1000000)

static bool set_places(void *context, const char *value, size_t length)
{
    struct gate *const settings = context;
    size_t places;

    if (!ring3_env_size(value, length, &places) || places < 1 || places > PLACES_MOST)
        return false;
    settings->places = (unsigned)places;
    return true;
}

static bool set_seed(void *context, const char *value, size_t length)
{
    struct gate *const settings = context;
    size_t seed;

    if (!ring3_env_size(value, length, &seed))
        return false;
    settings->seed = seed;
    settings->seeded = true;
    return true;
}

static bool set_step(void *context, const char *value, size_t length)
{
    struct gate *const settings = context;

    return ring3_policy_read_time(value, length, &settings->step) && settings->step >= 1;
}

static bool set_epoch(void *context, const char *value, size_t length)
{
    struct gate *const settings = context;
    size_t seconds;

    if (!ring3_env_size(value, length, &seconds) || seconds > UINT32_MAX)
        return false;
    settings->epoch = (int64_t)seconds * RING3_SECOND_NS;
    return true;
}

static bool set_path(char path[PATH_MAX], const char *value, size_t length)
{
    if (length == 0 || length >= PATH_MAX)
        return false;
    memcpy(path, value, length);
    path[length] = '\0';
    return true;
}

static bool set_trace(void *context, const char *value, size_t length)
{
    return set_path(((struct gate *)context)->trace, value, length);
}

static bool set_svg(void *context, const char *value, size_t length)
{
    return set_path(((struct gate *)context)->svg, value, length);
}

static bool set_gantt(void *context, const char *value, size_t length)
{
    return set_path(((struct gate *)context)->gantt, value, length);
}

#define FILE_ALLOWED "the name of a file"

static const ring3_env_key_t keys[] = {
    {"places", "1 to 64", set_places},         {"seed", "a number", set_seed},
    {"step", "a time such as 10us", set_step}, {"epoch", "seconds since 1970", set_epoch},
    {"trace", FILE_ALLOWED, set_trace},        {"svg", FILE_ALLOWED, set_svg},
    {"gantt", FILE_ALLOWED, set_gantt},        {0},
};

static unsigned cpus_allowed(void)
{
    cpu_set_t set;
    unsigned cpus = 1;
    const unsigned quota = size_own_quota();

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        cpus = (unsigned)CPU_COUNT(&set);
    cpus = quota && quota < cpus ? quota : cpus;
    return cpus < PLACES_MOST ? cpus : PLACES_MOST;
}

void gate_settings(void)
{
    static const char *const rather_one[] = {"RING3_GATE: with a seed there is one place"};
    const char *const text = ring3_env_get("RING3_SCHED");

    gate.step = STEP_NS;
    if (text)
        (void)ring3_policy_parse("RING3_SCHED", text, &gate.policy, &gate.params);
    else
        ring3_policy_defaults(&gate.params);
    /* A turn here ends with a signal, and a sleep and a wake-up in the kernel, which take as long. */
    if (gate.params.auto_quantum)
        ring3_policy_settle(&gate.params, 3 * ring3_policy_preemption_cost());
    if (!gate.policy)
        gate.policy = ring3_policy_find("rr");
    (void)ring3_env_read("RING3_GATE", keys, &gate);
    if (gate.seeded && gate.places > 1)
        ring3_env_complain(rather_one, 1);
    if (gate.seeded)
        gate.places = 1;
    if (gate.places == 0)
        gate.places = cpus_allowed();
}

/* --- Time ------------------------------------------------------------------------------------- */

int64_t gate_until(clockid_t clock, const struct timespec *deadline)
{
    struct timespec now;
    int64_t ahead;

    if (!deadline)
        return FOR_EVER;
    (void)clock_gettime(clock, &now); /* as the program sees it */
    if (deadline->tv_sec - now.tv_sec > INT32_MAX)
        return FOR_EVER;
    if (now.tv_sec - deadline->tv_sec > INT32_MAX)
        return 1;
    ahead = (deadline->tv_sec - now.tv_sec) * RING3_SECOND_NS + (deadline->tv_nsec - now.tv_nsec);
    return gate_now() + (ahead > 0 ? ahead : 0);
}

const struct timespec *gate_outside(clockid_t clock, const struct timespec *deadline,
                                    struct timespec *moved)
{
    struct timespec now;
    int64_t ahead;

    if (!gate.seeded || !deadline || deadline->tv_sec < 0)
        return deadline;
    ahead = gate_until(clock, deadline);
    if (ahead == FOR_EVER)
        return deadline;
    ahead -= gate_now();
    (void)real()->clock_gettime(clock, &now);
    ahead += ns_of(&now);
    *moved = (struct timespec){ahead / RING3_SECOND_NS, ahead % RING3_SECOND_NS};
    return moved;
}

void gate_timed_out(struct gated *me, int64_t until)
{
    if (!gate.seeded)
        return;
    gate_lock(me);
    if (until < FOR_EVER && until > gate.logical)
        ring3_store(&gate.logical, until, RING3_RELAXED);
    gate_unlock(me);
}

/* --- libc's own ------------------------------------------------------------------------------- */

/* The version of conditions that is not a name's first on x86-64; elsewhere there is only one. */
#define NEWER_COND "GLIBC_2.3.2"

static struct real reals;
static uint32_t reals_found;

static void *find_real(const char *name)
{
    void *found = NULL;

    if (strncmp(name, "pthread_cond_", 13) == 0)
        found = dlvsym(RTLD_NEXT, name, NEWER_COND);
    return found ? found : dlsym(RTLD_NEXT, name);
}

/* Two threads may do this at once: they find the same. */
const struct real *real(void)
{
    /* Pairs with the release below. */
    if (ring3_unlikely(!ring3_load(&reals_found, RING3_ACQUIRE))) {
#define X(name) ring3_store((void **)&reals.name, find_real(#name), RING3_RELAXED);
        REAL_FUNCTIONS(X)
#undef X
        ring3_store(&reals_found, 1, RING3_RELEASE);
    }
    return &reals;
}

__attribute__((constructor(101))) static void gate_constructor(void)
{
    (void)real();
    gate_settings();
    /* Logical time passes from the beginning. */
    if (gate.seeded)
        gate_activate();
}

/* The last of all destructors: we were the first to start. */
__attribute__((destructor(101))) static void gate_destructor(void)
{
    if (ring3_load(&gate.active, RING3_RELAXED))
        gate_write_traces();
}
