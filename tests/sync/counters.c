/* SPDX-License-Identifier: MIT */
/* The table of counters, as this process fills it and as another one would read it. */
#include "ring3_test.h"

#include "crew.h"
#include "ring3/counters.h"

#include <stdio.h>
#include <string.h>

static const ring3_counter_t *entry(const char *name)
{
    for (uint32_t i = 0; i < ring3_counters_v1.count; i++)
        if (strcmp(ring3_counters_v1.entry[i].name, name) == 0)
            return &ring3_counters_v1.entry[i];
    return NULL;
}

TEST(counters, one_name_is_one_counter)
{
    uint64_t *const value = ring3_counter("test.one", RING3_COUNTER_COUNT);

    ring3_counter_add(value, 3);
    check(ring3_counter("test.one", RING3_COUNTER_COUNT) == value);
    check(ring3_counter("test.on", RING3_COUNTER_COUNT) != value);
    check(entry("test.one"), "test.one is not in the table");
    check_eq(entry("test.one")->value, 3u);
    check_eq(entry("test.one")->kind, (uint32_t)RING3_COUNTER_COUNT);
    check(memcmp(ring3_counters_v1.magic, "ring3ctr", 8) == 0);
}

TEST(counters, a_table_says_where_it_is)
{
    static const uint16_t rows[3] = {1, 2, 3};

    ring3_counter_table("test.rows", rows, 3, sizeof rows[0]);
    check_eq(entry("test.rows")->rows, 3u);
    check_eq(entry("test.rows")->row_size, 2u);
    check(entry("test.rows")->value == (uint64_t)(uintptr_t)rows);
    ring3_counter_table("test.rows", rows + 1, 2, sizeof rows[0]);
    check_eq(entry("test.rows")->rows, 2u, "a second call replaces the first");
}

TEST(counters, long_names_are_cut)
{
    const char *const name = "test.a_name_of_more_than_forty_characters_in_all";
    uint64_t *const value = ring3_counter(name, RING3_COUNTER_LEVEL);

    check(value == ring3_counter(name, RING3_COUNTER_LEVEL));
    check(entry("test.a_name_of_more_than_forty_characte"), "the cut name is not in the table");
}

TEST(counters, a_full_table_takes_no_more_and_harms_nobody)
{
    char name[16];
    uint64_t *first, *last = NULL;

    first = ring3_counter("test.0", RING3_COUNTER_COUNT);
    for (int i = 1; i < 2 * RING3_COUNTERS_MAX; i++) {
        snprintf(name, sizeof name, "test.%d", i);
        last = ring3_counter(name, RING3_COUNTER_COUNT);
        ring3_counter_add(last, 1);
    }
    check_eq(ring3_counters_v1.count, (uint32_t)RING3_COUNTERS_MAX);
    check(last < (uint64_t *)&ring3_counters_v1 || last >= (uint64_t *)(&ring3_counters_v1 + 1));
    check_eq(*first, 0u);
}

static void count(int me)
{
    char name[16];

    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "crew.%d", (i + me) % 10);
        ring3_counter_add(ring3_counter(name, RING3_COUNTER_COUNT), 1);
    }
}

TEST(counters, threads_agree_on_a_name)
{
    char name[16];

    crew_run(4, count);
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "crew.%d", i);
        check_eq(*ring3_counter(name, RING3_COUNTER_COUNT), 400u);
    }
}
