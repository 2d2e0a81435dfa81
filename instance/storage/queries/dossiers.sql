-- Dossiers as rows, what hangs on them, and what pages and chores look for.

-- fragment: dossier
d.id, d.account, d.doctor, d.version, d.name, d.folded, d.handle, d.specialties, d.languages, d.email, d.country,
    d.role, d.state, d.changed_at, d.sites, d.round, d.submitted_at, d.approved_at, d.verified_at, d.reverify_on,
    d.appealed_at, d.appeal_round, d.emergency_by, d.emergency_at, d.emergency_until, d.emergency_confirmed,
    d.training_ends, d.year_ends, d.followed, d.open_hit, d.campaign, d.reminded, d.assurance, d.taken_by,
    d.handed_at, d.decided_at, d.due_at, d.created_at, d.identity, d.decided_before, d.asked

-- name: one
select {{dossier}} from dossiers d where d.id = :id;

-- name: of_account
-- The last one: after a final state a new application is a new dossier.
select {{dossier}} from dossiers d where d.account = :account order by d.created_at desc, d.id desc limit 1;

-- name: awaited
-- Of whom something is waited for: asked for more, or verified by us and to be looked at again, also after the end.
select 1 as found from dossiers
where account = :account and state in ('needs_info', 'approved', 'reverify_due', 'expired') limit 1;

-- name: earlier
-- The other applications of an account, the newest first: by it and not by the dossier, whose facts may be gone.
select id, state, approved_at, created_at, changed_at, decided_at from dossiers
where account = :account and id <> :dossier order by created_at desc, id desc limit 20;

-- name: begun_since
select count(*) as number from dossiers where account = :account and created_at > :since;

-- name: of_doctor
select {{dossier}} from dossiers d where d.doctor = :doctor order by d.created_at desc, d.id desc limit 1;

-- name: approved_of_doctor
-- Whether some dossier has ever been approved for this doctor: an application that is only begun decides nothing.
select id from dossiers where doctor = :doctor and approved_at is not null order by created_at desc, id desc limit 1;

-- name: of_register
-- The verified doctors whose number is of this kind, a page at a time.
select distinct d.id from dossiers d join evidence_pieces e on e.dossier = d.id
where d.state in ('approved', 'reverify_due') and e.place >= 0 and e.number_kind = :kind and d.id > :after
order by d.id limit :most;

-- name: due
select id from dossiers where due_at <= :now order by due_at, id limit :most;

-- name: waiting
-- Since when those wait whose turn is the desk's: applications, and what was added to a verification that runs.
select d.id, coalesce(d.handed_at, d.changed_at) as since from dossiers d
where d.country = :country and d.state in ('submitted', 'in_review', 'second_review', 'appealed')
union all
-- The open annexes first: of verifications that run there are as many as doctors.
select a.id, a.submitted_at as since from annexes a cross join dossiers d
where d.id = a.dossier and {{open_annex}} and d.country = :country and d.state in ('approved', 'reverify_due');

-- fragment: decided_since
country = :country and decided_at >= :since and submitted_at is not null and decided_at >= submitted_at

-- name: decided
select count(*) as number from dossiers where {{decided_since}};

-- name: took
-- How long those in the middle took: of a great many, one or two are read.
select decided_at - submitted_at as took from dossiers where {{decided_since}} order by took limit :most offset :skip;

-- name: add
insert into dossiers (id, account, doctor, version, name, folded, handle, specialties, languages, email, identity,
    country, role, state, changed_at, sites, round, appeal_round, emergency_confirmed, followed, open_hit, reminded,
    assurance, taken_by, created_at, decided_before)
values (:id, :account, :doctor, 0, :name, :folded, :handle, :specialties, :languages, :email, :identity,
    :country, :role, :state, :now, :sites, 1, 0, 0, 0, 0, 0, '', '', :now, :decided_before);

-- name: save
update dossiers set version = version + 1, country = :country, role = :role, state = :state, changed_at = :changed_at,
    sites = :sites, round = :round, submitted_at = :submitted_at, approved_at = :approved_at,
    verified_at = :verified_at, reverify_on = :reverify_on, appealed_at = :appealed_at, appeal_round = :appeal_round,
    emergency_by = :emergency_by, emergency_at = :emergency_at, emergency_until = :emergency_until,
    emergency_confirmed = :emergency_confirmed, training_ends = :training_ends, year_ends = :year_ends,
    followed = :followed, open_hit = :open_hit, campaign = :campaign, reminded = :reminded, asked = :asked,
    assurance = :assurance, taken_by = :taken_by, handed_at = :handed_at, decided_at = :decided_at, due_at = :due_at
where id = :id and version = :version;

-- name: say
-- What the applicant says, said anew. Under the same name a birth date that is not given again stays what it was.
update dossiers set name = :name, folded = :folded, handle = :handle, specialties = :specialties,
    languages = :languages, email = :email,
    identity = coalesce(:identity, case when folded = :folded then identity end)
where id = :id;

-- name: set_doctor
update dossiers set doctor = :doctor where id = :id;

-- name: set_name
update dossiers set name = :name, folded = :folded where id = :id;

-- name: set_specialties
update dossiers set specialties = :specialties where id = :id;

-- name: specialise_doctor
update doctors set specialties = :specialties, updated_at = :now where uri = :uri and local = 1;

-- name: link_account
update accounts set doctor = :doctor where id = :account;

-- name: account
select id, doctor, language, roles from accounts where id = :id;

-- name: rename_doctor
update doctors set name = :name, folded = :folded, updated_at = :now where uri = :uri and local = 1;

-- name: drop_words
delete from doctor_words where doctor = :doctor;

-- name: set_terms
-- What a new credential says of an own doctor, and the standing that goes with it.
update doctors set role = :role, assurance = :assurance, credential = :credential, valid_from = :valid_from,
    valid_until = :valid_until, standing = 'ok', updated_at = :now
where uri = :uri and local = 1 and updated_at = :seen;

-- name: move_standing
update doctors set standing = :standing, updated_at = :now where uri = :uri and local = 1 and standing <> :standing;

-- ── annexes, votes, proposals ──

-- name: annexes
select dossier, id, place, kind, state, changed_at, submitted_at, training_ends, year_ends, name, specialty from annexes
where dossier = :dossier order by place;

-- name: put_annex
insert into annexes (dossier, id, place, kind, state, changed_at, submitted_at, training_ends, year_ends, specialty)
values (:dossier, :id, :place, :kind, :state, :changed_at, :submitted_at, :training_ends, :year_ends, :specialty)
on conflict (dossier, id) do update set place = excluded.place, state = excluded.state,
    changed_at = excluded.changed_at, submitted_at = excluded.submitted_at, training_ends = excluded.training_ends,
    year_ends = excluded.year_ends;

-- name: name_annex
update annexes set name = :name where dossier = :dossier and id = :id;

-- name: drop_annex
delete from annexes where dossier = :dossier and id = :id;

-- name: votes
select annex, round, reviewer, choice, ground, hit, at, lead from votes where dossier = :dossier order by annex, place;

-- name: add_vote
insert into votes (dossier, annex, round, reviewer, place, choice, ground, hit, at, lead)
values (:dossier, :annex, :round, :reviewer, :place, :choice, :ground, :hit, :at, :lead);

-- name: drop_votes
delete from votes where dossier = :dossier;

-- name: drop_annex_votes
delete from votes where dossier = :dossier and annex = :annex;

-- name: proposals
select to_state, by_whom, reviewer, ground, at from proposals where dossier = :dossier order by at, to_state;

-- name: add_proposal
insert into proposals (dossier, to_state, by_whom, reviewer, ground, at)
values (:dossier, :to_state, :by_whom, :reviewer, :ground, :at);

-- name: drop_proposals
delete from proposals where dossier = :dossier;

-- ── evidence ──

-- name: pieces
select id, dossier, annex, place, kind, rank, automatic, matched, claim, number_kind, number_system, number_index, at
from evidence_pieces where dossier = :dossier order by coalesce(place, 1000000), id;

-- name: add_piece
-- While it waits, `annex` is the kind of annex it was added for, or empty.
insert into evidence_pieces (id, dossier, annex, kind, rank, automatic, matched, claim, number_kind, number_system,
    number_index, at)
values (:id, :dossier, :annex, :kind, :rank, :automatic, 0, :claim, :number_kind, :number_system, :number_index, :at);

-- name: place_piece
update evidence_pieces set annex = :annex, place = :place, rank = :rank, automatic = :automatic, matched = :matched,
    at = :at
where id = :id and dossier = :dossier;

-- name: unplace_piece
-- It counted once; kept until the facts are destroyed.
update evidence_pieces set place = -1 where id = :id and dossier = :dossier;

-- name: drop_waiting_piece
delete from evidence_pieces where id = :id and dossier = :dossier and place is null;

-- name: count_pieces
-- Those that wait to be handed in.
select count(*) as number from evidence_pieces where dossier = :dossier and place is null;

-- name: findings
select f.piece, f.reviewer, f.facts, f.at from findings f join evidence_pieces e on e.id = f.piece
where e.dossier = :dossier order by f.piece, f.reviewer;

-- name: put_finding
insert into findings (piece, reviewer, facts, at) values (:piece, :reviewer, :facts, :at)
on conflict (piece, reviewer) do update set facts = excluded.facts, at = excluded.at;

-- name: attach
-- A file that is there, of the piece's own dossier, and not being destroyed.
insert into piece_files (file, piece, at)
select f.id, e.id, cast(:at as bigint) from evidence_files f join evidence_pieces e on e.dossier = f.dossier
where f.id = :file and e.id = :piece and f.dossier = :dossier and f.destroyed_at is null and f.destroyed_for is null
on conflict do nothing;

-- name: files
select f.file, f.piece, e.annex from piece_files f join evidence_pieces e on e.id = f.piece
where e.dossier = :dossier order by f.file;

-- name: files_of_piece
select file from piece_files where piece = :piece order by file;

-- name: same_number
select distinct o.id, o.account, o.state, o.doctor from evidence_pieces mine
join evidence_pieces other on other.number_index = mine.number_index and other.dossier <> mine.dossier
join dossiers o on o.id = other.dossier join dossiers d on d.id = mine.dossier
where mine.dossier = :dossier and mine.number_index is not null and o.account <> d.account order by o.id limit 20;

-- name: same_file
select distinct o.id, o.account, o.state, o.doctor from evidence_files mine
join evidence_files other on other.hash = mine.hash and other.dossier <> mine.dossier
join dossiers o on o.id = other.dossier join dossiers d on d.id = mine.dossier
where mine.dossier = :dossier and o.account <> d.account order by o.id limit 20;

-- name: same_person
select o.id, o.account, o.state, o.doctor from dossiers d join dossiers o on o.identity = d.identity and o.id <> d.id
where d.id = :dossier and d.identity is not null and o.account <> d.account order by o.id limit 20;

-- ── sealed values ──

-- name: sealed
select content from sealed_values where id = :id;

-- name: add_sealed
insert into sealed_values (id, content) values (:id, :content) on conflict do nothing;

-- name: drop_sealed
delete from sealed_values where id = :id;

-- name: sealed_values
select id, content from sealed_values where id > :after order by id limit :most;

-- name: sealed_otherwise
select id, content from sealed_values where substr(content, 1, 5) <> :head order by id limit :count;

-- name: reseal
update sealed_values set content = :content where id = :id;

-- name: seals
select substr(content, 1, 5) as head, count(*) as number from sealed_values group by substr(content, 1, 5);

-- ── what follows from a decision ──

-- name: schedule
insert into retention (dossier, thing, at) values (:dossier, :thing, :at)
on conflict (dossier, thing) do update set at = excluded.at;

-- name: unschedule
delete from retention where dossier = :dossier and thing = :thing;

-- name: to_destroy
select dossier, thing, at from retention where thing = :thing and at <= :now order by at, dossier limit :most;

-- name: still_due
select at from retention where dossier = :dossier and thing = :thing and at <= :now;

-- name: forget_facts
update dossiers set name = '', folded = '', handle = '', email = '', languages = '[]', identity = null, taken_by = '',
    emergency_by = null, emergency_at = null, emergency_until = null, emergency_confirmed = 0, decided_before = '[]',
    version = version + 1
where id = :dossier;

-- name: forget_numbers
delete from sealed_values where id in (select 'number/' || e.id from evidence_pieces e where e.dossier = :dossier);

-- name: forget_names
update annexes set name = '' where dossier = :dossier;

-- name: forget_pieces
delete from evidence_pieces where dossier = :dossier;

-- name: forget_hashes
-- Of files the vault has destroyed, or is about to; the rest of the row says that it was done.
update evidence_files set hash = :nothing where dossier = :dossier;

-- name: forget_notices
delete from dossier_notices where dossier = :dossier;

-- name: forget
delete from dossiers where id = :dossier;

-- name: notice
insert into dossier_notices (id, whom, dossier, account, country, notice, grounds, until, at)
values (:id, :whom, :dossier, :account, :country, :notice, :grounds, :until, :at);

-- name: notices_of_account
select id, dossier, notice, grounds, until, at, read_at from dossier_notices
where whom = 'applicant' and account = :account order by id desc limit :most;

-- name: mail
insert into mails (id, whom, account, country, notice, language, at)
values (:id, :whom, :account, :country, :notice, :language, :at);

-- ── tasks of an imported register ──

-- name: add_task
insert into register_tasks (id, dossier, register, what, at)
select cast(:id as text), cast(:dossier as text), cast(:register as text), cast(:what as text), cast(:at as bigint)
where not exists (select 1 from register_tasks where dossier = cast(:dossier as text) and closed_at is null);

-- name: tasks
select id, register, what, at, closed_at, closed_by from register_tasks where dossier = :dossier order by id;

-- name: close_task
update register_tasks set closed_at = :now, closed_by = :by where dossier = :dossier and id = :id and closed_at is null;
