/* SPDX-License-Identifier: MIT */
/* Pathname expansion: XCU 2.14.3. */
#include "lang/glob.h"
#include "lang/buf.h"
#include "ring3_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void touch(const char *path)
{
    const int fd = open(path, O_CREAT | O_WRONLY, 0644);

    check_ge(fd, 0, "%s", path);
    close(fd);
}

/* A directory of our own, in which the test goes on. */
static char home[64];

static void leave_home(void)
{
    char command[256];

    if (chdir("/") == 0 && home[0]) {
        snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", home, home);
        if (system(command) != 0)
            fputs("cannot remove the test's directory\n", stderr);
        home[0] = '\0';
    }
}

static void enter_home(void)
{
    snprintf(home, sizeof home, "/tmp/r3sh-glob-XXXXXX");
    check(mkdtemp(home) != NULL);
    check_eq(chdir(home), 0);
    atexit(leave_home);
    touch("a");
    touch("b");
    touch("B1");
    touch(".dot");
    touch("s p");
    touch("x*y");
    mkdir("d", 0755);
    mkdir("d/e", 0755);
    mkdir("d2", 0755);
    touch("d/f1");
    touch("d/f2");
    touch("d/.h");
    touch("d/e/g");
    touch("d2/f1");
    check_eq(symlink("d", "link"), 0);
    check_eq(symlink("nowhere", "dangling"), 0);
}

/* The matches, joined by commas. */
static const char *expand(const char *pattern)
{
    static struct buf joined;
    struct glob_paths paths = {0};
    const ptrdiff_t n = glob_expand(&paths, pattern, strlen(pattern));

    check_ge(n, 0);
    buf_clear(&joined);
    for (ptrdiff_t i = 0; i < n; i++)
        buf_addf(&joined, "%s%s", i ? "," : "", paths.path[i]);
    glob_free(&paths);
    return buf_str(&joined);
}

TEST(shell_glob, finds_names_in_order)
{
    enter_home();
    check_str_eq(expand("*"), "B1,a,b,d,d2,dangling,link,s p,x*y");
    check_str_eq(expand("?"), "a,b,d");
    check_str_eq(expand("[ab]*"), "a,b");
    check_str_eq(expand("nothing*"), "");
    check_str_eq(expand("x\\**"), "x*y");
    check_str_eq(expand("\\*"), "");
    leave_home();
}

TEST(shell_glob, shows_dot_files_only_for_a_dot)
{
    enter_home();
    check_str_eq(expand(".*"), ".dot");
    check_str_eq(expand("\\.*"), ".dot");
    check_str_eq(expand("[.]*"), "");
    check_str_eq(expand("d/.*"), "d/.h");
    check_str_eq(expand("?dot"), "");
    leave_home();
}

TEST(shell_glob, walks_down_directories)
{
    char pattern[128];

    enter_home();
    check_str_eq(expand("*/f1"), "d/f1,d2/f1,link/f1");
    check_str_eq(expand("d*/*"), "d/e,d/f1,d/f2,d2/f1");
    check_str_eq(expand("*/*/g"), "d/e/g,link/e/g");
    check_str_eq(expand("./d/f*"), "./d/f1,./d/f2");
    check_str_eq(expand("d//f*"), "d//f1,d//f2");
    check_str_eq(expand("*/"), "d/,d2/,link/");
    check_str_eq(expand("d/../b*"), "d/../b");
    check_str_eq(expand("d\\/f*"), "d/f1,d/f2");
    check_str_eq(expand("[d/f]1"), "");
    snprintf(pattern, sizeof pattern, "%s/d2/*", home);
    check_contains(expand(pattern), "/d2/f1");
    leave_home();
}

TEST(shell_glob, finds_nothing_where_it_may_not_look)
{
    enter_home();
    check_eq(chmod("d", 0), 0);
    if (geteuid() != 0) {
        check_str_eq(expand("d/*"), "");
        check_str_eq(expand("*/f1"), "d2/f1");
    }
    check_eq(chmod("d", 0111), 0);
    check_str_eq(expand("*/f2"), "d/f2,link/f2");
    check_str_eq(expand("a/*"), "");
    leave_home();
}
