/* SPDX-License-Identifier: MIT */
/*
 * RING3_* environment variables, read without help from libc: a preloaded malloc asks here while
 * the dynamic linker is still at work.
 */
#include "ring3/env.h"

#include "env_find.h"
#include "ring3/atomic.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* --- One line on descriptor 2 ---------------------------------------------------------------- */

struct line {
    char text[512];
    size_t length;
};

static void add(struct line *line, const char *text, size_t length)
{
    for (size_t i = 0; i < length && line->length < sizeof line->text - 1; i++) {
        const unsigned char c = (unsigned char)text[i];

        line->text[line->length++] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
}

static void add_string(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

/*
 * A closed descriptor is asked for first, and a pipe that nobody reads too: writing to that would
 * kill the program with SIGPIPE. System calls are made directly because libc's write is a
 * cancellation point.
 */
static void emit(struct line *line)
{
    const int saved = errno;
    struct pollfd err = {.fd = STDERR_FILENO, .events = POLLOUT};
    const struct timespec at_once = {0};
    size_t done = 0;
    long got;

    line->text[line->length++] = '\n';
    if (syscall(SYS_ppoll, &err, 1, &at_once, NULL, 0) >= 0 &&
        !(err.revents & (POLLNVAL | POLLERR)))
        while (done < line->length) {
            got = syscall(SYS_write, STDERR_FILENO, line->text + done, line->length - done);
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                break;
            done += (size_t)got;
        }
    errno = saved;
}

void ring3_env_complain(const char *const *parts, int count)
{
    struct line line = {.length = 0};

    for (int i = 0; i < count; i++)
        add_string(&line, parts[i]);
    emit(&line);
}

#define QUOTED_MAX                                                                                 \
    ((size_t)80) /* of what the user wrote, so that the rest has room in the line                  \
                  */

static void add_quoted(struct line *line, const char *text, size_t length)
{
    add(line, text, length < QUOTED_MAX ? length : QUOTED_MAX);
    if (length > QUOTED_MAX)
        add_string(line, "...");
}

/* --- Finding a variable ---------------------------------------------------------------------- */

const char *ring3_env_find(char *const *environment, bool secure, const char *variable)
{
    const size_t length = strlen(variable);

    if (!environment || secure)
        return NULL;
    for (; *environment; environment++)
        if (strncmp(*environment, variable, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

/* Where glibc's dynamic linker found the stack that the kernel laid out: argc, the arguments, NULL,
 * the environment, NULL. */
extern const uintptr_t *__libc_stack_end __attribute__((weak));

/*
 * What is linked with -z initfirst, and a malloc that the dynamic linker itself calls, run before
 * libc has set environ.
 */
static char *const *environment(void)
{
    if (environ || !&__libc_stack_end)
        return environ;

    const uintptr_t argc = *__libc_stack_end;

    return (char *const *)(__libc_stack_end + 1 + argc + 1);
}

const char *ring3_env_get(const char *variable)
{
    const int saved = errno; /* getauxval says ENOENT when the kernel gave no AT_SECURE */
    const bool secure = getauxval(AT_SECURE) != 0;

    errno = saved;
    return ring3_env_find(environment(), secure, variable);
}

/* --- Values ---------------------------------------------------------------------------------- */

bool ring3_env_is(const char *value, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(value, word, length) == 0;
}

bool ring3_env_bool(const char *value, size_t length, bool *setting)
{
    static const char *const words[2][3] = {{"off", "no", "0"}, {"on", "yes", "1"}};

    for (int on = 0; on < 2; on++)
        for (int i = 0; i < 3; i++)
            if (ring3_env_is(value, length, words[on][i])) {
                *setting = on == 1;
                return true;
            }
    return false;
}

/* log2 of what a size suffix multiplies by, or -1. */
static int suffix_shift(char suffix)
{
    switch (suffix) {
    case 'K':
    case 'k':
        return 10;
    case 'M':
    case 'm':
        return 20;
    case 'G':
    case 'g':
        return 30;
    default:
        return -1;
    }
}

bool ring3_env_size(const char *value, size_t length, size_t *setting)
{
    const int shift = length > 0 ? suffix_shift(value[length - 1]) : -1;
    const size_t digits = shift < 0 ? length : length - 1;
    size_t size = 0;

    if (digits == 0)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (value[i] < '0' || value[i] > '9' || __builtin_mul_overflow(size, (size_t)10, &size) ||
            __builtin_add_overflow(size, (size_t)(value[i] - '0'), &size))
            return false;
    }
    if (shift > 0 && __builtin_mul_overflow(size, (size_t)1 << shift, &size))
        return false;
    *setting = size;
    return true;
}

/* --- key=value,… ----------------------------------------------------------------------------- */

struct word {
    const char *text;
    size_t length;
};

/* Cut the next item off a comma-separated list; false at its end. Empty items are passed over. */
static bool next_item(const char **rest, struct word *item)
{
    *rest += strspn(*rest, ",");
    item->text = *rest;
    item->length = strcspn(*rest, ",");
    *rest += item->length;
    return item->length > 0;
}

static const ring3_env_key_t *find_key(const ring3_env_key_t *keys, struct word name)
{
    for (; keys->name; keys++)
        if (ring3_env_is(name.text, name.length, keys->name))
            return keys;
    return NULL;
}

static void complain_key(const char *variable, struct word name, const ring3_env_key_t *keys)
{
    struct line line = {.length = 0};

    add_string(&line, "ring3: ");
    add_string(&line, variable);
    add_string(&line, ": unknown key \"");
    add_quoted(&line, name.text, name.length);
    add_string(&line, "\" ignored; allowed keys: ");
    for (const ring3_env_key_t *key = keys; key->name; key++) {
        add_string(&line, key == keys ? "" : ", ");
        add_string(&line, key->name);
    }
    emit(&line);
}

static void complain_value(const char *variable, const ring3_env_key_t *key, struct word value)
{
    struct line line = {.length = 0};

    add_string(&line, "ring3: ");
    add_string(&line, variable);
    add_string(&line, ": ");
    add_string(&line, key->name);
    add_string(&line, "=");
    add_quoted(&line, value.text, value.length);
    add_string(&line, " ignored; allowed: ");
    add_string(&line, key->allowed);
    emit(&line);
}

int ring3_env_parse(const char *variable, const char *text, const ring3_env_key_t *keys,
                    void *context)
{
    const struct word policy = {"policy", 6}, on = {"on", 2};
    struct word item;
    int bad = 0;

    for (bool first = true; next_item(&text, &item); first = false) {
        const char *const equals = memchr(item.text, '=', item.length);
        struct word name = item, value = on;

        if (equals) {
            name.length = (size_t)(equals - item.text);
            value = (struct word){equals + 1, item.length - name.length - 1};
        } else if (first && !find_key(keys, item) && find_key(keys, policy)) {
            name = policy;
            value = item;
        }

        const ring3_env_key_t *const key = find_key(keys, name);

        if (!key)
            complain_key(variable, name, keys);
        else if (!key->set(context, value.text, value.length))
            complain_value(variable, key, value);
        else
            continue;
        bad++;
    }
    return bad;
}

int ring3_env_read(const char *variable, const ring3_env_key_t *keys, void *context)
{
    const char *const text = ring3_env_get(variable);

    return text ? ring3_env_parse(variable, text, keys, context) : 0;
}

/* --- RING3_DISABLE --------------------------------------------------------------------------- */

/* What ring3 can do without. A feature's place is its bit in `disabled`. */
static const char *const features[] = {
    "guard",         "membarrier", "rseq",     "futex_waitv", "copy_file_range",
    "memfd_noexec",  "peerpidfd",  "pidfd",    "pidfd_spawn", "process_vm",
    "rwf_nosignal",  "rwf_nowait", "sendfile", "splice",      "tmpfile",
    "clear_sighand", NULL,
};

#define DISABLE_READ (UINT32_C(1) << 31) /* the variable has been read */

/* One bit per feature, and DISABLE_READ. A property of the process, hence file scope. */
static uint32_t disabled;

const char *const *ring3_env_features(void)
{
    return features;
}

/* The feature's bit, or 0 if there is no such feature. */
static uint32_t feature_bit(struct word name)
{
    for (int i = 0; features[i]; i++)
        if (ring3_env_is(name.text, name.length, features[i]))
            return UINT32_C(1) << i;
    return 0;
}

static uint32_t feature_bits(const char *list)
{
    struct word item;
    uint32_t bits = 0;

    while (next_item(&list, &item))
        bits |= feature_bit(item);
    return bits;
}

/* One line for each unknown name; returns how many there were. */
static int complain_features(const char *who, const char *list)
{
    struct word item;
    int bad = 0;

    while (next_item(&list, &item)) {
        struct line line = {.length = 0};

        if (feature_bit(item))
            continue;
        bad++;
        add_string(&line, "ring3: ");
        add_string(&line, who);
        add_string(&line, ": unknown feature \"");
        add_quoted(&line, item.text, item.length);
        add_string(&line, "\" ignored; allowed: ");
        for (int i = 0; features[i]; i++) {
            add_string(&line, i == 0 ? "" : ", ");
            add_string(&line, features[i]);
        }
        emit(&line);
    }
    return bad;
}

uint32_t ring3_env_enter_disabled(uint32_t *word, const char *list)
{
    const uint32_t bits = DISABLE_READ | (list ? feature_bits(list) : 0);
    /* Relaxed: the bits are all there is to see. Of threads that come here together all find the
     * same bits, and the first to enter them complains. */
    const uint32_t before = ring3_fetch_or(word, bits, RING3_RELAXED);

    if (list && !(before & DISABLE_READ))
        complain_features("RING3_DISABLE", list);
    return before | bits;
}

bool ring3_env_disabled(const char *feature)
{
    uint32_t now = ring3_load(&disabled, RING3_RELAXED);

    if (!(now & DISABLE_READ))
        now = ring3_env_enter_disabled(&disabled, ring3_env_get("RING3_DISABLE"));
    return (now & feature_bit((struct word){feature, strlen(feature)})) != 0;
}

int ring3_env_disable(const char *list)
{
    ring3_fetch_or(&disabled, feature_bits(list), RING3_RELAXED);
    return complain_features("ring3_env_disable", list) ? -EINVAL : 0;
}
