-- The allowlist as administrators keep it: what waits for a second of them, and whoever was expelled.

-- What administrators write of an entry for each other; it decides nothing.
alter table siblings add column note text not null default '';

-- One line for each act that takes two, proposed by one administrator and confirmed by another.
create table sibling_proposals (
    id text not null primary key,
    kind text not null check (kind in ('change', 'import', 'expel', 'keep', 'purge')),
    -- Whom it is about; empty for an import, which may be about many.
    origin text not null default '',
    -- The changes of entries, and the versions they were made from: instance.services.sibling_proposals.Asked
    asked text not null,
    reason text not null,
    state text not null check (state in ('proposed', 'done', 'withdrawn', 'replaced')),
    proposed_by text not null,
    proposed_at bigint not null,
    decided_by text,
    decided_at bigint
);
create index sibling_proposals_by_origin on sibling_proposals (origin, id);
create index sibling_proposals_waiting on sibling_proposals (id) where state = 'proposed';

-- Whoever was expelled: no sibling any more, and hears nothing but what takes our own words back.
create table sibling_farewells (
    origin text not null primary key,
    actor text not null,
    name text not null,
    country text not null,
    inbox text not null,
    speaks_rfc9421 bigint not null default 0,
    proposed_by text not null,
    confirmed_by text not null,
    expelled_at bigint not null,
    -- Until when the ends of follows are told, and until when our copies are asked back.
    words_until bigint not null,
    erasures_until bigint not null,
    -- When nothing more is sent: everything is acknowledged, or the time is over.
    ended_at bigint,
    -- What becomes of theirs here: labelled → hidden after thirty days; kept or purged where two administrators say so.
    fate text not null default 'labelled' check (fate in ('labelled', 'kept', 'hidden', 'purging', 'purged')),
    fate_at bigint not null
);

-- What is said to them at last, written out of these lines a few hundred at a time.
create table sibling_last_words (
    origin text not null,
    kind text not null check (kind in ('undo', 'reject', 'delete')),
    -- The Follow that ends, or the object that is asked back.
    object text not null,
    actor text not null,
    inbox text not null,
    -- The activity that says it, once it is written.
    activity text not null default '',
    -- 1 where they have confirmed it; deliveries that are done are tidied away one day.
    acknowledged bigint not null default 0,
    primary key (origin, kind, object)
);
create index sibling_last_words_unwritten on sibling_last_words (origin, kind, object) where activity = '';

-- Messages taken and delivered by day (days since the epoch, UTC), counted from the rows of both doors.
create table sibling_days (
    origin text not null,
    day bigint not null,
    received bigint not null default 0,
    sent bigint not null default 0,
    primary key (origin, day)
);

create index sibling_changes_by_origin on sibling_changes (origin, id);
