-- What is counted of this instance's state. Each statement looks at what is open now, never at everything there ever was.

-- name: deliveries
-- What is not over, by sibling, state and priority: for each sibling a stretch of one index, and no row beside it. Ids
-- are made with their rows and sort by time, so that the oldest is read by its id.
select w.origin, w.state, w.priority, w.number, o.created_at as oldest
from (
    select l.origin, q.state, q.priority, count(*) as number, min(q.id) as first
    from (select origin from lanes union select origin from siblings) l cross join deliveries q
    where q.origin = l.origin and q.state in ('waiting', 'resting', 'held', 'dead')
    group by l.origin, q.state, q.priority
) w join deliveries o on o.id = w.first;

-- name: lanes
-- How lanes stand, and when each sibling was last heard or reached: one row for each that is listed.
select s.origin, s.since, c.last_in_at, c.last_out_at, coalesce(l.failures, 0) as failures,
    coalesce(l.alarm, '') as alarm
from siblings s left join sibling_contacts c on c.origin = s.origin left join lanes l on l.origin = s.origin;

-- name: inbound
-- Each of these states has an index of its own, in which nothing stands that was worked off.
select 'waiting' as state, count(*) as number, min(received_at) as oldest from inbound where state = 'waiting'
union all
select 'held' as state, count(*) as number, min(received_at) as oldest from inbound where state = 'held'
union all
select 'failed' as state, count(*) as number, min(received_at) as oldest from inbound where state = 'failed';

-- name: mails
select count(*) as number, min(at) as oldest from mails where sent_at is null;

-- name: evidence
select count(*) as number, cast(coalesce(sum(size), 0) as bigint) as bytes from evidence_files where destroyed_at is null;

-- name: database [sqlite]
select p.page_count * s.page_size as bytes from pragma_page_count() p, pragma_page_size() s;

-- name: database [postgres]
select pg_database_size(current_database()) as bytes;

-- name: own_keys
-- Keys of the first start sign from the beginning of time; when they were made says the other column.
select not_before, fetched_at from keys
where owner = :owner and private is not null and (drop_after is null or drop_after > :now);

-- name: days
-- What went in and out on each day, all siblings together.
select day, cast(sum(received) as bigint) as received, cast(sum(sent) as bigint) as sent from sibling_days where day > :after group by day;

-- name: highest
select day, figure, value from health_days where day > :after;

-- name: keep
insert into health_days (day, figure, value) values (:day, :figure, :value)
on conflict (day, figure) do update set
    value = case when excluded.value > health_days.value then excluded.value else health_days.value end;

-- name: tidy
delete from health_days where day < :before;
