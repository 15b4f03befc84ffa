/* SPDX-License-Identifier: MIT */
/* Lists for RCU readers: alone, and while a writer changes them. */
#include "ring3_test.h"

#include "crew.h"
#include "ring3/rcu.h"
#include "ring3/rcu_list.h"

#include <stdlib.h>

struct item {
    ring3_list_t link;
    ring3_rcu_chain_link_t chain;
    ring3_rcu_head_t head;
    int key, poison;
};

static ring3_list_t list = RING3_LIST_INIT(list);
static ring3_rcu_chain_t buckets[4];

static void expect(const char *keys)
{
    const struct item *item;
    char seen[16];
    int length = 0;

    ring3_rcu_list_for_each_entry(item, &list, link) seen[length++] = (char)('0' + item->key);
    seen[length] = '\0';
    check_str_eq(seen, keys);
}

TEST(rculist, adds_removes_and_replaces)
{
    struct item item[5];

    for (int i = 0; i < 5; i++)
        item[i].key = i;
    expect("");
    ring3_rcu_list_add_tail(&list, &item[1].link);
    ring3_rcu_list_add_tail(&list, &item[2].link);
    ring3_rcu_list_add(&list, &item[0].link);
    expect("012");
    ring3_rcu_list_remove(&item[1].link);
    check(item[1].link.next == &item[2].link, "a reader who stands on it finds its way");
    expect("02");
    ring3_rcu_list_replace(&item[2].link, &item[3].link);
    check(item[2].link.next == &list);
    expect("03");
    ring3_rcu_list_remove(&item[3].link);
    ring3_rcu_list_remove(&item[0].link);
    expect("");
    check(ring3_list_empty(&list));
}

TEST(rculist, chains_add_and_remove_anywhere)
{
    ring3_rcu_chain_t chain = {NULL};
    struct item item[3];
    ring3_rcu_chain_link_t *cursor;
    int sum = 0;

    for (int i = 0; i < 3; i++) {
        item[i].key = 1 << i;
        ring3_rcu_chain_add(&chain, &item[i].chain);
    }
    ring3_rcu_chain_remove(&item[1].chain);
    check(item[1].chain.next == &item[0].chain);
    ring3_rcu_chain_for_each(cursor, &chain) sum +=
        ring3_container_of(cursor, struct item, chain)->key;
    check_eq(sum, 5);
    ring3_rcu_chain_remove(&item[2].chain);
    ring3_rcu_chain_remove(&item[0].chain);
    check(chain.first == NULL);
}

/* --- One writer, several readers -------------------------------------------------------------- */

enum { EVEN = 8, ALIVE = 1, DEAD = 2 };

static int stop;
static long missed, dead;

static void walk(int me)
{
    (void)me;
    while (!ring3_load(&stop, RING3_RELAXED)) {
        const struct item *item;
        ring3_rcu_chain_link_t *cursor;
        int fixed = 0, chained = 0;

        ring3_rcu_read_lock();
        ring3_rcu_list_for_each_entry(item, &list, link)
        {
            fixed += item->key % 2 == 0;
            if (item->poison != ALIVE)
                ring3_fetch_add(&dead, 1, RING3_RELAXED);
        }
        for (int i = 0; i < 4; i++)
            ring3_rcu_chain_for_each(cursor, &buckets[i])
            {
                item = ring3_container_of(cursor, struct item, chain);
                chained += item->key % 2 == 0;
                if (item->poison != ALIVE)
                    ring3_fetch_add(&dead, 1, RING3_RELAXED);
            }
        ring3_rcu_read_unlock();
        if (fixed != EVEN || chained != EVEN)
            ring3_fetch_add(&missed, 1, RING3_RELAXED);
    }
}

static void free_item(ring3_rcu_head_t *head)
{
    struct item *const item = ring3_container_of(head, struct item, head);

    item->poison = DEAD;
    free(item);
}

static struct item *new_item(int key)
{
    struct item *const item = malloc(sizeof *item);

    check(item != NULL);
    item->key = key;
    item->poison = ALIVE;
    return item;
}

static void enter_item(struct item *item)
{
    ring3_rcu_list_add_tail(&list, &item->link);
    ring3_rcu_chain_add(&buckets[item->key % 4], &item->chain);
}

static void drop_item(struct item *item)
{
    ring3_rcu_list_remove(&item->link);
    ring3_rcu_chain_remove(&item->chain);
    ring3_rcu_call(&item->head, free_item);
}

/* The even ones stay, the odd ones come and go. */
TEST(rculist, readers_meet_what_stays_and_nothing_freed, 60)
{
    pthread_t readers[2];
    struct item *odd[4] = {NULL}, *item, *ahead;

    for (int i = 0; i < EVEN; i++)
        enter_item(new_item(2 * i));
    for (int i = 0; i < 2; i++)
        readers[i] = crew_start(walk, i);
    for (long round = 0; round < scaled(20000, 1000000); round++) {
        struct item **const place = &odd[round % 4];

        if (*place)
            drop_item(*place);
        *place = new_item((int)(round % 4) * 2 + 1);
        enter_item(*place);
    }
    ring3_store(&stop, 1, RING3_RELAXED);
    for (int i = 0; i < 2; i++)
        crew_join(readers[i]);
    check_eq(missed, 0);
    check_eq(dead, 0);
    ring3_list_for_each_entry_safe (item, ahead, &list, link)
        drop_item(item);
    check_eq(ring3_rcu_barrier(), 0);
}
