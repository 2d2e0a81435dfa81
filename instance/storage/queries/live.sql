-- What pages that are open look at, once for all of them.

-- name: marks
select doctor, version from notice_marks where at >= :since;

-- name: asked
-- Whom questions ask that have just come.
select id, whom from askings where at >= :since;

-- name: newest
select sort_at, slug from posts order by sort_at desc, slug desc limit 1;

-- name: new_posts
-- How many came after that one which this reader may see and has not written; twenty at most.
select count(*) as number from (
    select 1 as one from posts p
    where (p.sort_at, p.slug) > (:at, :slug) and p.author <> :reader and {{visible}}
        and not exists (select 1 from mutes m where m.doctor = :reader and m.muted = p.author)
    limit 20) f;
