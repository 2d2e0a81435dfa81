-- fragment: muted
-- Whoever has muted a case hears nothing of it, whatever happens there.
exists (
    select 1 from posts mp join post_marks mk on mk.post = mp.uri
    where mp.slug = cast(:post as text) and mk.doctor = d.uri and mk.muted_at is not null)

-- name: add
-- Only our own doctors are told, never of themselves, never of somebody they have blocked or muted, and by name only
-- inside their contact rule.
insert into notifications (id, doctor, kind, actor, post, object, at)
select cast(:id as text), d.uri, cast(:kind as text), cast(:actor as text), cast(:post as text),
    cast(:object as text), cast(:now as bigint)
from doctors d
where d.uri = :doctor and d.local = 1 and d.gone_at is null and d.uri <> cast(:actor as text)
  and not exists (select 1 from blocks b where b.doctor = :doctor and b.blocked = cast(:actor as text))
  and {{heard}}
  and (cast(:kind as text) = 'reported' or not {{muted}})
on conflict do nothing;

-- name: drop
delete from notifications where doctor = :doctor and kind = :kind and actor = :actor and object = :object;

-- name: drop_about
delete from notifications where object = :object;

-- name: drop_of_post
delete from notifications where post = :post;

-- name: drop_between
delete from notifications where (doctor = :one and actor = :other) or (doctor = :other and actor = :one);

-- name: staff
select doctor from accounts
where doctor is not null and disabled_at is null and (roles like '%"moderator"%' or roles like '%"administrator"%');
