/* SPDX-License-Identifier: MIT */
#include "ring3/sharedlock.h"

#include "ring3/shm.h"
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/* Two halves that are equal whenever the lock is free; `committed` is what they are recomputed from. */
struct account {
    ring3_sharedlock_t lock;
    ring3_sharedcond_t changed;
    uint64_t committed, left, right, repairs;
    int32_t dead;
};

static struct account *account;

static void make_account(void)
{
    static ring3_shm_t shm;

    check_eq(ring3_shm_create(&shm, sizeof *account), 0);
    account = shm.address;
}

static int repair(void *data, pid_t dead)
{
    struct account *const a = data;

    a->left = a->right = a->committed;
    a->repairs++;
    a->dead = dead;
    return 0;
}

static int cannot(void *data, pid_t dead)
{
    (void)data;
    (void)dead;
    return -EIO;
}

static void change_once(void)
{
    check_eq(ring3_sharedlock_lock(&account->lock, repair, account, NULL), 0);
    check_eq(account->left, account->right, "somebody saw what was not repaired");
    *(volatile uint64_t *)&account->left += 1;
    *(volatile uint64_t *)&account->right += 1;
    *(volatile uint64_t *)&account->committed = account->left;
    check_eq(ring3_sharedlock_unlock(&account->lock), 0);
}

TEST(sharedlock, is_repaired_before_anybody_sees_it)
{
    make_account();
    const pid_t pid = fork();

    if (pid == 0) {
        check_eq(ring3_sharedlock_lock(&account->lock, repair, account, NULL), 0);
        account->left = 99;
        kill(getpid(), SIGKILL);
    }
    check_killed(pid);
    change_once();
    check_eq(account->repairs, 1u);
    check_eq(account->dead, pid);
    check_eq(account->lock.repaired, 1u);
    change_once();
    check_eq(account->repairs, 1u);
}

TEST(sharedlock, is_lost_if_it_cannot_be_repaired)
{
    for (int with = 0; with < 2; with++) {
        make_account();
        const pid_t pid = fork();

        if (pid == 0) {
            check_eq(ring3_sharedlock_lock(&account->lock, repair, account, NULL), 0);
            kill(getpid(), SIGKILL);
        }
        check_killed(pid);
        check_eq(ring3_sharedlock_lock(&account->lock, with ? cannot : NULL, account, NULL),
                 -ENOTRECOVERABLE);
        check_eq(ring3_sharedlock_lock(&account->lock, repair, account, NULL), -ENOTRECOVERABLE);
    }
}

TEST(sharedlock, times_out_and_tells_misuse)
{
    const struct timespec past = deadline_in(-1);

    make_account();
    check_eq(ring3_sharedlock_unlock(&account->lock), -EPERM);
    check_eq(ring3_sharedlock_lock(&account->lock, repair, account, NULL), 0);
    const pid_t pid = fork();

    if (pid == 0) {
        check_eq(ring3_sharedlock_lock(&account->lock, repair, account, &past), -ETIMEDOUT);
        _exit(0);
    }
    check_child(pid);
    check_eq(ring3_sharedcond_wait(&account->changed, &account->lock, repair, account, &past),
             -ETIMEDOUT);
    check_eq(ring3_sharedlock_unlock(&account->lock), 0, "it is held again");
}

TEST(sharedlock, owners_killed_at_any_moment_leave_nothing_broken, 60)
{
    const long kills = scaled(150, 20000);

    make_account();
    for (long i = 0; i < kills; i++) {
        pid_t pids[2];

        for (int k = 0; k < 2; k++) {
            pids[k] = fork();
            if (pids[k] == 0)
                for (;;)
                    change_once();
        }
        const uint64_t before = *(volatile uint64_t *)&account->committed;

        while (*(volatile uint64_t *)&account->committed < before + 20)
            change_once();
        for (int k = 0; k < 2; k++) {
            kill(pids[k], SIGKILL);
            check_killed(pids[k]);
        }
        change_once();
    }
    check_eq(account->left, account->right);
}

TEST(sharedlock, wakes_who_waits_for_a_change, 60)
{
    const uint64_t rounds = (uint64_t)scaled(2000, 200000);

    make_account();
    const pid_t pid = fork();
    const bool child = pid == 0;

    /* Each waits until the number is its own kind, and makes it the other's. */
    for (uint64_t i = 0; i < rounds; i++) {
        check_eq(ring3_sharedlock_lock(&account->lock, repair, account, NULL), 0);
        while (account->committed % 2 != child)
            check_eq(
                ring3_sharedcond_wait(&account->changed, &account->lock, repair, account, NULL), 0);
        account->committed++;
        ring3_sharedcond_notify(&account->changed);
        check_eq(ring3_sharedlock_unlock(&account->lock), 0);
    }
    if (child)
        _exit(0);
    check_child(pid);
    check_eq(account->committed, 2 * rounds);
}
