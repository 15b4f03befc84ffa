/* SPDX-License-Identifier: MIT */
/* Job files: words of the form key=value, and errors by line and column. */
#include "ring3/sim.h"

#include "ring3/env.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *line, *at, *end; /* of the present line: where it begins, where we are, its end */
    int number;
    ring3_sim_workload_t *work;
    ring3_sim_error_t *error;
    size_t job_room, step_room;
};

/* A key=value, or a bare word with an empty value. */
struct word {
    const char *key, *value;
    size_t key_length, value_length;
    bool bare;
};

__attribute__((format(printf, 3, 4))) static int fail(const struct reader *reader, const char *at,
                                                      const char *format, ...)
{
    va_list args;

    reader->error->line = reader->number;
    reader->error->column = (int)(at - reader->line) + 1;
    va_start(args, format);
    (void)vsnprintf(reader->error->reason, sizeof reader->error->reason, format, args);
    va_end(args);
    return -EINVAL;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool next_word(struct reader *reader, struct word *word)
{
    while (reader->at < reader->end && blank(*reader->at))
        reader->at++;
    if (reader->at == reader->end)
        return false;
    word->key = reader->at;
    while (reader->at < reader->end && !blank(*reader->at))
        reader->at++;

    const size_t length = (size_t)(reader->at - word->key);
    const char *const equals = memchr(word->key, '=', length);

    word->key_length = equals ? (size_t)(equals - word->key) : length;
    word->value = equals ? equals + 1 : reader->at;
    word->value_length = (size_t)(reader->at - word->value);
    word->bare = !equals;
    return true;
}

/* --- Values ----------------------------------------------------------------------------------- */

static int get_time(const struct reader *reader, struct word word, int64_t *time)
{
    if (ring3_policy_read_time(word.value, word.value_length, time))
        return 0;
    return fail(reader, word.value, "\"%.*s\" is no time, such as 5, 2.5ms or 100us",
                (int)(word.value_length < 24 ? word.value_length : 24), word.value);
}

static int get_number(const struct reader *reader, struct word word, int64_t least, int64_t most,
                      int64_t *number)
{
    const bool minus = word.value_length > 0 && word.value[0] == '-';
    size_t size;

    if (ring3_env_size(word.value + minus, word.value_length - minus, &size) && size <= INT32_MAX) {
        *number = minus ? -(int64_t)size : (int64_t)size;
        if (*number >= least && *number <= most)
            return 0;
    }
    return fail(reader, word.value, "%.*s must be a whole number from %lld to %lld",
                (int)word.key_length, word.key, (long long)least, (long long)most);
}

static int get_class(const struct reader *reader, struct word word, uint8_t *band)
{
    static const char *const names[] = {"fair", "deadline", "fifo", "rr", "idle"};

    for (uint8_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ring3_env_is(word.value, word.value_length, names[i])) {
            *band = i;
            return 0;
        }
    return fail(reader, word.value, "class must be fair, deadline, fifo, rr or idle");
}

/* The place of the name among `names`, where it is entered if it is new. */
static int get_name(const struct reader *reader, struct word word, const char *what,
                    char names[RING3_SIM_LOCKS][RING3_SIM_NAME], uint32_t *count, uint32_t *index)
{
    if (word.value_length == 0 || word.value_length >= RING3_SIM_NAME)
        return fail(reader, word.value, "a %s's name has 1 to %d characters", what,
                    RING3_SIM_NAME - 1);
    for (uint32_t i = 0; i < *count; i++)
        if (ring3_env_is(word.value, word.value_length, names[i])) {
            *index = i;
            return 0;
        }
    if (*count == RING3_SIM_LOCKS)
        return fail(reader, word.value, "more than %d %ss", RING3_SIM_LOCKS, what);
    memcpy(names[*count], word.value, word.value_length);
    *index = (*count)++;
    return 0;
}

static int get_lock(const struct reader *reader, struct word word, uint32_t *lock)
{
    ring3_sim_workload_t *const work = reader->work;

    return get_name(reader, word, "lock", work->locks, &work->lock_count, lock);
}

/* --- Steps ------------------------------------------------------------------------------------ */

static int add_step(struct reader *reader, ring3_sim_step_t step)
{
    ring3_sim_workload_t *const work = reader->work;

    if (work->step_count == reader->step_room) {
        const size_t room = reader->step_room ? 2 * reader->step_room : 16;
        ring3_sim_step_t *const steps = realloc(work->steps, room * sizeof *steps);

        if (!steps)
            return -ENOMEM;
        work->steps = steps;
        reader->step_room = room;
    }
    work->steps[work->step_count++] = step;
    work->jobs[work->count - 1].steps++;
    return 0;
}

/* 0, or -ENOENT if the key is no step's. */
static int read_step(struct reader *reader, struct word word)
{
    static const char *const names[] = {"cpu", "io", "lock", "unlock"};
    ring3_sim_step_t step = {.kind = RING3_SIM_CPU};
    unsigned kind = 0;
    int err;

    while (kind < 4 && !ring3_env_is(word.key, word.key_length, names[kind]))
        kind++;
    if (kind == 4)
        return -ENOENT;
    step.kind = (ring3_sim_kind_t)kind;
    if (step.kind == RING3_SIM_CPU || step.kind == RING3_SIM_IO)
        err = get_time(reader, word, &step.time);
    else
        err = get_lock(reader, word, &step.lock);
    return err ? err : add_step(reader, step);
}

/* --- Jobs ------------------------------------------------------------------------------------- */

static int read_attribute(struct reader *reader, struct word word, ring3_sim_job_t *job,
                          bool *repeats)
{
    int64_t number = 0;
    int err;

#define IS(name) ring3_env_is(word.key, word.key_length, name)
    if (IS("arrive"))
        return get_time(reader, word, &job->arrive);
    if (IS("period"))
        return get_time(reader, word, &job->period);
    if (IS("deadline"))
        return get_time(reader, word, &job->deadline);
    if (IS("class"))
        return get_class(reader, word, &job->band);
    if (IS("prio")) {
        err = get_number(reader, word, 0, RING3_PRIORITY_LEVELS - 1, &number);
        job->priority = (int32_t)number;
        return err;
    }
    if (IS("nice")) {
        err = get_number(reader, word, RING3_NICE_MIN, RING3_NICE_MAX, &number);
        job->nice = (int8_t)number;
        return err;
    }
    if (IS("weight")) {
        err = get_number(reader, word, 1, 1000000, &number);
        job->weight = (uint32_t)number;
        return err;
    }
    if (IS("queue")) {
        err = get_number(reader, word, 0, RING3_POLICY_LEVELS - 1, &number);
        job->queue = (uint8_t)number;
        return err;
    }
    if (IS("gang")) {
        ring3_sim_workload_t *const work = reader->work;

        err = get_name(reader, word, "gang", work->gangs, &work->gang_count, &job->gang);
        job->gang++;
        return err;
    }
    if (IS("pin")) {
        err = get_number(reader, word, 0, RING3_SIM_CPUS - 1, &number);
        job->pin = (int8_t)number;
        return err;
    }
    if (IS("repeat")) {
        err = get_number(reader, word, 1, INT32_MAX, &number);
        job->repeat = (uint64_t)number;
        *repeats = true;
        return err;
    }
#undef IS
    return fail(reader, word.key, "unknown word \"%.*s\"",
                (int)(word.key_length < 24 ? word.key_length : 24), word.key);
}

/* What can only be judged when the line is complete. */
static int check_job(const struct reader *reader, const ring3_sim_job_t *job, const char *name)
{
    uint32_t held = 0;
    int64_t total = 0;

    for (size_t i = 0; i < job->steps; i++) {
        const ring3_sim_step_t *const step = &reader->work->steps[job->first + i];
        const uint32_t bit = UINT32_C(1) << step->lock;

        total += step->kind == RING3_SIM_CPU ? step->time : 0;
        if (step->kind == RING3_SIM_LOCK && (held & bit))
            return fail(reader, name, "%s locks %s, which it has", job->name,
                        reader->work->locks[step->lock]);
        if (step->kind == RING3_SIM_UNLOCK && !(held & bit))
            return fail(reader, name, "%s unlocks %s, which it has not", job->name,
                        reader->work->locks[step->lock]);
        if (step->kind == RING3_SIM_LOCK || step->kind == RING3_SIM_UNLOCK)
            held ^= bit;
    }
    if (total <= 0)
        return fail(reader, name, "%s has no CPU time: cpu=T is missing", job->name);
    if (held)
        return fail(reader, name, "%s ends with a lock held", job->name);
    if (job->deadline > 0 && job->period > 0 && job->deadline > job->period)
        return fail(reader, name, "the deadline of %s is later than its period", job->name);
    return 0;
}

static int add_job(struct reader *reader, struct word name)
{
    ring3_sim_workload_t *const work = reader->work;
    ring3_sim_job_t *job;

    if (!name.bare || name.key_length >= RING3_SIM_NAME)
        return fail(reader, name.key, "a job's name has 1 to %d characters and no \"=\"",
                    RING3_SIM_NAME - 1);
    for (size_t i = 0; i < work->count; i++)
        if (ring3_env_is(name.key, name.key_length, work->jobs[i].name))
            return fail(reader, name.key, "there is a job %s already", work->jobs[i].name);
    if (work->count == reader->job_room) {
        const size_t room = reader->job_room ? 2 * reader->job_room : 16;
        ring3_sim_job_t *const jobs = realloc(work->jobs, room * sizeof *jobs);

        if (!jobs)
            return -ENOMEM;
        work->jobs = jobs;
        reader->job_room = room;
    }
    job = &work->jobs[work->count++];
    *job = (ring3_sim_job_t){.priority = RING3_PRIORITY_DEFAULT,
                             .weight = 1,
                             .repeat = 1,
                             .pin = -1,
                             .first = work->step_count};
    memcpy(job->name, name.key, name.key_length);
    return 0;
}

static int read_job(struct reader *reader)
{
    bool repeats = false;
    struct word name, word;
    int err;

    if (!next_word(reader, &name))
        return fail(reader, reader->end, "the job's name is missing");
    err = add_job(reader, name);
    while (!err && next_word(reader, &word)) {
        if (word.bare)
            return fail(reader, word.key, "\"%.*s\" has no value",
                        (int)(word.key_length < 24 ? word.key_length : 24), word.key);
        err = read_step(reader, word);
        if (err == -ENOENT)
            err = read_attribute(reader, word, &reader->work->jobs[reader->work->count - 1],
                                 &repeats);
    }
    if (err)
        return err;

    ring3_sim_job_t *const job = &reader->work->jobs[reader->work->count - 1];

    if (job->period > 0 && !repeats)
        job->repeat = 0;
    return check_job(reader, job, name.key);
}

static int read_line(struct reader *reader)
{
    struct word word;

    if (!next_word(reader, &word))
        return 0;
    if (!ring3_env_is(word.key, word.key_length, "job") || !word.bare)
        return fail(reader, word.key, "a line begins with \"job\"");
    return read_job(reader);
}

int ring3_sim_read(const char *text, size_t length, ring3_sim_workload_t *work,
                   ring3_sim_error_t *error)
{
    struct reader reader = {.work = work, .error = error};
    const char *const end = text + length;
    int err = 0;

    *work = (ring3_sim_workload_t){.count = 0};
    *error = (ring3_sim_error_t){.line = 0};
    while (!err && text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *const stop = newline ? newline : end;
        const char *const comment = memchr(text, '#', (size_t)(stop - text));

        reader.number++;
        reader.line = reader.at = text;
        reader.end = comment ? comment : stop;
        err = read_line(&reader);
        text = newline ? newline + 1 : end;
    }
    if (!err && work->count == 0) {
        reader.number = reader.number ? reader.number : 1;
        reader.line = text;
        err = fail(&reader, text, "there is no job");
    }
    if (err)
        ring3_sim_workload_free(work);
    return err;
}

void ring3_sim_workload_free(ring3_sim_workload_t *work)
{
    free(work->jobs);
    free(work->steps);
    *work = (ring3_sim_workload_t){.count = 0};
}
