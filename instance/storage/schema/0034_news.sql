-- News and reports: findable by specialty, with what they declare, and kept in their earlier versions too.
alter table post_specialties add column bulletin text not null default '';
create index bulletins_by_specialty on post_specialties (specialty, sort_at desc, post) where bulletin <> '';
update post_specialties set bulletin = coalesce((
    select p.kind from posts p where p.uri = post_specialties.post
    and p.kind in ('news', 'study-report', 'congress-report')), '');

-- What the author declared of conflicts of interest: none, some, or nothing.
alter table posts add column interests text not null default '' check (interests in ('', 'none', 'some'));
-- The first day of the congress a bulletin is of, as 2026-09-01.
alter table posts add column event_from text not null default '';
create index posts_by_event on posts (event_from, slug) where event_from <> '';

alter table revisions add column kind text not null default '';
alter table revisions add column facts text not null default '{}';

-- Feeds of publishers that an editor has added; read once an administrator has approved them, and not before.
create table news_sources (
    id text not null primary key,
    name text not null,
    specialty text not null,
    language text not null,
    -- Empty where feeds are brought as files only.
    address text not null,
    added_by text not null,
    added_at bigint not null,
    approved_by text,
    approved_at bigint,
    -- When it is read next; before approval, and of files, never.
    next_at bigint,
    read_at bigint,
    last_code text not null default ''
);
create index news_sources_due on news_sources (next_at) where next_at is not null;

-- What was read there. Nobody here wrote it: it has no author, is answered by nobody and never leaves.
create table imported_items (
    id text not null primary key,
    source text not null references news_sources (id) on delete cascade,
    -- Its identifier at the publisher, as a hash, and its address there: neither comes twice.
    guid text not null,
    link text not null,
    specialty text not null,
    title text not null,
    summary text not null,
    sort_at bigint not null,
    imported_at bigint not null,
    -- When its feed last held it: a withdrawn one is remembered as long, or it would come again.
    seen_at bigint not null,
    withdrawn_at bigint,
    unique (source, guid),
    unique (source, link)
);
create index imported_items_shown on imported_items (specialty, sort_at desc, id) where withdrawn_at is null;
