/* SPDX-License-Identifier: MIT */
/* Built-ins that need no interpreter: what they print and how they end. */
#include "builtins/builtin.h"
#include "builtins/getopts.h"
#include "ring3_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS 12

static struct out out, err;
static struct builtin_io io = {.out = &out, .err = &err};
typedef int builtin(struct builtin_io *, int, char **);

/* Runs a built-in; its output is in `out` until the next one. */
static int run(builtin *what, char *const *args)
{
    char *argv[ARGS + 1] = {0};
    int argc = 0;

    for (; argc < ARGS && args[argc]; argc++)
        argv[argc] = args[argc];
    out_free(&out);
    out_free(&err);
    out_init(&out, OUT_MEMORY);
    out_init(&err, OUT_MEMORY);
    return what(&io, argc, argv);
}
#define RUN(what, ...) run(what, (char *const[]){__VA_ARGS__, NULL})

struct row {
    char *args[ARGS];
    int status;
    const char *printed;
};

static void check_rows(builtin *what, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_eq(run(what, rows[i].args), rows[i].status, "row %zu: %s", i, buf_str(&err.text));
        check_str_eq(buf_str(&out.text), rows[i].printed);
        check_eq(rows[i].status != 0, err.text.len != 0, "row %zu: %s", i, buf_str(&err.text));
    }
}
#define CHECK_ROWS(what, rows) check_rows(what, rows, sizeof(rows) / sizeof *(rows))

TEST(shell_printf, formats_as_posix_says)
{
    static const struct row rows[] = {
        {{"printf", "hello\\n"}, 0, "hello\n"},
        {{"printf", "%s,", "a", "b", "c"}, 0, "a,b,c,"},
        {{"printf", "%s-%s.", "a", "b", "c"}, 0, "a-b.c-."},
        {{"printf", "x"}, 0, "x"},
        {{"printf", "x", "unused"}, 0, "x"},
        {{"printf", "%d %d %d %d", "12", "-3", "0x1f", "010"}, 0, "12 -3 31 8"},
        {{"printf", "%u %o %x %X", "7", "8", "255", "255"}, 0, "7 10 ff FF"},
        {{"printf", "%5d|%-5d|%05d|%+d|% d", "1", "2", "3", "4", "5"},
         0,
         "    1|2    |00003|+4| 5"},
        {{"printf", "%.3d|%#x|%#o", "5", "255", "8"}, 0, "005|0xff|010"},
        {{"printf", "%*d|%-*d|%.*s", "4", "1", "4", "2", "2", "abc"}, 0, "   1|2   |ab"},
        {{"printf", "%d %d", "'a", "\"b"}, 0, "97 98"},
        {{"printf", "%.2f %e %g", "1.5", "10", "0.5"}, 0, "1.50 1.000000e+01 0.5"},
        {{"printf", "%c%c", "abc", "d"}, 0, "ad"},
        {{"printf", "%5s|%-5s|%.1s|", "ab", "ab", "ab"}, 0, "   ab|ab   |a|"},
        {{"printf", "%b", "a\\tb\\0101\\n"}, 0, "a\tbA\n"},
        {{"printf", "%b%s", "a\\cb", "never"}, 0, "a"},
        {{"printf", "%%|\\\\|\\101|\\x"}, 0, "%|\\|A|\\x"},
        {{"printf", "%2$s %1$s\\n", "a", "b", "c", "d"}, 0, "b a\nd c\n"},
        {{"printf", "%1$s%1$s", "x"}, 0, "xx"},
        {{"printf", "%2$*1$d|", "4", "7"}, 0, "   7|"},
        {{"printf", "--", "x"}, 0, "x"},
        {{"printf", "--", "-%s", "x"}, 0, "-x"},
        {{"printf", "%q", "a b"}, 0, "'a b'"},
        {{"printf", "%d|", ""}, 1, "0|"},
        {{"printf", "%d|", "12abc"}, 1, "12|"},
        {{"printf", "%d", "99999999999999999999"}, 1, "9223372036854775807"},
        {{"printf", "%d|%s|"}, 0, "0||"},
        {{"printf", "a%zb"}, 1, "a"},
        {{"printf", "a%"}, 1, "a"},
        {{"printf", NULL}, 2, ""},
    };

    CHECK_ROWS(builtin_printf, rows);
}

TEST(shell_echo, expands_as_xsi_says)
{
    static const struct row rows[] = {
        {{"echo"}, 0, "\n"},
        {{"echo", "a", "b"}, 0, "a b\n"},
        {{"echo", "a\\tb\\n"}, 0, "a\tb\n\n"},
        {{"echo", "a\\c", "b"}, 0, "a"},
        {{"echo", "\\0101\\\\"}, 0, "A\\\n"},
        {{"echo", "-e", "x"}, 0, "-e x\n"},
        {{"echo", "-n", "x"}, 0, "x"},
        {{"echo", "a\\"}, 0, "a\\\n"},
    };

    CHECK_ROWS(builtin_echo, rows);
}

static void check_test(int status, char *const *args)
{
    char *argv[ARGS] = {"test"};

    for (int i = 0; args[i]; i++)
        argv[i + 1] = args[i];
    check_eq(run(builtin_test, argv), status, "test %s %s %s %s: %s", argv[1] ? argv[1] : "",
             argv[2] ? argv[2] : "", argv[2] && argv[3] ? argv[3] : "",
             argv[2] && argv[3] && argv[4] ? argv[4] : "", buf_str(&err.text));
    check_eq(err.text.len != 0, status == 2);
}
#define IS(status, ...) check_test(status, (char *const[]){__VA_ARGS__, NULL})

TEST(shell_test, counts_its_operands)
{
    IS(1, NULL);
    IS(0, "x");
    IS(1, "");
    IS(0, "-n");
    IS(0, "!");
    IS(1, "!", "x");
    IS(0, "!", "");
    IS(0, "-n", "x");
    IS(1, "-z", "x");
    IS(2, "-y", "x");
    IS(0, "a", "=", "a");
    IS(1, "a", "!=", "a");
    IS(0, "!", "=", "!");
    IS(0, "-n", "=", "-n");
    IS(0, "(", "=", "(");
    IS(0, "(", "x", ")");
    IS(1, "(", "", ")");
    IS(1, "!", "-n", "x");
    IS(0, "a", "-a", "b");
    IS(1, "", "-o", "");
    IS(2, "a", "b", "c");
    IS(1, "!", "a", "=", "a");
    IS(0, "(", "-n", "x", ")");
    IS(0, "-n", "x", "-a", "-n", "y");
    IS(1, "-n", "x", "-a", "-z", "y");
    IS(0, "-z", "x", "-o", "a", "=", "a");
    IS(0, "(", "a", "=", "a", ")", "-a", "!", "-z", "q");
    IS(2, "a", "=", "a", "b", "c");
    IS(0, "a", "<", "b");
    IS(1, "a", ">", "b");
}

TEST(shell_test, compares_integers)
{
    IS(0, "1", "-eq", "01");
    IS(0, "-1", "-lt", "0");
    IS(0, " 3 ", "-ge", "3");
    IS(1, "3", "-ne", "3");
    IS(0, "9223372036854775807", "-gt", "9223372036854775806");
    IS(2, "1x", "-eq", "1");
    IS(2, "", "-eq", "0");
    IS(2, "99999999999999999999", "-eq", "0");
}

TEST(shell_test, looks_at_files)
{
    char dir[] = "/tmp/r3sh-test-XXXXXX";
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    check(mkdtemp(dir) != NULL);
    check_eq(chdir(dir), 0);
    close(open("old", O_CREAT | O_WRONLY, 0600));
    close(open("new", O_CREAT | O_WRONLY, 0600));
    utimensat(AT_FDCWD, "old", old, 0);
    check_eq(symlink("old", "link"), 0);
    check_eq(mkfifo("fifo", 0600), 0);
    IS(0, "-e", "old");
    IS(0, "-f", "link");
    IS(0, "-L", "link");
    IS(1, "-h", "old");
    IS(0, "-d", ".");
    IS(0, "-p", "fifo");
    IS(1, "-s", "old");
    IS(1, "-x", "old");
    IS(0, "-r", "old");
    IS(0, "-c", "/dev/null");
    IS(1, "-e", "none");
    IS(0, "new", "-nt", "old");
    IS(1, "old", "-nt", "new");
    IS(0, "old", "-ot", "new");
    IS(0, "old", "-nt", "none");
    IS(0, "none", "-ot", "old");
    IS(0, "old", "-ef", "link");
    IS(1, "old", "-ef", "new");
    IS(1, "-t", "99");
    IS(2, "-t", "x");
    check_eq(unlink("old") | unlink("new") | unlink("link") | unlink("fifo") | chdir("/") |
                 rmdir(dir),
             0);
}

TEST(shell_test, wants_its_bracket_closed)
{
    check_eq(RUN(builtin_test, "[", "a", "]"), 0);
    check_eq(RUN(builtin_test, "[", "]"), 1);
    check_eq(RUN(builtin_test, "[", "a"), 2);
    check_eq(RUN(builtin_test, "["), 2);
}

TEST(shell_umask, reads_and_prints_both_forms)
{
    static const struct {
        char *mode;
        mode_t before, after;
    } rows[] = {
        {"022", 0, 022},        {"u=rwx,g=rx,o=", 0, 027}, {"g-w", 0, 020},     {"+x", 0111, 0},
        {"o+r-w", 0777, 0773},  {"a=", 0, 0777},           {"g=u", 0077, 0007}, {"-w", 0, 0222},
        {"u=,g+w", 0022, 0702}, {"=rx", 0, 0222},          {"0", 0777, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        umask(rows[i].before);
        check_eq(RUN(builtin_umask, "umask", rows[i].mode), 0, "%s", rows[i].mode);
        check_eq(umask(0), rows[i].after, "%s", rows[i].mode);
    }
    umask(027);
    check_eq(RUN(builtin_umask, "umask"), 0);
    check_str_eq(out.text.data, "0027\n");
    check_eq(RUN(builtin_umask, "umask", "-S"), 0);
    check_str_eq(out.text.data, "u=rwx,g=rx,o=\n");
    check_eq(RUN(builtin_umask, "umask", "088"), 1);
    check_eq(RUN(builtin_umask, "umask", "u~x"), 1);
    check_eq(RUN(builtin_umask, "umask", "-Z"), 2);
}

TEST(shell_ulimit, sets_what_it_prints)
{
    struct rlimit files;

    check_eq(RUN(builtin_ulimit, "ulimit", "-S", "-n", "100"), 0);
    getrlimit(RLIMIT_NOFILE, &files);
    check_eq(files.rlim_cur, 100u);
    check_gt(files.rlim_max, 100u);
    check_eq(RUN(builtin_ulimit, "ulimit", "-n"), 0);
    check_str_eq(out.text.data, "100\n");
    check_eq(RUN(builtin_ulimit, "ulimit", "-f", "1000"), 0);
    getrlimit(RLIMIT_FSIZE, &files);
    check_eq(files.rlim_cur, 512000u);
    check_eq(files.rlim_max, 512000u);
    check_eq(RUN(builtin_ulimit, "ulimit"), 0);
    check_str_eq(out.text.data, "1000\n");
    check_eq(RUN(builtin_ulimit, "ulimit", "-a"), 0);
    check_contains(out.text.data, "-n: open files");
    check_eq(RUN(builtin_ulimit, "ulimit", "-n", "many"), 1);
    check_eq(RUN(builtin_ulimit, "ulimit", "-?"), 2);
    check_eq(RUN(builtin_ulimit, "ulimit", "-n", "1", "2"), 2);
}

TEST(shell_kill, lists_and_sends_signals)
{
    char pid[16];
    int status;
    pid_t child;

    check_eq(RUN(builtin_kill, "kill", "-l", "9"), 0);
    check_str_eq(out.text.data, "KILL\n");
    check_eq(RUN(builtin_kill, "kill", "-l", "130", "TERM"), 0);
    check_str_eq(out.text.data, "INT\n15\n");
    check_eq(RUN(builtin_kill, "kill", "-l"), 0);
    check_contains(out.text.data, "HUP\nINT\nQUIT\n");
    check_eq(RUN(builtin_kill, "kill", "-l", "300"), 1);
    check_eq(RUN(builtin_kill, "kill", "-s", "NOSUCH", "1"), 1);
    check_eq(RUN(builtin_kill, "kill", "abc"), 1);
    check_eq(RUN(builtin_kill, "kill", "%1"), 1);
    check_eq(RUN(builtin_kill, "kill"), 2);
    for (int i = 0; i < 4; i++) {
        static char *const ways[][3] = {
            {"-s", "usr1", NULL}, {"-SIGUSR1", NULL}, {"-10", NULL}, {"-sUSR1", NULL}};

        child = fork();
        if (child == 0) {
            for (;;)
                pause();
        }
        snprintf(pid, sizeof pid, "%d", (int)child);
        if (ways[i][1])
            check_eq(RUN(builtin_kill, "kill", ways[i][0], ways[i][1], pid), 0);
        else
            check_eq(RUN(builtin_kill, "kill", ways[i][0], "--", pid), 0);
        check_eq(waitpid(child, &status, 0), child);
        check(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
    }
    check_eq(RUN(builtin_kill, "kill", pid), 1);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    check_eq(RUN(builtin_kill, "kill", "-0", pid), 0);
}

TEST(shell_times, prints_two_lines_of_two_times)
{
    unsigned m, s, us;
    char last;

    check_eq(RUN(builtin_times, "times"), 0);
    check_eq(sscanf(out.text.data, "%um%u.%us %*um%*u.%*us %*um%*u.%*us %*um%*u.%*us%c", &m, &s,
                    &us, &last),
             4);
    check_eq(last, '\n');
}

TEST(shell_getopts, walks_over_groups_and_values)
{
    char *const args[] = {"-ab", "-cvalue", "-c", "next", "-x", "--", "-a"};
    struct getopts g = {1, 0};
    struct getopts_option found;

    check_eq(getopts_step(&g, "abc:", 7, args, &found), GETOPTS_OPTION);
    check_eq(found.letter, 'a');
    check_eq(g.index, 1);
    check_eq(getopts_step(&g, "abc:", 7, args, &found), GETOPTS_OPTION);
    check_eq(found.letter, 'b');
    check_eq(g.index, 2);
    check_eq(getopts_step(&g, "abc:", 7, args, &found), GETOPTS_OPTION);
    check_str_eq(found.value, "value");
    check_eq(getopts_step(&g, "abc:", 7, args, &found), GETOPTS_OPTION);
    check_str_eq(found.value, "next");
    check_eq(getopts_step(&g, "abc:", 7, args, &found), GETOPTS_UNKNOWN);
    check_eq(found.letter, 'x');
    check_eq(getopts_step(&g, "abc:", 7, args, &found), GETOPTS_END);
    check_eq(g.index, 7);
    g = (struct getopts){3, 0};
    check_eq(getopts_step(&g, ":c:", 3, args, &found), GETOPTS_MISSING);
    check_eq(found.letter, 'c');
    check_eq(g.index, 4);
}
