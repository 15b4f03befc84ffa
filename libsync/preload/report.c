/* SPDX-License-Identifier: MIT */
/* What lockdep and stat have to say, and where. Under the caller's lock. */
#include "lockdep.h"

#include "symbols.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- Where ----------------------------------------------------------------------------------- */

/* Programs close stderr before they end, so we keep it for the report. */
static int kept_stderr = STDERR_FILENO;

void report_start(void)
{
    const int kept = locks.report[0] ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);

    if (kept >= 0)
        kept_stderr = kept;
}

/* The file of the report, opened for more; or stderr. `own`: the caller closes it. */
static int open_report(bool *own)
{
    char path[sizeof locks.report + 16];
    size_t length = 0;
    int fd;

    for (const char *from = locks.report; *from && length < sizeof path - 16; from++)
        if (from[0] == '%' && from[1] == 'p') {
            length += (size_t)snprintf(path + length, 16, "%d", (int)getpid());
            from++;
        } else {
            path[length++] = *from;
        }
    path[length] = '\0';
    fd = length ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    *own = fd >= 0;
    return fd >= 0 ? fd : kept_stderr;
}

static void close_report(int fd, bool own)
{
    if (own)
        close(fd);
}

/* A report is gathered here and written at once, so that those of two processes do not mix. */
static char text[16384];
static size_t text_length;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    const int length = vsnprintf(text + text_length, sizeof text - text_length, format, arguments);
    va_end(arguments);
    if (length > 0)
        text_length += (size_t)length < sizeof text - text_length ? (size_t)length
                                                                  : sizeof text - text_length - 1;
}

static bool has_ending(const char *ending)
{
    const size_t length = strlen(locks.report), wanted = strlen(ending);

    return length > wanted && strcmp(locks.report + length - wanted, ending) == 0;
}

/* A file for a machine or a browser gets only the report at the end. */
static bool is_for_people(void)
{
    return !has_ending(".dot") && !has_ending(".svg") && !has_ending(".json") &&
           !has_ending(".html");
}

static void said(void)
{
    const int saved = errno;
    bool own = false;
    const int fd = is_for_people() ? open_report(&own) : kept_stderr;

    if (write(fd, text, text_length) < 0)
        text_length = 0;
    text_length = 0;
    close_report(fd, own);
    errno = saved;
}

/* --- Places and locks ------------------------------------------------------------------------ */

static struct ring3_symbol names[256];
static size_t names_used;

/* First all places of a report are asked for, then they are named together, then it is written. */
static const struct ring3_symbol *ask(uint64_t address)
{
    for (size_t i = 0; i < names_used; i++)
        if (names[i].address == address)
            return &names[i];
    if (names_used == sizeof names / sizeof *names)
        return NULL;
    names[names_used].address = address;
    return &names[names_used++];
}

const char *report_name(uint64_t address)
{
    const struct ring3_symbol *const symbol = ask(address);

    return symbol && symbol->text[0] ? symbol->text : "?";
}

void report_names_begin(void)
{
    names_used = 0;
}

void report_ask(uint64_t address)
{
    (void)ask(address);
}

static void ask_all(const uint64_t *frames, int count)
{
    for (int i = 0; i < count && frames[i]; i++)
        report_ask(frames[i]);
}

void report_names_find(void)
{
    ring3_symbols_find(getpid(), names, names_used);
}

static void say_stack(const uint64_t *frames)
{
    for (int i = 0; i < LOCKSTAT_FRAMES && frames[i]; i++)
        say("      #%d %s\n", i, report_name(frames[i]));
}

uint32_t report_row_of_node(uint32_t node)
{
    return watch_row_of_class(graph_class(node));
}

static void say_node(uint32_t node)
{
    const struct lockstat_lock *const row = &watch_rows[report_row_of_node(node)];
    const void *object = graph_object_of(node);

    say("%s ", ring3_lockstat_type(row));
    if (!object && row->objects == 1)
        object = (const void *)(uintptr_t)row->object;
    if (object)
        say("%p ", object);
    say("(%s by %s)", row->is_static ? "first locked" : "made", report_name(row->frames[0]));
}

/* --- Reports --------------------------------------------------------------------------------- */

static uint64_t reports;

static void headline(const char *what)
{
    reports++;
    say("ring3 lockdep: %s [process %d, thread %u]\n", what, (int)getpid(),
        (unsigned)thread_self()->self->id);
}

void report_cycle(const struct graph_edge *const *cycle, int length)
{
    report_names_begin();
    for (int i = 0; i < length; i++) {
        report_ask(watch_rows[report_row_of_node(cycle[i]->from)].frames[0]);
        report_ask(cycle[i]->held_at);
        ask_all(cycle[i]->frames, LOCKSTAT_FRAMES);
    }
    report_names_find();
    headline("lock order: these can wait for each other in a circle");
    for (int i = 0; i < length; i++) {
        say("  %d. holding ", i + 1);
        say_node(cycle[i]->from);
        say(",\n     since %s,\n     comes to ", report_name(cycle[i]->held_at));
        say_node(cycle[i]->to);
        say(" at\n");
        say_stack(cycle[i]->frames);
    }
    said();
}

void report_rule(enum report_rule rule, uint32_t row, const void *object, const void *site,
                 uint64_t held_at)
{
    static const char *const rules[RULES] = {
        [RULE_AGAIN] = "a lock is locked again by the thread that holds it",
        [RULE_HANDLER] =
            "a lock that a signal handler takes is taken elsewhere with the signal not blocked",
        [RULE_THREAD_END] = "a thread ends with a lock held",
        [RULE_FORK] = "a lock that another thread held when the parent forked is waited for",
        [RULE_NOT_HELD] = "a lock is unlocked by a thread that does not hold it",
    };
    static uint8_t said_of[WATCH_CLASSES];
    uint8_t *const already = &said_of[watch_class_of_row[row]];
    uint64_t frames[LOCKSTAT_FRAMES] = {0};

    if (*already & 1u << rule)
        return;
    *already |= (uint8_t)(1u << rule);
    report_names_begin();
    (void)watch_stack(site, frames, LOCKSTAT_FRAMES);
    ask_all(frames, LOCKSTAT_FRAMES);
    ask_all(watch_rows[row].frames, 1);
    if (held_at)
        report_ask(held_at);
    report_names_find();
    headline(rules[rule]);
    say("  %s %p (%s by %s)", ring3_lockstat_type(&watch_rows[row]), object,
        watch_rows[row].is_static ? "first locked" : "made",
        report_name(watch_rows[row].frames[0]));
    if (held_at)
        say(", held since %s", report_name(held_at));
    say(", at\n");
    say_stack(frames);
    said();
}

/* --- Who waits for what ---------------------------------------------------------------------- */

const struct thread *report_holder(const void *object)
{
    const struct thread *thread;

    ring3_list_for_each_entry (thread, &threads_all, link) {
        const uint32_t depth = ring3_load(&thread->depth, RING3_ACQUIRE);

        for (uint32_t i = 0; i < depth && i < THREAD_HELD; i++)
            if (ring3_load(&thread->held[i].object, RING3_RELAXED) == object)
                return thread;
    }
    return NULL;
}

void report_waits(const char *why)
{
    const struct thread *thread;

    report_names_begin();
    ring3_list_for_each_entry (thread, &threads_all, link) {
        report_ask((uint64_t)(uintptr_t)thread->waits_at);
        for (uint32_t i = 0; i < thread->depth && i < THREAD_HELD; i++)
            report_ask((uint64_t)(uintptr_t)thread->held[i].site);
    }
    report_names_find();
    headline(why);
    ring3_list_for_each_entry (thread, &threads_all, link) {
        const void *const object = ring3_load(&thread->waits_for, RING3_ACQUIRE);

        if (!object && !thread->depth)
            continue;
        say("  thread %u", (unsigned)thread->self->id);
        if (object) {
            const struct thread *const holder = report_holder(object);

            say(" waits %" PRIu64 " s for %p", (uint64_t)time(NULL) - thread->waits_since, object);
            if (holder)
                say(" that thread %u holds", (unsigned)holder->self->id);
            say(", at %s", report_name((uint64_t)(uintptr_t)thread->waits_at));
        }
        say("\n");
        for (uint32_t i = 0; i < thread->depth && i < THREAD_HELD; i++)
            say("    holds %p since %s\n", thread->held[i].object,
                report_name((uint64_t)(uintptr_t)thread->held[i].site));
    }
    said();
}

/* --- At the end ------------------------------------------------------------------------------ */

void watch_report(void)
{
    const int saved = errno;
    bool own;
    int fd;

    thread_self()->reporting = true;
    if (locks.lockdep)
        lockdep_end();
    if (locks.lockdep && watch_any() && (has_ending(".dot") || has_ending(".svg"))) {
        fd = open_report(&own);
        if (has_ending(".dot"))
            lockdep_write_dot(fd);
        else
            lockdep_write_svg(fd);
        close_report(fd, own);
    } else if (locks.stat && watch_any()) {
        const struct lockstat_view view = watch_view();

        fd = open_report(&own);
        ring3_lockstat_report(fd, &view,
                              has_ending(".json")   ? LOCKSTAT_JSON
                              : has_ending(".html") ? LOCKSTAT_HTML
                                                    : LOCKSTAT_TEXT);
        close_report(fd, own);
    }
    errno = saved;
}
