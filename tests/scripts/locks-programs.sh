#!/bin/bash
# SPDX-License-Identifier: MIT
# Threaded programs of Debian on ring3's locks. What they print and what they leave under result/ must be what it is on
# libc's locks, whatever the algorithm; lockdep must find nothing wrong with them, and stat must have seen their locks.
# `make stress` sets RING3_TEST_LONG=1 for bigger inputs.
. "$(dirname "$0")/../tap.sh"

export HERE=$top/tests/programs PEERS=$top/build/peers TZ=UTC HOME=/nonexistent LC_ALL=C SCALE=1
locks=$top/$B/lib/libring3-locks.so
limit=120
[ -z "${RING3_TEST_LONG:-}" ] || { limit=1500; export SCALE=10; }
unset LD_PRELOAD PYTHONPATH NODE_OPTIONS

# What tests/programs/*.sh put before the program under test, and before nothing else.
under() {
    LD_PRELOAD=$PRELOADS RING3_LOCKS=$SETTINGS "$@"
}
export -f under

run() { # program, label, object to preload, RING3_LOCKS
    local here=$work/$1
    rm -rf "$here/run" "${here:?}/$2" "$here/$2.reports"
    mkdir -p "$here/run/result" "$here/$2.reports"
    (
        cd "$here/run" || exit
        export PRELOADS=$3 SETTINGS=$4
        timeout -k 5 "$limit" bash "$script" >result/stdout 2>result/stderr </dev/null
        echo $? >result/status
    )
    mv "$here/run/result" "$here/$2"
}

same_as_libc() { # program, label, RING3_LOCKS
    run "$1" "$2" "$locks" "$3"
    diff -r -a "$work/$1/libc" "$work/$1/$2" | head -n 20
    [ -z "$(diff -rq -a "$work/$1/libc" "$work/$1/$2")" ]
}

nothing_wrong() {
    ! grep -h -A 12 '^ring3 lockdep' "$work/$1/watched.reports"/* /dev/null
}

saw_locks() {
    grep -qE '^ +[0-9]+ +[0-9]+ +[0-9.]+% .* (mutex|rwlock)' "$work/$1/watched.reports"/* /dev/null
}

cat >"$work/xz.sh" <<'SH'
seq 400000 >numbers
under xz -T3 --block-size=300000 -1 -k -c numbers >result/numbers.xz
echo "status $?"
under xz -T2 -d -c result/numbers.xz | cksum
SH
cat >"$work/threads.sh" <<'SH'
under /usr/bin/python3 - "$SCALE" <<'PY'
import concurrent.futures, queue, sqlite3, sys, threading
scale = int(sys.argv[1])
q, seen, lock = queue.Queue(10), [], threading.Lock()
def work():
    while (x := q.get()) is not None:
        with lock:
            seen.append(x)
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]
for i in range(3000 * scale):
    q.put(i)
for _ in threads:
    q.put(None)
[t.join() for t in threads]
base = sqlite3.connect("base.db")
base.execute("pragma journal_mode=wal")
base.execute("create table t(a, b)")
base.commit()
shared = sqlite3.connect(":memory:", check_same_thread=False)
shared.execute("create table t(a)")
def insert(k):
    own = sqlite3.connect("base.db", timeout=60)
    for i in range(30 * scale):
        with own:
            own.execute("insert into t values(?, ?)", (k, i))
        shared.execute("insert into t values(?)", (k * i,))
    own.close()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    list(pool.map(insert, range(4)))
print(len(seen), sum(seen), base.execute("select count(*), sum(b) from t").fetchall(),
      shared.execute("select count(*), sum(a) from t").fetchall())
PY
echo "status $?"
SH
cat >"$work/pigz.sh" <<'SH'
export PATH=$PEERS/usr/bin:$PATH
bash "$HERE/../peers.sh" pigz >peers.log 2>&1 || { tail -n 1 peers.log >&2; exit 77; }
seq 400000 >numbers
under pigz -p 4 -b 128 -n -k -c numbers >result/numbers.gz
echo "status $?"
under pigz -d -c result/numbers.gz | cksum
SH

cat >"$work/gits.sh" <<'SH'
export GIT_AUTHOR_NAME=ring3 GIT_AUTHOR_EMAIL=ring3@example.org GIT_COMMITTER_NAME=ring3 \
    GIT_COMMITTER_EMAIL=ring3@example.org GIT_CONFIG_NOSYSTEM=1 \
    GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
g() { under git -c gc.auto=0 -c pack.threads=3 -c grep.threads=3 -c index.threads=3 -c core.preloadIndex=true "$@"; }
mkdir repository && cd repository || exit
g init -q -b main
for ((i = 0; i < 1200; i++)); do
    printf 'file %d\nline %d\n' $i $((i * 7919 % 1009)) >file$i
done
g add .
g commit -q -m one
g status --short
g grep -c 'line 1' | cksum
g repack -adfq
g fsck --full --strict
g rev-parse HEAD
SH

# A database server: eight clients at a time, each a thread of it, rows of their own and one that all change.
cat >"$work/mariadb.sh" <<'SH'
export LD_LIBRARY_PATH=$PEERS/usr/lib/x86_64-linux-gnu PATH=$PEERS/usr/bin:$PEERS/usr/sbin:$PATH
bash "$HERE/../peers.sh" mariadb-server-core mariadb-client-core mariadb-client >peers.log 2>&1 ||
    { tail -n 1 peers.log >&2; exit 77; }
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
options=(--no-defaults --datadir="$PWD/data" --lc-messages-dir="$PEERS/usr/share/mysql" --innodb-use-native-aio=0
    --innodb-buffer-pool-size=8M --innodb-log-file-size=4M --skip-networking --skip-grant-tables)
[ "$(id -u)" != 0 ] || options+=(--user=root)
mkdir data
mariadbd "${options[@]}" --bootstrap >log 2>&1 <<<'create database bank;' || { tail -n 5 log >&2; exit 1; }
under mariadbd "${options[@]}" --socket="$folder/socket" --pid-file="$folder/pid" >log 2>&1 &
server=$!
sql() { mariadb --no-defaults -N -S "$folder/socket" bank; }
until sql <<<'select 1' >/dev/null 2>&1; do
    kill -0 $server 2>/dev/null || { tail -n 5 log >&2; exit 1; }
    sleep 0.1
done
sql <<<'create table entries(client int, turn int, key(client)) engine=innodb;
    create table total(amount int) engine=innodb; insert into total values (0);'
for client in 1 2 3 4 5 6 7 8; do
    for ((turn = 0; turn < 40 * SCALE; turn++)); do
        echo "begin; insert into entries values ($client, $turn); update total set amount = amount + $turn; commit;
            select count(*) from entries where client = $client;"
    done | sql | cksum &
done | sort # which ends when the last client does
sql <<<'select client, count(*), sum(turn) from entries group by client order by client; select amount from total;
    check table entries; shutdown;'
wait $server
echo "status $?"
SH

for program in ${PROGRAMS:-threads xz pigz redis gits ${RING3_TEST_LONG:+python3 git node mariadb}}; do
    script=$work/$program.sh
    [ -e "$script" ] || script=$HERE/$program.sh
    run "$program" libc '' ''
    status=$(cat "$work/$program/libc/status")
    if [ "$status" = 77 ]; then
        skip "$program" "$(tail -n 1 "$work/$program/libc/stderr")"
        continue
    fi
    try "$program runs on libc's locks" [ "$status" = 0 ]
    try "$program: the same on mutex=adaptive" same_as_libc "$program" adaptive mutex=adaptive
    try "$program: the same on mutex=mcs,rwlock=phase-fair" same_as_libc "$program" mcs mutex=mcs,rwlock=phase-fair
    try "$program: the same while it is watched" same_as_libc "$program" watched \
        "lockdep,stat,report=$work/$program/watched.reports/%p.txt"
    try "$program: lockdep finds nothing wrong" nothing_wrong "$program"
    try "$program: stat has seen its locks" saw_locks "$program"
done
