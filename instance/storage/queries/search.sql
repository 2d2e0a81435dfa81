-- The search: the newest of what matches and may be seen. Matches are looked up newest first, a window of them at a time,
-- so that a word in every post costs no more than a rare one; within the window the one rule of visibility.sql decides,
-- in the same statement. Nothing is counted or listed that it has not let through.

-- fragment: narrowed
(:kind = '' or p.kind = :kind)
and (:specialty = '' or exists (
        select 1 from post_specialties ns where ns.post = p.uri and ns.specialty = :specialty))
and (:solved = '' or (:solved = 'yes' and p.solved_at is not null) or (:solved = 'no' and p.solved_at is null))

-- fragment: unmuted_comment
not exists (select 1 from mutes vu where vu.doctor = :reader and vu.muted = c.author)

-- fragment: found_posts
select m.id as place, p.uri from matched m cross join search_texts s cross join posts p cross join doctors a
where s.id = m.id and p.uri = s.object and a.uri = p.author
  and (:language = '' or p.language = :language) and (:country = '' or a.country = :country)
  and {{narrowed}} and {{visible}} and {{unmuted}}
order by m.id desc limit :count

-- fragment: found_comments
select m.id as place, c.uri, c.slug, c.content, c.language, c.role_then, c.published_at, c.updated_at,
    p.slug as post, p.title as post_title, p.language as post_language, p.kind as post_kind,
    a.address, a.name, a.country, a.specialties as author_specialties, {{shown_author}}, a.valid_until, a.gone_at
from matched m cross join search_texts s cross join comments c cross join posts p cross join doctors a
where s.id = m.id and c.uri = s.object and p.uri = c.post and a.uri = c.author
  and (:language = '' or c.language = :language) and (:country = '' or a.country = :country)
  and {{narrowed}} and {{visible}} and {{comment_unblocked}} and {{unmuted}} and {{unmuted_comment}}
order by m.id desc limit :count

-- fragment: matched_sqlite
matched as materialized (
    select i.rowid as id from search_index i
    where i.search_index match :match and i.rowid < :before order by i.rowid desc limit :window)

-- fragment: matched_postgres
matched as materialized (
    select i.id from search_texts i
    where i.tokens @@ cast(:match as tsquery) and i.id < :before order by i.id desc limit :window)

-- name: posts [sqlite]
with {{matched_sqlite}} {{found_posts}};

-- name: posts [postgres]
with {{matched_postgres}} {{found_posts}};

-- name: comments [sqlite]
with {{matched_sqlite}} {{found_comments}};

-- name: comments [postgres]
with {{matched_postgres}} {{found_comments}};

-- name: window [sqlite]
-- Where a window ends: further back it is looked for only when that is asked.
with {{matched_sqlite}} select count(*) as number, min(id) as last from matched;

-- name: window [postgres]
with {{matched_postgres}} select count(*) as number, min(id) as last from matched;

-- name: bound [sqlite]
-- SQLite stops by itself at the end of a window.
select 0 as milliseconds;

-- name: bound [postgres]
-- For the transaction it stands in: no search keeps the database longer.
select set_config('statement_timeout', '2000', true) as milliseconds;

-- name: due
select at, object, kind from search_due order by at desc, object limit :count;

-- name: behind
-- Whether more than a moment's posts are still to be made findable; never counts further.
select count(*) as number from (select 1 from search_due limit :count) as waiting;

-- name: remaining
select count(*) as number from search_due;

-- name: kept
select object, words from search_texts order by id;

-- name: post
select uri, title, content, language, kind, specialties, facts, coalesce(updated_at, 0) as version
from posts where uri = :uri;

-- name: comment
-- Of a discussion that is here; when that comes later, its answers are due again.
select c.uri, c.content, c.language, coalesce(c.updated_at, 0) as version
from comments c where c.uri = :uri and exists (select 1 from posts k where k.uri = c.post);

-- name: drop
delete from search_texts where object = :object;

-- fragment: kept_post
insert into search_texts (id, object, words)
select cast(:id as bigint), p.uri, cast(:words as text) from posts p
where p.uri = :object and coalesce(p.updated_at, 0) = :version

-- fragment: kept_comment
insert into search_texts (id, object, words)
select cast(:id as bigint), c.uri, cast(:words as text) from comments c join posts p on p.uri = c.post
where c.uri = :object and coalesce(c.updated_at, 0) = :version

-- name: keep_post [sqlite]
-- Only where it is what was read: whoever changed it meanwhile has it made findable anew.
{{kept_post}} on conflict (id) do nothing;

-- name: keep_post [postgres]
-- Whoever changes or withdraws it at this moment waits, or is waited for: no word outlives its post.
{{kept_post}} for share on conflict (id) do nothing;

-- name: keep_comment [sqlite]
{{kept_comment}} on conflict (id) do nothing;

-- name: keep_comment [postgres]
{{kept_comment}} for share on conflict (id) do nothing;

-- name: done
delete from search_due where at = :at and object = :object;

-- name: again
insert into search_due (at, object, kind) values (:at, :object, :kind) on conflict do nothing;

-- name: merge [sqlite]
-- A few pages at a time: what was taken out of the index leaves the file, too.
insert into search_index (search_index, rank) values ('merge', :pages);

-- name: merge [postgres]
-- PostgreSQL's own vacuum does it.
select 0 where cast(:pages as bigint) is null;
