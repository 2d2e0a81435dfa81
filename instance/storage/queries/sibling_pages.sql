-- What administrators see of the allowlist at one look: a few indexed reads for each entry.

-- fragment: entry_line
s.origin, s.actor, s.name, s.country, s.policy, s.source, s.vouched_by, s.since, s.kinds_in, s.kinds_out,
s.may_issue_for, s.note, s.contact, s.software, c.last_in_at, c.last_out_at, c.last_fault, c.last_fault_at,
coalesce(l.failures, 0) as failures, coalesce(l.alarm, '') as alarm,
(select count(*) from deliveries q
    where q.origin = s.origin and q.state in ('waiting', 'resting', 'held')) as waiting,
(select o.created_at from deliveries o where o.id = (
    select min(q.id) from deliveries q
    where q.origin = s.origin and q.state in ('waiting', 'resting', 'held'))) as oldest,
(select max(k.at) from sibling_changes k where k.origin = s.origin and k.act in ('add', 'repin')) as pinned_at
from siblings s left join sibling_contacts c on c.origin = s.origin left join lanes l on l.origin = s.origin

-- name: lines
select {{entry_line}} order by s.name, s.origin;

-- name: line
select {{entry_line}} where s.origin = :origin;

-- name: by_authority
select origin from siblings where origin = 'https://' || :authority or origin = 'http://' || :authority;

-- name: refusals [sqlite]
-- The siblings first: a reader of all refusals would look at those of strangers, who can make many.
select r.origin, r.direction, r.code, sum(1 + r.more) as number
from siblings s cross join refusals r where r.origin = s.origin and r.id >= :since
group by r.origin, r.direction, r.code order by r.origin, number desc, r.code;

-- name: refusals [postgres]
select r.origin, r.direction, r.code, cast(sum(1 + r.more) as bigint) as number
from siblings s join refusals r on r.origin = s.origin where r.id >= :since
group by r.origin, r.direction, r.code order by r.origin, number desc, r.code;

-- name: days
select origin, day, received, sent from sibling_days where day > :after order by origin, day;

-- name: set_countries
update siblings set may_issue_for = :countries where origin = :origin;

-- name: set_note
update siblings set note = :note where origin = :origin;
