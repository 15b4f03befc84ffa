/* SPDX-License-Identifier: MIT */
#include "edit/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What follows an Escape within this time belongs to it; terminals send sequences at once, networks split them. */
#define ESCAPE_MS 50

/* Set by the handler; read between waits, which the signal ends. */
static volatile sig_atomic_t resized;

static void note_resize(int signo)
{
    (void)signo;
    resized = 1;
}

bool edit_usable(int in, int out, const char *term)
{
    if (!isatty(in) || !isatty(out) || !term || !*term)
        return false;
    return strcmp(term, "dumb") != 0 && strcmp(term, "unknown") != 0 && strcmp(term, "cons25") != 0;
}

static int write_all(int fd, struct buf *b)
{
    size_t done = 0;
    int err = 0;

    while (done < b->len && !err) {
        const ssize_t n = write(fd, b->data + done, b->len - done);
        struct pollfd wait = {fd, POLLOUT, 0};

        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN)
            poll(&wait, 1, 1000);
        else if (errno != EINTR)
            err = -errno;
    }
    buf_clear(b);
    return err;
}

static void take_size(struct edit *e, int fd, bool begun)
{
    struct winsize size;

    if (ioctl(fd, TIOCGWINSZ, &size) != 0)
        size.ws_row = size.ws_col = 0;
    if (begun)
        edit_resize(e, size.ws_row, size.ws_col);
    else
        edit_set_size(e, size.ws_row, size.ws_col);
}

static int wait_for(struct edit *e, const struct edit_terminal *t, int milliseconds)
{
    struct pollfd wait = {t->in, POLLIN, 0};
    int n;

    if (t->wait)
        return t->wait(t->ctx, e, t->in, milliseconds);
    n = poll(&wait, 1, milliseconds);
    return n < 0 ? -errno : n;
}

static bool more_at_once(int fd)
{
    struct pollfd wait = {fd, POLLIN, 0};

    return poll(&wait, 1, 0) > 0;
}

/* All keys that are there; one byte at a time, since what follows a line's end is for others. */
static int take_keys(struct edit *e, const struct edit_terminal *t)
{
    char bytes[4096];
    enum edit_state state = EDIT_MORE;

    do {
        const ssize_t n = read(t->in, bytes, edit_pastes(e) ? sizeof bytes : 1);

        if (n == 0)
            return EDIT_EOF;
        if (n < 0)
            return errno == EINTR || errno == EAGAIN ? EDIT_MORE : -errno;
        state = edit_feed(e, bytes, (size_t)n);
    } while (state == EDIT_MORE && more_at_once(t->in));
    return (int)state;
}

static int run(struct edit *e, const struct edit_terminal *t)
{
    int state = (int)edit_feed(e, "", 0); /* what was typed ahead */

    for (;;) {
        int err = write_all(t->out, edit_output(e)), ready;

        if (err)
            return err;
        if (state != EDIT_MORE)
            return state;
        ready = wait_for(e, t, edit_waits(e) ? ESCAPE_MS : -1);
        if (resized) {
            resized = 0;
            take_size(e, t->out, true);
        }
        if (ready == 0 && edit_waits(e))
            state = (int)edit_pause(e);
        else if (ready > 0)
            state = take_keys(e, t);
        else if (ready < 0 && ready != -EINTR)
            return ready;
        if (state < 0)
            return state;
    }
}

/* Output is processed as ever, so that what others write meanwhile looks right. */
static void make_raw(struct termios *mode)
{
    mode->c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR | IXON | ISTRIP | BRKINT | INPCK);
    mode->c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | ISIG | IEXTEN);
    mode->c_oflag |= OPOST | ONLCR;
    mode->c_cc[VMIN] = 1;
    mode->c_cc[VTIME] = 0;
}

/* The cursor may stand behind what a program wrote without a newline: the prompt then begins a new line. */
static void begin_at_margin(struct edit *e, int columns)
{
    struct buf *out = edit_output(e);

    buf_adds(out, "\033[?2004h\033[7m%\033[m");
    for (int i = 1; i < columns; i++)
        buf_addc(out, ' ');
    buf_adds(out, "\r \r");
}

void edit_leave(struct edit *e, const struct edit_terminal *t)
{
    edit_hide(e);
    buf_adds(edit_output(e), "\033[?2004l");
    write_all(t->out, edit_output(e));
    tcsetattr(t->in, TCSADRAIN, &t->saved);
}

void edit_return(struct edit *e, const struct edit_terminal *t)
{
    tcsetattr(t->in, TCSADRAIN, &t->raw);
    buf_adds(edit_output(e), "\033[?2004h");
    edit_redraw(e);
}

int edit_read(struct edit *e, struct edit_terminal *t, const char *prompt, const char *right)
{
    const struct sigaction on_resize = {.sa_handler =
                                            note_resize}; /* no SA_RESTART: it ends the wait */
    struct sigaction before;
    struct winsize size = {0};
    int result;

    if (tcgetattr(t->in, &t->saved) != 0)
        return -errno;
    t->raw = t->saved;
    make_raw(&t->raw);
    if (tcsetattr(t->in, TCSADRAIN, &t->raw) != 0)
        return -errno;
    sigaction(SIGWINCH, &on_resize, &before);
    resized = 0;
    take_size(e, t->out, false);
    ioctl(t->out, TIOCGWINSZ, &size);
    begin_at_margin(e, size.ws_col ? size.ws_col : 80);
    edit_begin(e, prompt, right);
    result = run(e, t);
    buf_adds(edit_output(e), "\033[?2004l");
    write_all(t->out, edit_output(e));
    sigaction(SIGWINCH, &before, NULL);
    tcsetattr(t->in, TCSADRAIN, &t->saved);
    return result;
}
