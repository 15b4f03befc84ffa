/* SPDX-License-Identifier: MIT */
/* The default size: affinity within the quota of cgroups. */
#include "ring3_test.h"

#include "ring3/pool.h"

#include "size.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char *root, const char *file, const char *text)
{
    char name[256];

    (void)snprintf(name, sizeof name, "%s%s", root, file);
    FILE *const stream = fopen(name, "we");

    check(stream != NULL, "%s", name);
    check(fputs(text, stream) >= 0);
    check_eq(fclose(stream), 0);
}

static void make_directory(const char *root, const char *directory)
{
    char name[256];

    (void)snprintf(name, sizeof name, "%s%s", root, directory);
    check_eq(mkdir(name, 0700), 0);
}

static void remove_one(const char *root, const char *file)
{
    char name[256];

    (void)snprintf(name, sizeof name, "%s%s", root, file);
    check_eq(remove(name), 0);
}

TEST(size, the_smallest_quota_on_the_way_up_counts)
{
    char root[] = "/tmp/ring3-quota-XXXXXX";

    check(mkdtemp(root) != NULL);
    check_eq(size_quota(root, "/"), 0, "no hierarchy");
    make_directory(root, "/a");
    make_directory(root, "/a/b");
    put(root, "/a/b/cpu.max", "max 100000\n");
    check_eq(size_quota(root, "/a/b"), 0, "no limit");
    put(root, "/a/cpu.max", "150000 100000\n");
    check_eq(size_quota(root, "/a/b"), 2, "one and a half, rounded up");
    put(root, "/a/b/cpu.max", "300000 100000\n");
    check_eq(size_quota(root, "/a/b"), 2);
    put(root, "/cpu.max", "20000 100000\n");
    check_eq(size_quota(root, "/a/b"), 1);
    check_eq(size_quota(root, "/"), 1);
    put(root, "/cpu.max", "nonsense\n");
    check_eq(size_quota(root, "/"), 0);
    remove_one(root, "/cpu.max");
    remove_one(root, "/a/cpu.max");
    remove_one(root, "/a/b/cpu.max");
    remove_one(root, "/a/b");
    remove_one(root, "/a");
    remove_one(root, "");
}

TEST(size, default_follows_the_affinity)
{
    cpu_set_t mask, one;

    check_eq(sched_getaffinity(0, sizeof mask, &mask), 0);
    check_ge(ring3_pool_default_size(), 1);
    check_le(ring3_pool_default_size(), (unsigned)CPU_COUNT(&mask));
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &mask))
            CPU_SET(cpu, &one);
    check_eq(sched_setaffinity(0, sizeof one, &one), 0);
    check_eq(ring3_pool_default_size(), 1);
}
