-- Doctors who go on at another instance.

-- name: doctor
select uri, origin, local, address, handle, name, role, country, specialties, assurance, valid_from, valid_until,
    standing, inbox, shared_inbox, followers, approves_followers, also_known_as, moved_to, moved_at, updated_at, gone_at
from doctors where uri = :uri;

-- name: set_aliases
-- Of two forms that were sent at once, the second finds another version and changes nothing.
update doctors set also_known_as = :aliases, updated_at = :now
where uri = :uri and local = 1 and updated_at = :seen;

-- name: has_moved
update doctors set moved_to = :target, moved_at = :now where uri = :uri;

-- name: fell_silent
update doctors set standing = 'revoked', updated_at = :now where uri = :uri and local = 0 and standing = 'ok';

-- name: came_back
update doctors set moved_to = '', moved_at = null where uri = :uri and moved_to <> '';

-- name: followers
-- Own doctors who may ask, and follow the one who goes or wait for a yes.
select f.follower from follows f join doctors d on d.uri = f.follower
where f.followee = :doctor and f.state in ('pending', 'accepted') and d.local = 1 and d.gone_at is null
  and d.standing = 'ok' and d.valid_until >= :now
order by f.asked_at, f.follower;

-- name: blockers
select doctor from blocks where blocked = :doctor order by doctor;

-- name: end_follows
-- Who followed goes on reading what was written for them; who has gone reads nothing here, and answers nobody.
delete from follows where follower = :doctor or (followee = :doctor and state <> 'accepted');

-- name: destination
select uri, address, name, country from doctors where uri = :uri and gone_at is null;

-- name: say_elsewhere
insert into dossier_elsewhere (dossier, address, at) values (:dossier, :address, :now)
on conflict (dossier) do update set address = excluded.address, at = excluded.at;

-- name: drop_elsewhere
delete from dossier_elsewhere where dossier = :dossier;

-- name: elsewhere
select address, at from dossier_elsewhere where dossier = :dossier;
