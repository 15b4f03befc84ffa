#!/bin/bash
# SPDX-License-Identifier: MIT
# r3sh in front of a person, whole screens looked at: typing, editing, jobs, terminal modes, history, completion. The
# person is tmux. Nothing sleeps to be in step: each check waits until the screen shows what it should.
. "$(dirname "$0")/../tap.sh"

if ! command -v tmux >/dev/null; then
    skip "r3sh works in a terminal" "tmux is not installed"
    exit
fi
shell=$top/$B/bin/r3sh
home=$work/home
mkdir -p "$home/dir"
cd "$home" || exit 1
touch "$home/alpha one" "$home/alphabet"
unset TMUX HISTFILE ENV
server=0 # each part has its own: one that ends takes its time
t() { tmux -L "r3sh-test-$$-$server" -f /dev/null "$@"; }
trap 't kill-server 2>/dev/null; rm -rf "$work"' EXIT

screen() { t capture-pane -p -t s; }
# shows REGEX: some line of the screen comes to match it, within a minute.
shows() {
    local i
    for ((i = 0; i < 1200; i++)); do
        screen >"$work/screen" || return 1
        grep -qE -- "$1" "$work/screen" && return
        sleep 0.05
    done
    echo "no line matches $1:"
    screen
    return 1
}
types() { t send-keys -t s -l -- "$1"; }
keys() { t send-keys -t s "$@"; }
# runs TEXT: types it and Enter, at a prompt.
runs() {
    types "$1"
    keys Enter
}
clear_screen() {
    keys C-l
    shows '^~ [$#]'
}
# Each part begins with a shell that has just started.
begin() {
    t kill-server 2>/dev/null
    server=$((server + 1))
    t new-session -d -s s -x 80 -y 24 "cd '$home' && env -i PATH='$PATH' HOME='$home' TERM=screen LC_ALL=C.UTF-8 COMPLETION_MS=30000 PS1='~ \$ ' $* '$shell'"
    shows '^~ [$#]'
}

begin
runs_a_command() { runs 'echo a-$((40+2))-b' && shows '^a-42-b$'; }
try "a command is read and run" runs_a_command
edits() { types 'echo wrong' && keys C-w && types 'right' && keys C-a && types 'command ' && keys Enter && shows '^right$'; }
try "keys edit the line" edits
spans_lines() { runs 'for i in 1 2' && runs 'do echo "line $i"' && runs 'done' && shows '^line 2$'; }
try "a command goes on until its syntax is complete" spans_lines
prints_errors() { runs 'if then' && shows 'syntax error' && runs 'echo go on' && shows '^go on$'; }
try "an error does not end the session" prints_errors
interrupts() { types 'never run' && keys C-c && runs 'echo $?' && shows '^130$'; }
try "C-c drops the line" interrupts

begin
# It says when it runs and when it goes on, so that no key comes too early.
cat >"$home/waits" <<'END'
trap 'echo goes on' CONT
echo is up
while :; do sleep 0.1; done
END
stops() {
    runs 'sh ./waits' && shows '^is up$' && keys C-z && shows 'Stopped' && runs 'clear; jobs' &&
        shows 'Stopped.*sh ./waits' && runs 'fg' && shows '^goes on$' && keys C-c && runs 'echo st=$?' && shows '^st=130$'
}
try "a job is stopped, listed, continued and interrupted" stops
pipeline_stops() {
    clear_screen
    runs 'sleep 2000 | { echo is up; cat; }' && shows '^is up$' && keys C-z && shows 'Stopped' &&
        runs 'kill %1; fg' && runs 'echo after-$?' && shows '^after-'
}
try "a pipeline is stopped and killed" pipeline_stops
tells() { clear_screen && runs 'set -b' && runs 'true &' && shows 'Done'; }
try "a background job's end is told, under set -b at once" tells

begin
raw_and_killed() { runs "sh -c 'stty raw -echo; kill -9 \$\$'" && runs 'echo sane' && shows '^sane$'; }
try "a program that leaves the terminal raw and dies does not break the prompt" raw_and_killed
raw_and_gone() { runs 'stty -icanon -echo -isig' && runs 'stty sane' && runs 'cat' && types 'typed' && keys Enter && shows '^typed$' && keys C-d && runs 'echo back' && shows '^back$'; }
try "modes set on purpose stay, and commands get a cooked terminal" raw_and_gone
if command -v less >/dev/null; then
    pages() { runs 'seq 100 | less' && shows '^20$' && types 'q' && runs 'echo paged' && shows '^paged$'; }
    try "a full-screen program comes and goes" pages
fi
if command -v top >/dev/null; then
    watches() {
        clear_screen && runs 'top -d 1' && shows 'load average' && keys C-z && shows 'Stopped' && runs 'clear; echo between' &&
            shows '^between$' && runs 'fg' && shows 'load average' && types 'q' && runs 'clear; echo "after top"' && shows '^after top$'
    }
    try "top is stopped, continued and left" watches
fi
if command -v vi >/dev/null; then
    vi_comes() { runs 'vi -u NONE new-file' && shows '^~$' && types 'iwritten' && keys Escape && types ':wq' && keys Enter && runs 'cat new-file' && shows '^written$'; }
    try "an editor comes and goes" vi_comes
fi

begin
completes_files() { types 'ls alphab' && keys Tab && shows 'ls alphabet' && keys C-u && types 'ls alpha\ ' && keys Tab && shows 'ls alpha..one' && keys C-u; }
try "files are completed, and quoted as they need" completes_files
lists_choices() { types 'ls alp' && keys Tab && shows '^alpha' && keys Tab Tab && shows 'ls alphabet' && keys C-c; }
try "choices are shown and gone through" lists_choices
completes_more() { clear_screen && types 'unali' && keys Tab && shows 'unalias' && keys C-u && runs 'long_variable_name=x' && types 'echo $long_v' && keys Tab Enter && shows '^x$'; }
try "built-ins and variables are completed" completes_more
completes_by_words() { clear_screen && runs 'complete -w "aardvark badger" animal' && types 'animal bad' && keys Tab && shows 'animal badger' && keys C-u; }
try "complete -w adds choices" completes_by_words
completes_by_function() { clear_screen && runs 'by_hand() { echo "cheetah fast" | tr " " "\t"; echo cow; }; complete -f by_hand zoo' && types 'zoo che' && keys Tab && shows 'zoo cheetah' && keys C-u; }
try "complete -f asks a function" completes_by_function

rm -f "$home/.r3sh_history"
begin
runs 'echo remembered one'
shows '^remembered one$'
runs 'exit'
gone() {
    local i
    for ((i = 0; i < 1200; i++)); do
        t has-session -t s 2>/dev/null || return 0
        sleep 0.05
    done
}
try "exit ends the session" gone
begin
goes_up() { keys Up && shows '[$#] exit$' && keys Up && shows 'echo remembered one$' && keys Enter && shows '^remembered one$'; }
try "a new shell has the history of the last" goes_up
suggests() { clear_screen && types 'echo rem' && shows 'echo remembered one' && keys C-e Enter && shows '^remembered one$'; }
try "history is suggested and taken" suggests
searches() { clear_screen && keys C-r && types 'bered' && shows 'search: bered' && keys Enter && shows '^remembered one$'; }
try "history is searched as one types" searches
lists_history() { clear_screen && runs 'history -v 3' && shows '^ +3 +20[0-9-]+ [0-9:]+ +0 +[0-9.]+s  /'; }
try "history tells when, where and how commands ended" lists_history
fc_runs() { clear_screen && runs 'fc -s one=two echo' && shows '^remembered two$'; }
try "fc runs an old command with a change" fc_runs

begin
edits_as_vi() { runs 'set -o vi' && types 'echo xone' && keys Escape && types '0fxxA two' && keys Enter && shows '^one two$'; }
try "set -o vi edits as vi does" edits_as_vi

begin
resizes() {
    types 'echo 1234567890123456789012345678901234567890' && t resize-window -t s -x 30 -y 10 &&
        shows '^echo|~ . echo 1' && t resize-window -t s -x 70 -y 24 && shows '~ . echo 1234567890123456789012345678901234567890$' && keys Enter &&
        shows '^1234567890123456789012345678901234567890$'
}
try "the line follows the size of the window" resizes
no_newline() { runs 'printf unfinished' && shows '^unfinished%$' && runs 'echo next' && shows '^next$'; }
try "output without a newline stays in sight" no_newline
keeps_paste() { t set-buffer -b p $'echo one\necho two' && t paste-buffer -p -b p -t s && shows '^echo two' && keys Enter && shows '^two$'; }
try "a paste of lines is one thing to edit" keeps_paste
binds() { runs 'bind C-t "echo bound"' && keys C-t && shows '^bound$'; }
try "a key runs a command of the shell" binds
helps() { clear_screen && runs 'help umask' && shows '^umask \[-S\] \[mask\]'; }
try "help tells what a built-in takes" helps

begin TERM=dumb
works_plainly() { runs 'echo plain words' && shows '^plain words$'; }
try "a dumb terminal is read plainly" works_plainly
