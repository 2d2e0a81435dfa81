-- How somebody came to be in our federation no more, and who among siblings holds which federation list.

-- Expelled by two administrators here, or withdrawn by a federation list: then its entry stays, closed, and the list
-- that names it as active again ends the farewell.
alter table sibling_farewells add column cause text not null default 'expelled'
    check (cause in ('expelled', 'withdrawn'));
-- When it was admitted again: from then on this line says nothing, until that admission is taken back.
alter table sibling_farewells add column returned_at bigint;

-- The list each sibling holds, as it was read there: what it shows, not what it says of itself.
create table sibling_federation_lists (
    origin text not null primary key,
    -- When it was asked the last time, by any process.
    asked_at bigint not null,
    -- 0 where it has shown none yet.
    sequence bigint not null default 0,
    hash text not null default '',
    -- 1 where as many have signed it as must.
    signed bigint not null default 0,
    shown_at bigint,
    -- Why nothing was read the last time; empty where it was.
    code text not null default ''
);
