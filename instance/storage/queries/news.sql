-- The newsroom: news and reports by specialty, under the one visibility rule, and what was imported beside them.

-- fragment: filed_report
-- By the index of reports alone: cases of the specialty are not walked.
select p.uri as post, p.sort_at, p.slug from post_specialties s cross join posts p
where s.report <> '' and (:kind = '' or s.report = :kind) and s.sort_at <= :before_at and p.uri = s.post
  and (p.sort_at, p.slug) < (:before_at, :before_slug) and (:interests = '' or p.interests = :interests)
  and {{visible}} and s.specialty =

-- name: reports
with mine as (
    select * from ({{filed_report}} :first {{newest_filed}}) as first
    union all
    select * from ({{filed_report}} :second {{newest_filed}}) as second
    union all
    select * from ({{filed_report}} :third {{newest_filed}}) as third),
picked as (select distinct post, sort_at, slug from mine order by sort_at desc, slug desc limit :count)
select {{listed}} from picked cross join posts p cross join doctors a
where p.uri = picked.post and a.uri = p.author
order by p.sort_at desc, p.slug desc;

-- fragment: of_congress
p.event_from <> '' and p.kind = 'congress-report' and (:interests = '' or p.interests = :interests) and a.uri = p.author
  and exists (
        select 1 from post_specialties s
        where s.post = p.uri and s.specialty in (:first, :second, :third))
  and {{visible}}

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
