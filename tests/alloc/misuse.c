/* SPDX-License-Identifier: MIT */
/* One child per misuse: it must end by SIGABRT after one line that names the call, the address and
 * what is wrong. */
#include "policies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char *block; /* of 100 bytes, allocated before the child starts */

/* Runs `body` in a child, and compares what it said with `call`(`p`) and `why`. */
static void ends(void (*body)(void), const char *call, const void *p, const char *why)
{
    char text[1024], expected[256];
    const int status = run_in_child(body, text, sizeof text);

    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s for \"%s\": status %x, \"%s\"",
          call, why, status, text);
    snprintf(expected, sizeof expected, "ring3 malloc: %s(%p): ", call, p);
    check_contains(text, expected);
    check_contains(text, why);
    check_eq(strchr(text, '\n') - text, (long)strlen(text) - 1, "one line: %s", text);
}

static void free_twice(void)
{
    ring3_free(block);
    ring3_free(block);
}

static void free_inside(void)
{
    ring3_free(block + 32);
}

static void free_misaligned(void)
{
    ring3_free(block + 1);
}

static int on_no_heap;

static void free_foreign(void)
{
    ring3_free(&on_no_heap);
}

static void free_never_returned(void)
{
    ring3_free(block + 4096);
}

static void realloc_freed(void)
{
    ring3_free(block);
    ring3_free(ring3_realloc(block, 1000));
}

static void realloc_inside(void)
{
    ring3_free(ring3_realloc(block + 16, 1000));
}

static void realloc_foreign(void)
{
    ring3_free(ring3_realloc(&on_no_heap, 1000));
}

static void realloc_foreign_to_nothing(void)
{
    ring3_free(ring3_realloc(&on_no_heap, 0));
}

static void realloc_inside_to_too_much(void)
{
    ring3_free(ring3_realloc(block + 16, SIZE_MAX));
}

static void reallocarray_foreign(void)
{
    ring3_free(ring3_reallocarray(&on_no_heap, 10, 10));
}

static void usable_freed(void)
{
    ring3_free(block);
    on_no_heap += (int)ring3_malloc_usable_size(block);
}

static void usable_foreign(void)
{
    on_no_heap += (int)ring3_malloc_usable_size(&on_no_heap);
}

static void free_with_a_larger_size(void)
{
    ring3_free_sized(block, 5000);
}

static void free_aligned_with_a_larger_size(void)
{
    ring3_free_aligned_sized(block, 16, 5000);
}

static void free_sized_foreign(void)
{
    ring3_free_sized(&on_no_heap, 4);
}

static void free_twice_with_others_between(void)
{
    char *const others[] = {ring3_malloc(100), ring3_malloc(100), ring3_malloc(3000)};

    ring3_free(others[0]);
    ring3_free(block);
    ring3_free(others[2]);
    ring3_free(others[1]);
    ring3_free(block);
}

static void free_after_fill(void)
{
    ring3_free(block);
    memset(block, 'A', 16); /* as if still in use */
    ring3_free(block);
    ring3_malloc_trim(); /* policy=slab has its mark in the block, and notices only now */
}

TEST_POLICIES(misuse, is_named_and_ends_the_program, 60)
{
    char inside[100];

    block = ring3_malloc(100);
    snprintf(inside, sizeof inside, "inside the block of %zu bytes at %p, not its start",
             ring3_malloc_usable_size(block), (void *)block);

    ends(free_twice, "free", block, "freed already");
    ends(free_inside, "free", block + 32, inside);
    ends(free_misaligned, "free", block + 1, inside);
    ends(free_foreign, "free", &on_no_heap, "not a pointer of this heap");
    ends(free_never_returned, "free", block + 4096, "never returned by malloc");
    ends(realloc_inside, "realloc", block + 16, inside);
    ends(realloc_foreign, "realloc", &on_no_heap, "not a pointer of this heap");
    ends(realloc_foreign_to_nothing, "realloc", &on_no_heap, "not a pointer of this heap");
    ends(realloc_inside_to_too_much, "realloc", block + 16, inside);
    ends(reallocarray_foreign, "reallocarray", &on_no_heap, "not a pointer of this heap");
    ends(usable_foreign, "malloc_usable_size", &on_no_heap, "not a pointer of this heap");
    ends(free_with_a_larger_size, "free_sized", block, "the caller says 5000");
    ends(free_aligned_with_a_larger_size, "free_aligned_sized", block, "the caller says 5000");
    ends(free_sized_foreign, "free_sized", &on_no_heap, "not a pointer of this heap");
    ends(free_after_fill, "free", block, "freed already");
    if (caches_blocks())
        return;
    ends(realloc_freed, "realloc", block, "freed already");
    ends(usable_freed, "malloc_usable_size", block, "freed already");
    ends(free_twice_with_others_between, "free", block, "freed already");
}

static void overflow(void)
{
    char *const next = ring3_malloc(100);

    memset(block, 'A', ring3_malloc_usable_size(block) + 8);
    ring3_free(block);
    ring3_free(next);
}

static void boundary_tags_are_guarded(const char *policy)
{
    check_eq(ring3_malloc_choose(policy), 0);
    block = ring3_malloc(100);
    ends(overflow, "free", block, "overwritten");
}

TEST(misuse, of_a_neighbours_tag_is_noticed_first_fit)
{
    boundary_tags_are_guarded("first-fit");
}

TEST(misuse, of_a_neighbours_tag_is_noticed_best_fit)
{
    boundary_tags_are_guarded("best-fit");
}
