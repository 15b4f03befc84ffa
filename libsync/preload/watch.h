/* SPDX-License-Identifier: MIT */
/*
 * What happens around every lock operation when locks are watched:
 *
 *     watch_before   the thread is about to lock: is that in order? (lockdep.c)
 *     watch_wait     it could not be had at once
 *     watch_held     it has been locked; `waited` says for how long (stat)
 *     watch_released it is about to be unlocked
 *
 * Every watched object has a row in a table of figures, found through its `record`; and every row a
 * class: the objects that were made by the same call stack. An object without an initialiser is a
 * class of its own. The first rows of a class stand for one object each, the last for all others.
 */
#ifndef RING3_PRELOAD_WATCH_H
#define RING3_PRELOAD_WATCH_H

#include "thread.h"

#include "lockstat.h"

/* How a lock is taken. A thread that reads again does not wait behind writers that wait. */
enum watch_mode { WATCH_WRITE, WATCH_READ, WATCH_READ_AGAIN };

struct watch {
    void *object;
    uint32_t *record;
    enum lockstat_type type;
    enum watch_mode mode;
    bool may_give_up; /* it cannot be part of a deadlock: a try, or a deadline */
    const void *site;
    struct thread *me;
    uint64_t began; /* cycles when it began to wait; 0: did not */
    uint64_t key;   /* of the chain with this lock at its end; lockdep.c */
};

/* Member by member: to build it elsewhere and copy it costs more than the lock, since what has just been
 * written in small pieces cannot be read in large ones before it has left the store buffer. */
static inline void watch_begin(struct watch *watch, void *object, uint32_t *record,
                               enum lockstat_type type, enum watch_mode mode, bool may_give_up,
                               const void *site)
{
    watch->object = object;
    watch->record = record;
    watch->type = type;
    watch->mode = mode;
    watch->may_give_up = may_give_up;
    watch->site = site;
    watch->began = 0;
    watch->key = 0;
}

void watch_made(void *object, uint32_t *record, enum lockstat_type type, const void *site);
void watch_unmade(void *object, uint32_t *record);

void watch_before(struct watch *watch);
void watch_wait(struct watch *watch);
void watch_waited(struct watch *watch);
void watch_held(struct watch *watch);
void watch_released(void *object, const uint32_t *record, const void *site);

/* --- For lockdep.c and the reports ----------------------------------------------------------- */

#define WATCH_ROWS    4096
#define WATCH_SITES   8192 /* a power of two */
#define WATCH_CLASSES 2048

extern struct lockstat_lock watch_rows[WATCH_ROWS];
extern uint16_t watch_class_of_row[WATCH_ROWS];

/* The row whose frames stand for the class. */
uint32_t watch_row_of_class(uint32_t class_number);

/* Return addresses from `site` outwards; returns how many, at most `most`. */
int watch_stack(const void *site, uint64_t *frames, int most);

/* The row of an object, made if it has none. */
uint32_t watch_row(void *object, uint32_t *record, enum lockstat_type type, const void *site);

/* What a report shows of this process. */
struct lockstat_view watch_view(void);

/* True if anything has been locked. */
bool watch_any(void);

void watch_start(void);
void report_start(void);
void watch_after_fork(void);

/* Write the report that RING3_LOCKS asks for, at the end of the process. */
void watch_report(void);

#endif
