-- Lists of posts, newest first, by a cursor over (sort_at, slug): the cost does not grow with the number of posts.
-- A list says which posts in which version; `cards` tells what is on those that are not remembered.

-- fragment: shown_author
-- Whoever has moved was verified until then, and is not shown as somebody whose recognition was taken away.
case when a.moved_to <> '' then 'moved' else a.standing end as standing

-- fragment: listed
p.uri, p.slug, p.sort_at, p.updated_at, {{answers_seen}} as answers, {{shown_author}}, a.valid_until, a.gone_at,
a.updated_at as author_updated_at, p.solved_at

-- fragment: card
{{listed}}, p.kind, p.title, substr(p.content, 1, 900) as opening, p.language, p.specialties, p.audience, p.role_then,
p.published_at, a.address, a.name, a.country, a.specialties as author_specialties

-- name: cards [sqlite]
select {{card}} from json_each(:uris) u cross join posts p cross join doctors a
where p.uri = u.value and a.uri = p.author and {{visible}};

-- name: cards [postgres]
select {{card}} from posts p cross join doctors a
where p.uri in (select json_array_elements_text(cast(:uris as json))) and a.uri = p.author and {{visible}};

-- fragment: chosen
(:kind = '' or p.kind = :kind)
and (:language = '' or p.language = :language)
and (:country = '' or exists (select 1 from doctors ca where ca.uri = p.author and ca.country = :country))

-- fragment: older
(p.sort_at, p.slug) < (:before_at, :before_slug) and {{chosen}} and {{visible}}

-- name: all
select {{listed}} from posts p cross join doctors a
where a.uri = p.author and {{older}}
order by p.sort_at desc, p.slug desc
limit :count;

-- fragment: own_specialty_after
-- One of the reader's specialties, by how many come before it; where there are fewer it is none, and no post's.
select d.specialty from doctor_specialties d where d.doctor = :reader order by d.specialty limit 1 offset

-- fragment: filed
select p.uri as post, p.sort_at, p.slug from post_specialties s cross join posts p
where s.sort_at <= :before_at and p.uri = s.post and {{older}} and s.specialty =

-- fragment: newest_filed
order by s.sort_at desc, p.slug desc limit :count

-- name: specialty
-- A page of each of the reader's specialties (there are three at most), merged; only what is shown is read whole.
with mine as (
    select * from ({{filed}} ({{own_specialty_after}} 0) {{newest_filed}}) as first
    union all
    select * from ({{filed}} ({{own_specialty_after}} 1) {{newest_filed}}) as second
    union all
    select * from ({{filed}} ({{own_specialty_after}} 2) {{newest_filed}}) as third),
picked as (select distinct post, sort_at, slug from mine order by sort_at desc, slug desc limit :count)
select {{listed}} from picked cross join posts p cross join doctors a
where p.uri = picked.post and a.uri = p.author
order by p.sort_at desc, p.slug desc;

-- name: colleagues [sqlite]
-- The newest of each colleague, then after each post the next one of its author: a queue ordered by time, out of which
-- as many are taken as are shown. With more colleagues only the first step grows.
with recursive merged (author, post, sort_at, slug) as (
    select t.author, t.uri, t.sort_at, t.slug from follows f cross join posts t
    where f.follower = :reader and f.state = 'accepted' and t.uri = (
        select p.uri from posts p
        where p.author = f.followee and {{older}}
        order by p.sort_at desc, p.slug desc limit 1)
    union all
    select t.author, t.uri, t.sort_at, t.slug from merged m cross join posts t
    where t.uri = (
        select p.uri from posts p
        where p.author = m.author and (p.sort_at, p.slug) < (m.sort_at, m.slug) and {{chosen}} and {{visible}}
        order by p.sort_at desc, p.slug desc limit 1)
    order by 3 desc, 4 desc
    limit :count)
select {{listed}} from merged cross join posts p cross join doctors a
where p.uri = merged.post and a.uri = p.author
order by p.sort_at desc, p.slug desc;

-- name: colleagues [postgres]
-- A page of each colleague, merged.
with merged as (
    select t.uri as post, t.sort_at, t.slug from follows f cross join lateral (
        select p.uri, p.sort_at, p.slug from posts p
        where p.author = f.followee and {{older}}
        order by p.sort_at desc, p.slug desc limit :count) as t
    where f.follower = :reader and f.state = 'accepted'
    order by t.sort_at desc, t.slug desc
    limit :count)
select {{listed}} from merged cross join posts p cross join doctors a
where p.uri = merged.post and a.uri = p.author
order by p.sort_at desc, p.slug desc;

-- name: of_author
select {{listed}} from posts p cross join doctors a
where p.author = :author and a.uri = p.author and {{older}}
order by p.sort_at desc, p.slug desc
limit :count;
