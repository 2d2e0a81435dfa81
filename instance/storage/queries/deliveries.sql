-- The queue out: one row per activity and inbox.

-- name: add
-- Its number is the last one given in the lane, raised before in the same transaction.
insert into deliveries (id, origin, inbox, shared, activity, actor, object, priority, state, created_at, due_at, kind,
    number)
values (:id, :origin, :inbox, :shared, :activity, :actor, :object, :priority, :state, :now, :now, :kind,
    (select last_number from lanes where origin = :origin))
on conflict (inbox, activity) do nothing;

-- name: again
-- Said anew, under the last number given in the lane: the earlier one stands for nothing any more.
update deliveries set state = :state, priority = :priority, attempts = 0, due_at = :now, created_at = :now,
    settled_at = null, last_status = null, last_code = '',
    number = (select last_number from lanes where origin = :origin)
where inbox = :inbox and activity = :activity;

-- name: is_waiting
select 1 as waiting from deliveries
where inbox = :inbox and activity = :activity and state in ('waiting', 'resting', 'held');

-- name: last
select max(id) as id from deliveries;

-- name: withdraw_object
-- What was to say that this exists is not said any more; the Delete is.
update deliveries set state = 'dropped', last_code = 'withdrawn', settled_at = :now
where object = :object and priority > 1 and state in ('waiting', 'resting', 'held')
  and activity in (select uri from activities where object = :object and type in ('Create', 'Update', 'Announce'));

-- name: withdraw_activity
-- What was undone before it was sent is not sent.
update deliveries set state = 'dropped', last_code = 'undone', settled_at = :now
where activity = :activity and actor = :actor and state in ('waiting', 'resting', 'held');

-- name: next
-- Revocations overtake posts: a revoked doctor's case must not arrive after the news. What rests keeps back what its
-- signer wrote to the same inbox after it, and nothing else; revocations and withdrawals neither wait nor keep back,
-- since what they take away was dropped when they were written.
select d.id, d.origin, d.inbox, d.shared, d.activity, d.actor, d.object, d.priority, d.attempts, d.created_at, d.number,
    d.homes
from deliveries d
where d.origin = :origin and d.state = 'waiting'
  and (d.priority < 2 or not exists (
    select 1 from deliveries r
    where r.origin = d.origin and r.state = 'resting' and r.priority >= 2 and r.id < d.id
      and r.actor = d.actor and r.inbox = d.inbox))
order by d.priority, d.id limit :limit;

-- fragment: over
-- Whether the rest is over. What was tried a minute from now or later was tried before the clock was set back: nobody
-- knows any more how long it was to rest.
(due_at <= :now or tried_at > :now + 60000)

-- name: resting_due
select 1 as due from deliveries where origin = :origin and state = 'resting' and {{over}} limit 1;

-- name: rested
update deliveries set state = 'waiting' where origin = :origin and state = 'resting' and {{over}};

-- name: done
-- Like every settlement it may be written twice, where the answer to the first commit was lost, and counts once.
update deliveries set state = 'done', settled_at = :now, last_status = :status, last_code = '', attempts = attempts + 1,
    tried_at = :now, key_id = :key_id, profile = :profile, head = :head
where id = :id and state <> 'done';

-- name: dead
update deliveries set state = 'dead', settled_at = :now, last_status = :status, last_code = :code,
    attempts = attempts + 1, tried_at = :now, key_id = :key_id, profile = :profile, head = :head
where id = :id and state in ('waiting', 'resting');

-- name: rest
update deliveries set state = 'resting', due_at = :until, last_status = :status, last_code = :code,
    attempts = attempts + 1, tried_at = :now, key_id = :key_id, profile = :profile, head = :head
where id = :id and (state = 'waiting' or state = 'resting' and due_at <> :until);

-- name: tried
update deliveries set last_status = :status, last_code = :code, tried_at = :now, key_id = :key_id,
    profile = :profile, head = :head
where id = :id and state in ('waiting', 'resting');

-- name: hold
update deliveries set state = 'held', last_code = :code where id = :id and state in ('waiting', 'resting');

-- name: drop
update deliveries set state = 'dropped', last_code = :code, settled_at = :now
where id = :id and state in ('waiting', 'resting');

-- name: give_up
-- Thirty days are over for everything but revocations and erasures.
update deliveries set state = 'dead', last_code = 'gave_up', settled_at = :now
where origin = :origin and state in ('waiting', 'resting') and priority > 0 and created_at <= :before;

-- name: note_refusal
insert into refusals (id, at, direction, code, origin, activity, rule, key_id, profile, message, head)
values (:id, :now, 'out', :code, :origin, :activity, :rule, :key_id, :profile, :message, :head)
on conflict (id) do nothing;

-- name: counts
select origin, state, count(*) as number from deliveries
where (:origin = '' or origin = :origin) and (:state = '' or state = :state)
group by origin, state order by origin, state;

-- name: list
-- What waits or is dead, the dead first; with a state named, what is in that state.
select d.id, d.origin, d.inbox, a.type, d.activity, d.actor, d.priority, d.state, d.attempts, d.last_status,
    d.last_code, d.created_at, d.due_at, d.settled_at
from deliveries d join activities a on a.uri = d.activity
where (:origin = '' or d.origin = :origin)
  and ((:state = '' and d.state in ('waiting', 'resting', 'held', 'dead')) or d.state = :state)
order by case d.state when 'dead' then 0 else 1 end, d.id limit :limit;

-- name: show
select d.id, d.origin, d.inbox, a.type, d.activity, d.actor, d.object, d.priority, d.state, d.attempts, d.last_status,
    d.last_code, d.created_at, d.due_at, d.settled_at, a.audience, l.failures as lane_failures,
    l.next_at as lane_next_at, l.failing_since as lane_failing_since, l.alarm as lane_alarm
from deliveries d join activities a on a.uri = d.activity left join lanes l on l.origin = d.origin
where d.id = :id;

-- name: dead_letters
-- Some dead letters of a sibling, the oldest first.
select id from deliveries where origin = :origin and state = 'dead' and id > :after and (:id = '' or id = :id)
order by id limit :most;

-- name: retry
-- Its thirty days begin again. Whoever is not spoken with keeps theirs as they are.
update deliveries set state = 'waiting', created_at = :now, due_at = :now, attempts = 0, settled_at = null
where origin = :origin and state = 'dead' and id > :after and id <= :upto and (:id = '' or id = :id)
  and origin in (select origin from siblings where policy = 'inherit');

-- name: hasten
-- What rests for a time of its own is due now; but whoever's inbox was not there has their day.
update deliveries set due_at = :now where id in (
    select id from deliveries
    where origin = :origin and state = 'resting' and due_at > :now
      and not (shared = 0 and coalesce(last_status, 0) in (404, 410))
    order by priority, id limit :most);

-- name: tidy
-- A step at a time, so that other writes need not wait.
delete from deliveries where id in (
    select id from deliveries where state in ('done', 'dropped') and settled_at <= :before limit :most);

-- name: owner_of_inbox
select uri from doctors where origin = :origin and inbox = :inbox and gone_at is null;
