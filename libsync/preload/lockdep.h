/* SPDX-License-Identifier: MIT */
/*
 * Lock order. Each thread keeps the chain of locks it holds; the chain with the new lock at its end
 * is looked up by its hash, and only a chain that nobody has had before is looked at: from each lock
 * in it to the new one an edge is entered into a graph, and an edge that closes a cycle is reported,
 * though no deadlock need have happened. Source: Documentation/locking/lockdep-design of Linux.
 *
 *   - Nodes are classes of locks (watch.h). Two locks of one class may be nested; for those the
 *     nodes are the two objects themselves, until they are destroyed.
 *   - What gives up (try, or with a deadline) waits for nobody: no edge leads to it. Once held, it
 *     is held: edges lead from it.
 *   - Of a cycle, one step may be harmless: a reader that does not wait behind waiting writers
 *     (WATCH_READ_AGAIN) does not wait for readers.
 *   - Waiting for a condition while another lock is held is an edge from that to the condition, and
 *     a lock that is held whenever the condition is signalled makes one from the condition to it,
 *     when the program ends. A lock of the class of the condition's own mutex makes no edge to the
 *     condition: its class does not tell whether the signaller needs that one.
 *   - A class that a signal handler locks, and that is locked elsewhere while the signal is not
 *     blocked, may deadlock with itself.
 */
#ifndef RING3_PRELOAD_LOCKDEP_H
#define RING3_PRELOAD_LOCKDEP_H

#include "watch.h"

/* The rest of what lockdep_fast.h does: for a chain that is new, and for a lock that is not the last
 * in it. */
void lockdep_new_chain(const struct watch *watch, uint32_t row);
void lockdep_released_slow(struct thread *me, void *object, uint32_t row, const void *site);

/* The thread is about to wait for the lock in earnest. */
void lockdep_wait(const struct watch *watch);

/* The thread is about to wait for the condition, having released its mutex; or signals it. */
void lockdep_cond_wait(void *cond, uint32_t *record, uint32_t mutex_row, const void *site);
void lockdep_cond_signal(void *cond, uint32_t *record, const void *site);

/* The program ends. */
void lockdep_end(void);

/* The object is made anew, perhaps while it is held, as a child of fork may do. */
void lockdep_made(const void *object);

/* The object is destroyed. */
void lockdep_forget(const void *object);

/* The thread ends. */
void lockdep_thread_ends(struct thread *thread);

void lockdep_after_fork(const struct thread *me);

/* Reports are made under this lock; it is taken after that of the registry of threads. */
void lockdep_lock(void);
void lockdep_unlock(void);

/* The graph in the language of dot(1), and as a picture (drawing.c). */
void lockdep_write_dot(int fd);
void lockdep_write_svg(int fd);

/* --- The graph (graph.c) --------------------------------------------------------------------- */

#define GRAPH_NODES 4096 /* the first WATCH_CLASSES are classes, the rest objects */
#define GRAPH_EDGES 16384

struct graph_edge {
    uint16_t from, to;
    uint16_t kinds; /* bit 2 * (held for reading) + (taken by a reader that passes writers) */
    uint16_t next;  /* of the same `from`; 0: the last */
    uint64_t held_at;
    uint64_t frames[LOCKSTAT_FRAMES]; /* where `to` was taken while `from` was held */
};

/*
 * Enter that `to` was taken while `from` was held; `frames` is filled in if that is new. If it
 * closes a cycle, its edges beginning with the new one are written to `cycle`, at most `most`.
 * Returns how many edges the cycle has, 0 if there is none.
 */
int graph_enter(uint32_t from, uint32_t to, unsigned kind, uint64_t held_at, const void *site,
                const struct graph_edge **cycle, int most);

/* The node of an object; 0 when there are too many. */
uint32_t graph_object(const void *object, uint32_t class_number);
void graph_forget(const void *object);
uint32_t graph_class(uint32_t node);
const void *graph_object_of(uint32_t node);
const struct graph_edge *graph_edges(size_t *count);

/* Chains that have been looked at, by their hash; read without a lock. One that is pushed out by
 * another is looked at again, that is all. */
#define GRAPH_CHAINS 65536
#define GRAPH_PROBES 4
extern uint64_t graph_chains[GRAPH_CHAINS];

static inline bool graph_knows_chain(uint64_t key)
{
    for (uint64_t at = key >> 40, end = at + GRAPH_PROBES; at < end; at++)
        if (ring3_likely(ring3_load(&graph_chains[at % GRAPH_CHAINS], RING3_RELAXED) == key))
            return true;
    return false;
}

void graph_know_chain(uint64_t key);

/* --- Reports (report.c) ---------------------------------------------------------------------- */

void report_cycle(const struct graph_edge *const *cycle, int length);

/* Naming places: forget those before, ask for all, have them found, and each has a name. */
void report_names_begin(void);
void report_ask(uint64_t address);
void report_names_find(void);
const char *report_name(uint64_t address);

/* The row of a node's class in watch_rows. */
uint32_t report_row_of_node(uint32_t node);

/* A rule that one lock has broken. Said once per class and rule. */
enum report_rule { RULE_AGAIN, RULE_HANDLER, RULE_THREAD_END, RULE_FORK, RULE_NOT_HELD, RULES };
void report_rule(enum report_rule rule, uint32_t row, const void *object, const void *site,
                 uint64_t held_at);

/* Who waits for what, and what everybody holds; `why` is the headline. Under the registry's lock. */
void report_waits(const char *why);

/* The thread that holds the object, or NULL; under the registry's lock. */
const struct thread *report_holder(const void *object);

/* --- The watcher (watcher.c) ----------------------------------------------------------------- */

void watcher_start(void);
void watcher_after_fork(void);

#endif
