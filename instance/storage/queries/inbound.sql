-- What siblings sent: kept once, worked off once. The body goes as soon as its effect is there.

-- name: add
insert into inbound (id, actor, activity, type, origin, key_id, profile, body, received_at, state, held_for, due_at,
    applied_at, kind, head, log_epoch, log_number)
values (:id, :actor, :activity, :type, :origin, :key_id, :profile, :body, :now, :state, :held_for, :now, :applied_at,
    :kind, :head, :log_epoch, :log_number)
on conflict (actor, activity) do nothing;

-- name: due
-- `apart`: the origins that are left alone, each between two bars. Nothing waits until after `far`: what seems to was
-- put off before the clock was set back.
select id, actor, activity, type, origin, key_id, profile, kind, body, attempts, received_at, log_epoch, log_number
from inbound
where state = 'waiting' and (due_at <= :now or due_at > :far) and :apart not like '%|' || origin || '|%'
order by due_at, id limit :count;

-- name: next_due
select min(due_at) as due_at from inbound where state = 'waiting';

-- name: applied
-- Only one process works a row off: the others find it settled, or wait for this transaction.
update inbound set state = 'applied', applied_at = :now, body = :empty where id = :id and state = 'waiting';

-- name: refused
update inbound set state = 'refused', held_for = :code, applied_at = :now, body = :empty
where id = :id and state = 'waiting';

-- name: held
update inbound set state = 'held', held_for = :code where id = :id and state = 'waiting';

-- name: later
-- A handler raised: four more tries, then the row stands still for somebody to look at.
update inbound set attempts = attempts + 1, due_at = :due_at,
    state = case when attempts + 1 >= :most then 'failed' else 'waiting' end
where id = :id and state = 'waiting';

-- name: wait
-- Something elsewhere has to come back first; that is no fault of the message and counts for none.
update inbound set due_at = :due_at where id = :id and state = 'waiting';

-- name: expire_held
update inbound set state = 'refused', body = :empty, applied_at = :now where state = 'held' and received_at <= :since;

-- name: empty_failed
update inbound set body = :empty where state = 'failed' and received_at <= :since;

-- name: contact
insert into sibling_contacts (origin, last_in_at) values (:origin, :now)
on conflict (origin) do update set last_in_at = excluded.last_in_at;

-- name: last_of_heads
-- Up to which message headers are forgotten next; ids sort by time, so nothing is looked at twice.
select max(id) as last from (
    select id from inbound where id > :after and id < :before order by id limit :most
) as oldest;

-- name: forget_heads
update inbound set head = '' where id > :after and id <= :last and head <> '';

-- name: refusal
insert into refusals (id, at, direction, code, origin, key_id, activity, rule, more, step, profile, type, kind, message,
    head)
values (:id, :at, :direction, :code, :origin, :key_id, :activity, :rule, :more, :step, :profile, :type, :kind, :message,
    :head);

-- name: unkept
insert into unkept (id, at, verdict, origin, key_id, profile, activity, type, kind, head, more)
values (:id, :at, :verdict, :origin, :key_id, :profile, :activity, :type, :kind, :head, :more);

-- name: forget_refusals
-- Ids sort by time: the oldest first, and never so many at once that other writes have to wait.
delete from refusals where at <= :before and id in (select id from refusals order by id limit :most);

-- name: forget_unkept
delete from unkept where at <= :before and id in (select id from unkept order by id limit :most);
