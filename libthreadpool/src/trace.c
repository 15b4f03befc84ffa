/* SPDX-License-Identifier: MIT */
/* Traces of pools and teams. Source of the format: the Trace Event Format of Chromium's catapult. */
#include "core.h"

#include "ring3/tracering.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct record {
    uint64_t begin, end, what, from;
    int32_t thread;
    uint32_t kind;
    char name[16]; /* of the thread */
};

struct ring3_pooltrace {
    ring3_tracering_t ring;
    size_t capacity;
    struct record records[];
};

int ring3_pooltrace_create(ring3_pooltrace_t **trace, size_t records)
{
    size_t bytes;

    if (!records || __builtin_mul_overflow(records, sizeof(struct record), &bytes) ||
        __builtin_add_overflow(bytes, sizeof(ring3_pooltrace_t), &bytes))
        return -EINVAL;
    ring3_pooltrace_t *const new = malloc(bytes);

    if (!new)
        return -ENOMEM;
    new->capacity = records;
    ring3_tracering_init(&new->ring, new->records, sizeof(struct record), records);
    (void)ring3_tracering_start(&new->ring);
    *trace = new;
    return 0;
}

void ring3_pooltrace_destroy(ring3_pooltrace_t *trace)
{
    free(trace);
}

/* Of the calling thread, asked for once. */
static __thread struct {
    int32_t number;
    char name[16];
} identity;

void pool_trace_add(ring3_pooltrace_t *trace, enum trace_kind kind, uint64_t begin, uint64_t end,
                    uint64_t what, uint64_t from)
{
    struct record record = {begin, end, what, from, 0, kind, ""};

    if (!identity.number) {
        identity.number = gettid();
        (void)pthread_getname_np(pthread_self(), identity.name, sizeof identity.name);
    }
    record.thread = identity.number;
    (void)snprintf(record.name, sizeof record.name, "%s", identity.name);
    ring3_tracering_add(&trace->ring, &record);
}

int ring3_pool_trace(ring3_pool_t *pool, ring3_pooltrace_t *trace)
{
    struct after after = {.count = 0};

    if (pool_forked(pool))
        return -ECHILD;
    pool_lock(pool);
    pool->trace = trace;
    /* Relaxed: who overlooks it measures one task less. */
    ring3_store(&pool->watched, trace || pool->measured, RING3_RELAXED);
    pool_unlock(pool, &after);
    return 0;
}

/* --- As JSON ---------------------------------------------------------------------------------- */

/* The thread's name is the program's choice. */
static void write_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text; text++)
        if (*text == '"' || *text == '\\' || (unsigned char)*text < 0x20)
            (void)fprintf(out, "\\u%04x", (unsigned char)*text);
        else
            (void)fputc(*text, out);
    (void)fputc('"', out);
}

static void write_function(FILE *out, uint64_t address)
{
    Dl_info info;

    if (dladdr((const void *)(uintptr_t)address, &info) && info.dli_sname &&
        info.dli_saddr == (const void *)(uintptr_t)address)
        write_string(out, info.dli_sname);
    else
        (void)fprintf(out, "\"0x%" PRIx64 "\"", address);
}

static double us(uint64_t ns)
{
    return (double)ns * 1e-3;
}

static void write_event(FILE *out, const struct record *record)
{
    static const char *const kinds[] = {"task", "sleep", "stolen"};

    (void)fprintf(
        out,
        "{\"ph\":\"X\",\"cat\":\"%s\",\"pid\":%d,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"name\":",
        kinds[record->kind], getpid(), record->thread, us(record->begin),
        us(record->end - record->begin));
    if (record->kind == TRACE_SLEEP)
        (void)fputs("\"sleep\"", out);
    else
        write_function(out, record->what);
    if (record->kind == TRACE_TASK)
        (void)fprintf(out, ",\"args\":{\"wait_us\":%.3f}",
                      record->from ? us(record->begin - record->from) : 0);
    else if (record->kind == TRACE_STOLEN)
        (void)fprintf(out, ",\"args\":{\"from\":%" PRIu64 "}", record->from);
    (void)fputs("},\n", out);
}

static void write_threads(FILE *out, const struct record *records, size_t count)
{
    /* A thread is named where it comes for the first time; there are few, so the search is short. */
    for (size_t i = 0; i < count; i++) {
        size_t before = 0;

        while (before < i && records[before].thread != records[i].thread)
            before++;
        if (before < i)
            continue;
        (void)fprintf(
            out, "{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":",
            getpid(), records[i].thread);
        write_string(out, records[i].name);
        (void)fputs("}},\n", out);
    }
}

int ring3_pooltrace_write(ring3_pooltrace_t *trace, int fd)
{
    struct record *const records = calloc(trace->capacity, sizeof *records);
    const int own = records ? dup(fd) : -1;
    FILE *const out = own >= 0 ? fdopen(own, "w") : NULL;
    int err = 0;

    if (!out) {
        err = records ? -errno : -ENOMEM;
        if (own >= 0)
            (void)close(own);
        free(records);
        return err;
    }
    const size_t count = ring3_tracering_snapshot(&trace->ring, records, trace->capacity, NULL);

    (void)fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", out);
    write_threads(out, records, count);
    for (size_t i = 0; i < count; i++)
        write_event(out, &records[i]);
    (void)fprintf(
        out,
        "{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\",\"args\":{\"name\":\"ring3\"}}\n]}\n",
        getpid());
    errno = 0;
    if (fflush(out) || ferror(out))
        err = errno ? -errno : -EIO;
    (void)fclose(out);
    free(records);
    return err;
}
