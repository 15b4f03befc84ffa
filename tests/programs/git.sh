# SPDX-License-Identifier: MIT
# A repository with 200 commits and merges, packed hard, checked, blamed, cloned: every hash must agree.
export GIT_AUTHOR_NAME=ring3 GIT_AUTHOR_EMAIL=ring3@example.org GIT_COMMITTER_NAME=ring3 \
    GIT_COMMITTER_EMAIL=ring3@example.org GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_COUNT=3 \
    GIT_CONFIG_KEY_0=gc.auto GIT_CONFIG_VALUE_0=0 GIT_CONFIG_KEY_1=pack.threads GIT_CONFIG_VALUE_1=2 \
    GIT_CONFIG_KEY_2=init.defaultBranch GIT_CONFIG_VALUE_2=main
g() { under git "$@" || echo "git $1: status $?"; }

mkdir repository && cd repository || exit
g init -q
for ((i = 1; i <= 200 * SCALE; i++)); do
    export GIT_AUTHOR_DATE="$((1700000000 + i * 60)) +0000" GIT_COMMITTER_DATE="$((1700000000 + i * 60)) +0000"
    file=dir$((i % 7))/file$((i % 23))
    mkdir -p "${file%/*}"
    for ((line = 0; line < 40; line++)); do
        echo "$i: line $line of $file, $((line * i * 7919 % 10007))"
    done >>"$file"
    [ $((i % 50)) != 0 ] || g checkout -q -b "side$i"
    g add .
    g commit -q -m "Commit $i" -m "Touches $file"
    if [ $((i % 50)) = 25 ] && [ "$i" -gt 50 ]; then
        g checkout -q main
        g merge -q --no-ff -m "Merge $i" "side$((i - 25))"
    fi
done
g gc -q --aggressive --prune=now
g fsck --full --strict
g log --all --format='%H %T %P %s' --numstat
g blame -s dir3/file3 | cksum
g diff HEAD~20 --stat -M -C
g grep -c 'line 3[0-9]' | cksum
g clone -q --no-local . ../clone
g -C ../clone rev-list --objects --all | cksum
g -C ../clone fsck --full
