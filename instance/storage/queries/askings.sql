-- Whom questions ask, and when they were answered.

-- name: country
update posts set asked_country = :country where uri = :uri;

-- name: of_post
select id, at from askings where post = :post limit 1;

-- name: whom
select whom from askings where post = :post;

-- name: drop
delete from askings where post = :post;

-- name: add
insert into askings (whom, post, id, at) values (:whom, :post, :id, :at) on conflict do nothing;

-- name: forget
-- What was asked long ago is a notice no more.
delete from askings where whom = :whom and at < :before;

-- name: median
-- Half of what was answered had its first answer in that time. Only of posts that every doctor of this instance may read:
-- the figure is the same for all, and says nothing of a circle.
with waited as (
    select p.first_answer_at - p.published_at as span from posts p
    where p.sort_at > :since and p.kind in ('case', 'observation', 'question') and p.first_answer_at is not null
      and (p.audience = 'federation' or (p.audience = 'national' and p.local = 1))
      and not exists (select 1 from tombstones vt where vt.uri = p.uri) and not {{of_hidden_post}}
    order by p.sort_at desc limit 10000)
select coalesce((
    select span from waited order by span limit 1 offset (select count(*) / 2 from waited)), 0) as median,
    (select count(*) from waited) as number;

-- name: mark_read
insert into reading_places (doctor, place, mark_at, seen_at) values (:doctor, 'asked', :now, :now)
on conflict (doctor, place) do update set mark_at = excluded.mark_at, seen_at = excluded.seen_at;

-- name: mark_one
-- One question alone: it counts as looked at.
insert into post_marks (doctor, post, visited_at)
select distinct cast(:reader as text), k.post, cast(:now as bigint) from {{asked_and_waiting}} and p.slug = :post
on conflict (doctor, post) do update set visited_at = excluded.visited_at;
