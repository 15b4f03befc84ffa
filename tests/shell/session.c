/* SPDX-License-Identifier: MIT */
/* What a session tells its terminal, and what it does with an end of file, a slow completion, a pasted text. */
#include "ring3_test.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static struct test_terminal t;

static void begin(void)
{
    if (under_qemu())
        exit(0);
    terminal_start(&t, "xterm", NULL);
}

TEST(shell_session, marks_prompts_commands_and_places, 120)
{
    begin();
    check(strstr(t.text, "\033]7;file://") != NULL);
    check(strstr(t.text, "\033]0;") != NULL);
    check(strstr(t.text, "\033]133;A\a") != NULL);
    terminal_type(&t, "mkdir 'a b'; cd 'a b'; (exit 3)\r");
    terminal_shows(&t, "\033]133;C\a");
    terminal_shows(&t, "\033]133;D;3\a");
    terminal_shows(&t, "/a%20b\a");
    terminal_shows(&t, "\033]0;");
    terminal_shows(&t, "a b\a");
    terminal_shows(&t, "\033]133;A\a");
    terminal_close(&t);
}

TEST(shell_session, sends_no_marks_to_a_dumb_terminal, 120)
{
    if (under_qemu())
        exit(0);
    terminal_start(&t, "dumb", NULL);
    terminal_type(&t, "echo pl\"\"ain\r");
    terminal_shows(&t, "plain");
    terminal_shows(&t, "ready> ");
    check(strchr(t.text, '\033') == NULL, "an escape sequence: %s", t.text);
    terminal_close(&t);
}

TEST(shell_session, ends_at_the_end_of_file_unless_told_otherwise, 120)
{
    int status;

    begin();
    terminal_runs(&t, "set -o ignoreeof", NULL);
    terminal_type(&t, "\004");
    terminal_shows(&t, "exit");
    terminal_prompts(&t);
    terminal_runs(&t, "echo st\"\"ill here", "still here");
    terminal_runs(&t, "set +o ignoreeof", NULL);
    terminal_type(&t, "\004");
    status = terminal_ends(&t);
    check(WIFEXITED(status));
    terminal_close(&t);
}

TEST(shell_session, tells_the_end_of_a_long_command, 240)
{
    begin();
    terminal_type(&t, "sleep 11\r");
    terminal_shows(&t, "\033]133;D;0\a\a");
    terminal_prompts(&t);
    terminal_close(&t);
}

TEST(shell_session, does_not_wait_for_a_completion_that_hangs, 120)
{
    begin();
    terminal_runs(
        &t, "mkfifo never; hang() { echo asked >asked; cat never; }; complete -f hang zoo", NULL);
    terminal_runs(&t, "COMPLETION_MS=50", NULL);
    terminal_type(&t, "zoo x\t");
    terminal_type(&t, "\025echo go\"\"es on\r");
    terminal_shows(&t, "goes on");
    terminal_prompts(&t);
    terminal_runs(&t, "cat asked", "asked");
    /* Nobody is left behind who reads: to open it for writing alone would succeed then. */
    terminal_runs(&t, "dd of=never oflag=nonblock count=0 2>/dev/null; echo st-$?", "st-1");
    terminal_close(&t);
}

TEST(shell_session, follows_the_size_of_the_window, 120)
{
    const struct winsize small = {10, 33, 0, 0};

    begin();
    check_eq(ioctl(t.fd, TIOCSWINSZ, &small), 0);
    terminal_runs(&t, "echo $LINES-$COLUMNS; stty size", "10 33");
    terminal_close(&t);
}

TEST(shell_session, takes_a_paste_as_text, 120)
{
    begin();
    terminal_type(&t, "\033[200~echo one\recho t\"\"wo\003\033[201~");
    terminal_type(&t, "\177\r");
    terminal_shows(&t, "\033]133;C\a");
    terminal_shows(&t, "one");
    terminal_shows(&t, "two");
    terminal_prompts(&t);
    terminal_close(&t);
}
