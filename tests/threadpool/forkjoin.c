/* SPDX-License-Identifier: MIT */
/* Teams: spawn and sync, what a wait may run, loops. */
#include "support.h"

#include "ring3/arch.h"
#include "ring3/atomic.h"
#include "ring3/container.h"
#include "ring3/forkjoin.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static ring3_team_t *team_of(unsigned size)
{
    ring3_team_t *team;

    check_eq(ring3_team_create(&team, size), 0);
    return team;
}

static void run(ring3_team_t *team, ring3_fork_t *root)
{
    check_eq(ring3_team_run(team, root), 0);
}

struct fib {
    ring3_fork_t fork;
    int n;
    long result;
};

static void fib(ring3_fork_t *fork, ring3_member_t *me)
{
    struct fib *const self = ring3_container_of(fork, struct fib, fork);

    self->result = self->n;
    if (self->n < 2)
        return;
    struct fib a = {.fork = {.run = fib}, .n = self->n - 1}, b = {.n = self->n - 2};

    ring3_fork_spawn(me, &a.fork);
    fib(&b.fork, me);
    ring3_fork_sync(me, &a.fork);
    self->result = a.result + b.result;
}

static void check_fib(unsigned size)
{
    ring3_team_t *const team = team_of(size);

    for (long round = scaled(5, 500); round > 0; round--) {
        struct fib root = {.fork = {.run = fib}, .n = 20};

        run(team, &root.fork);
        check_eq(root.result, 6765);
    }
    check_eq(ring3_team_destroy(team), 0);
}

TEST(forkjoin, computes_alone)
{
    check_fib(1);
}

TEST(forkjoin, computes_with_two)
{
    check_fib(2);
}

TEST(forkjoin, computes_with_more_members_than_cpus)
{
    check_fib(4 * (unsigned)cpus());
}

/* --- A deque that is full, and misuse --------------------------------------------------------- */

#define MANY 3000

struct many {
    ring3_fork_t root;
    struct fib forks[MANY];
};

static void spawn_many(ring3_fork_t *fork, ring3_member_t *me)
{
    struct many *const self = ring3_container_of(fork, struct many, root);

    for (int i = 0; i < MANY; i++) {
        self->forks[i] = (struct fib){.fork = {.run = fib}, .n = 1};
        ring3_fork_spawn(me, &self->forks[i].fork);
    }
    for (int i = MANY - 1; i >= 0; i--)
        ring3_fork_sync(me, &self->forks[i].fork);
}

TEST(forkjoin, more_spawns_than_the_deque_holds_all_run)
{
    static struct many many = {.root = {.run = spawn_many}};

    for (unsigned size = 1; size <= 2; size++) {
        ring3_team_t *const team = team_of(size);

        run(team, &many.root);
        for (int i = 0; i < MANY; i++)
            check_eq(many.forks[i].result, 1, "fork %d", i);
        check_eq(ring3_team_destroy(team), 0);
    }
}

static void sync_the_wrong_one(ring3_fork_t *fork, ring3_member_t *me)
{
    struct fib a = {.fork = {.run = fib}}, b = a;

    (void)fork;
    ring3_fork_spawn(me, &a.fork);
    ring3_fork_spawn(me, &b.fork);
    ring3_fork_sync(me, &a.fork);
}

static void misuse(void)
{
    ring3_fork_t root = {.run = sync_the_wrong_one};

    run(team_of(1), &root);
}

TEST(forkjoin, aborts_on_a_sync_out_of_order)
{
    char text[256];
    const int status = run_in_child(misuse, text, sizeof text);

    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    check_contains(text, "not the last fork");
}

/* --- What a wait may run ---------------------------------------------------------------------- */

struct step {
    ring3_fork_t fork;
    struct step *child; /* spawned after `before`, and synced after `gate` */
    uint32_t *before, *gate;
    uint32_t started, spawned;
    unsigned index; /* of the member that ran it */
};

static void step_run(ring3_fork_t *fork, ring3_member_t *me)
{
    struct step *const self = ring3_container_of(fork, struct step, fork);

    self->index = ring3_member_index(me);
    ring3_store(&self->started, 1, RING3_RELEASE);
    if (self->before)
        await(self->before, 1);
    if (self->child)
        ring3_fork_spawn(me, &self->child->fork);
    ring3_store(&self->spawned, 1, RING3_RELEASE);
    if (self->gate)
        await(self->gate, 1);
    if (self->child)
        ring3_fork_sync(me, &self->child->fork);
}

struct pair {
    ring3_fork_t root;
    struct step first, second;
};

static void spawn_first(ring3_fork_t *fork, ring3_member_t *me)
{
    struct pair *const self = ring3_container_of(fork, struct pair, root);

    ring3_fork_spawn(me, &self->first.fork);
    await(&self->first.started, 1); /* stolen */
    ring3_fork_sync(me, &self->first.fork);
}

TEST(forkjoin, a_wait_helps_the_thief)
{
    ring3_team_t *const team = team_of(2);
    struct step part = {.fork = {.run = step_run}};
    /* The thief waits for its own part to start, and does not run it: only the waiter can. */
    struct pair pair = {
        .root = {.run = spawn_first},
        .first = {.fork = {.run = step_run}, .child = &part, .gate = &part.started}};

    run(team, &pair.root);
    check_eq(pair.first.index, 1);
    check_eq(part.index, 0);
    check_eq(ring3_team_destroy(team), 0);
}

static void spawn_both(ring3_fork_t *fork, ring3_member_t *me)
{
    struct pair *const self = ring3_container_of(fork, struct pair, root);

    ring3_fork_spawn(me, &self->first.fork);
    await(&self->first.started, 1);
    ring3_fork_spawn(me, &self->second.fork);
    await(&self->second.started, 1);
    ring3_fork_sync(me, &self->second.fork);
    ring3_fork_sync(me, &self->first.fork);
}

struct opener {
    const struct step *parent, *unrelated;
    uint32_t second_gate, first_gate;
    uint32_t early; /* the unrelated step ran while only the wait could run it */
};

static void *open_later(void *argument)
{
    struct opener *const self = argument;

    await(&self->parent->spawned, 1);
    usleep(30000);
    self->early = ring3_load(&self->unrelated->started, RING3_ACQUIRE);
    ring3_store(&self->second_gate, 1, RING3_RELEASE);
    ring3_store(&self->first_gate, 1, RING3_RELEASE);
    return NULL;
}

TEST(forkjoin, a_wait_never_runs_an_unrelated_fork)
{
    ring3_team_t *const team = team_of(3);
    struct step unrelated = {.fork = {.run = step_run}};
    struct opener opener = {.unrelated = &unrelated};
    struct pair pair = {
        .root = {.run = spawn_both},
        .first = {.fork = {.run = step_run}, .child = &unrelated, .gate = &opener.first_gate},
        .second = {.fork = {.run = step_run}, .gate = &opener.second_gate}};
    pthread_t thread;

    /* The unrelated step is spawned when both other members are taken. */
    pair.first.before = &pair.second.started;
    opener.parent = &pair.first;
    check_eq(pthread_create(&thread, NULL, open_later, &opener), 0);
    run(team, &pair.root);
    check_eq(pthread_join(thread, NULL), 0);
    check_eq(opener.early, 0);
    check_eq(unrelated.started, 1);
    check_eq(ring3_team_destroy(team), 0);
}

/* --- Teams ------------------------------------------------------------------------------------ */

struct nested {
    ring3_fork_t root;
    ring3_team_t *team;
    int run, destroy;
};

static void use_own_team(ring3_fork_t *fork, ring3_member_t *me)
{
    struct nested *const self = ring3_container_of(fork, struct nested, root);
    struct fib inner = {.fork = {.run = fib}};

    check_eq(ring3_member_index(me), 0);
    self->run = ring3_team_run(self->team, &inner.fork);
    self->destroy = ring3_team_destroy(self->team);
}

TEST(forkjoin, a_member_cannot_run_or_destroy_its_team)
{
    ring3_team_t *const team = team_of(2);
    struct nested nested = {.root = {.run = use_own_team}, .team = team};

    run(team, &nested.root);
    check_eq(nested.run, -EDEADLK);
    check_eq(nested.destroy, -EDEADLK);
    check_eq(ring3_team_destroy(team), 0);
    check_eq(ring3_team_create(&nested.team, 100000), -EINVAL);
}

TEST(forkjoin, is_gone_in_a_child)
{
    ring3_team_t *const team = team_of(2);
    struct fib root = {.fork = {.run = fib}, .n = 10};
    const pid_t child = fork();

    if (child == 0) {
        check_eq(ring3_team_run(team, &root.fork), -ECHILD);
        check_eq(ring3_team_destroy(team), 0);
        _exit(0);
    }
    check_child(child);
    run(team, &root.fork);
    check_eq(root.result, 55);
    check_eq(ring3_team_destroy(team), 0);
}

TEST(forkjoin, uses_no_cpu_time_while_idle)
{
    ring3_team_t *const team = team_of(4);
    struct fib root = {.fork = {.run = fib}, .n = 15};
    struct rusage before, after;

    run(team, &root.fork);
    check_eq(usleep(50000), 0); /* all are asleep */
    check_eq(getrusage(RUSAGE_SELF, &before), 0);
    check_eq(usleep(300000), 0);
    check_eq(getrusage(RUSAGE_SELF, &after), 0);
    check_le(after.ru_nvcsw - before.ru_nvcsw, 40, "idle members woke up");
    check_eq(ring3_team_destroy(team), 0);
}

/* --- Loops ------------------------------------------------------------------------------------ */

#define LENGTH 1000

struct loop_test {
    ring3_fork_t root;
    int64_t from, to, grain;
    ring3_schedule_t schedule;
    uint32_t hits[LENGTH], pieces, small;
    int result, nested;
};

static void hit(int64_t from, int64_t to, void *argument, ring3_member_t *me)
{
    struct loop_test *const self = argument;

    (void)me;
    (void)ring3_fetch_add(&self->pieces, 1, RING3_RELAXED);
    if (to - from < self->grain && to != self->to)
        (void)ring3_fetch_add(&self->small, 1, RING3_RELAXED);
    for (int64_t i = from; i < to; i++)
        (void)ring3_fetch_add(&self->hits[i - self->from], 1, RING3_RELAXED);
}

static void nested_row(int64_t from, int64_t to, void *argument, ring3_member_t *me)
{
    struct loop_test *const self = argument;

    for (int64_t row = from; row < to; row++)
        (void)ring3_parallel_for(me, row * 100, row * 100 + 100, 7, self->schedule, hit, self);
}

static void loop_root(ring3_fork_t *fork, ring3_member_t *me)
{
    struct loop_test *const self = ring3_container_of(fork, struct loop_test, root);

    self->result = self->nested ? ring3_parallel_for(me, 0, 10, 1, self->schedule, nested_row, self)
                                : ring3_parallel_for(me, self->from, self->to, self->grain,
                                                     self->schedule, hit, self);
}

static void check_loop(struct loop_test *test, unsigned size)
{
    ring3_team_t *const team = team_of(size);

    test->root.run = loop_root;
    run(team, &test->root);
    check_eq(test->result, 0);
    for (int64_t i = 0; i < LENGTH; i++)
        check_eq((int)test->hits[i], i < test->to - test->from, "index %lld", (long long)i);
    check_eq(ring3_team_destroy(team), 0);
}

TEST(parallel_for, covers_every_index_once)
{
    static const int64_t lengths[] = {0, 1, 2, 5, LENGTH};

    for (int schedule = 0; schedule <= RING3_SCHEDULE_STEAL; schedule++)
        for (int i = 0; i < 5; i++)
            for (unsigned size = 1; size <= 4; size += 3) {
                struct loop_test test = {.from = -3,
                                         .to = lengths[i] - 3,
                                         .grain = 7,
                                         .schedule = (ring3_schedule_t)schedule};

                check_loop(&test, size);
                if (schedule != RING3_SCHEDULE_STATIC)
                    check_eq(test.small, 0, "pieces below the grain");
            }
}

TEST(parallel_for, deals_in_pieces_as_the_schedule_says)
{
    struct loop_test fixed = {.to = LENGTH, .grain = 1, .schedule = RING3_SCHEDULE_STATIC},
                     dynamic = {.to = LENGTH, .grain = 10, .schedule = RING3_SCHEDULE_DYNAMIC},
                     guided = {.to = LENGTH, .grain = 10, .schedule = RING3_SCHEDULE_GUIDED};

    check_loop(&fixed, 4);
    check_loop(&dynamic, 4);
    check_loop(&guided, 4);
    check_eq(fixed.pieces, 4);
    check_eq(dynamic.pieces, 100);
    check_gt(guided.pieces, 4);
    check_lt(guided.pieces, 50);
}

TEST(parallel_for, nests)
{
    for (int schedule = 0; schedule <= RING3_SCHEDULE_STEAL; schedule++) {
        struct loop_test test = {
            .to = LENGTH, .grain = 1, .nested = 1, .schedule = (ring3_schedule_t)schedule};

        check_loop(&test, 3);
    }
}

TEST(parallel_for, reaches_the_ends_of_the_range)
{
    struct loop_test low = {.from = INT64_MIN,
                            .to = INT64_MIN + 10,
                            .grain = INT64_MAX,
                            .schedule = RING3_SCHEDULE_DYNAMIC},
                     high = {.from = INT64_MAX - 10,
                             .to = INT64_MAX,
                             .grain = 3,
                             .schedule = RING3_SCHEDULE_GUIDED};

    check_loop(&low, 2);
    check_loop(&high, 2);
}

/* --- Reduce ----------------------------------------------------------------------------------- */

/* A run of indices; joining those that do not meet leaves a mark. Not commutative. */
struct span {
    int64_t from, to;
    int broken;
};

static void span_leaf(int64_t from, int64_t to, void *result, void *argument)
{
    (void)argument;
    *(struct span *)result = (struct span){from, to, 0};
}

static void span_join(void *result, const void *following, void *argument)
{
    struct span *const left = result;
    const struct span *const right = following;

    (void)argument;
    left->broken |= right->broken | (left->to != right->from);
    left->to = right->to;
}

static void harmonic_leaf(int64_t from, int64_t to, void *result, void *argument)
{
    double sum = 0;

    (void)argument;
    for (int64_t i = from; i < to; i++)
        sum += 1.0 / (double)(i + 1);
    *(double *)result = sum;
}

static void harmonic_join(void *result, const void *following, void *argument)
{
    (void)argument;
    *(double *)result += *(const double *)following;
}

struct reduce_test {
    ring3_fork_t root;
    struct span span;
    double sum;
    int empty, oversized;
};

static void reduce_root(ring3_fork_t *fork, ring3_member_t *me)
{
    struct reduce_test *const self = ring3_container_of(fork, struct reduce_test, root);
    const ring3_reduction_t spans = {sizeof(struct span), span_leaf, span_join, NULL},
                            sums = {sizeof(double), harmonic_leaf, harmonic_join, NULL},
                            large = {RING3_REDUCE_MAX + 1, span_leaf, span_join, NULL};

    self->empty = ring3_parallel_reduce(me, 5, 5, 1, &spans, &self->span);
    self->oversized = ring3_parallel_reduce(me, 0, 5, 1, &large, &self->span);
    (void)ring3_parallel_reduce(me, -500, 1500, 3, &spans, &self->span);
    (void)ring3_parallel_reduce(me, 0, 10000, 16, &sums, &self->sum);
}

TEST(parallel_reduce, joins_in_order_and_alike_in_every_team)
{
    struct reduce_test tests[4] = {0};

    for (unsigned i = 0; i < 4; i++) {
        ring3_team_t *const team = team_of(i + 1);

        tests[i].root.run = reduce_root;
        run(team, &tests[i].root);
        check_eq(tests[i].empty, -EINVAL);
        check_eq(tests[i].oversized, -EINVAL);
        check_eq(tests[i].span.from, -500);
        check_eq(tests[i].span.to, 1500);
        check_eq(tests[i].span.broken, 0);
        check(memcmp(&tests[i].sum, &tests[0].sum, sizeof(double)) == 0);
        check_eq(ring3_team_destroy(team), 0);
    }
    check(tests[0].sum > 9.78 && tests[0].sum < 9.79);
}
