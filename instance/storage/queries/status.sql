-- Status lists: our own places and bits, siblings' lists and who stands in them.

-- name: place
-- The last one allotted to the doctor: a new dossier has a new place.
select list, place from status_places where doctor = :doctor order by allotted_at desc, list desc, place desc limit 1;

-- name: newest_list
select coalesce(max(list), 1) as list, count(*) as taken from status_places
where list = (select coalesce(max(list), 1) from status_places);

-- name: allot
insert into status_places (list, place, doctor, allotted_at) values (:list, :place, :doctor, :now)
on conflict do nothing;

-- name: set_suspended
update status_places set suspended = :value
where list = :list and place = :place and suspended <> :value;

-- name: set_revoked
-- Never cleared.
update status_places set revoked = 1 where list = :list and place = :place and revoked = 0;

-- name: bits
select place, revoked, suspended from status_places where list = :list and (revoked = 1 or suspended = 1);

-- name: places
select place, doctor, revoked, suspended from status_places where list = :list;

-- name: version
select value from versions where name = 'status';

-- name: raise_version
update versions set value = value + 1 where name = 'status';

-- name: lists
select uri, origin, purpose, bits, fetched_at from sibling_lists;

-- name: list
select uri, origin, purpose, bits, fetched_at from sibling_lists where uri = :uri;

-- name: keep_list
-- Of two processes that read at once, the older answer changes nothing. What bears a time more than a quarter of an hour
-- later was read before the clock was set back: it keeps no list out.
insert into sibling_lists (uri, origin, purpose, bits, fetched_at) values (:uri, :origin, :purpose, :bits, :fetched_at)
on conflict (uri) do update set bits = excluded.bits, fetched_at = excluded.fetched_at
where sibling_lists.origin = excluded.origin and sibling_lists.purpose = excluded.purpose
  and (sibling_lists.fetched_at <= excluded.fetched_at or sibling_lists.fetched_at > excluded.fetched_at + 900000);

-- name: forget_lists
delete from sibling_lists where origin = :origin;

-- name: drop_places
delete from doctor_places where doctor = :doctor;

-- name: add_place
insert into doctor_places (list, place, doctor) values (:list, :place, :doctor) on conflict do nothing;

-- name: doctors_at
select d.uri, d.origin, d.standing, d.document from doctor_places p join doctors d on d.uri = p.doctor
where p.list = :list and p.place = :place and d.local = 0 and d.gone_at is null;

-- name: waits
-- Whether anything of this origin's doctors waits for its lists; `behind` is the first text behind its addresses.
select 1 as found from inbound
where actor >= :first and actor < :behind and state = 'held' and held_for = :code limit 1;

-- name: release_held
update inbound set state = 'waiting', held_for = '', due_at = :now
where actor >= :first and actor < :behind and state = 'held' and held_for = :code;
