-- Public keys of siblings' actors. Rows with a private part are our own, and never touched here.

-- name: get
select id, owner, origin, algorithm, spki, fetched_at from keys where id = :id and private is null;

-- name: drop_of_owner
delete from keys where owner = :owner and private is null;

-- name: add
insert into keys (id, owner, origin, algorithm, spki, purpose, fetched_at)
values (:id, :owner, :origin, :algorithm, :spki, :purpose, :now)
on conflict (id) do nothing;

-- name: of_owner
select id, spki from keys where owner = :owner and private is null;
