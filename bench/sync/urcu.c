/* SPDX-License-Identifier: MIT */
/* Peer: liburcu, the membarrier flavour, by its functions as any program may use them. */
#include "read_bench.h"

#include <urcu/urcu-memb.h>

static void *enter_thread(struct ring3_bench_thread *t)
{
    (void)t;
    urcu_memb_register_thread();
    return NULL;
}

static void leave_thread(struct ring3_bench_thread *t)
{
    (void)t;
    urcu_memb_unregister_thread();
}

static void read_section(struct ring3_bench_thread *t)
{
    while (ring3_bench_running(t))
        for (int i = 0; i < 256; i++, t->ops++) {
            urcu_memb_read_lock();
            read_both(ring3_load(&read_current, RING3_ACQUIRE));
            urcu_memb_read_unlock();
        }
}
RING3_BENCH(read_urcu, .name = "read/urcu_memb", .body = read_section, .thread_setup = enter_thread,
            .thread_teardown = leave_thread, .threads = {1, 2, 4});

static void synchronize(struct ring3_bench_thread *t)
{
    if (t->index == 0) {
        urcu_memb_thread_offline();
        for (; ring3_bench_running(t); t->ops++)
            urcu_memb_synchronize_rcu();
        urcu_memb_thread_online();
        return;
    }
    while (ring3_bench_running(t)) {
        urcu_memb_read_lock();
        read_both(ring3_load(&read_current, RING3_ACQUIRE));
        urcu_memb_read_unlock();
    }
}
RING3_BENCH(synchronize_urcu, .name = "synchronize/urcu_memb", .body = synchronize,
            .thread_setup = enter_thread, .thread_teardown = leave_thread, .threads = {1, 2});
