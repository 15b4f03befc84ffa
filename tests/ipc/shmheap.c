/* SPDX-License-Identifier: MIT */
#include "ring3/shmheap.h"

#include "ring3/shm.h"
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SIZE (1u << 20)

struct link {
    ring3_offset_t next;
    uint64_t number;
};

/* The same heap at two addresses, as in two processes that mapped it apart. */
static void at_two_addresses(ring3_shmheap_kind_t kind)
{
    ring3_shm_t here, there;
    ring3_shmheap_t mine, other;

    check_eq(ring3_shm_create(&here, SIZE), 0);
    check_eq(ring3_shm_attach(&there, here.fd, true), 0);
    check(here.address != there.address);
    check_eq(ring3_shmheap_attach(&mine, here.address, SIZE), -EBADMSG);
    check_eq(ring3_shmheap_format(&mine, here.address, SIZE, kind), 0);
    check_eq(ring3_shmheap_attach(&other, there.address, SIZE / 2), -EBADMSG);
    check_eq(ring3_shmheap_attach(&other, there.address, SIZE), 0);
    const size_t before = ring3_shmheap_free_bytes(&mine);

    check_eq(ring3_shmheap_root(&other), 0u);
    for (uint64_t i = 0; i < 1000; i++) {
        ring3_shmheap_t *const heap = i % 2 ? &mine : &other;
        struct link *const link = ring3_shmheap_allocate(heap, sizeof *link);

        check(link != NULL);
        *link = (struct link){ring3_shmheap_root(heap), i};
        ring3_shmheap_set_root(heap, ring3_shmheap_offset(heap, link));
    }
    check_eq(ring3_shmheap_check(&mine), 0);
    for (uint64_t i = 1000; i-- > 0;) {
        ring3_shmheap_t *const heap = i % 3 ? &mine : &other;
        struct link *const link = ring3_shmheap_at(heap, ring3_shmheap_root(heap), sizeof *link);

        check(link != NULL);
        check_eq(link->number, i);
        ring3_shmheap_set_root(heap, link->next);
        check_eq(ring3_shmheap_release(heap, link), 0);
        check_eq(ring3_shmheap_release(heap, link), -EINVAL, "it is free already");
    }
    check_eq(ring3_shmheap_free_bytes(&other), before);
    check(ring3_shmheap_allocate(&mine, SIZE) == NULL);
    check(ring3_shmheap_at(&mine, 0, 1) == NULL);
    check(ring3_shmheap_at(&mine, SIZE - 8, 16) == NULL);
    check(ring3_shmheap_at(&mine, UINT64_MAX, 16) == NULL);
    ring3_shm_close(&there);
    ring3_shm_close(&here);
}

TEST(shmheap, fit_works_at_two_addresses)
{
    at_two_addresses(RING3_SHMHEAP_FIT);
}
TEST(shmheap, buddy_works_at_two_addresses)
{
    at_two_addresses(RING3_SHMHEAP_BUDDY);
}

/* After each death the heap either passes its check or says that it is lost; nobody hangs. */
TEST(shmheap, users_killed_at_any_moment_break_nothing_unnoticed, 60)
{
    const long kills = scaled(60, 5000);

    for (long i = 0; i < kills; i++) {
        ring3_shm_t shm;
        ring3_shmheap_t heap;

        check_eq(ring3_shm_create(&shm, SIZE), 0);
        check_eq(ring3_shmheap_format(&heap, shm.address, SIZE,
                                      i % 2 ? RING3_SHMHEAP_FIT : RING3_SHMHEAP_BUDDY),
                 0);
        const pid_t pid = fork();

        if (pid == 0)
            for (;;) {
                void *const block = ring3_shmheap_allocate(&heap, 100);

                ring3_shmheap_set_root(&heap, 1);
                check_eq(ring3_shmheap_release(&heap, block), 0);
            }
        while (ring3_shmheap_root(&heap) == 0)
            sleep_ms(0);
        kill(pid, SIGKILL);
        check_killed(pid);
        const int err = ring3_shmheap_check(&heap);

        check(err == 0 || err == -ENOTRECOVERABLE, "%d", err);
        check(err != 0 || ring3_shmheap_allocate(&heap, 100) != NULL);
        check(err == 0 || ring3_shmheap_allocate(&heap, 100) == NULL);
        ring3_shm_close(&shm);
    }
}
