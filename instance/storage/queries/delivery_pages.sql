-- What administrators see of the queue out: a row for each lane, state and priority, whatever waits in it.

-- name: lanes
-- Everybody who is listed or was expelled, and whoever else has left something in the queue.
select l.origin, l.failures, l.next_at, l.width, l.failing_since, l.alarm, coalesce(s.name, f.name, '') as name,
    coalesce(s.policy, '') as policy, case when f.origin is null then 0 else 1 end as former,
    case when l.owner <> '' and l.lease_until > :now then 1 else 0 end as owned,
    c.last_out_at, c.last_done_at, c.last_fault, c.last_fault_at
from lanes l left join siblings s on s.origin = l.origin left join sibling_farewells f on f.origin = l.origin
    left join sibling_contacts c on c.origin = l.origin
where (:origin = '' or l.origin = :origin) and (s.origin is not null or f.origin is not null or exists (
    select 1 from deliveries d where d.origin = l.origin and d.state in ('waiting', 'resting', 'held', 'dead')))
order by 7, l.origin;

-- name: queued
-- Counted along the index, and no farther than :most; the oldest is where that begins.
select l.origin, p.state, u.priority,
    (select count(*) from (
        select 1 from deliveries q
        where q.origin = l.origin and q.state = p.state and q.priority = u.priority limit :most) w) as number,
    (select o.created_at from deliveries o
        where o.origin = l.origin and o.state = p.state and o.priority = u.priority order by o.id limit 1) as oldest
from lanes l
    cross join (select 'waiting' as state union all select 'resting' union all select 'held' union all select 'dead') p
    cross join (select 0 as priority union all select 1 union all select 2 union all select 3) u
where :origin = '' or l.origin = :origin
order by l.origin, p.state, u.priority;

-- name: dead
-- The newest first, a page at a time.
select d.id, d.origin, a.type, d.kind, d.priority, d.attempts, coalesce(d.last_status, 0) as status, d.last_code,
    d.created_at, d.settled_at
from deliveries d join activities a on a.uri = d.activity
where d.origin = :origin and d.state = 'dead' and d.id < :before order by d.id desc limit :most;

-- name: by_authority
select origin from lanes where origin = 'https://' || :authority or origin = 'http://' || :authority;
