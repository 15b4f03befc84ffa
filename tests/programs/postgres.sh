# SPDX-License-Identifier: MIT
# PostgreSQL: a cluster made, pgbench with four connections, joins and sorts, parallel workers, a clean end.
# It refuses to run as root; in a user namespace of its own root is somebody else.
export PATH=$PEERS/usr/lib/postgresql/15/bin:/usr/lib/postgresql/15/bin:$PATH
export LD_LIBRARY_PATH=$PEERS/usr/lib/x86_64-linux-gnu
command -v initdb >/dev/null || bash "$HERE/../peers.sh" postgresql-15 postgresql-client-15 >peers.log 2>&1 ||
    { tail -n 1 peers.log >&2; exit 77; }
as=()
if [ "$(id -u)" = 0 ]; then
    as=(unshare --user --map-user=1000 --map-group=1000 --)
    "${as[@]}" true 2>/dev/null || { echo "postgres does not run as root, and there are no user namespaces" >&2; exit 77; }
fi

# A socket's path is short; the run's own directory may not be.
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
export PGHOST=$folder PGUSER=ring3 PGDATABASE=postgres
under "${as[@]}" initdb -D "$folder/data" -U ring3 -A trust -E UTF8 --locale=C --no-sync >initdb.log 2>&1
echo "initdb: status $?"
under "${as[@]}" postgres -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off -c shared_buffers=16MB \
    -c max_connections=20 -c jit=off -c autovacuum=off -c timezone=UTC >log 2>&1 &
server=$!
until "${as[@]}" psql -qAtc 'select 1' >/dev/null 2>&1; do
    kill -0 $server 2>/dev/null || { tail -n 5 log; exit 1; }
    sleep 0.05
done
under "${as[@]}" pgbench -i -q -s 1 >init.log 2>&1
echo "pgbench -i: status $?"
under "${as[@]}" pgbench -n -c 4 -j 2 -t $((40 * SCALE)) --random-seed=5 2>&1 |
    grep -E 'number of (clients|threads|transactions (per|actually))|failed'
under "${as[@]}" psql -qAt -v ON_ERROR_STOP=1 <<SQL
select count(*), sum(delta), md5(string_agg(aid || ':' || tid || ':' || delta, ',' order by aid, tid, delta)) from pgbench_history;
select sum(abalance) = (select sum(bbalance) from pgbench_branches) from pgbench_accounts;
create table words as select i, md5(i::text) as word, repeat(md5((i * 7)::text), i % 9) as long from generate_series(1, 20000 * $SCALE) i;
create index on words (word);
set work_mem = '256kB';
select md5(string_agg(left(word, 6), '' order by long, word)) from words;
select count(*), sum(a.i) from words a join words b on left(a.word, 4) = right(b.word, 4);
set max_parallel_workers_per_gather = 2; set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
select left(word, 1), count(*), sum(length(long)), max(regexp_replace(word, '[0-9]+', '-', 'g')) from words group by 1 order by 1;
with recursive tree(n, path) as (select 1, '1' union all select n * 2 + k, path || '.' || k from tree, (values (0), (1)) v(k) where n < 2000)
    select count(*), md5(string_agg(path, ' ' order by n, path)) from tree;
select jsonb_agg(jsonb_build_object('i', i, 'w', left(word, 5)) order by i) #>> '{17,w}' from words where i < 500;
do \$\$ begin for k in 1..200 loop begin perform 1 / (k % 2); exception when division_by_zero then null; end; end loop; end \$\$;
SQL
echo "psql: status $?"
# A connection that psql has just left may still be there, and is told so in the log.
kill -INT "$(head -n 1 "$folder/data/postmaster.pid")"
wait $server
echo "postgres: status $?"
grep -E 'PANIC|FATAL|signal' log | grep -v -e 'starting up' -e 'administrator command' | head -n 3
