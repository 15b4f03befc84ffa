/* SPDX-License-Identifier: MIT */
/*
 * profile=FILE and leaks=on: the call site of one allocation per `profile-rate` bytes, on average, is
 * noted (of every one for leaks), and of its block whether it is still in use.
 *
 * The profile is written to FILE when the process ends. With profile-signal=N, signal N switches it
 * on and off, and each switch writes FILE.1, FILE.2, …: two moments, and between them what happened.
 *
 * The signal's handler may have interrupted the thread that holds the lock; then it is that thread
 * that writes, when it lets go.
 */
#include "layers.h"

#include "guard.h"
#include "number.h"
#include "profile.h"

#include "ring3/atomic.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define RATE_DEFAULT ((uint64_t)512 << 10)

static struct {
    const struct ring3_policy *below;
    struct ring3_policy table;
    bool on, leaks;
    uint32_t due; /* profiles that the signal asked for and nobody wrote yet */
    uint32_t written;
    char path[RING3_SETTING_PATH];
} layer; /* of the one heap */

static __thread int64_t left; /* bytes until the next sample */
static __thread uint64_t random_state;
static __thread bool inside; /* the unwinder may allocate */

/* --- Writing ---------------------------------------------------------------------------------- */

static void write_profile(const char *path)
{
    const int err = ring3_profile_write(path);
    const char *const parts[] = {"ring3 malloc: profile ", path,
                                 " cannot be written: ", err ? strerrordesc_np(-err) : ""};

    if (err)
        ring3_env_complain(parts, sizeof parts / sizeof parts[0]);
}

static void write_numbered(void)
{
    char path[RING3_SETTING_PATH + NUMBER_MAX], number[NUMBER_MAX];
    const size_t length = strlen(layer.path);

    memcpy(path, layer.path, length);
    path[length] = '.';
    strcpy(path + length + 1, number_text(++layer.written, 10, number));
    write_profile(path);
}

/* Under the lock, as the last thing. */
static void write_what_is_due(void)
{
    while (ring3_load(&layer.due, RING3_RELAXED)) {
        ring3_fetch_sub(&layer.due, UINT32_C(1), RING3_RELAXED);
        write_numbered();
    }
}

static void leave(bool locked)
{
    if (layer.path[0])
        write_what_is_due();
    guard_leave(&ring3_profile.lock, locked);
}

static void on_signal(int signal)
{
    const int saved = errno;

    (void)signal;
    ring3_store(&layer.on, !layer.on, RING3_RELAXED);
    ring3_fetch_add(&layer.due, UINT32_C(1), RING3_RELAXED);
    if (ring3_mutex_trylock(&ring3_profile.lock) == 0)
        leave(true);
    errno = saved;
}

/* --- Samples ---------------------------------------------------------------------------------- */

/* From 1 to twice the rate, evenly. */
static int64_t next_distance(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407) +
                   (uintptr_t)&left;
    return ring3_profile.rate == 1 ? 0
                                   : (int64_t)(1 + (random_state >> 20) % (2 * ring3_profile.rate));
}

__attribute__((noinline)) static void sample(const void *block, size_t size)
{
    void *calls[CALLS_MAX] = {0};
    bool locked;

    left = next_distance();
    if (inside || !ring3_load(&layer.on, RING3_RELAXED))
        return;
    inside = true;
    ring3_calls_note(calls);
    locked = guard_enter(&ring3_profile.lock);
    ring3_profile_add(block, size, calls);
    leave(locked);
    inside = false;
}

static void note(const void *block, size_t size)
{
    left -= (int64_t)(size ? size : 1);
    if (__builtin_expect(left < 0, 0))
        sample(block, size);
}

static void forget(const void *block)
{
    bool locked;

    if (!ring3_profile_may_know(block))
        return;
    locked = guard_enter(&ring3_profile.lock);
    ring3_profile_remove(block);
    leave(locked);
}

/* --- The layer -------------------------------------------------------------------------------- */

static void *allocate(void *heap, size_t size, size_t alignment, size_t *dirty)
{
    void *const block = layer.below->allocate(heap, size, alignment, dirty);

    if (block)
        note(block, size);
    return block;
}

static int release(void *owner, void *block)
{
    forget(block);
    return layer.below->release(owner, block);
}

/* A block that changes its size is a new one of its new call site. */
static int resize(void *owner, void *block, size_t size)
{
    const int err = layer.below->resize(owner, block, size);

    if (!err) {
        forget(block);
        note(block, size);
    }
    return err;
}

static void lock(void *heap)
{
    ring3_mutex_lock(&ring3_profile.lock);
    layer.below->lock(heap);
}

static void unlock(void *heap)
{
    layer.below->unlock(heap);
    ring3_mutex_unlock(&ring3_profile.lock);
}

/* The child's figures are its parent's at first; the file is the parent's. */
static void after_fork(void *heap)
{
    layer.below->after_fork(heap);
    ring3_mutex_init(&ring3_profile.lock);
    layer.path[0] = '\0';
    layer.leaks = false;
}

int ring3_malloc_profile(const char *path)
{
    int err = -ENOENT;
    bool locked;

    if (!layer.below)
        return err;
    locked = guard_enter(&ring3_profile.lock);
    err = ring3_profile_write(path);
    leave(locked);
    return err;
}

__attribute__((destructor)) static void profile_end(void)
{
    bool locked;

    if (!layer.below)
        return;
    ring3_store(&layer.on, false, RING3_RELAXED);
    locked = guard_enter(&ring3_profile.lock);
    if (layer.path[0])
        write_profile(layer.path);
    if (layer.leaks)
        ring3_leaks_find();
    leave(locked);
    /* Without the lock: showing lines starts a program, which allocates and frees. Nothing is noted
     * any more, so that the sites stay as they were found. */
    if (layer.leaks)
        ring3_leaks_show();
}

const struct ring3_policy *ring3_layer_profile(const struct ring3_policy *below,
                                               const struct ring3_settings *settings)
{
    static const char *const line[] = {"ring3 malloc: no memory for a profile"};
    const int saved = errno;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    if (ring3_profile_start(settings->profile_rate ? settings->profile_rate
                            : settings->leaks      ? 1
                                                   : RATE_DEFAULT) != 0) {
        ring3_env_complain(line, 1);
        return below;
    }
    layer.leaks = settings->leaks;
    strcpy(layer.path, settings->profile);
    layer.on = !settings->profile_signal;
    (void)sigemptyset(&action.sa_mask);
    if (settings->profile_signal)
        (void)sigaction((int)settings->profile_signal, &action, NULL);
    layer.below = below;
    layer.table = *below;
    layer.table.allocate = allocate;
    layer.table.release = release;
    layer.table.resize = resize;
    layer.table.lock = lock;
    layer.table.unlock = unlock;
    layer.table.after_fork = after_fork;
    errno = saved;
    return &layer.table;
}
