/* SPDX-License-Identifier: MIT */
/*
 * The condition variable of libsync/src/cond.c and the mutex it hands its waiters to (contest.c, park.c), in Promela.
 * What happens under the parking table's lock is one step here; everything else may be interleaved, and a wait may end
 * by its deadline at any moment.
 *
 * Claims: one holder of the mutex at a time; when nothing can move any more, nobody waits for what is there; a waiter
 * that was chosen by a signal does not report a deadline.
 *
 *   spin -a cond.pml && cc -O2 -DSAFETY -o pan pan.c && ./pan -E
 *
 * -DCONSUMERS=3  more threads: some minutes and gigabytes
 * -DINSIDE       signal before the unlock, instead of after it
 * -DBROADCAST    one broadcast for all
 * Each of these breaks the algorithm, and a claim has to fail:
 * -DUNLOCK_FIRST the mutex is released before the waiter stands in the queue
 * -DSWALLOW      a waiter at its deadline does not look whether it has been chosen
 * -DNO_LOOK      a waiter is left to the next release of the mutex without a look whether there will be one
 * -DNO_RECHECK   a waiter of the mutex sleeps without another look at its word
 */
#ifndef CONSUMERS
#define CONSUMERS 2 /* the last one with a deadline */
#endif
#define WORKERS (CONSUMERS + 1)

byte items, missing = CONSUMERS; /* missing: who still wants an item */
byte inside;

/* --- The mutex ------------------------------------------------------------------------------- */

bool word;                        /* held */
chan mutex_queue = [WORKERS] of {byte};
bool asleep[WORKERS];
byte head;

inline take(me, won)
{
    atomic {
        if
        :: !word -> word = true; won = true
        :: else -> won = false
        fi
    }
}

/* From the queue, as its first or not yet. */
inline compete(me, first, won)
{
    do
    :: first ->
        take(me, won);
        if
        :: won -> break
        :: else
        fi;
        asleep[me] = true;
#ifdef NO_RECHECK
        !asleep[me]
#else
        if /* visible to releases now: look again */
        :: !word -> asleep[me] = false
        :: word -> !asleep[me]
        :: !asleep[me]
        fi
#endif
    :: !first ->
        !asleep[me];
        first = true
    od;
    /* The next in line is woken by the next release. */
    atomic { mutex_queue??eval(me) };
    asleep[me] = false
}

inline lock(me, first, won)
{
    take(me, won);
    if
    :: won
    :: else ->
        atomic {
            first = empty(mutex_queue);
            asleep[me] = !first;
            mutex_queue!me
        };
        compete(me, first, won)
    fi;
    inside++;
    assert(inside == 1)
}

inline wake_first()
{
    atomic {
        if
        :: nempty(mutex_queue) ->
            mutex_queue?<head>;
            asleep[head] = false
        :: else
        fi
    }
}

inline unlock()
{
    inside--;
    word = false;
    wake_first()
}

/* --- The condition --------------------------------------------------------------------------- */

chan cond_queue = [WORKERS] of {byte};
byte waiters;
bool chosen[WORKERS], contest[WORKERS];

inline stand(me)
{
    atomic {
        chosen[me] = false;
        contest[me] = false;
        asleep[me] = true;
        waiters++;
        cond_queue!me
    }
}

inline cond_wait(me, timed, late, first, won)
{
#ifdef UNLOCK_FIRST
    unlock();
    stand(me);
#else
    stand(me);
    unlock();
#endif
    late = false;
    if
    :: !asleep[me]
    :: timed ->
        atomic {
            if
#ifdef SWALLOW
            :: chosen[me] ->
                late = true
#else
            :: chosen[me]
#endif
            :: else ->
                cond_queue??eval(me);
                waiters--;
                asleep[me] = false;
                late = true
            fi
        };
        !asleep[me] /* who was chosen is woken, perhaps by way of the mutex's queue */
    fi;
    if
    :: contest[me] ->
        first = true;
        compete(me, first, won);
        inside++;
        assert(inside == 1)
    :: else -> lock(me, first, won)
    fi
}

chan batch = [WORKERS] of {byte}; /* the only signaller's */
bool was_empty;
byte next;

inline call(all)
{
    if
    :: waiters == 0 /* read without the queue's lock */
    :: waiters > 0 ->
        atomic {
            do
            :: nempty(cond_queue) && (all || empty(batch)) ->
                cond_queue?next;
                waiters--;
                chosen[next] = true;
                batch!next
            :: else -> break
            od
        };
        /* Move them to the mutex's queue. */
        atomic {
            was_empty = empty(mutex_queue) && nempty(batch);
            do
            :: batch?next -> contest[next] = true; mutex_queue!next
            :: empty(batch) -> break
            od
        };
        if
        :: was_empty -> wake_first()
        :: was_empty -> /* it slept on this CPU: the next release will do, if there is one */
#ifndef NO_LOOK
            if
            :: word
            :: !word -> wake_first()
            fi
#else
            skip
#endif
        :: !was_empty
        fi
    fi
}

/* --- Who uses them --------------------------------------------------------------------------- */

proctype consumer(byte me; bool timed)
{
    bool late, first, won;

    lock(me, first, won);
    do
    :: items > 0 -> items--; break
    :: items == 0 ->
        cond_wait(me, timed, late, first, won);
        assert(!(late && chosen[me]));
        if
        :: late && items == 0 -> break
        :: else
        fi
    od;
    missing--;
    unlock()
}

proctype producer(byte me)
{
    bool first, won;
    byte made;

#ifdef BROADCAST
    lock(me, first, won);
    items = CONSUMERS;
#ifdef INSIDE
    call(true);
    unlock()
#else
    unlock();
    call(true)
#endif
#else
    do
    :: made < CONSUMERS ->
        lock(me, first, won);
        items++;
        made++;
#ifdef INSIDE
        call(false);
        unlock()
#else
        unlock();
        call(false)
#endif
    :: else -> break
    od
#endif
}

init {
    byte i;

    atomic {
        do
        :: i < CONSUMERS -> run consumer(i, i == CONSUMERS - 1); i++
        :: else -> break
        od;
        run producer(CONSUMERS)
    };
    timeout -> assert(missing == 0 && !word && empty(mutex_queue) && waiters == 0)
}
