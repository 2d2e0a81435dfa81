-- Doctors of siblings: what their home says of them and what we believe of it.

-- name: doctor
select uri, origin, local, address, handle, name, role, country, specialties, assurance, valid_from, valid_until,
    standing, inbox, shared_inbox, outbox, followers, following, document, fetched_at, gone_at, moved_to, moved_at
from doctors where uri = :uri;

-- name: at_address
select uri from doctors where address = :address;

-- name: put
-- Who is believed has not moved, or has come back.
insert into doctors (uri, origin, local, address, handle, name, folded, role, country, specialties, assurance,
    valid_from, valid_until, standing, inbox, shared_inbox, outbox, followers, following, summary, languages,
    credential, document, fetched_at, created_at, updated_at)
values (:uri, :origin, 0, :address, :handle, :name, :folded, :role, :country, :specialties, :assurance,
    :valid_from, :valid_until, :standing, :inbox, :shared_inbox, :outbox, :followers, :following, :summary, :languages,
    :credential, :document, :now, :now, :now)
on conflict (uri) do update set name = excluded.name, folded = excluded.folded, role = excluded.role,
    country = excluded.country, specialties = excluded.specialties, assurance = excluded.assurance,
    valid_from = excluded.valid_from, valid_until = excluded.valid_until, standing = excluded.standing,
    shared_inbox = excluded.shared_inbox, summary = excluded.summary, languages = excluded.languages,
    credential = excluded.credential, document = excluded.document, fetched_at = excluded.fetched_at,
    updated_at = excluded.updated_at,
    moved_to = '', moved_at = null
where doctors.local = 0 and doctors.gone_at is null;

-- name: set_standing
-- A verdict against a doctor takes the mark away and leaves the last confirmed words in place.
update doctors set standing = :standing, document = :document, fetched_at = :now, updated_at = :now
where uri = :uri and local = 0;

-- name: drop_specialties
delete from doctor_specialties where doctor = :doctor;

-- name: add_specialty
insert into doctor_specialties (doctor, specialty) values (:doctor, :specialty) on conflict do nothing;

-- name: drop_words
delete from doctor_words where doctor = :doctor;

-- name: add_word
insert into doctor_words (word, doctor) values (:word, :doctor) on conflict do nothing;

-- name: release_held
-- What waited for this doctor's standing is worked off now.
update inbound set state = 'waiting', held_for = '', due_at = :now where actor = :actor and state = 'held';

-- name: standing_version
select value from versions where name = 'standing';

-- name: raise_standing_version
update versions set value = value + 1 where name = 'standing';
