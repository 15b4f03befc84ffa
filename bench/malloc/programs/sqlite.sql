-- SPDX-License-Identifier: MIT
-- A fixed database in memory: rows, indexes, joins, updates.
PRAGMA temp_store = memory;
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, kind INTEGER, price REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO item SELECT i, printf('item %08x', i * 2654435761 % 4294967296), i % 211, (i * 7919 % 10007) / 100.0 FROM n;
CREATE INDEX item_name ON item(name);
CREATE INDEX item_kind ON item(kind, price);
UPDATE item SET price = price * 1.1, name = name || ' new' WHERE kind % 7 = 0;
SELECT kind, count(*), round(sum(price), 2), group_concat(substr(name, 6, 3)) FROM item GROUP BY kind ORDER BY 3 DESC LIMIT 3;
SELECT count(*) FROM item a JOIN item b ON b.name = a.name WHERE a.id < 20000;
DELETE FROM item WHERE id % 3 = 0;
SELECT count(*), round(total(price), 2) FROM item;
