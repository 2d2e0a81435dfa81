-- What came, what was refused and what was sent, for the administrator: heads and facts, never a body.

-- name: find
-- Ids sort by time, so each part is read from its newest row backwards and stops when the page is full. A refusal of a
-- message that has a row of its own is shown there.
select * from (
    select id, 'in' as direction,
        case when state in ('held', 'refused', 'failed') then state else 'accepted' end as verdict,
        held_for as code, 19 as step, origin, key_id, profile, activity, type, kind, received_at as at,
        0 as more
    from inbound
    where id >= :since and id < :until and :direction in ('', 'in') and (:origin = '' or origin = :origin)
      and (:code = '' or held_for = :code)
      and (:verdict = '' or :verdict = case when state in ('held', 'refused', 'failed') then state else 'accepted' end)
      and (:part = '' or lower(activity) like :part escape '!' or lower(key_id) like :part escape '!')
    order by id desc limit :most
) as taken
union all
select * from (
    select id, direction, 'refused' as verdict, code, step, origin, key_id, profile, activity, type, kind, at, more
    from refusals
    where id >= :since and id < :until and message = '' and (:direction = '' or direction = :direction)
      and (:origin = '' or origin = :origin) and (:code = '' or code = :code) and :verdict in ('', 'refused')
      and (:part = '' or lower(activity) like :part escape '!' or lower(key_id) like :part escape '!')
    order by id desc limit :most
) as turned_away
union all
select * from (
    select id, 'in' as direction, verdict, '' as code, 0 as step, origin, key_id, profile, activity, type, kind, at,
        more
    from unkept
    where id >= :since and id < :until and :direction in ('', 'in') and (:origin = '' or origin = :origin)
      and :code = '' and (:verdict = '' or verdict = :verdict)
      and (:part = '' or lower(activity) like :part escape '!' or lower(key_id) like :part escape '!')
    order by id desc limit :most
) as passed_by
union all
select * from (
    select d.id, 'out' as direction, case d.state when 'done' then 'sent' else d.state end as verdict,
        d.last_code as code, 0 as step, d.origin, d.key_id, d.profile, d.activity, a.type, d.kind,
        d.created_at as at, 0 as more
    from deliveries d join activities a on a.uri = d.activity
    where d.id >= :since and d.id < :until and :direction in ('', 'out') and (:origin = '' or d.origin = :origin)
      and (:code = '' or d.last_code = :code)
      and (:verdict = '' or :verdict = case d.state when 'done' then 'sent' else d.state end)
      and (:part = '' or lower(d.activity) like :part escape '!' or lower(d.key_id) like :part escape '!')
    order by d.id desc limit :most
) as sent
order by id desc limit :most;

-- name: of_activity
-- Everything about one activity, whenever it was. Ids lie on their actor's origin, which is how the row of one that was
-- taken is found without an index of its own.
select id, 'in' as direction,
    case when state in ('held', 'refused', 'failed') then state else 'accepted' end as verdict,
    held_for as code, 19 as step, origin, key_id, profile, activity, type, kind, received_at as at,
    0 as more
from inbound
where activity = :activity and actor in (
    select uri from doctors where origin = :home union all select actor from siblings where origin = :home
    union all select :home || '/actor'
)
union all
select id, direction, 'refused' as verdict, code, step, origin, key_id, profile, activity, type, kind, at, more
from refusals where activity = :activity
union all
select id, 'in' as direction, verdict, '' as code, 0 as step, origin, key_id, profile, activity, type, kind, at, more
from unkept where activity = :activity
union all
select d.id, 'out' as direction, case d.state when 'done' then 'sent' else d.state end as verdict, d.last_code as code,
    0 as step, d.origin, d.key_id, d.profile, d.activity, a.type, d.kind, d.created_at as at, 0 as more
from deliveries d join activities a on a.uri = d.activity where d.activity = :activity
order by id desc limit :most;

-- name: show
select id, 'in' as direction,
    case when state in ('held', 'refused', 'failed') then state else 'accepted' end as verdict,
    held_for as code, 19 as step, origin, key_id, profile, activity, type, kind, received_at as at,
    0 as more, actor, '' as inbox, head, applied_at as settled_at, attempts, 0 as status, '' as message
from inbound where id = :id
union all
select id, direction, 'refused' as verdict, code, step, origin, key_id, profile, activity, type, kind, at, more,
    '' as actor, '' as inbox, head, null as settled_at, 0 as attempts, 0 as status, message
from refusals where id = :id
union all
select id, 'in' as direction, verdict, '' as code, 0 as step, origin, key_id, profile, activity, type, kind, at, more,
    '' as actor, '' as inbox, head, null as settled_at, 0 as attempts, 0 as status, '' as message
from unkept where id = :id
union all
select d.id, 'out' as direction, case d.state when 'done' then 'sent' else d.state end as verdict, d.last_code as code,
    0 as step, d.origin, d.key_id, d.profile, d.activity, a.type, d.kind, d.created_at as at, 0 as more, d.actor,
    d.inbox, d.head, coalesce(d.tried_at, d.settled_at) as settled_at, d.attempts, coalesce(d.last_status, 0) as status,
    '' as message
from deliveries d join activities a on a.uri = d.activity where d.id = :id;

-- name: refusals_of
-- Why a message that has a row was refused: what its worker or its sibling said, the newest first.
select id, direction, 'refused' as verdict, code, step, origin, key_id, profile, activity, type, kind, at, more
from refusals where message = :message order by id desc limit :most;

-- name: own_refusals
-- For the sibling itself: what it may know, and nothing else.
select at, direction, code, activity, key_id, more from refusals
where origin = :origin and direction in ('in', 'serve') and at >= :since order by id desc limit :most;

-- name: standing
-- How the doctor stands now who spoke in a message, by the actor or by the key's owner.
select uri, standing from doctors
where uri = :actor or uri = (select owner from keys where id = :key_id) order by uri limit 1;

-- name: changes_about
-- What the record says of an origin around a moment: the last change up to it, or else the first one after it.
select * from (
    select act, before, after, at from sibling_changes where origin = :origin and at <= :at order by id desc limit 1
) as last_before
union all
select * from (
    select act, before, after, at from sibling_changes where origin = :origin and at > :at order by id limit 1
) as first_after
order by at;

-- name: facts
-- What the decision about one origin needs of every message since then, counted by day.
select 'in' as direction, case when state in ('held', 'refused', 'failed') then state else 'accepted' end as verdict,
    held_for as code, 19 as step, kind, received_at / 86400000 as day, count(*) as number
from inbound where id >= :since and origin = :origin
group by case when state in ('held', 'refused', 'failed') then state else 'accepted' end, held_for, kind,
    received_at / 86400000
union all
select direction, 'refused' as verdict, code, step, kind, at / 86400000 as day, count(*) + sum(more) as number
from refusals where id >= :since and origin = :origin and message = '' and direction in ('in', 'serve')
group by direction, code, step, kind, at / 86400000
union all
select 'in' as direction, verdict, '' as code, 0 as step, kind, at / 86400000 as day, count(*) + sum(more) as number
from unkept where id >= :since and origin = :origin
group by verdict, kind, at / 86400000
union all
select 'out' as direction, case d.state when 'done' then 'sent' else d.state end as verdict, d.last_code as code,
    0 as step, d.kind, d.created_at / 86400000 as day, count(*) as number
from deliveries d where d.id >= :since and d.origin = :origin
group by case d.state when 'done' then 'sent' else d.state end, d.last_code, d.kind, d.created_at / 86400000
order by day, direction, verdict, code, step, kind;

-- name: lines
-- The same messages one by one, the newest first, from a place on.
select * from (
    select id, 'in' as direction,
        case when state in ('held', 'refused', 'failed') then state else 'accepted' end as verdict,
        held_for as code, 19 as step, origin, key_id, profile, activity, type, kind,
        received_at as at, 0 as more
    from inbound where id >= :since and id < :until and origin = :origin order by id desc limit :most
) as taken
union all
select * from (
    select id, direction, 'refused' as verdict, code, step, origin, key_id, profile, activity, type, kind, at, more
    from refusals
    where id >= :since and id < :until and origin = :origin and message = '' and direction in ('in', 'serve')
    order by id desc limit :most
) as turned_away
union all
select * from (
    select id, 'in' as direction, verdict, '' as code, 0 as step, origin, key_id, profile, activity, type, kind, at,
        more
    from unkept where id >= :since and id < :until and origin = :origin order by id desc limit :most
) as passed_by
union all
select * from (
    -- The newest are chosen by an index alone, however many there are of this sibling.
    select d.id, 'out' as direction, case d.state when 'done' then 'sent' else d.state end as verdict,
        d.last_code as code, 0 as step, d.origin, d.key_id, d.profile, d.activity, a.type, d.kind, d.created_at as at,
        0 as more
    from (
        select id from deliveries where id >= :since and id < :until and origin = :origin order by id desc limit :most
    ) as newest join deliveries d on d.id = newest.id join activities a on a.uri = d.activity
) as sent
order by id desc limit :most;
