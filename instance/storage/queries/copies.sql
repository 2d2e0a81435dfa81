-- The copy ledger: which sibling was sent which object, since when it has it and in which version, and when it said
-- that it has let go of it. What siblings answer to a recommendation says nothing of that.

-- name: add
insert into copies (object, origin, sent_at) values (:object, :origin, :at)
on conflict (object, origin) do nothing;

-- name: delivered
-- "Since" is the first answer; whoever had let go of it has it since now.
update copies set released_at = null,
    delivered_at = case when released_at is null then coalesce(delivered_at, :now) else :now end,
    version = case when version < :activity then :activity else version end
where object = :object and origin = :origin and exists (
    select 1 from activities a where a.uri = :activity and a.object = :object and a.type in ('Create', 'Update'));

-- name: shown
-- The sibling showed that it has this version; the activity itself may be unknown here, after an older state came back.
update copies set delivered_at = coalesce(delivered_at, :now),
    version = case when version < :activity then :activity else version end
where object = :object and origin = :origin;

-- name: handed_out
-- It was read at its address; where that was not sent at all, or was let go before, it is a copy from now on.
insert into copies (object, origin, sent_at, delivered_at) values (:object, :origin, :now, :now)
on conflict (object, origin) do update set delivered_at = coalesce(copies.delivered_at, excluded.delivered_at),
    released_at = null;

-- name: released
update copies set released_at = coalesce(released_at, :now)
where object = :object and origin = :origin
  and exists (select 1 from activities a where a.uri = :activity and a.type = 'Delete');

-- name: holders
-- Where a withdrawal has to go, with the shared inbox as the allowlist knows it.
select c.origin, s.inbox from copies c join siblings s on s.origin = c.origin
where c.object = :object order by c.origin;

-- name: ledger
-- Where an object of ours is, or was to be. One that is no sibling any more is known by the name it had.
select y.origin, coalesce(s.name, f.name, '') as name, case when s.origin is null then 1 else 0 end as former,
    y.sent_at, y.delivered_at, y.released_at,
    case when y.version <> '' and y.version < (
        select max(v.uri) from activities v where v.object = y.object and v.type in ('Create', 'Update'))
    then 1 else 0 end as earlier,
    coalesce(l.next_at, 0) as next_at
from copies y left join siblings s on s.origin = y.origin left join sibling_farewells f on f.origin = y.origin
    left join lanes l on l.origin = y.origin
where y.object = :object order by 2, y.origin;

-- name: words
-- What was said of it to each sibling, in the order in which it was said.
select d.origin, a.type, d.state, d.last_code, d.created_at, d.due_at, d.settled_at
from deliveries d join activities a on a.uri = d.activity
where d.object = :object and a.type in ('Create', 'Update', 'Delete') order by d.origin, d.number, d.id;
