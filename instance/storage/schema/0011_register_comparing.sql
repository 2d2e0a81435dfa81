-- Imports that are ended in the middle: who works with a snapshot, and how far the comparison with it has come.

-- The kind of its numbers.
alter table register_snapshots add column kind text not null default '';
-- The last dossier that was compared; '' before the first, null when all are.
alter table register_snapshots add column compare_from text;
-- Until then a process works with it; after that another may clear it away, or go on with the comparison.
alter table register_snapshots add column held_until bigint not null default 0;
