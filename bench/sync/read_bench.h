/* SPDX-License-Identifier: MIT */
/*
 * One read section, and the line that gives a way of reading to it:
 *
 *     READ(ring3_rcu, ring3_rcu_read_lock(), ring3_rcu_read_unlock());
 *
 * Inside, the reader follows one pointer to two words. RATIO adds a writer's share: of a thousand
 * turns, `param` replace what the pointer leads to, or change it under the write lock.
 */
#ifndef RING3_READ_BENCH_H
#define RING3_READ_BENCH_H

#include "ring3_bench.h"

struct read_data {
    _Alignas(128) uint64_t left;
    uint64_t right;
};

/* All threads of a run read the same. */
static struct read_data read_data __attribute__((unused));
static struct read_data *read_current __attribute__((unused)) = &read_data;

static inline void read_both(const struct read_data *data)
{
    (void)ring3_load(&data->left, RING3_RELAXED);
    (void)ring3_load(&data->right, RING3_RELAXED);
}

static inline void write_both(struct read_data *data)
{
    ring3_store(&data->left, data->left + 1, RING3_RELAXED);
    ring3_store(&data->right, data->right + 1, RING3_RELAXED);
}

#define READ(id, enter, leave)                                                                     \
    static void read_##id(struct ring3_bench_thread *t)                                            \
    {                                                                                              \
        while (ring3_bench_running(t))                                                             \
            for (int i = 0; i < 256; i++, t->ops++) {                                              \
                enter;                                                                             \
                read_both(ring3_load(&read_current, RING3_ACQUIRE));                               \
                leave;                                                                             \
            }                                                                                      \
    }                                                                                              \
    RING3_BENCH(read_##id, .name = "read/" #id, .body = read_##id, .threads = {1, 2, 4})

/* `write` is a statement, with `turn` to tell which. Readers turn an empty loop 8 times inside. */
#define RATIO(id, enter, leave, write)                                                             \
    RATIO_BODY(ratio_##id, enter, leave, write)                                                    \
    RING3_BENCH(ratio_##id, .name = "ratio/" #id, .body = ratio_##id, .threads = {2},              \
                .params = {1, 10, 100, 500})

/* The same with many threads, of which one turn in a hundred writes. */
#define CROWD(id, prepare, enter, leave, write)                                                    \
    RATIO_BODY(crowd_##id, enter, leave, write)                                                    \
    static void *crowd_##id##_setup(const struct ring3_bench *bench, int threads, int64_t param)   \
    {                                                                                              \
        (void)bench, (void)threads, (void)param;                                                   \
        prepare;                                                                                   \
        return NULL;                                                                               \
    }                                                                                              \
    RING3_BENCH(crowd_##id, .name = "crowd/" #id, .body = crowd_##id, .setup = crowd_##id##_setup, \
                .threads = {2, 4, 8}, .params = {10})

#define RATIO_BODY(name, enter, leave, write)                                                      \
    static void name(struct ring3_bench_thread *t)                                                 \
    {                                                                                              \
        for (uint32_t turn = (uint32_t)t->index * 977; ring3_bench_running(t);)                    \
            for (int i = 0; i < 64; i++, t->ops++, turn++)                                         \
                if ((int64_t)(turn * 7919u % 1000) < t->param) {                                   \
                    write;                                                                         \
                } else {                                                                           \
                    enter;                                                                         \
                    read_both(ring3_load(&read_current, RING3_ACQUIRE));                           \
                    ring3_bench_spin(8);                                                           \
                    leave;                                                                         \
                    ring3_bench_spin(20);                                                          \
                }                                                                                  \
    }

#endif
