# SPDX-License-Identifier: MIT
# 50,000 rows with indexes, joins, updates, deletes, full vacuum, a dump and its reload.
rows=$((50000 * SCALE))
under sqlite3 -batch shop.db <<SQL
PRAGMA synchronous = OFF;
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT);
CREATE TABLE sale (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer, cents INTEGER, note TEXT);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows / 50)
INSERT INTO customer SELECT i, printf('customer %06d', i * 7919 % 100003), 'town ' || (i * 31 % 97) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
INSERT INTO sale SELECT i, 1 + i * 104729 % ($rows / 50), i * 7919 % 100000,
    substr('the quick brown fox jumps over the lazy dog', 1 + i % 40, i % 37) || hex(i * 2654435761) FROM n;
COMMIT;
CREATE INDEX sale_customer ON sale(customer, cents);
CREATE INDEX sale_note ON sale(note);
CREATE INDEX customer_town ON customer(town COLLATE NOCASE);
ANALYZE;
SELECT town, count(*), sum(cents), max(note) FROM sale JOIN customer ON customer.id = sale.customer
    GROUP BY town ORDER BY sum(cents) DESC, town LIMIT 12;
SELECT name, (SELECT group_concat(cents) FROM (SELECT cents FROM sale WHERE customer = customer.id ORDER BY cents LIMIT 5))
    FROM customer ORDER BY name LIMIT 12;
SELECT count(DISTINCT note), count(DISTINCT substr(note, -4)), avg(length(note)) FROM sale;
SELECT id, cents, rank() OVER (PARTITION BY customer % 100 ORDER BY cents, id), note FROM sale WHERE note LIKE '%fox%7' ORDER BY note, id LIMIT 9;
UPDATE sale SET note = note || ' ' || cents, cents = cents + 1 WHERE customer % 3 = 0;
DELETE FROM sale WHERE id % 5 = 2;
SELECT a.id, b.id FROM sale a JOIN sale b ON a.note = b.note AND a.id < b.id ORDER BY a.id, b.id LIMIT 5;
SELECT count(*) FROM (SELECT s.id, json_object('who', c.name, 'what', s.note) AS j FROM sale s, customer c
    WHERE c.id = s.customer ORDER BY j);
DROP INDEX sale_note;
VACUUM;
PRAGMA integrity_check;
SELECT count(*), sum(cents), sum(length(note)) FROM sale;
SQL
echo "status $?"
under sqlite3 -batch shop.db .dump >dump.sql
echo "status $?"
under sqlite3 -batch again.db <dump.sql
echo "status $?"
under sqlite3 -batch again.db .dump | cmp - dump.sql && cksum <dump.sql
