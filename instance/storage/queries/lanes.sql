-- One lane per sibling; who empties it, how wide it is, and when it may be tried again.

-- name: number
-- The next number of this sibling's log. Whoever comes at the same time waits for the commit, so that a number below the
-- last one is on disk, or will never be.
insert into lanes (origin, last_number) values (:origin, 1)
on conflict (origin) do update set last_number = lanes.last_number + 1;

-- fragment: free
-- Whether a lane may be tried now, and is nobody's or ours. Nobody is kept waiting for more than an hour: what is
-- farther away was written before the clock was set back.
(next_at <= :now or next_at > :now + 3700000) and (owner = '' or owner = :me or lease_until <= :now)

-- name: due
-- Lanes with something to send now, free or ours.
select l.origin, l.failures, l.next_at, l.width, l.failing_since, l.alarm from lanes l
where {{free}}
  and (exists (select 1 from deliveries w where w.origin = l.origin and w.state = 'waiting')
    or exists (select 1 from deliveries r where r.origin = l.origin and r.state = 'resting'
      and (r.due_at <= :now or r.tried_at > :now + 60000)))
order by l.origin limit :limit;

-- name: take
-- The lane as it is now, not as it was when it was looked for.
update lanes set owner = :me, lease_until = :until where origin = :origin and {{free}}
returning origin, failures, next_at, width, failing_since, alarm;

-- name: keep
update lanes set lease_until = :until where owner = :me;

-- name: release
update lanes set owner = '', lease_until = 0 where origin = :origin and owner = :me;

-- name: save
insert into lanes (origin, failures, next_at, width, failing_since, alarm)
values (:origin, :failures, :next_at, :width, :failing_since, :alarm)
on conflict (origin) do update set failures = excluded.failures, next_at = excluded.next_at, width = excluded.width,
    failing_since = excluded.failing_since, alarm = excluded.alarm;

-- name: try_now
update lanes set next_at = 0 where origin = :origin;

-- name: all
select origin, failures, next_at, width, failing_since, alarm from lanes order by origin;

-- name: reached
insert into sibling_contacts (origin, last_out_at) values (:origin, :now)
on conflict (origin) do update set last_out_at = excluded.last_out_at;

-- name: taken
insert into sibling_contacts (origin, last_done_at) values (:origin, :now)
on conflict (origin) do update set last_done_at = excluded.last_done_at;

-- name: fault
insert into sibling_contacts (origin, last_fault, last_fault_at) values (:origin, :code, :now)
on conflict (origin) do update set last_fault = excluded.last_fault, last_fault_at = excluded.last_fault_at;
