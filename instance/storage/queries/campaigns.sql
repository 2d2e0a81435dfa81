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

-- name: verified
-- The verified doctors of a country, a page at a time.
select id from dossiers
where country = :country and state in ('approved', 'reverify_due') and id > :after order by id limit :most;

-- name: members
select id from dossiers where campaign = :campaign order by id;
