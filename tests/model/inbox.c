/* SPDX-License-Identifier: MIT */
/* The inbox of libthreadpool's pools: two submitters, and one who holds the lock all the time. */
#include "model.h"

#include "inbox.h"

static struct inbox inbox;
static struct job {
    ring3_list_t link;
    uint64_t data;
} jobs[3];
static bool sent[3];
static int taken[3], in_order;

static void send_job(int number)
{
    model_write(&jobs[number].data, 7);
    sent[number] = inbox_push(&inbox, &jobs[number].link);
}

static void take_jobs(void)
{
    for (ring3_list_t *link = inbox_take(&inbox), *next; link; link = next) {
        struct job *const job = ring3_container_of(link, struct job, link);

        next = link->next;
        model_check(model_read(&job->data) == 7, "a task is taken before it was written");
        taken[job - jobs]++;
        /* 0 and 1 come from one thread. */
        if (job < &jobs[2])
            model_check(job - jobs == in_order++, "tasks of one thread come in another order");
    }
}

static void begin_room_for_two(void)
{
    model_check(inbox_set(&inbox, 0, 2, false), "nobody else is here");
}

static void submit_or_take(int me)
{
    if (me == 0) {
        send_job(0);
        send_job(1);
    } else if (me == 1) {
        send_job(2);
    } else {
        take_jobs();
        take_jobs();
    }
}

static void two_taken_once(void)
{
    int count = 0;

    take_jobs();
    for (int i = 0; i < 3; i++) {
        model_check(taken[i] == sent[i], "a task is taken twice, never, or though it was refused");
        count += sent[i];
    }
    model_check(count == 2, "there was room for two");
    model_check(inbox_look(&inbox) == 0, "and for no more");
}
MODEL(inbox, .start = begin_room_for_two, .threads = 3, .thread = submit_or_take,
      .end = two_taken_once, .interruptions = 3, .stale = 3, .watched = "inbox")

/* --- Nothing comes after it has been closed ----------------------------------------------------- */

static void submit_or_close(int me)
{
    if (me < 2) {
        send_job(2 * me);
        return;
    }
    for (ring3_list_t *link = inbox_close(&inbox); link; link = link->next) {
        struct job *const job = ring3_container_of(link, struct job, link);

        model_check(model_read(&job->data) == 7, "a task is taken before it was written");
        taken[job - jobs]++;
    }
}

static void all_were_taken(void)
{
    for (int i = 0; i < 3; i++)
        model_check(taken[i] == sent[i], "a task came after the end");
    model_check(inbox_look(&inbox) == 0, "there is room left");
}
MODEL(inbox_closing, .start = begin_room_for_two, .threads = 3, .thread = submit_or_close,
      .end = all_were_taken, .interruptions = 3, .stale = 3)

/* --- The one who holds the lock goes to sleep --------------------------------------------------- */

static bool sleeps;

/* Not while there are tasks; and then nobody brings one without waking it. */
static void submit_or_sleep(int me)
{
    if (me == 0) {
        send_job(0);
        return;
    }
    for (int turn = 0; turn < 3 && !sleeps; turn++) {
        const uint64_t seen = inbox_look(&inbox);

        take_jobs();
        if (!inbox_last(seen))
            sleeps = inbox_set(&inbox, seen, 2, true);
    }
}

static void none_is_left_behind(void)
{
    if (sleeps) {
        model_check(inbox_last(inbox_look(&inbox)) == NULL, "a task lies there and nobody comes");
        model_check(taken[0] == sent[0], "it was sent and not taken");
    }
}
MODEL(inbox_sleep, .start = begin_room_for_two, .threads = 2, .thread = submit_or_sleep,
      .end = none_is_left_behind, .interruptions = 3, .stale = 3)
