-- The policies of countries: what is laid over the profiles, who changed it, and whom a change is about.

-- name: version
-- Looked at wherever a student asks for something: a change made by anybody bites on the next request.
select value from versions where name = 'policy';

-- name: raise_version
update versions set value = value + 1 where name = 'policy';

-- name: overlays
select country, overlay, version, changed_at from country_overlays;

-- name: overlay
select overlay, version from country_overlays where country = :country;

-- name: put
insert into country_overlays (country, overlay, version, changed_at) values (:country, :overlay, :version, :now)
on conflict (country) do update set overlay = excluded.overlay, version = excluded.version,
    changed_at = excluded.changed_at;

-- name: add_change
insert into policy_changes (id, country, item, change, reason, state, proposed_by, proposed_at, decided_by, decided_at)
values (:id, :country, :item, :change, :reason, :state, :by, :now, :decided_by, :decided_at);

-- name: end_waiting
-- Whatever waits about the same thing is overtaken by what is said of it now.
update policy_changes set state = 'replaced', decided_by = :by, decided_at = :now
where country = :country and item = :item and state = 'proposed';

-- name: decide
update policy_changes set state = :state, decided_by = :by, decided_at = :now where id = :id and state = 'proposed';

-- name: change
select id, country, item, change, reason, state, proposed_by, proposed_at from policy_changes where id = :id;

-- name: waiting
select id, country, item, change, reason, state, proposed_by, proposed_at from policy_changes
where country = :country and state = 'proposed' order by id;

-- name: history
select id, country, item, change, reason, state, proposed_by, proposed_at, decided_by, decided_at from policy_changes
where country = :country order by id desc limit :most;

-- fragment: of_roles_and_proof
-- `:roles` stands between commas, ',resident,student,'; an empty text is every role, and every proof.
(:roles = '' or :roles like '%,' || d.role || ',%')
    and (:proof = '' or exists (
        select 1 from evidence_pieces e where e.dossier = d.id and e.claim like '%"proof":"' || :proof || '"%'))

-- name: applications
-- How many are begun or being looked at.
select count(*) as number from dossiers d
where d.country = :country
    and d.state in ('draft', 'submitted', 'in_review', 'second_review', 'needs_info', 'appealed', 'expired')
    and {{of_roles_and_proof}};

-- name: verified
-- How many are verified, or would be but for a suspension.
select count(*) as number from dossiers d
where d.country = :country and d.state in ('approved', 'reverify_due', 'suspended') and {{of_roles_and_proof}};

-- name: students
-- Our own doctors who are students, however they were let in.
select count(*) as number from doctors
where local = 1 and gone_at is null and role = 'student' and country = :country and standing = 'ok';
