-- Whom siblings speak with, as each has told us: what is theirs is passed on to nobody else.
create table sibling_sets (
    origin text not null primary key,
    -- the last one that was believed; it stays when it stops to count, so that no older one takes its place
    siblings text not null default '[]',
    sequence bigint not null default 0,
    issued bigint not null default 0,
    until bigint not null default 0,
    -- why it does not count; empty: it does
    code text not null default '',
    -- how often its instance has said that there is a newer one, since it was read: as long as that is not 0 it does
    -- not count either
    announced bigint not null default 0,
    read_at bigint,
    -- since when it has counted, or has not
    since bigint not null
);
insert into versions (name, value) values ('sibling sets', 0);

-- The origins an activity names beside ours, space between them, and those of them that bind one delivery of it.
alter table activities add column homes text not null default '';
alter table deliveries add column homes text not null default '';

update activities set homes = coalesce(
    (select p.origin from posts p where p.uri = activities.object and p.local = 0),
    (select c.origin from comments c where c.uri = activities.object and c.local = 0),
    (select p.origin from comments c join posts p on p.uri = c.post where c.uri = activities.object and p.local = 0),
    '')
where type in ('Create', 'Update', 'Announce') and object <> '';
update deliveries set homes = coalesce(
    (select a.homes from activities a where a.uri = deliveries.activity and a.homes <> deliveries.origin), '')
where activity in (select uri from activities where homes <> '');
