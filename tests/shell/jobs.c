/* SPDX-License-Identifier: MIT */
/* Job control on a real terminal: what is stopped, continued, killed; whose the terminal is, and in which modes. */
#include "ring3_test.h"
#include "terminal.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Says when it runs, and ends when it is given a line. */
#define WAITS "sh -c 'echo u\"\"p; read line; exit 7'"

static struct test_terminal t;

static void begin(void)
{
    if (under_qemu())
        exit(0);
    terminal_start(&t, "xterm", NULL);
}

/* Whether a process of the terminal's session, but not the shell, could still read what is typed. */
static bool somebody_runs(void)
{
    DIR *const proc = opendir("/proc");
    bool any = false;

    check(proc != NULL);
    for (const struct dirent *d; (d = readdir(proc));) {
        char path[300], text[512], state;
        const char *end;
        int session;
        FILE *file;
        size_t n;

        snprintf(path, sizeof path, "/proc/%s/stat", d->d_name);
        if (atoi(d->d_name) <= 0 || !(file = fopen(path, "r")))
            continue;
        n = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[n] = '\0';
        end = strrchr(text, ')');
        if (end && sscanf(end + 1, " %c %*d %*d %d", &state, &session) == 2)
            any |= session == t.pid && atoi(d->d_name) != t.pid && !strchr("TZX", state);
    }
    closedir(proc);
    return any;
}

/* The shell sees its own children stopped; what those have started stops when it gets a CPU. */
static void prompts_with_all_stopped(void)
{
    const double until = seconds_now() + 60;

    terminal_prompts(&t);
    while (somebody_runs() && seconds_now() < until)
        usleep(1000);
}

static void stop(const char *command)
{
    terminal_type(&t, command);
    terminal_type(&t, "\r");
    terminal_shows(&t, "up");
    terminal_type(&t, "\032");
    terminal_shows(&t, "Stopped (SIGTSTP)");
    prompts_with_all_stopped();
}

/* Keys are for the program only once the shell has left the terminal to it. */
static void go_on(const char *said)
{
    terminal_type(&t, "fg\r");
    terminal_shows(&t, "\033[?2004l");
    terminal_shows(&t, said);
    terminal_type(&t, "go\r");
}

TEST(shell_jobs, stops_and_continues_a_program, 120)
{
    begin();
    stop(WAITS);
    terminal_runs(&t, "echo st-$?", "st-148");
    terminal_runs(&t, "jobs", "[1] + Stopped (SIGTSTP) sh -c");
    go_on("sh -c");
    terminal_prompts(&t);
    terminal_runs(&t, "echo st-$?", "st-7");
    terminal_close(&t);
}

TEST(shell_jobs, stops_a_line_without_running_its_rest, 120)
{
    static const char *const lines[] = {
        WAITS "; echo rest-$?",
        "f() { " WAITS "; echo rest-$?; }; f",
        "for i in 1; do " WAITS "; echo rest-$?; done",
        WAITS " || echo rest-$?",
        "if ! " WAITS "; then echo rest-7; fi",
        "{ " WAITS "; echo rest-$?; } 2>&1",
        "eval '"
        "sh -c \"echo u\\\"\\\"p; read line; exit 7\""
        "; echo rest-$?'",
        "case x in x) " WAITS " | cat; echo rest-$((7+$?)); esac",
    };

    begin();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const size_t before = t.seen;

        stop(lines[i]);
        t.seen = before;
        check(!terminal_shows_before(&t, "\nrest-", "Stopped"), "line %zu", i);
        terminal_prompts(&t);
        go_on("u");
        terminal_shows(&t, "rest-7");
        terminal_prompts(&t);
        terminal_runs(&t, "jobs; echo no-jobs", "no-jobs");
    }
    terminal_close(&t);
}

/* The keyboard stops what has the terminal. Before it is given away, ^Z is lost on the shell: so, again. */
static void stop_by_key(void)
{
    do
        terminal_type(&t, "\032");
    while (!terminal_waits(&t, "Stopped (SIGTSTP)", 5));
}

/* The same for what fg has brought back, once it has the terminal. */
static void stop_what_came_back(void)
{
    while (tcgetpgrp(t.fd) == t.pid)
        usleep(1000);
    stop_by_key();
}

TEST(shell_jobs, stops_a_line_again_and_again, 120)
{
    begin();
    stop(WAITS "; " WAITS "; echo rest-$?");
    for (int i = 0; i < 3; i++) {
        terminal_type(&t, "fg\r");
        terminal_shows(&t, "\033[?2004l");
        terminal_shows(&t, "sh -c");
        stop_what_came_back();
        prompts_with_all_stopped();
    }
    go_on("sh -c");
    terminal_shows(&t, "up");
    stop_by_key();
    prompts_with_all_stopped();
    terminal_type(&t, "fg; echo later-$?\r");
    terminal_shows(&t, "\033[?2004l");
    terminal_shows(&t, "sh -c");
    stop_what_came_back();
    prompts_with_all_stopped();
    go_on("sh -c");
    terminal_shows(&t, "rest-7");
    terminal_shows(&t, "later-0");
    terminal_prompts(&t);
    terminal_close(&t);
}

TEST(shell_jobs, stops_built_ins, 120)
{
    begin();
    terminal_type(&t, "echo u\"\"p; while :; do :; done\r");
    terminal_shows(&t, "up");
    stop_by_key();
    terminal_prompts(&t);
    terminal_runs(&t, "jobs", "while :; do :; done");
    terminal_runs(&t, "bg; jobs -r", "Running");
    terminal_type(&t, "fg\r");
    terminal_shows(&t, "\033[?2004l");
    terminal_shows(&t, "while");
    terminal_type(&t, "\003");
    terminal_prompts(&t);
    terminal_runs(&t, "echo st-$?", "st-130");
    terminal_close(&t);
}

TEST(shell_jobs, interrupts_the_rest_of_a_line_with_it, 120)
{
    begin();
    stop(WAITS "; echo not\"\"-run");
    terminal_type(&t, "fg\r");
    terminal_shows(&t, "\033[?2004l");
    terminal_shows(&t, "sh -c");
    terminal_type(&t, "\003");
    check(!terminal_shows_before(&t, "not-run", "\033[?2004h"));
    terminal_runs(&t, "echo st-$?", "st-130");
    terminal_close(&t);
}

TEST(shell_jobs, does_not_stop_in_a_substitution, 120)
{
    begin();
    terminal_type(&t, "echo st-$(sh -c 'echo u\"\"p >/dev/tty; read line; echo $line')\r");
    terminal_shows(&t, "up");
    terminal_type(&t, "\032"); /* which empties the queue of keys: what follows must wait for it */
    terminal_shows(&t, "^Z");
    terminal_type(&t, "go\r");
    terminal_shows(&t, "st-go");
    terminal_prompts(&t);
    terminal_close(&t);
}

TEST(shell_jobs, waits_for_a_program_that_ignores_stops, 120)
{
    begin();
    terminal_type(&t, "sh -c 'trap \"\" TSTP; echo u\"\"p; read line; echo $line-$line; exit 9'\r");
    terminal_shows(&t, "up");
    terminal_type(&t, "\032");
    terminal_shows(&t, "^Z");
    terminal_type(&t, "go\r");
    terminal_shows(&t, "go-go");
    terminal_prompts(&t);
    terminal_runs(&t, "echo st-$?", "st-9");
    terminal_close(&t);
}

/* As ssh does: all keys are its own, and after a ~ it gives the terminal back and stops itself. */
static void write_raw_program(void)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof path, "%s/remote", t.home);
    file = fopen(path, "w");
    check(file != NULL);
    fputs("saved=$(stty -g)\n"
          "raw() { stty raw -echo; printf '%s\\r\\n' \"$1\"; }\n"
          "raw up\n"
          "while key=$(dd bs=1 count=1 2>/dev/null | od -An -tu1); do\n"
          "    key=$((key))\n"
          "    case $key in\n"
          "    126) stty \"$saved\"; kill -TSTP $$; raw again ;;\n"
          "    113) break ;;\n"
          "    *) printf 'sent-%d\\r\\n' $key ;;\n"
          "    esac\n"
          "done\n"
          "stty \"$saved\"\n"
          "exit 5\n",
          file);
    check_eq(fclose(file), 0);
}

TEST(shell_jobs, leaves_all_keys_to_a_raw_program, 120)
{
    begin();
    write_raw_program();
    terminal_type(&t, "sh ./remote\r");
    terminal_shows(&t, "up");
    for (int round = 0; round < 3; round++) {
        check(!terminal_is_cooked(&t));
        terminal_type(&t, "\003");
        terminal_shows(&t, "sent-3");
        terminal_type(&t, "\032");
        terminal_shows(&t, "sent-26");
        terminal_type(&t, "~");
        terminal_shows(&t, "Stopped (SIGTSTP)");
        terminal_prompts(&t);
        terminal_runs(&t, "echo between-$?", "between-148");
        terminal_type(&t, "fg\r");
        terminal_shows(&t, "again");
    }
    terminal_type(&t, "q");
    terminal_prompts(&t);
    terminal_runs(&t, "echo st-$?", "st-5");
    terminal_type(&t, WAITS "\r");
    terminal_shows(&t, "up");
    check(terminal_is_cooked(&t));
    terminal_type(&t, "\r");
    terminal_prompts(&t);
    terminal_close(&t);
}

TEST(shell_jobs, restores_modes_however_a_program_ends, 120)
{
    static const char *const wreckers[] = {
        "sh -c 'stty raw -echo; kill -9 $$'", "sh -c 'stty raw -echo; kill -SEGV $$'",
        "sh -c 'stty raw -echo; exit 1'", "sh -c 'stty raw -echo; kill -STOP $$'",
        "sh -c 'stty raw -echo; kill -TSTP $$'"};

    begin();
    for (size_t i = 0; i < sizeof wreckers / sizeof *wreckers; i++) {
        terminal_runs(&t, wreckers[i], NULL);
        terminal_type(&t, WAITS "\r");
        terminal_shows(&t, "up");
        check(terminal_is_cooked(&t), "after %s", wreckers[i]);
        terminal_type(&t, "\r");
        terminal_prompts(&t);
    }
    /* A stopped one has its modes back when it goes on. */
    terminal_type(&t, "sh -c 'stty raw -echo; kill -STOP $$; echo u\"\"p; read line; stty sane'\r");
    terminal_shows(&t, "Stopped (SIGSTOP)");
    terminal_prompts(&t);
    terminal_type(&t, "fg\r");
    terminal_shows(&t, "up");
    check(!terminal_is_cooked(&t));
    terminal_type(&t, "\n");
    terminal_prompts(&t);
    terminal_close(&t);
}

TEST(shell_jobs, tells_all_about_processes, 120)
{
    begin();
    terminal_runs(&t, "cat &", "[1]");
    terminal_runs(&t, "until jobs -s | grep -q SIGTTIN; do :; done; jobs -v",
                  "stopped wants terminal input (SIGTTIN)");
    terminal_runs(&t, "sleep 1000 | sleep 1001 &", "[2]");
    terminal_runs(&t, "jobs -l %2", "Running");
    terminal_runs(&t, "kill -STOP %2; until jobs -s | grep -q SIGSTOP; do :; done; jobs -v %2",
                  "stopped by a signal (SIGSTOP)");
    terminal_runs(&t, "kill -9 %2; wait %2; kill %1; wait %1; jobs; echo none", "none");
    terminal_runs(&t, "sh -c 'exit 3' & wait -t 30 %1; echo st-$?", "st-3");
    terminal_runs(&t, "sleep 1000 & wait -t 0.05 %1; echo st-$?", "st-124");
    terminal_runs(&t, "jobs -p %1 | grep -qx $! && echo lea\"\"der", "leader");
    terminal_runs(&t, "jobs -n; echo only-$(jobs -n | wc -l)", "only-0");
    terminal_runs(&t, "kill %1", NULL);
    terminal_close(&t);
}

TEST(shell_jobs, warns_once_of_stopped_jobs_at_its_end, 120)
{
    begin();
    stop(WAITS);
    terminal_runs(&t, "exit", "there are stopped jobs");
    terminal_runs(&t, "echo still", "still");
    terminal_type(&t, "\004");
    terminal_shows(&t, "there are stopped jobs");
    terminal_prompts(&t);
    terminal_type(&t, "exit 5\r");
    check_eq(WEXITSTATUS(terminal_ends(&t)), 5);
    terminal_close(&t);
}

/* In the background; writes what it was told to when it is hung up. */
#define LISTENS(word)                                                                              \
    "sh -c 'trap \"echo " word " >>heard; exit\" HUP; echo u\"\"p; while :; do sleep 0.05; done' " \
    "&"

TEST(shell_jobs, hangs_up_its_jobs_but_those_let_go, 120)
{
    char file[128], text[64] = "";
    FILE *in;

    begin();
    terminal_type(&t, LISTENS("bye") "\r");
    terminal_shows(&t, "up");
    terminal_type(&t, LISTENS("bad") "\r");
    terminal_shows(&t, "up");
    terminal_runs(&t, "echo $! >other; disown; echo d\"\"one", "done");
    terminal_type(&t, "kill -HUP $$\r");
    check_eq(WTERMSIG(terminal_ends(&t)), SIGHUP);
    snprintf(file, sizeof file, "%s/heard", t.home);
    for (double until = seconds_now() + 60; !*text && seconds_now() < until; usleep(1000)) {
        in = fopen(file, "r");
        if (in && !fgets(text, sizeof text, in))
            *text = '\0';
        if (in)
            fclose(in);
    }
    check_str_eq(text, "bye\n");
    snprintf(file, sizeof file, "kill -9 $(cat %s/other)", t.home);
    check_eq(system(file), 0);
    terminal_close(&t);
}
