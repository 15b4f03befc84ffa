/* SPDX-License-Identifier: MIT */
/* Peer: Concurrency Kit's hazard pointers, sequence counter and phase-fair lock. */
#include "read_bench.h"

#include <ck_hp.h>
#include <ck_pflock.h>
#include <ck_sequence.h>

static ck_hp_t hazards;

static void nothing(void *object)
{
    (void)object;
}

__attribute__((constructor)) static void start(void)
{
    ck_hp_init(&hazards, 1, 64, nothing);
}

static void protect(struct ring3_bench_thread *t)
{
    static __thread ck_hp_record_t record;
    static __thread void *slots[1];

    ck_hp_register(&hazards, &record, slots);
    while (ring3_bench_running(t))
        for (int i = 0; i < 256; i++, t->ops++) {
            struct read_data *data;

            do {
                data = ring3_load(&read_current, RING3_RELAXED);
                ck_hp_set_fence(&record, 0, data);
            } while (ring3_load(&read_current, RING3_ACQUIRE) != data);
            read_both(data);
            ck_hp_set(&record, 0, NULL);
        }
    ck_hp_unregister(&record);
}
RING3_BENCH(protect_ck, .name = "read/ck_hp", .body = protect, .threads = {1, 2, 4});

static ck_pflock_t pflock = CK_PFLOCK_INITIALIZER;
static ck_sequence_t sequence = CK_SEQUENCE_INITIALIZER;

READ(ck_pflock, ck_pflock_read_lock(&pflock), ck_pflock_read_unlock(&pflock));
READ(ck_sequence, const unsigned seen = ck_sequence_read_begin(&sequence),
     (void)ck_sequence_read_retry(&sequence, seen));

CROWD(ck_pflock, (void)0, ck_pflock_read_lock(&pflock), ck_pflock_read_unlock(&pflock),
      ck_pflock_write_lock(&pflock);
      write_both(read_current); ck_pflock_write_unlock(&pflock));
