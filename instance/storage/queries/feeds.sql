-- Lists of posts, newest first, by a cursor over (sort_at, slug): the cost does not grow with the number of posts.

-- fragment: card
p.uri, p.slug, p.kind, p.title, substr(p.content, 1, 900) as opening, p.language, p.specialties, p.audience, p.local,
p.role_then, p.published_at, p.updated_at, p.sort_at, {{answers_seen}} as answers,
a.uri as author, a.address, a.name, a.country, a.specialties as author_specialties, a.standing, a.valid_until,
a.gone_at, a.updated_at as author_updated_at, case when p.author = :reader then 1 else 0 end as own

-- fragment: chosen
(:kind = '' or p.kind = :kind)
and (:language = '' or p.language = :language)
and (:country = '' or exists (select 1 from doctors ca where ca.uri = p.author and ca.country = :country))

-- name: all
select {{card}} from posts p cross join doctors a
where a.uri = p.author and (p.sort_at, p.slug) < (:before_at, :before_slug) and {{chosen}} and {{visible}}
order by p.sort_at desc, p.slug desc
limit :count;

-- name: specialty
-- Of each specialty of the reader at most a page is walked (its last visible post is the floor); then they are merged,
-- and only what is shown is read whole.
with mine as (
    select d.specialty, coalesce((
        select s.sort_at from post_specialties s cross join posts p
        where s.specialty = d.specialty and s.sort_at <= :before_at
          and p.uri = s.post and (s.sort_at < :before_at or p.slug < :before_slug) and {{chosen}} and {{visible}}
        order by s.sort_at desc limit 1 offset :count - 1), 0) as floor
    from doctor_specialties d where d.doctor = :reader),
picked as (
    select distinct p.uri as post, p.sort_at, p.slug from mine cross join post_specialties s cross join posts p
    where s.specialty = mine.specialty and s.sort_at between mine.floor and :before_at
      and p.uri = s.post and (p.sort_at, p.slug) < (:before_at, :before_slug) and {{chosen}} and {{visible}}
    order by p.sort_at desc, p.slug desc
    limit :count)
select {{card}} from picked cross join posts p cross join doctors a
where p.uri = picked.post and a.uri = p.author
order by p.sort_at desc, p.slug desc;

-- name: colleagues
-- As above, by author: at most a page of each colleague the reader follows.
with mine as (
    select f.followee, coalesce((
        select p.sort_at from posts p
        where p.author = f.followee and p.sort_at <= :before_at
          and (p.sort_at < :before_at or p.slug < :before_slug) and {{chosen}} and {{visible}}
        order by p.sort_at desc limit 1 offset :count - 1), 0) as floor
    from follows f where f.follower = :reader and f.state = 'accepted'),
picked as (
    select p.uri as post, p.sort_at, p.slug from mine cross join posts p
    where p.author = mine.followee and p.sort_at between mine.floor and :before_at
      and (p.sort_at, p.slug) < (:before_at, :before_slug) and {{chosen}} and {{visible}}
    order by p.sort_at desc, p.slug desc
    limit :count)
select {{card}} from picked cross join posts p cross join doctors a
where p.uri = picked.post and a.uri = p.author
order by p.sort_at desc, p.slug desc;

-- name: of_author
select {{card}} from posts p cross join doctors a
where p.author = :author and a.uri = p.author
  and (p.sort_at, p.slug) < (:before_at, :before_slug) and {{chosen}} and {{visible}}
order by p.sort_at desc, p.slug desc
limit :count;
