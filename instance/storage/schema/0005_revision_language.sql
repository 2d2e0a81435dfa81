-- The language an earlier version was written in; empty where that was not kept.
alter table revisions add column language text not null default '';
