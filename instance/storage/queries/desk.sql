-- What waits at the desk of one country, as light rows; whether somebody may see a line is asked of each.

-- fragment: line
d.id, d.version, d.account, d.country, d.role, d.state, d.sites, d.name, d.open_hit, d.taken_by

-- fragment: open_annex
a.state not in ('accepted', 'refused')

-- fragment: set_aside
select s.reviewer from votes s where s.dossier = d.id and s.annex = '' and s.choice = 'reject' and s.round < d.round
        and s.at >= coalesce(d.submitted_at, d.changed_at)
        and s.round >= case when d.appealed_at is null then 0 else d.appeal_round end

-- fragment: decided
case when d.appealed_at is null then 0 else (select count(*) from votes v where v.dossier = d.id and v.annex = ''
        and v.round < d.appeal_round and v.reviewer = :me) end as decided

-- name: applications
-- `mine` and `decided`: whether this reviewer has voted in this round, and before an appeal; `aside`, `mine_aside`: how
-- many have voted to reject before a question, and whether this one has; `answered`: votes of them or of a lead since.
select {{line}}, d.approved_at, d.decided_before, coalesce(d.handed_at, d.changed_at) as since,
    (select count(*) from ({{set_aside}}) x) as aside,
    (select count(*) from ({{set_aside}}) x where x.reviewer = :me) as mine_aside,
    (select count(*) from votes v where v.dossier = d.id and v.annex = '' and v.round = d.round
        and (v.lead = 1 or v.reviewer in ({{set_aside}}))) as answered,
    (select count(*) from votes v where v.dossier = d.id and v.annex = '' and v.round = d.round
        and v.choice = 'approve') as approving,
    (select count(*) from votes v where v.dossier = d.id and v.annex = '' and v.round = d.round
        and v.choice = 'reject') as rejecting,
    (select count(*) from votes v where v.dossier = d.id and v.annex = '' and v.round = d.round
        and v.reviewer = :me) as mine,
    {{decided}}
from dossiers d
where d.country = :country and d.state in ('submitted', 'in_review', 'second_review', 'appealed');

-- name: annexes
-- While a dossier is suspended or has run out its annexes rest.
select {{line}}, a.id as annex, a.kind as annex_kind, a.state as annex_state, a.submitted_at as since,
    (select count(*) from votes v where v.dossier = d.id and v.annex = a.id and v.choice = 'approve') as approving,
    (select count(*) from votes v where v.dossier = d.id and v.annex = a.id and v.choice = 'reject') as rejecting,
    (select count(*) from votes v where v.dossier = d.id and v.annex = a.id and v.reviewer = :me) as mine
from annexes a join dossiers d on d.id = a.dossier
where {{open_annex}} and d.country = :country and d.state in ('approved', 'reverify_due');

-- name: voters
-- Who has voted on what is not decided: in this round of an application, and on an annex (empty for the application).
select v.dossier, v.annex, v.reviewer
from votes v join dossiers d on d.id = v.dossier left join annexes a on a.id = v.annex and {{open_annex}}
where d.country = :country
    and ((v.annex = '' and v.round = d.round and d.state in ('in_review', 'second_review'))
        or (a.id is not null and d.state in ('approved', 'reverify_due')));

-- name: proposals
-- Those with which a second person can still agree; `reviewer`: whether whoever proposed it is one.
select {{line}}, d.approved_at, d.decided_before, {{decided}}, p.by_whom, p.to_state as goes_to, p.reviewer,
    p.at as since
from proposals p join dossiers d on d.id = p.dossier
where p.at >= :since and d.country = :country;

-- name: suspensions
-- Those that lift themselves unless somebody confirms them.
select {{line}}, d.emergency_by as by_whom, 'suspended' as goes_to, d.emergency_at as since from dossiers d
where d.country = :country and d.state = 'suspended' and d.emergency_confirmed = 0 and d.emergency_until > :now;

-- name: register_tasks
select {{line}}, t.at as since from register_tasks t join dossiers d on d.id = t.dossier
where t.closed_at is null and d.country = :country;

-- name: coming_due
-- Whose day is near, or has passed of late; `handed` where a renewal waits at the desk already.
select {{line}}, d.reverify_on, d.campaign,
    (select count(*) from annexes a where a.dossier = d.id and a.kind = 'renewal' and {{open_annex}}) as handed
from dossiers d
where d.country = :country and d.reverify_on is not null
    and ((d.state = 'reverify_due' and d.reverify_on <= :near) or (d.state = 'expired' and d.reverify_on >= :past));

-- name: waiting_since
-- How many wait since then or longer, of applications and of what was added to others.
select (select count(*) from dossiers d where d.country = :country
        and d.state in ('submitted', 'in_review', 'second_review', 'appealed')
        and coalesce(d.handed_at, d.changed_at) < :since)
    + (select count(*) from annexes a join dossiers d on d.id = a.dossier where {{open_annex}}
        and d.country = :country and d.state in ('approved', 'reverify_due') and a.submitted_at < :since) as number;

-- name: drop_old_proposals
-- Nobody can agree with them any more.
delete from proposals where at < :before;

-- name: drop_old_campaigns
-- Nobody has started them in time.
delete from campaigns where started_at is null and proposed_at < :before;

-- name: people
select s.id, a.login from staff s join accounts a on a.id = s.account;
