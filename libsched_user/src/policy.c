/* SPDX-License-Identifier: MIT */
/* The list of policies, and their parameters from text. */
#include "ring3/policy.h"

#include "ring3/env.h"

#include "dump.h"
#include "policies.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define MS_NS INT64_C(1000000)

static const ring3_policy_t *const builtin[] = {
    &policy_fcfs,       &policy_lifo,    &policy_sjf,      &policy_srtf,  &policy_rr,
    &policy_wrr,        &policy_wfq,     &policy_priority, &policy_mlfq,  &policy_feedback,
    &policy_multilevel, &policy_lottery, &policy_stride,   &policy_o1,    &policy_cfs,
    &policy_eevdf,      &policy_rm,      &policy_edf,      &policy_linux, NULL,
};

/* Those of the program: a property of the process, hence file scope. */
#define REGISTERED_MOST 16
static const ring3_policy_t *registered[REGISTERED_MOST];
static int registered_count;

const ring3_policy_t *const *ring3_policy_list(void)
{
    return builtin;
}

static const ring3_policy_t *find(const char *name, size_t length)
{
    for (int i = 0; builtin[i]; i++)
        if (ring3_env_is(name, length, builtin[i]->name))
            return builtin[i];
    for (int i = 0; i < registered_count; i++)
        if (ring3_env_is(name, length, registered[i]->name))
            return registered[i];
    return NULL;
}

const ring3_policy_t *ring3_policy_find(const char *name)
{
    return find(name, strlen(name));
}

int ring3_policy_register(const ring3_policy_t *policy)
{
    if (!policy->name || !*policy->name || !policy->enqueue || !policy->dequeue || !policy->pick)
        return -EINVAL;
    if (ring3_policy_find(policy->name))
        return -EEXIST;
    if (registered_count == REGISTERED_MOST)
        return -ENOSPC;
    registered[registered_count++] = policy;
    return 0;
}

/* --- Help for cores --------------------------------------------------------------------------- */

unsigned ring3_policy_select_worker(const ring3_policy_t *policy, const ring3_entity_t *entity,
                                    ring3_why_t why, const uint32_t *loads, unsigned workers,
                                    unsigned last, int64_t now)
{
    unsigned least = last;

    if (policy->select_worker)
        return policy->select_worker(entity, why, loads, workers, last, now);
    if (why != RING3_ARRIVES)
        return last;
    for (unsigned i = 0; i < workers; i++)
        if (loads[i] < loads[least])
            least = i;
    return least;
}

ring3_entity_t *ring3_policy_balance(const ring3_policy_t *policy, void *queue,
                                     bool (*may_leave)(const ring3_entity_t *entity, void *arg),
                                     void *arg, int64_t now)
{
    if (policy->balance)
        return policy->balance(queue, may_leave, arg, now);

    ring3_entity_t *const first = policy->pick(queue, now);

    if (!first || may_leave(first, arg))
        return first;
    policy->enqueue(queue, first, RING3_PREEMPTED, now);
    return NULL;
}

/* --- Parameters ------------------------------------------------------------------------------- */

void ring3_policy_defaults(ring3_policy_params_t *params)
{
    *params = (ring3_policy_params_t){
        .quantum = 10 * MS_NS,
        .preempt = true,
        .interval = 10 * MS_NS,
        .estimate = RING3_ESTIMATE_DECLARED,
        .alpha = 0.5,
        .first = 10 * MS_NS,
        .window = 4,
        .levels = 3,
        .quanta = {8 * MS_NS, 16 * MS_NS, 0},
        /* Linux's on one CPU. */
        .latency = 6 * MS_NS,
        .granularity = 3 * MS_NS / 4,
        .wakeup = MS_NS,
        .seed = 1,
    };
}

struct reading {
    const ring3_policy_t *policy;
    ring3_policy_params_t *params;
};

/* A decimal number at the start of the text; the characters it takes, 0 if it is none. */
static size_t read_decimal(const char *text, size_t length, double *value)
{
    double number = 0, place = 1;
    size_t i = 0, digits = 0;

    for (; i < length && text[i] >= '0' && text[i] <= '9'; i++, digits++)
        number = number * 10 + (text[i] - '0');
    if (i < length && text[i] == '.')
        for (i++; i < length && text[i] >= '0' && text[i] <= '9'; i++, digits++)
            number += (text[i] - '0') * (place /= 10);
    *value = number;
    return digits ? i : 0;
}

bool ring3_policy_read_time(const char *text, size_t length, int64_t *ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"", 1e6}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}, {"s", 1e9}};
    double number;
    const size_t used = read_decimal(text, length, &number);

    for (size_t i = 0; used > 0 && i < sizeof units / sizeof *units; i++)
        if (ring3_env_is(text + used, length - used, units[i].name)) {
            if (number * units[i].ns > 9e18)
                return false;
            *ns = (int64_t)(number * units[i].ns + 0.5);
            return true;
        }
    return false;
}

static bool set_policy(void *context, const char *value, size_t length)
{
    struct reading *const reading = context;

    reading->policy = find(value, length);
    return reading->policy != NULL;
}

/* A setter for each time. */
#define TIME(field, least)                                                                         \
    static bool set_##field(void *context, const char *value, size_t length)                       \
    {                                                                                              \
        const struct reading *const reading = context;                                             \
        int64_t ns;                                                                                \
                                                                                                   \
        if (!ring3_policy_read_time(value, length, &ns) || ns < (least))                           \
            return false;                                                                          \
        reading->params->field = ns;                                                               \
        return true;                                                                               \
    }
TIME(aging, 0)
TIME(interval, 1)
TIME(first, 0)
TIME(boost, 0)
TIME(promote, 0)
TIME(latency, 1)
TIME(granularity, 1)
TIME(wakeup, 0)

static bool set_quantum(void *context, const char *value, size_t length)
{
    const struct reading *const reading = context;
    int64_t ns;

    reading->params->auto_quantum = ring3_env_is(value, length, "auto");
    if (reading->params->auto_quantum)
        return true;
    if (!ring3_policy_read_time(value, length, &ns) || ns < 1)
        return false;
    reading->params->quantum = ns;
    return true;
}

static bool set_preempt(void *context, const char *value, size_t length)
{
    const struct reading *const reading = context;

    return ring3_env_bool(value, length, &reading->params->preempt);
}

static bool set_estimate(void *context, const char *value, size_t length)
{
    static const char *const names[] = {"declared", "last", "window", "average"};
    const struct reading *const reading = context;

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (ring3_env_is(value, length, names[i])) {
            reading->params->estimate = (ring3_estimate_t)i;
            return true;
        }
    return false;
}

static bool set_alpha(void *context, const char *value, size_t length)
{
    const struct reading *const reading = context;
    double alpha;

    if (read_decimal(value, length, &alpha) != length || length == 0 || alpha > 1)
        return false;
    reading->params->alpha = alpha;
    return true;
}

static bool read_count(const char *value, size_t length, size_t most, size_t *count)
{
    return ring3_env_size(value, length, count) && *count <= most;
}

static bool set_window(void *context, const char *value, size_t length)
{
    const struct reading *const reading = context;
    size_t window;

    if (!read_count(value, length, RING3_POLICY_WINDOW, &window) || window == 0)
        return false;
    reading->params->window = (unsigned)window;
    return true;
}

static bool set_allotment(void *context, const char *value, size_t length)
{
    const struct reading *const reading = context;
    size_t allotment;

    if (!read_count(value, length, 1000000, &allotment))
        return false;
    reading->params->allotment = (uint32_t)allotment;
    return true;
}

static bool set_seed(void *context, const char *value, size_t length)
{
    const struct reading *const reading = context;
    size_t seed;

    if (!read_count(value, length, SIZE_MAX, &seed))
        return false;
    reading->params->seed = seed;
    return true;
}

/* A number, or a name with or without SIG. */
static bool set_dump(void *context, const char *value, size_t length)
{
    const struct reading *const reading = context;
    const bool long_name = length > 3 && strncmp(value, "SIG", 3) == 0;
    size_t number;

    if (read_count(value, length, (size_t)SIGRTMAX, &number) && dump_may_be((int)number)) {
        reading->params->dump_signal = (int)number;
        return true;
    }
    for (int i = 1; i < SIGRTMIN; i++) {
        const char *const name = sigabbrev_np(i);

        if (name && dump_may_be(i) &&
            ring3_env_is(value + 3 * long_name, length - 3 * (size_t)long_name, name)) {
            reading->params->dump_signal = i;
            return true;
        }
    }
    return false;
}

/* Cut the next part off "a/b/c"; false at the end. */
static bool next_part(const char **value, size_t *length, const char **part, size_t *part_length)
{
    if (!*value)
        return false;

    const char *const slash = memchr(*value, '/', *length);

    *part = *value;
    *part_length = slash ? (size_t)(slash - *value) : *length;
    *length -= *part_length + (slash != NULL);
    *value = slash ? slash + 1 : NULL;
    return true;
}

static bool set_quanta(void *context, const char *value, size_t length)
{
    ring3_policy_params_t *const params = ((const struct reading *)context)->params;
    int64_t quanta[RING3_POLICY_LEVELS] = {0};
    const char *part;
    size_t part_length;
    unsigned levels = 0;

    while (next_part(&value, &length, &part, &part_length))
        if (levels == RING3_POLICY_LEVELS ||
            !ring3_policy_read_time(part, part_length, &quanta[levels++]))
            return false;
    params->levels = levels;
    memcpy(params->quanta, quanta, sizeof quanta);
    return true;
}

static bool set_shares(void *context, const char *value, size_t length)
{
    ring3_policy_params_t *const params = ((const struct reading *)context)->params;
    uint32_t shares[RING3_POLICY_LEVELS] = {0};
    const char *part;
    size_t part_length, share;

    for (unsigned i = 0; next_part(&value, &length, &part, &part_length); i++) {
        if (i == RING3_POLICY_LEVELS || !read_count(part, part_length, 1000000, &share) ||
            share == 0)
            return false;
        shares[i] = (uint32_t)share;
    }
    memcpy(params->shares, shares, sizeof shares);
    return true;
}

#define TIME_ALLOWED "a time such as 5, 2.5ms or 100us"

static const ring3_env_key_t keys[] = {
    {"policy", "the name of a policy", set_policy},
    {"quantum", TIME_ALLOWED ", or auto", set_quantum},
    {"preempt", "on or off", set_preempt},
    {"aging", TIME_ALLOWED, set_aging},
    {"interval", TIME_ALLOWED, set_interval},
    {"estimate", "declared, last, window or average", set_estimate},
    {"alpha", "0 to 1", set_alpha},
    {"first", TIME_ALLOWED, set_first},
    {"window", "1 to 6", set_window},
    {"quanta", "up to 8 times, as 8/16/0", set_quanta},
    {"allotment", "a count", set_allotment},
    {"boost", TIME_ALLOWED, set_boost},
    {"promote", TIME_ALLOWED, set_promote},
    {"shares", "up to 8 counts, as 80/20", set_shares},
    {"latency", TIME_ALLOWED, set_latency},
    {"granularity", TIME_ALLOWED, set_granularity},
    {"wakeup", TIME_ALLOWED, set_wakeup},
    {"seed", "a count", set_seed},
    {"dump", "a signal such as USR1", set_dump},
    {NULL, NULL, NULL},
};

int ring3_policy_parse(const char *who, const char *text, const ring3_policy_t **policy,
                       ring3_policy_params_t *params)
{
    struct reading reading = {NULL, params};
    int bad;

    ring3_policy_defaults(params);
    bad = ring3_env_parse(who, text, keys, &reading);
    *policy = reading.policy;
    return bad || !reading.policy ? -EINVAL : 0;
}
