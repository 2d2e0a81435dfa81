-- What doctors see of themselves and of what they have written. Of a discussion that is closed to them nothing is shown
-- but their own words: its post is joined under the rule of visibility.sql, or not at all.

-- name: profile
select summary_source as summary, languages, approves_followers from doctors where uri = :reader and local = 1;

-- name: blocked
select d.uri, d.address, d.name, d.role, d.country, d.specialties, {{shown_doctor}}, d.valid_until, d.gone_at,
    '' as state, '' as follower, 1 as blocked, d.folded
from blocks b join doctors d on d.uri = b.blocked
where b.doctor = :reader and {{called}} and (d.folded, d.uri) > (:after_name, :after_uri)
order by d.folded, d.uri limit :count;

-- name: muted
select d.folded, {{found}} from mutes mu join doctors d on d.uri = mu.muted
where mu.doctor = :reader and not {{of_hidden_doctor}} and {{called}} and (d.folded, d.uri) > (:after_name, :after_uri)
order by d.folded, d.uri limit :count;

-- name: posts
select p.slug, p.kind, p.title, p.language, p.audience, p.published_at, p.updated_at, p.sort_at,
    {{answers_seen}} as answers
from posts p
where p.author = :reader and p.local = 1 and (p.sort_at, p.slug) < (:before_at, :before_slug)
order by p.sort_at desc, p.slug desc limit :count;

-- fragment: own_answer
c.slug, c.content, c.language, c.published_at, c.updated_at, coalesce(p.slug, '') as post,
coalesce(p.title, '') as post_title, coalesce(p.language, '') as post_language
from comments c left join posts p on p.uri = c.post and {{visible}}

-- name: answers
select {{own_answer}}
where c.author = :reader and c.local = 1 and (c.published_at, c.slug) < (:before_at, :before_slug)
order by c.published_at desc, c.slug desc limit :count;

-- name: answer
select {{own_answer}}
where c.slug = :slug and c.author = :reader and c.local = 1;

-- name: withdrawn
-- The reader's posts that are gone: how many siblings were sent them, and how many have confirmed that they let go.
select t.uri, t.at, (select count(*) from copies y where y.object = t.uri) as copies,
    (select count(*) from copies y where y.object = t.uri and y.released_at is not null) as released
from tombstones t
where t.actor = :reader and t.origin = :home and t.former_type = 'Article' and (t.at, t.uri) < (:before_at, :before_uri)
order by t.at desc, t.uri desc limit :count;
