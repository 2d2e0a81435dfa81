-- The numbered logs between siblings: ours as deliveries, theirs as `received`.

-- name: ends
select last_number, epoch_from from lanes where origin = :origin;

-- name: not_asked
-- From which number on a sibling is to be asked what it heard; one that an earlier start left there stays.
insert into unasked (origin, number) select origin, last_number from lanes where true on conflict (origin) do nothing;

-- name: all_ends
select l.origin, l.last_number, coalesce(u.number, l.last_number) as number
from lanes l left join unasked u on u.origin = l.origin order by l.origin;

-- name: asked
delete from unasked where origin = :origin;

-- name: skip
-- Numbers that a sibling says it has heard, though it cannot prove it, are not given to it again.
update lanes set last_number = :number where origin = :origin and last_number < :number;

-- name: begin_epoch
-- After a back-up was put back: what is numbered from here on is no longer what siblings may have seen.
update lanes set epoch_from = last_number;

-- name: begin_epoch_at
-- The same where a sibling has shown that more was numbered than we know, after so many.
update lanes set epoch_from = :number where origin = :origin and epoch_from > :number;

-- name: page
-- What a sibling is sent, by number; `inside` says whether it is for it still and not hidden with everything from an
-- instance that was expelled, `kind` of which kind the post is.
select d.number, d.state, d.tried_at, d.actor as signer, d.inbox, d.priority, d.homes, a.uri, a.type, a.object, a.body,
    (case when a.type not in ('Create', 'Update') or a.object = a.actor
        or exists (select 1 from posts p where p.uri = a.object and {{reaches}} and not {{of_hidden_post}})
        or exists (select 1 from comments c join posts p on p.uri = c.post where c.uri = a.object and {{reaches}}
            and not {{of_hidden_post}} and not {{of_hidden_comment}})
        or not exists (select 1 from posts p where p.uri = a.object)
            and not exists (select 1 from comments c where c.uri = a.object)
    then 1 else 0 end) as inside,
    coalesce((select p.kind from posts p where p.uri = a.object),
        (select p.kind from comments c join posts p on p.uri = c.post where c.uri = a.object), '') as kind
from deliveries d join activities a on a.uri = d.activity
where d.origin = :origin and d.number > :after
order by d.number limit :count;

-- name: read
-- Read in the log before it was sent: it may be there from now on.
update deliveries set tried_at = :now where origin = :origin and number = :number and tried_at is null;

-- name: note
-- One row for each message, in the transaction that keeps it.
insert into received (origin, epoch, number, object, head, body, at)
values (:origin, :epoch, :number, :object, :head, :body, :now)
on conflict do nothing;

-- name: has
select number from received where origin = :origin and epoch = :epoch and number = :number;

-- name: known
select epoch, mark from sibling_logs where origin = :origin;

-- name: begin
insert into sibling_logs (origin, epoch, mark) values (:origin, :epoch, :mark)
on conflict (origin) do update set epoch = excluded.epoch, mark = excluded.mark;

-- name: advance
update sibling_logs set mark = :mark where origin = :origin and epoch = :epoch and mark < :mark;

-- name: above
-- The numbers that were seen above the mark.
select number from received where origin = :origin and epoch = :epoch and number > :mark order by number limit :count;

-- name: kept
-- What came from a sibling after this number of its log, with what proves that it did.
select number, head, body from received
where origin = :origin and epoch = :epoch and number > :after and head <> '' order by number limit :count;

-- name: highest
select max(number) as number from received where origin = :origin and epoch = :epoch;

-- name: forget_words
-- What is withdrawn has no words here either.
update received set head = '', body = :nothing where object = :object;

-- name: withdrawal
-- What took an own post, answer or relation away.
select uri, actor from activities
where object = :object and actor = :actor and type in ('Delete', 'Undo') order by published_at desc, uri desc limit 1;

-- name: sent_to
select distinct origin from deliveries where activity = :activity and state <> 'dropped' order by origin;

-- name: oldest
select number, at from received where origin = :origin and epoch = :epoch and number <= :mark
order by number limit :count;

-- name: drop_through
delete from received where origin = :origin and epoch = :epoch and number <= :number;

-- name: drop_others
-- Of epochs that have passed, a step at a time.
delete from received where origin = :origin and epoch <> :epoch and at <= :before and number <= (
    select max(x.number) from (
        select number from received where origin = :origin and epoch <> :epoch and at <= :before
        order by number limit :most) x);

-- name: next_origin
select min(origin) as origin from received where origin > :after;

-- name: given_up
select number from deliveries
where origin = :origin and state = 'dead' and last_code = 'gave_up' and number > 0 and number <= :number limit 1;

-- name: arrived
-- The sibling misses nothing up to here: what was given up has come to it in another way.
update deliveries set state = 'done', settled_at = :now, last_code = ''
where origin = :origin and state = 'dead' and last_code = 'gave_up' and number > 0 and number <= :number
returning object, activity;
