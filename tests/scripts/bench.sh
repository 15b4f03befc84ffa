#!/bin/bash
# SPDX-License-Identifier: MIT
# The bench counts right, survives what it measures, names what is absent, and says what its figures say.
. "$(dirname "$0")/../tap.sh"

# --- The shim: known operations, threads and waits come out as the figures that follow from them --------------------
make -s DEPS=no CC="$CC" B="$B" "$B/bench/selftest" "$B/bench/launch" >"$work/log" 2>&1 || cat "$work/log"
"$B/bench/selftest" --benchmark_format=json --ring3_seconds=0.05 >"$work/selftest.json" 2>"$work/log" || cat "$work/log"

figure() { # benchmark, expression over its entry e
    python3 - "$work/selftest.json" "$1" "$2" <<'END'
import json, sys
found = [e for e in json.load(open(sys.argv[1]))["benchmarks"] if e["name"].startswith(sys.argv[2])
         and e["name"].endswith(sys.argv[2].rpartition("/")[2])]
value = eval(sys.argv[3], {"e": found[0]})
print(sys.argv[3], "is", value, "in", found[0])
sys.exit(0 if value is True else 1)
END
}
known() { figure "$1" "$2"; }
one="selftest/known_count/10/iterations:1/manual_time/threads:1"
four="selftest/known_count/10/iterations:1/manual_time/threads:4"
thousand="selftest/known_count/1000/iterations:1/manual_time/threads:4"
try "operations of one thread are its iterations" known "$one" "e['iterations'] == 10"
try "operations of four threads are added up" known "$four" "e['iterations'] == 100 and e['threads'] == 4"
try "a parameter reaches the body" known "$thousand" "e['iterations'] == 10000"
try "the fairness index is Jain's" known "$four" "abs(e['jain'] - 100**2 / (4 * (10**2 + 20**2 + 30**2 + 40**2))) < 1e-9"
try "one thread has no fairness index" known "$one" "'jain' not in e"
try "the longest wait is that of the slowest thread" known "$four" "20000 <= e['longest_wait_us'] < 10e6"
try "a counter is the sum over threads" known "$four" "e['two'] == 8"
try "the time is wall time, not divided by threads" known "$four" "e['real_time'] * e['iterations'] >= 20e6"
try "operations per second belong to that time" known "$four" "abs(e['items_per_second'] * e['real_time'] * 1e-9 - 1) < 1e-6"
try "resident memory is reported" known "$one" "e['peak_rss_kb'] > 500"
try "a run ends by the clock" known "selftest/fixed_time/iterations:1/manual_time/threads:2" \
    "e['iterations'] * e['real_time'] >= 0.05e9 and e['iterations'] > 1000"

# --- The driver: what fails is named and does not stop the rest ------------------------------------------------------
# The lock is this test run's already.
mkdir -p "$work/build/bench" && cp "$B/bench/launch" "$work/build/bench/"
B="$work/build" bench/run.py --locked --size=tiny --rooms tests/bench/fixture/faults.toml >"$work/faults" 2>&1
driver() { says "$1" cat "$work/faults"; }
try "a program that fails is named with its last words" driver "fails/as it is: ended with status 3: broken"
try "a program that dies of a signal is named" driver "dies/as it is: was killed by signal 11"
try "a program that hangs is ended" driver "hangs/as it is: did not finish within 0.3 s"
try "a program whose output depends on the contestant is named" driver ": output differs from that of the others"
try "an absent library of ours is noted" driver "note: $work/build/lib/no-such-library.so is not built"
try "an absent peer is noted with its package" driver "note: peer nowhere is not installed (Debian package libno-such-peer1): skipped."
try "an absent program is noted" driver "note: no-such-program-here is not installed: absent skipped."
program_figures() {
    python3 - "$work/build/report/faults.json" <<'END'
import json, sys
data = json.load(open(sys.argv[1]))
fine = [e for e in data["benchmarks"] if e["run_name"] == "fine/as it is"]
assert [e["repetition_index"] for e in fine] == [0, 1, 2], fine
# Below 10 MiB: its own memory, not that of the Python that had it started.
assert all(e["iterations"] == 1000 and 100 < e["peak_rss_kb"] < 10240 for e in fine), fine
assert data["context"]["machine"]["Kernel"], data["context"]
END
}
try "a program is measured from outside, once per round" program_figures

# --- Peers: one that the build does not find leaves a note, and the programs build without it ------------------------
without_nsync() {
    make -s DEPS=no CC="$CC" B="$work/no-nsync" nsync_found=absent bench_programs="$work/no-nsync/bench/locks" bench-programs \
        >"$work/log" 2>&1 || { cat "$work/log"; return 1; }
    B="$work/no-nsync" bench/run.py --locked --size=tiny --only=uncontended/pthread_mutex >"$work/peers" 2>&1
    says "note: nsync is not installed (Debian package libnsync-dev): skipped." cat "$work/peers" &&
        ! "$work/no-nsync/bench/locks" --benchmark_list_tests | grep nsync &&
        "$work/no-nsync/bench/locks" --benchmark_list_tests | grep -q pthread_mutex
}
try "without a peer the rest is built, and a note says so" without_nsync

# --- The report: verdicts from figures known beforehand --------------------------------------------------------------
mkdir "$work/report"
python3 tests/bench/fixture/make.py "$work/report/locks.json"
bench/report.py --data "$work/report" --rooms tests/bench/fixture/locks.toml >"$work/verdicts" 2>&1
python3 - "$work/report/index.html" >"$work/text" <<'END'
import html, re, sys
page = open(sys.argv[1]).read()
page = re.sub(r"<style.*?</style>|<svg.*?</svg>|<wbr>", "", page, flags=re.S)
print(re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page))))
END
page() { says "$1" cat "$work/text"; }
times=' ×'
try "a win is a win over every peer" page "ring3 ahead ring3_x has 0.50$times the time of peer_a: 10.0 against 20.0 ns. No peer is better; the next is peer_b (15.0 ns)."
try "a loss is said" page "ring3 behind ring3_x has 2.50$times the time of peer_a: 50.0 against 20.0 ns."
try "a difference within the spread is a tie" page "level with the best ring3_x and peer_a tie: 10.0 and 12.0 ns, a difference smaller than the spread."
try "the table marks the tie" page "ring3_x 10.0 7.00 – 15.0 0.83$times tie"
try "the verdict speaks of the last position" page "mixed At 8 threads, ring3_x has 3.00$times the throughput of peer_a: 9.00 against 3.00 million/s."
try "and of the others" page "With fewer threads: a tie at 1; 0.50$times at 2."
try "a further column takes the worst run" page "Longest wait: 9.00 ms against 9.00 ms."
try "a reference of zero gives no ratio" page "At 8 threads, peer_a got nowhere; ring3_x made 100 million/s."
try "what failed is on the page" page "Not shown: ring3_x: ended with status 3."
try "an absent peer is on the page" page "nsync is not installed (Debian package libnsync-dev): skipped."
drawn() { is 10 grep -c '<svg role="img"' "$work/report/index.html"; }
try "each chart with figures is drawn for a desk and for a phone" drawn
outside() { ! grep -oE '(src|href)=.?(https?:|//|/)[^ >]*|@import|url\(' "$work/report/index.html"; }
try "the page refers to nothing outside" outside
