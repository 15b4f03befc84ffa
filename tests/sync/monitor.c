/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include "ring3/monitor.h"

#include <errno.h>

static ring3_monitor_t monitor;
static long balance, withdrawn;
static int order[8], passed;

static bool covers(const void *amount)
{
    return balance >= *(const long *)amount;
}

static bool never(const void *unused)
{
    (void)unused;
    return false;
}

static uint32_t waiters(void)
{
    return ring3_load(&monitor.waiters, RING3_RELAXED);
}

static long read_balance(void)
{
    RING3_MONITOR(&monitor)
    {
        return balance;
    }
    return -1;
}

static void deposit(long amount)
{
    RING3_MONITOR(&monitor)
    balance += amount;
}

TEST(monitor, is_left_whichever_way_control_leaves_the_block)
{
    int turns = 0;

    balance = 7;
    check_eq(read_balance(), 7, "by return");
    check_eq(monitor.mutex.word, 0u);
    RING3_MONITOR(&monitor)
    {
        turns++;
        check_eq(ring3_mutex_trylock(&monitor.mutex), -EBUSY);
        break;
    }
    check_eq(monitor.mutex.word, 0u, "by break");
    RING3_MONITOR(&monitor)
    turns++;
    check_eq(monitor.mutex.word, 0u, "by the end");
    RING3_MONITOR(&monitor)
    {
        goto out;
    }
out:
    check_eq(monitor.mutex.word, 0u, "by goto");
    check_eq(turns, 2);
}

static void withdraw(int me)
{
    const long amount = me;

    RING3_MONITOR(&monitor)
    {
        ring3_monitor_await(&monitor, covers, &amount);
        check_ge(balance, amount);
        balance -= amount;
        order[passed++] = me;
    }
}

/* Nobody signals: the deposit itself lets the right one go on, not the one who came first. */
TEST(monitor, lets_those_go_on_whose_condition_holds)
{
    balance = 0;
    pthread_t rich = crew_start(withdraw, 100);

    crew_until(waiters() == 1);
    pthread_t poor = crew_start(withdraw, 5);

    crew_until(waiters() == 2);
    deposit(10);
    crew_join(poor);
    check_eq(read_balance(), 5L);
    check_eq(waiters(), 1u);
    deposit(95);
    crew_join(rich);
    check_eq(read_balance(), 0L);
    check_eq(order[0], 5);
    check_eq(order[1], 100);
}

TEST(monitor, lets_the_longest_waiter_go_on_first)
{
    pthread_t threads[5];

    for (int i = 0; i < 5; i++) {
        threads[i] = crew_start(withdraw, 3);
        crew_until(waiters() == (uint32_t)i + 1);
    }
    /* One deposit covers all: each that leaves lets the next go on. */
    deposit(15);
    for (int i = 0; i < 5; i++)
        crew_join(threads[i]);
    check_eq(balance, 0L);
    check_eq(passed, 5);
}

TEST(monitor, times_out_inside_with_the_condition_false)
{
    const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};

    for (int i = 0; i < 2; i++) {
        const struct timespec soon = crew_in(clocks[i], 0.01);
        const long nothing = 0;

        ring3_monitor_enter(&monitor);
        check_eq(ring3_monitor_clockawait(&monitor, never, NULL, clocks[i], &soon), -ETIMEDOUT);
        check_eq(ring3_mutex_trylock(&monitor.mutex), -EBUSY, "still inside");
        check_eq(ring3_monitor_clockawait(&monitor, covers, &nothing, clocks[i], &soon), 0,
                 "what holds needs no waiting");
        check_eq(ring3_monitor_clockawait(&monitor, never, NULL, CLOCK_BOOTTIME, NULL), -EINVAL);
        ring3_monitor_leave(&monitor);
        check_eq(waiters(), 0u);
    }
}

static ring3_cond_t cond;
static bool told;

static void wait_for_word(int me)
{
    (void)me;
    RING3_MONITOR(&monitor)
    while (!told)
        check_eq(ring3_monitor_wait(&monitor, &cond, CLOCK_MONOTONIC, NULL), 0);
}

TEST(monitor, has_condition_variables_too)
{
    pthread_t thread = crew_start(wait_for_word, 0);

    crew_until(ring3_load(&cond.waiters, RING3_RELAXED) == 1);
    RING3_MONITOR(&monitor)
    {
        told = true;
        ring3_cond_signal(&cond);
    }
    crew_join(thread);
}

/* Who waits for a condition variable leaves the monitor like any other. */
static void deposit_and_wait(int me)
{
    RING3_MONITOR(&monitor)
    {
        balance += me;
        while (!told)
            ring3_monitor_wait(&monitor, &cond, CLOCK_MONOTONIC, NULL);
    }
}

TEST(monitor, lets_others_go_on_when_it_is_left_to_wait)
{
    pthread_t taker = crew_start(withdraw, 4), giver;

    crew_until(waiters() == 1);
    giver = crew_start(deposit_and_wait, 4);
    crew_join(taker);
    told = true;
    RING3_MONITOR(&monitor)
    ring3_cond_broadcast(&cond);
    crew_join(giver);
}

/* --- Transfers keep the sum; nobody overdraws; nobody is forgotten ------------------------------ */

#define ACCOUNTS 4
static long accounts[ACCOUNTS], rounds;

struct demand {
    int account;
    long amount;
};

static bool account_covers(const void *context)
{
    const struct demand *const demand = context;

    return accounts[demand->account] >= demand->amount;
}

static void transfer(int me)
{
    unsigned choice = (unsigned)me + 1;

    for (long i = 0; i < rounds; i++) {
        choice = choice * 1103515245u + 12345u;
        const int from = (int)(choice >> 16) % ACCOUNTS, to = (from + 1) % ACCOUNTS;
        const struct demand demand = {from, (long)(choice >> 20) % 90 + 1};
        const struct timespec soon = crew_in(CLOCK_MONOTONIC, 0.0005);

        RING3_MONITOR(&monitor)
        {
            if (ring3_monitor_clockawait(&monitor, account_covers, &demand, CLOCK_MONOTONIC,
                                         &soon) != 0)
                continue;
            check_ge(accounts[from], demand.amount);
            accounts[from] -= demand.amount;
            accounts[to] += demand.amount;
        }
        ring3_fetch_add(&withdrawn, 1, RING3_RELAXED);
    }
}

TEST(monitor, keeps_the_sum_of_all_accounts, 60)
{
    long sum = 0;

    for (int i = 0; i < ACCOUNTS; i++)
        accounts[i] = 100;
    rounds = crew_count(2000);
    crew_run(6, transfer);
    for (int i = 0; i < ACCOUNTS; i++)
        sum += accounts[i];
    check_eq(sum, 100L * ACCOUNTS);
    check_eq(waiters(), 0u);
}

/* --- A bounded buffer whose two conditions are never signalled ---------------------------------- */

static int items;
static long produced, consumed;

static bool has_room(const void *unused)
{
    (void)unused;
    return items < 3;
}

static bool has_items(const void *unused)
{
    (void)unused;
    return items > 0;
}

static void produce_or_consume(int me)
{
    for (long i = 0; i < rounds; i++)
        RING3_MONITOR(&monitor)
        {
            ring3_monitor_await(&monitor, me % 2 ? has_room : has_items, NULL);
            items += me % 2 ? 1 : -1;
            check(items >= 0 && items <= 3);
            me % 2 ? produced++ : consumed++;
        }
}

TEST(monitor, forgets_nobody, 60)
{
    rounds = crew_count(5000);
    crew_run(6, produce_or_consume);
    check_eq(produced, 3 * rounds);
    check_eq(consumed, 3 * rounds);
    check_eq(items, 0);
}
