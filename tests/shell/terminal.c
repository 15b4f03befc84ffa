/* SPDX-License-Identifier: MIT */
#include "terminal.h"
#include "ring3_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* Nothing the shell does takes this long, however busy the machine. */
#define HANG_SECONDS 60

/* What the editor sends when it begins to read: brackets around pastes. */
static const char reading[] = "\033[?2004h";

static void become_shell(const struct test_terminal *t, const char *term, const char *option)
{
    char home[96], type[64], program[] = "r3sh", *given = option ? strdup(option) : NULL;
    char *const argv[] = {program, given, NULL};
    char *const environment[] = {home,
                                 type,
                                 "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                                 "LC_ALL=C.UTF-8",
                                 "PS1=ready> ",
                                 "COMPLETION_MS=30000",
                                 "ASAN_OPTIONS=detect_leaks=0",
                                 NULL};

    snprintf(home, sizeof home, "HOME=%s", t->home);
    snprintf(type, sizeof type, "TERM=%s", term);
    if (chdir(t->home) != 0)
        _exit(126);
    execve(R3SH_PROGRAM, argv, environment);
    _exit(127);
}

void terminal_start(struct test_terminal *t, const char *term, const char *option)
{
    const struct winsize size = {24, 80, 0, 0};

    *t = (struct test_terminal){.home = "/tmp/r3sh-test-XXXXXX"};
    check(mkdtemp(t->home) != NULL);
    t->pid = forkpty(&t->fd, NULL, NULL, &size);
    check(t->pid >= 0);
    if (t->pid == 0)
        become_shell(t, term, option);
    fcntl(t->fd, F_SETFD, FD_CLOEXEC);
    terminal_shows(t, "ready> ");
}

void terminal_type(struct test_terminal *t, const char *keys)
{
    size_t left = strlen(keys);

    while (left) {
        const ssize_t n = write(t->fd, keys, left);

        check(n > 0, "the terminal takes no keys: %s", strerror(errno));
        keys += n;
        left -= (size_t)n;
    }
}

/* More of what it shows. false: nothing more will come. */
static bool read_more(struct test_terminal *t, double until)
{
    struct pollfd wait = {t->fd, POLLIN, 0};
    const double left = until - seconds_now();
    ssize_t n;

    if (left < 0)
        return false;
    if (t->len + 4096 > t->room) {
        t->room = t->room * 2 + 8192;
        t->text = realloc(t->text, t->room);
        check(t->text != NULL);
    }
    if (poll(&wait, 1, (int)(left * 1000) + 1) <= 0)
        return seconds_now() < until;
    n = read(t->fd, t->text + t->len, 4095);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    t->len += (size_t)n;
    t->text[t->len] = '\0';
    return true;
}

static char *find(const struct test_terminal *t, const char *text)
{
    return t->len > t->seen ? strstr(t->text + t->seen, text) : NULL;
}

bool terminal_shows_before(struct test_terminal *t, const char *text, const char *other)
{
    const double until = seconds_now() + HANG_SECONDS;

    for (;;) {
        const char *const here = find(t, text), *const there = other ? find(t, other) : NULL;

        if (here && (!there || here < there)) {
            t->seen = (size_t)(here - t->text) + strlen(text);
            return true;
        }
        if (there || !read_more(t, until))
            return false;
    }
}

bool terminal_waits(struct test_terminal *t, const char *text, double seconds)
{
    const double until = seconds_now() + seconds;

    for (;;) {
        const char *const here = find(t, text);

        if (here)
            t->seen = (size_t)(here - t->text) + strlen(text);
        if (here || !read_more(t, until))
            return here != NULL;
    }
}

void terminal_forget(struct test_terminal *t)
{
    memmove(t->text, t->text + t->seen, t->len - t->seen + 1);
    t->len -= t->seen;
    t->seen = 0;
}

void terminal_shows(struct test_terminal *t, const char *text)
{
    if (!terminal_shows_before(t, text, NULL))
        ring3_test_fail(__FILE__, __LINE__, "\"%s\" does not come. What came since:\n%s", text,
                        t->text ? t->text + t->seen : "");
}

void terminal_prompts(struct test_terminal *t)
{
    terminal_shows(t, reading);
    terminal_shows(t, "ready> ");
}

void terminal_runs(struct test_terminal *t, const char *command, const char *output)
{
    terminal_type(t, command);
    terminal_type(t, "\r");
    if (output)
        terminal_shows(t, output);
    terminal_prompts(t);
}

int terminal_ends(struct test_terminal *t)
{
    const double until = seconds_now() + HANG_SECONDS;
    pid_t ended = 0;
    int status = -1;

    /* The terminal may outlive it, where jobs are left; it must be read, or the shell could not write. */
    while (ended == 0 && seconds_now() < until) {
        read_more(t, seconds_now() + 0.01);
        ended = waitpid(t->pid, &status, WNOHANG);
    }
    check_eq(ended, t->pid, "the shell does not end; it showed:\n%s", t->text + t->seen);
    t->pid = 0;
    return status;
}

bool terminal_is_cooked(struct test_terminal *t)
{
    struct termios mode;

    check_eq(tcgetattr(t->fd, &mode), 0);
    return (mode.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG) &&
           mode.c_iflag & ICRNL;
}

void terminal_close(struct test_terminal *t)
{
    char command[128];

    if (t->pid > 0) {
        kill(t->pid, SIGKILL);
        waitpid(t->pid, NULL, 0);
    }
    close(t->fd);
    free(t->text);
    snprintf(command, sizeof command, "rm -rf %s", t->home);
    check_eq(system(command), 0);
}
