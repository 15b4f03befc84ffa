/* SPDX-License-Identifier: MIT */
/*
 * A storm of stops, continues, kills and exits on a real terminal, in a process-id namespace of its own where there is
 * one, with so few numbers that they are used again and again. Bystanders take up what numbers become free: whoever
 * signals a process that is no longer his hits one of them.
 */
#include "ring3_test.h"
#include "terminal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FEW_NUMBERS "400"
#define BYSTANDERS  64
#define JOBS_MOST   6

static struct test_terminal t;
static pid_t bystander[BYSTANDERS];
static unsigned steps;

/* Each says when it has begun, and goes on until it is ended. */
static const char *const commands[] = {
    "sh -c 'echo u\"\"p; exec sleep 1000'",
    "sh -c 'echo u\"\"p >/dev/tty; exec sleep 1000' | cat | cat",
    "{ sh -c 'echo u\"\"p; exec sleep 1000'; :; }",
    "f() { sh -c 'echo u\"\"p; exec sleep 1000' || return; }; f; :",
    "(sh -c 'echo u\"\"p; sleep 1000'; :)",
    "sh -c 'stty raw isig -echo; echo u\"\"p; exec sleep 1000'",
    "echo u\"\"p; while :; do sleep 0.01; done",
    "for i in 1 2 3; do sh -c 'echo u\"\"p; exec cat' || break; done",
};

static void press_until_prompt(const char *key)
{
    double until = seconds_now() + 60;

    /* The key may come before the job has the terminal, and is then of no effect. */
    do
        terminal_type(&t, key);
    while (!terminal_waits(&t, "\033[?2004h", 0.2) && seconds_now() < until);
    check(seconds_now() < until, "no prompt comes back in step %u; it shows:\n%s", steps,
          t.text + t.seen);
}

/* The prompt works, and nothing that was typed is left on it. */
static void synchronize(void)
{
    char command[64], wanted[64];

    steps++;
    snprintf(command, sizeof command, "\025echo s-$((%u+1))-e\r", steps);
    snprintf(wanted, sizeof wanted, "s-%u-e", steps + 1);
    terminal_type(&t, command);
    terminal_shows(&t, wanted);
    terminal_prompts(&t);
    terminal_forget(&t);
}

static void command(const char *text)
{
    terminal_type(&t, text);
    terminal_type(&t, "\r");
    terminal_prompts(&t);
}

static void start_something(void)
{
    terminal_type(&t, commands[(size_t)rand() % (sizeof commands / sizeof *commands)]);
    terminal_type(&t, "\r");
    terminal_shows(&t, "up");
    press_until_prompt(rand() % 3 ? "\032" : "\003");
}

static void continue_something(void)
{
    terminal_type(&t, "fg\r");
    terminal_shows(&t, "\033[?2004l");
    press_until_prompt(rand() % 2 ? "\032" : "\003");
}

static void end_everything(void)
{
    command("kill -KILL $(jobs -p | sed s/^/-/) 2>/dev/null");
}

/* --- What must not happen ----------------------------------------------------------------------------------- */

static void replace_bystander(void)
{
    pid_t *const one = &bystander[(size_t)rand() % BYSTANDERS];
    int status = 0;

    if (*one) {
        check_eq(waitpid(*one, &status, WNOHANG | WUNTRACED), 0, "a bystander was signalled: %x",
                 (unsigned)status);
        kill(*one, SIGUSR2);
        check_eq(waitpid(*one, &status, 0), *one);
        check(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR2, "a bystander met %x",
              (unsigned)status);
    }
    *one = fork();
    check(*one >= 0);
    if (*one == 0) {
        setpgid(0, 0);
        for (;;)
            pause();
    }
}

/* The state of a child of `parent`, or 0: it is none. */
static char child_state(const char *name, pid_t parent)
{
    char path[300], text[512], state;
    const char *end;
    FILE *file;
    size_t n;
    int ppid;

    snprintf(path, sizeof path, "/proc/%s/stat", name);
    file = fopen(path, "r");
    if (!file)
        return 0;
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    end = strrchr(text, ')');
    return end && sscanf(end + 1, " %c %d", &state, &ppid) == 2 && ppid == parent ? state : 0;
}

/* The shell reaps what ended when it is about to tell of it: at prompts. */
static void expect_no_children(void)
{
    const double until = seconds_now() + 60;
    char left[32];

    do {
        DIR *const proc = opendir("/proc");

        check(proc != NULL);
        *left = '\0';
        for (const struct dirent *d; (d = readdir(proc));)
            if (isdigit((unsigned char)*d->d_name) && child_state(d->d_name, t.pid))
                snprintf(left, sizeof left, "%.8s (%c)", d->d_name, child_state(d->d_name, t.pid));
        closedir(proc);
        if (*left)
            synchronize();
    } while (*left && seconds_now() < until);
    check_str_eq(left, "");
}

/* --- The storm -------------------------------------------------------------------------------------------------- */

static void leave_and_begin_anew(void)
{
    terminal_type(&t, "exit\r");
    if (!terminal_waits(&t, "stopped jobs", 0.2))
        terminal_type(&t, "\025exit\r");
    terminal_type(&t, "\025exit\r");
    terminal_ends(&t);
    terminal_close(&t);
    /* Orphans come to us, who are the first process here. */
    while (getpid() == 1 && waitpid(-1, NULL, WNOHANG) > 0)
        ;
    terminal_start(&t, "xterm", NULL);
}

static void blow(long cycles)
{
    int jobs = 0;

    terminal_start(&t, "xterm", NULL);
    for (long i = 0; i < cycles; i++) {
        const int what = rand() % 10;

        if (what < 4 && jobs < JOBS_MOST)
            start_something(), jobs++;
        else if (what < 6 && jobs)
            continue_something();
        else if (what == 6)
            command("bg 2>/dev/null");
        else if (what == 7)
            command("kill -KILL %% 2>/dev/null");
        else if (what == 8)
            command("kill %- 2>/dev/null; kill -CONT %+ 2>/dev/null");
        synchronize();
        replace_bystander();
        if (i % 16 == 15) {
            end_everything();
            expect_no_children();
            jobs = 0;
        }
        if (i % 100 == 99)
            leave_and_begin_anew(), jobs = 0;
    }
    end_everything();
    terminal_close(&t);
    for (int i = 0; i < BYSTANDERS; i++)
        if (bystander[i])
            kill(bystander[i], SIGKILL);
}

/* Since Linux 6.14 the highest process number is the namespace's own affair; before it is the machine's, and not ours. */
static bool numbers_are_private(void)
{
    struct utsname kernel;
    int major = 0, minor = 0;

    return uname(&kernel) == 0 && sscanf(kernel.release, "%d.%d", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 14));
}

static void use_few_numbers(void)
{
    const int fd = open("/proc/sys/kernel/pid_max", O_WRONLY);

    check(fd >= 0);
    check_eq(write(fd, FEW_NUMBERS, strlen(FEW_NUMBERS)), (ssize_t)strlen(FEW_NUMBERS));
    close(fd);
}

/* What is mounted from now on is not seen outside. In a changed root directory only /proc may be a mount. */
static bool mounts_are_private(void)
{
    return unshare(CLONE_NEWNS) == 0 &&
           (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 ||
            mount("none", "/proc", "none", MS_REC | MS_PRIVATE, NULL) == 0);
}

/* The first process of the namespace, if there can be one. */
static void blow_in_a_namespace(long cycles)
{
    pid_t first;

    if (!mounts_are_private() || unshare(CLONE_NEWPID) != 0) {
        blow(cycles); /* not for us here: what can be seen without is seen */
        return;
    }
    first = fork();
    check(first >= 0);
    if (first == 0) {
        check_eq(mount("proc", "/proc", "proc", 0, NULL), 0);
        if (numbers_are_private())
            use_few_numbers();
        blow(cycles);
        _exit(0);
    }
    check_child(first);
}

TEST(shell_storm, stands_stops_and_kills, 240)
{
    if (under_qemu())
        return;
    srand((unsigned)time(NULL));
    /* Whose namespace has ended can start nothing more, and the leak check starts something. */
    const pid_t outside = fork();

    check(outside >= 0);
    if (outside == 0) {
        blow_in_a_namespace(scaled(120, 100000));
        _exit(0);
    }
    check_child(outside);
}
