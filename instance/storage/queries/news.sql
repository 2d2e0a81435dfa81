-- The newsroom: news and reports by specialty, under the one visibility rule, and what was imported beside them.

-- fragment: filed_bulletin
-- By the index of bulletins alone: cases of the specialty are not walked.
select p.uri as post, p.sort_at, p.slug from post_specialties s cross join posts p
where s.bulletin <> '' and (:kind = '' or s.bulletin = :kind) and s.sort_at <= :before_at and p.uri = s.post
  and (p.sort_at, p.slug) < (:before_at, :before_slug) and (:interests = '' or p.interests = :interests)
  and {{visible}} and {{unmuted}} and s.specialty =

-- name: bulletins
with mine as (
    select * from ({{filed_bulletin}} :first {{newest_filed}}) as first
    union all
    select * from ({{filed_bulletin}} :second {{newest_filed}}) as second
    union all
    select * from ({{filed_bulletin}} :third {{newest_filed}}) as third),
picked as (select distinct post, sort_at, slug from mine order by sort_at desc, slug desc limit :count)
select {{listed}} from picked cross join posts p cross join doctors a
where p.uri = picked.post and a.uri = p.author
order by p.sort_at desc, p.slug desc;

-- fragment: of_congress
p.event_from <> '' and p.kind = 'congress-report' and (:interests = '' or p.interests = :interests) and a.uri = p.author
  and exists (
        select 1 from post_specialties s
        where s.post = p.uri and s.specialty in (:first, :second, :third))
  and {{visible}} and {{unmuted}}

-- name: upcoming
-- By the first day of the congress, the nearest first.
select {{listed}}, p.event_from from posts p cross join doctors a
where p.event_from >= :today and (p.event_from, p.slug) > (:day, :slug) and {{of_congress}}
order by p.event_from, p.slug limit :count;

-- name: past
select {{listed}}, p.event_from from posts p cross join doctors a
where p.event_from < :today and (p.event_from, p.slug) < (:day, :slug) and {{of_congress}}
order by p.event_from desc, p.slug desc limit :count;

-- name: items
select i.id, i.link, i.title, i.summary, i.specialty, i.sort_at, s.name as source, s.language
from imported_items i join news_sources s on s.id = i.source
where i.specialty in (:first, :second, :third) and i.withdrawn_at is null
  and (i.sort_at, i.id) < (:before_at, :before_slug)
order by i.sort_at desc, i.id desc limit :count;

-- name: item
select i.id, i.link, s.name as source from imported_items i join news_sources s on s.id = i.source
where i.id = :id and i.withdrawn_at is null;

-- name: sources
select s.id, s.name, s.specialty, s.language, s.address, s.added_by, s.added_at, s.approved_by, s.approved_at,
    s.next_at, s.read_at, s.last_code,
    (select count(*) from imported_items i where i.source = s.id and i.withdrawn_at is null) as shown
from news_sources s order by s.approved_at is not null, s.name, s.id;

-- name: source
select id, name, specialty, language, address, added_by, approved_at, next_at from news_sources where id = :id;

-- name: add_source
insert into news_sources (id, name, specialty, language, address, added_by, added_at)
values (:id, :name, :specialty, :language, :address, :added_by, :now);

-- name: approve_source
-- What is brought as a file is never due.
update news_sources set approved_by = :by, approved_at = :now,
    next_at = case when address = '' then null else cast(:now as bigint) end
where id = :id and approved_at is null;

-- name: end_source
delete from news_sources where id = :id;

-- name: due
select id, address, next_at from news_sources where next_at <= :now order by next_at, id limit :most;

-- name: approved
select address from news_sources where approved_at is not null and address <> '';

-- name: claim
-- Of two processes one reads it.
update news_sources set next_at = :next_at where id = :id and next_at = :seen and approved_at is not null;

-- name: settled
update news_sources set read_at = :now, last_code = :code where id = :id;

-- name: add_item
insert into imported_items (id, source, guid, link, specialty, title, summary, sort_at, imported_at, seen_at)
values (:id, :source, :guid, :link, :specialty, :title, :summary, :sort_at, :now, :now) on conflict do nothing;

-- name: seen_item
update imported_items set seen_at = :now where source = :source and (guid = :guid or link = :link);

-- name: items_of_source
select id, title, link, sort_at from imported_items where source = :source and withdrawn_at is null
order by sort_at desc, id desc limit :count;

-- name: withdraw_item
-- Its place stays, without a word of it, so that it does not come again.
update imported_items set withdrawn_at = :now, title = '', summary = '' where id = :id and withdrawn_at is null;

-- name: withdraw_beyond
-- A source shows no more than so many.
update imported_items set withdrawn_at = :now, title = '', summary = ''
where id in (
    select id from imported_items where source = :source and withdrawn_at is null
    order by sort_at desc, id desc limit 10000 offset :most);

-- name: withdraw_old
update imported_items set withdrawn_at = :now, title = '', summary = ''
where withdrawn_at is null and sort_at < :before;

-- name: forget_items
-- What its feed holds no more cannot come again.
delete from imported_items where withdrawn_at is not null and seen_at < :before;
