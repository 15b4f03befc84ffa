/* SPDX-License-Identifier: MIT */
#include "lang/signame.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    int number;
} names[] = {
    {"EXIT", 0},           {"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT},
    {"ILL", SIGILL},       {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},     {"BUS", SIGBUS},
    {"FPE", SIGFPE},       {"KILL", SIGKILL}, {"USR1", SIGUSR1},     {"SEGV", SIGSEGV},
    {"USR2", SIGUSR2},     {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},     {"TERM", SIGTERM},
    {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD}, {"CONT", SIGCONT},     {"STOP", SIGSTOP},
    {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},
    {"XCPU", SIGXCPU},     {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF},
    {"WINCH", SIGWINCH},   {"IO", SIGIO},     {"PWR", SIGPWR},       {"SYS", SIGSYS},
    {"CLD", SIGCHLD},      {"POLL", SIGPOLL}, {"IOT", SIGIOT},
};

static int number_from(const char *text, int most)
{
    char *end;
    long value;

    if (*text < '0' || *text > '9')
        return -1;
    value = strtol(text, &end, 10);
    return *end == '\0' && value <= most ? (int)value : -1;
}

/* RTMIN, RTMIN+n, RTMAX-n, RTMAX. */
static int real_time(const char *text)
{
    const int most = SIGRTMAX - SIGRTMIN;
    int n = 0;

    if (strncasecmp(text, "RTMIN", 5) == 0) {
        if (text[5])
            n = text[5] == '+' ? number_from(text + 6, most) : -1;
        return n < 0 ? -1 : SIGRTMIN + n;
    }
    if (strncasecmp(text, "RTMAX", 5) == 0) {
        if (text[5])
            n = text[5] == '-' ? number_from(text + 6, most) : -1;
        return n < 0 ? -1 : SIGRTMAX - n;
    }
    return -1;
}

int signal_number(const char *text)
{
    if (*text >= '0' && *text <= '9')
        return number_from(text, SIGRTMAX);
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i].name, text) == 0)
            return names[i].number;
    return real_time(text);
}

const char *signal_name(int number, char name[SIGNAME_MAX])
{
    const int min = SIGRTMIN, max = SIGRTMAX;

    name[0] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].number == number) {
            snprintf(name, SIGNAME_MAX, "%s", names[i].name);
            return name;
        }
    }
    if (number == min || number == max)
        return strcpy(name, number == min ? "RTMIN" : "RTMAX");
    if (number > min && number <= min + (max - min) / 2)
        snprintf(name, SIGNAME_MAX, "RTMIN+%d", number - min);
    else if (number > min && number < max)
        snprintf(name, SIGNAME_MAX, "RTMAX-%d", max - number);
    return name;
}
