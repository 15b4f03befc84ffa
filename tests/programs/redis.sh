# SPDX-License-Identifier: MIT
# redis-server under a fixed set of commands and redis-benchmark: replies, the data's digest, a save and reload.
export LD_LIBRARY_PATH=$PEERS/usr/lib/x86_64-linux-gnu PATH=$PEERS/usr/bin:$PATH
bash "$HERE/../peers.sh" redis-server redis-tools >peers.log 2>&1 || { tail -n 1 peers.log >&2; exit 77; }

# A socket's path is short; the run's own directory may not be.
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
socket=$folder/redis
cli() { redis-cli -s "$socket" "$@"; }
start() {
    under redis-server --port 0 --unixsocket "$socket" --save '' --appendonly no --dir . --io-threads 2 \
        --hash-max-listpack-entries 16 --daemonize no >>log 2>&1 &
    server=$!
    until cli ping 2>/dev/null | grep -q PONG; do
        kill -0 $server 2>/dev/null || { tail -n 5 log >&2; exit 1; }
        sleep 0.05
    done
}
# Everything that is stored; hashes and sets sorted, because their order depends on a random seed.
contents() {
    cli eval '
        local read = {
            string = {"GET"}, list = {"LRANGE", 0, -1}, hash = {"HGETALL"}, set = {"SMEMBERS"},
            zset = {"ZRANGE", 0, -1, "WITHSCORES"}
        }
        local keys = redis.call("KEYS", "*")
        table.sort(keys)
        local sum = ""
        for _, key in ipairs(keys) do
            local kind = redis.call("TYPE", key).ok
            local value = redis.call(read[kind][1], key, unpack(read[kind], 2))
            if kind == "hash" then
                local pairs = {}
                for i = 1, #value, 2 do pairs[#pairs + 1] = value[i] .. "=" .. value[i + 1] end
                value = pairs
            end
            if kind == "hash" or kind == "set" then table.sort(value) end
            if kind ~= "string" then value = table.concat(value, ",") end
            sum = redis.sha1hex(sum .. key .. kind .. value)
        end
        return {#keys, sum}' 0
}
commands() {
    gawk -v rows=$((8000 * SCALE)) 'BEGIN { seed = 3
        for (i = 0; i < rows; i++) {
            seed = (seed * 1103515245 + 12345) % 2147483648
            k = seed % 701; v = seed % 99991
            long = sprintf("%0" (v % 3000 + 1) "d", v)
            printf "SET s:%d %s\nAPPEND s:%d %s\nLPUSH l:%d %d\nHSET h:%d f%d %s\nZADD z:%d %d m%d\n", k, long, k % 97, v, k % 50, v, k % 40, v % 300, v, k % 30, v, v % 500
            if (i % 3 == 0) printf "DEL s:%d\nRPOP l:%d\nHDEL h:%d f%d\n", v % 701, v % 50, v % 40, k % 300
            if (i % 50 == 0) printf "ZRANGE z:%d 0 9 WITHSCORES\nGETRANGE s:%d 0 40\nLRANGE l:%d 0 5\nHLEN h:%d\n", k % 30, k % 97, k % 50, k % 40
            if (i % 500 == 0) printf "SORT l:%d LIMIT 0 5\nSINTERCARD 2 none%d none\nOBJECT ENCODING h:%d\n", k % 50, k, k % 40
        } }'
}

start
commands | cli | cksum
contents
# Concurrent clients on keys of their own; only how many replies came is the same each time.
redis-benchmark -s "$socket" -q -n $((5000 * SCALE)) -c 30 -P 8 -r 1000 -d 200 -t set,get,incr,lpush,lpop,sadd,hset,zadd,mset,lrange_100 |
    tr '\r' '\n' | grep -c 'requests per second, p50'
cli eval 'for _, k in ipairs(redis.call("KEYS", "*")) do if not string.find(k, "^[slhz]:") then redis.call("DEL", k) end end return redis.call("DBSIZE")' 0
contents
cli save # forks nothing
cli config set save ''
cli bgrewriteaof >/dev/null
until cli info persistence | grep -q 'aof_rewrite_in_progress:0'; do sleep 0.05; done
cli info persistence | grep -E '^aof_last_bgrewrite_status'
cli memory purge
cli shutdown nosave
wait $server
echo "status $?"

start # from the saved file
contents
cli flushall
cli dbsize
cli shutdown nosave
wait $server
echo "status $?"
