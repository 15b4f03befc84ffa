#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the examples of README.md and of the README.md of each folder, word for word. What the opening fence says:
#   ```sh test                  run the block with bash -eu; it fails if a command fails
#   ```c test file=NAME         write the block to the file NAME, for the blocks behind it
#   ```text output              what the sh block before it must have printed
# Blocks that say nothing are left alone. The blocks of one README run one after the other in a folder of their own
# that looks like the checkout: it leads to the files of the tree, and `build` leads to the build directory.
. "$(dirname "$0")/../tap.sh"

# Readers type `make`, which builds into build/; a test run with other choices would not be what they see.
if [ "$B" != build ]; then
    skip "examples of the READMEs" "they are for build/, and this is $B"
    exit
fi
# A folder that looks like the checkout, without what a reader would not have.
checkout() { # folder
    local entry
    mkdir "$1"
    for entry in * .clang-format .ci; do
        [ "$entry" = build ] || ln -s "$top/$entry" "$1/$entry"
    done
    ln -s "$top/build" "$1/build"
}

run_block() { # place, commands
    (cd "$here" && bash -eu -c "$2") </dev/null >"$work/printed" 2>"$work/errors"
    local status=$?
    printed=$(cat "$work/printed")
    if [ $status = 0 ]; then
        echo "ok - $1"
    else
        echo "not ok - $1"
        sed 's/^/# /' "$work/printed" "$work/errors"
    fi
}

run_readme() { # file
    local line number=0 start='' info='' block=''
    while IFS= read -r line; do
        number=$((number + 1))
        if [[ $line != '```'* ]]; then
            [ -z "$start" ] || block+=$line$'\n'
            continue
        fi
        if [ -z "$start" ]; then
            start=$number info=${line#'```'} block=
            continue
        fi
        case $info in
        'sh test'*) run_block "$1:$start: ${block%%$'\n'*}" "$block" ;;
        'c test file='*) printf '%s' "$block" >"$here/${info#'c test file='}" ;;
        'text output') try "$1:$start prints what it says" is "${block%$'\n'}" echo "$printed" ;;
        esac
        start=
    done <"$1"
    [ -z "$start" ] || try "$1:$start: the block ends" false
}

count=0
for readme in README.md */README.md; do
    count=$((count + 1))
    here=$work/$count
    checkout "$here"
    printed=
    run_readme "$readme"
done
for folder in libsync liballoc libthreadpool libipc libsched_user shell bench; do
    try "$folder has a README" [ -s "$folder/README.md" ]
done
# `make install` in an example told `ring3 run` its prefix; give it its own back.
make -s CC="$CC" "$B/bin/ring3" >/dev/null 2>&1 || :
