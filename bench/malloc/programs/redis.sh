# SPDX-License-Identifier: MIT
# redis-server under a fixed load: bench/malloc/programs/redis.sh REQUESTS. The server alone runs on the malloc under
# test; its CPU time, and its memory one second after everything was deleted, are told as metrics.
preload=${LD_PRELOAD:-}
unset LD_PRELOAD
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
socket=$folder/redis
LD_PRELOAD=$preload redis-server --port 0 --unixsocket "$socket" --save '' --appendonly no --dir "$folder" \
    --daemonize no >"$folder/log" &
server=$!
until redis-cli -s "$socket" ping 2>/dev/null | grep -q PONG; do
    kill -0 $server || exit 1
    sleep 0.02
done
redis-benchmark -s "$socket" -q -n "$1" -c 30 -P 8 -r 100000 -d 200 -t set,get,lpush,lpop,hset,zadd >"$folder/log"
redis-cli -s "$socket" flushall >"$folder/log"
awk '{ printf "metric server_cpu_ms %d\n", ($14 + $15) * 10 }' "/proc/$server/stat" >&2
sleep 1
awk -v page="$(getconf PAGESIZE)" '{ printf "metric idle_rss_kb %d\n", $2 * page / 1024 }' "/proc/$server/statm" >&2
kill $server
wait $server
