-- The audit log in parts: what was closed, and what of it is gone. The heads of all of them are kept.

-- A month of the log, from its first entry to its last, with the head before it and its own. Months are closed in order;
-- without a month it is a part that a restored back-up did not hold, and whose head a sibling knew.
create table audit_segments (
    first bigint not null primary key,
    last bigint not null,
    month text not null default '',
    before bytea not null,
    head bytea not null,
    -- 'destroyed' on its day, 'lost' with a restore, '' while its entries are there; and the entry that tells of it.
    gone text not null default '',
    told bigint
);

-- A sibling's head as the sibling signed it, so that it can be shown to it; '' where it came before this was kept.
alter table audit_heads add column document text not null default '';
