-- Whom siblings speak with, as they tell us.

-- name: version
select value from versions where name = 'sibling sets';

-- name: raise_version
update versions set value = value + 1 where name = 'sibling sets';

-- name: all
select origin, siblings, sequence, issued, until, code, announced, read_at, since from sibling_sets order by origin;

-- name: get
select origin, siblings, sequence, issued, until, code, announced, read_at, since from sibling_sets
where origin = :origin;

-- name: announce
insert into sibling_sets (origin, code, announced, since) values (:origin, 'set_unread', 1, :now)
on conflict (origin) do update set announced = sibling_sets.announced + 1;

-- name: doubt_all
-- Older rows were put back: each may have changed since.
update sibling_sets set announced = announced + 1;

-- name: keep
-- What was announced while it was read may be newer than what was read.
insert into sibling_sets (origin, siblings, sequence, issued, until, read_at, since)
values (:origin, :siblings, :sequence, :issued, :until, :now, :now)
on conflict (origin) do update set siblings = excluded.siblings, sequence = excluded.sequence,
    issued = excluded.issued, until = excluded.until, read_at = excluded.read_at, code = '',
    since = case when sibling_sets.code = '' and sibling_sets.until > :now then sibling_sets.since
        else excluded.since end,
    announced = case when sibling_sets.announced = :seen then 0 else sibling_sets.announced end;

-- name: close
insert into sibling_sets (origin, code, since) values (:origin, :code, :now)
on conflict (origin) do update set code = excluded.code,
    since = case when sibling_sets.code = '' then excluded.since else sibling_sets.since end,
    announced = case when sibling_sets.announced = :seen then 0 else sibling_sets.announced end;

-- name: bind_activity
update activities set homes = :homes where uri = :activity;

-- name: homes_of
select actor, homes, body from activities where uri = :activity;

-- name: bind_delivery
update deliveries set homes = :homes where activity = :activity and origin = :origin;

-- name: waiting
-- For whose sets something waits, by receiver.
select distinct origin, homes from deliveries where state = 'held' and last_code = :code order by origin, homes;

-- name: release
-- What waited for sets that are known by now is judged again by whoever sends it.
update deliveries set state = 'waiting', due_at = :now, last_code = ''
where origin = :origin and state = 'held' and last_code = :code and homes = :homes;

-- name: give_up
update deliveries set state = 'dropped', settled_at = :now
where state = 'held' and last_code = :code and created_at <= :before;

-- name: never_sent
-- Who was not sent a thing after all holds no copy of it.
delete from copies where object = :object and origin = :origin and delivered_at is null
  and not exists (select 1 from deliveries d
    where d.object = :object and d.origin = :origin and (d.state <> 'dropped' or d.tried_at is not null));

-- name: may_hold
-- Who has a copy, or may have one: what it was sent was answered, or the answer was lost.
select c.origin from copies c
where c.object = :object and (c.delivered_at is not null or exists (
    select 1 from deliveries d where d.object = c.object and d.origin = c.origin and d.tried_at is not null));
