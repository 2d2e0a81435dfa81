-- Campaigns: proposed by one, started by another, and how far they are.

-- name: add
insert into campaigns (id, country, cohort, ground, proposed_by, proposed_at, within_days)
values (:id, :country, :cohort, :ground, :proposed_by, :proposed_at, :within_days);

-- name: one
select id, country, cohort, ground, proposed_by, proposed_at, within_days, started_by, started_at, place from campaigns
where id = :id;

-- name: of_country
select id, country, cohort, ground, proposed_by, proposed_at, within_days, started_by, started_at, place from campaigns
where country = :country order by id desc limit 100;

-- name: start
update campaigns set started_by = :by, started_at = :now where id = :id and started_at is null;

-- name: enrolling
select id, country, cohort, ground, proposed_by, proposed_at, within_days, started_by, started_at, place from campaigns
where started_at is not null and place is not null order by id;

-- name: go_on
update campaigns set place = :place where id = :id;

-- name: look_again
-- Those that still run go through the country anew: somebody is verified again who was not.
update campaigns set place = '' where country = :country and started_at + within_days * 86400000 > :now;

-- fragment: cohort
-- verification.campaign.Cohort.holds in SQL: lists are codes between bars, and an empty one asks for nothing.
d.country = :country and d.state in ('approved', 'reverify_due')
    and (:reviewers = '' or exists (select 1 from votes v left join annexes a on a.dossier = v.dossier and a.id = v.annex
        where v.dossier = d.id and (v.annex = '' or a.state = 'accepted')
            and :reviewers like '%|' || v.reviewer || '|%'))
    and coalesce((select max(v.at) from votes v left join annexes a on a.dossier = v.dossier and a.id = v.annex
        where v.dossier = d.id and (v.annex = '' or a.state = 'accepted')), d.verified_at)
        between cast(:since as bigint) and cast(:until as bigint)
    and exists (select 1 from evidence_pieces e left join annexes a on a.dossier = e.dossier and a.id = e.annex
        where e.dossier = d.id and e.place >= 0 and (e.annex = '' or a.state = 'accepted')
            and (:ranks = '' or :ranks like '%|' || e.rank || '|%')
            and (:kinds = '' or :kinds like '%|' || e.kind || '|%')
            and (:numbers = '' or (e.number_kind <> '' and :numbers like '%|' || e.number_kind || '|%')))

-- name: count
select count(*) as number from dossiers d where {{cohort}};

-- name: cohort
-- Whom a cohort is about and who was never enrolled by it, a page at a time: the dossier names the last campaign alone.
select d.id from dossiers d where {{cohort}} and d.id > :after
    and not exists (select 1 from campaign_members m where m.campaign = :campaign and m.dossier = d.id)
order by d.id limit :most;

-- name: enrolled
insert into campaign_members (campaign, dossier) values (:campaign, :dossier) on conflict do nothing;

-- name: numbers
-- How far those are that a country has started.
select m.campaign, d.state, case when d.verified_at > c.started_at then 1 else 0 end as again, count(*) as number
from campaigns c join campaign_members m on m.campaign = c.id join dossiers d on d.id = m.dossier
where c.country = :country and c.started_at is not null
group by m.campaign, d.state, case when d.verified_at > c.started_at then 1 else 0 end;

-- name: voters
-- Who has ever voted on somebody of a country.
select distinct v.reviewer from votes v join dossiers d on d.id = v.dossier where d.country = :country;
