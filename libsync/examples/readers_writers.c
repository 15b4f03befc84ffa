/* SPDX-License-Identifier: MIT */
/*
 * Readers and writers: the first problem (no reader waits unless a writer is inside), the second (a
 * writer that waits comes before new readers), and the fair one (phases of each in turn), by the
 * policy of one lock. For each: may a reader join another while a writer waits; who follows a
 * writer; and do readers ever see half a write?
 */
#include <ring3/rwlock.h>

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { READERS = 4, READS = 2000, WRITES = 200 };

static ring3_rwlock_t lock;
static long left, right;
static int asked, torn;

static void *write_once(void *unused)
{
    ring3_store(&asked, 1, RING3_RELAXED);
    ring3_rwlock_wrlock(&lock);
    ring3_rwlock_wrunlock(&lock);
    return unused;
}

/* We read; a writer waits. Readers are let in for a second, or not once it is seen to wait. */
static const char *another_may_join(void)
{
    const struct timespec millisecond = {0, 1000000};
    pthread_t writer;
    int refused = 0;

    asked = 0;
    ring3_rwlock_rdlock(&lock);
    pthread_create(&writer, NULL, write_once, NULL);
    for (int waited = 0; waited < 1000 && !refused; waited += ring3_load(&asked, RING3_RELAXED)) {
        if (ring3_rwlock_tryrdlock(&lock) == 0)
            ring3_rwlock_rdunlock(&lock);
        else
            refused = 1;
        nanosleep(&millisecond, NULL);
    }
    ring3_rwlock_rdunlock(&lock);
    pthread_join(writer, NULL);
    return refused ? "waits behind the writer" : "is let in";
}

static void *read_often(void *unused)
{
    for (int i = 0; i < READS; i++) {
        ring3_rwlock_rdlock(&lock);
        if (left != right)
            ring3_store(&torn, 1, RING3_RELAXED);
        ring3_rwlock_rdunlock(&lock);
    }
    return unused;
}

static void *write_often(void *unused)
{
    for (int i = 0; i < WRITES; i++) {
        ring3_rwlock_wrlock(&lock);
        left++;
        right++;
        ring3_rwlock_wrunlock(&lock);
    }
    return unused;
}

int main(void)
{
    for (int policy = 0; policy < RING3_RWLOCK_POLICIES; policy++) {
        pthread_t thread[READERS + 1];

        ring3_rwlock_init(&lock, (ring3_rwlock_policy_t)policy);
        const char *const joins = another_may_join();

        left = right = 0;
        for (int i = 0; i <= READERS; i++)
            pthread_create(&thread[i], NULL, i ? read_often : write_often, NULL);
        for (int i = 0; i <= READERS; i++)
            pthread_join(thread[i], NULL);
        printf("%s: a second reader %s; %ld writes, %s\n",
               ring3_rwlock_name((ring3_rwlock_policy_t)policy), joins, left,
               torn ? "torn" : "none seen by halves");
    }
    return 0;
}
