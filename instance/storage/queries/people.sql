-- Our own doctors and their accounts.

-- fragment: own_doctor
d.uri, d.handle, d.name, d.role, d.country, d.specialties, d.assurance, d.languages, d.summary, d.standing,
    d.valid_from, d.valid_until, d.inbox, d.outbox, d.followers, d.following, d.credential, d.approves_followers,
    d.created_at, d.updated_at, d.gone_at, d.also_known_as, d.moved_to, r.due_at as reverify_at

-- name: doctor
select {{own_doctor}} from doctors d left join reverifications r on r.doctor = d.uri
where d.uri = :uri and d.local = 1;

-- name: standing
-- What `standing.may` needs, of any doctor we know.
select uri, origin, local, address, handle, name, role, country, specialties, assurance, valid_from, valid_until,
    standing, followers, inbox, shared_inbox, gone_at, approves_followers
from doctors where uri = :uri;

-- name: by_address
select uri, origin, local, address, handle, name, standing, inbox, shared_inbox, gone_at, approves_followers, followers
from doctors where address = :address;

-- name: own
select handle, name, role, country, standing, valid_until, uri from doctors
where local = 1 and gone_at is null order by folded, uri;

-- name: add
insert into doctors (uri, origin, local, address, handle, name, folded, role, country, specialties, assurance,
    valid_from, valid_until, standing, inbox, shared_inbox, outbox, followers, following, languages,
    approves_followers, credential, fetched_at, created_at, updated_at)
values (:uri, :origin, 1, :handle, :handle, :name, :folded, :role, :country, :specialties, :assurance,
    :valid_from, :valid_until, 'ok', :inbox, :shared_inbox, :outbox, :followers, :following, :languages,
    :approves_followers, :credential, :now, :now, :now)
on conflict do nothing;

-- name: add_specialty
insert into doctor_specialties (doctor, specialty) values (:doctor, :specialty) on conflict do nothing;

-- name: add_word
insert into doctor_words (word, doctor) values (:word, :doctor) on conflict do nothing;

-- name: set_reverification
insert into reverifications (doctor, due_at) values (:doctor, :due_at)
on conflict (doctor) do update set due_at = excluded.due_at;

-- name: renew
-- Of two processes that renew at once, the second finds another credential and changes nothing.
update doctors set credential = :credential, valid_from = :valid_from, valid_until = :valid_until, updated_at = :now
where uri = :uri and local = 1 and standing = 'ok' and updated_at = :seen;

-- name: set_standing
update doctors set standing = :standing, updated_at = :now where uri = :uri and local = 1 and standing = :before;

-- name: set_credential
update doctors set credential = :credential, valid_from = :valid_from, valid_until = :valid_until, updated_at = :now
where uri = :uri and local = 1;

-- name: to_renew
-- The earliest moment jitter allows (61 % of the life); who is really due is decided by the caller. A page at a time,
-- whoever ends first coming first, so that those who are passed over keep nobody from being found.
-- Whoever has no place in the status lists is given one with the next credential, at once: siblings demand one.
select {{own_doctor}},
    case when exists (select 1 from status_places s where s.doctor = d.uri) then 1 else 0 end as placed
from doctors d left join reverifications r on r.doctor = d.uri
where d.local = 1 and d.standing = 'ok' and d.gone_at is null
  and d.valid_until >= :ends and (d.valid_until > :ends or d.uri > :after)
  and (d.valid_from + (d.valid_until - d.valid_from) * 61 / 100 <= :now
       or not exists (select 1 from status_places s where s.doctor = d.uri))
  and (r.due_at is null or (r.due_at > :now
       and (r.due_at > d.valid_until or not exists (select 1 from status_places s where s.doctor = d.uri))))
order by d.valid_until, d.uri limit :count;

-- name: of_cohort
-- Everybody who stands, or those of one country, by address: an order that no renewal changes.
select {{own_doctor}} from doctors d left join reverifications r on r.doctor = d.uri
where d.local = 1 and d.standing = 'ok' and d.gone_at is null and d.uri > :after
  and (:country = '' or d.country = :country)
order by d.uri limit :count;

-- name: number_of_cohort
select count(*) as number from doctors d
where d.local = 1 and d.standing = 'ok' and d.gone_at is null and d.uri > :after
  and (:country = '' or d.country = :country);

-- name: raise_standing_version
update versions set value = value + 1 where name = 'standing';

-- name: set_profile
update doctors set summary = :summary, summary_source = :summary_source, languages = :languages,
    approves_followers = :approves_followers, updated_at = :now
where uri = :uri and local = 1 and updated_at = :seen;

-- name: add_account
insert into accounts (id, login, password, doctor, roles, language, created_at)
values (:id, :login, :password, :doctor, :roles, :language, :now)
on conflict do nothing;

-- name: account_for_sign_in
select id, login, password, doctor, roles, disabled_at, unsafe from accounts where login = :login;

-- name: last_application
select d.id, d.state, a.roles from dossiers d join accounts a on a.id = d.account where d.account = :account
order by d.created_at desc, d.id desc limit 1;

-- name: account
select id, login, password, doctor, roles, language, appearance, disabled_at from accounts where id = :id;

-- name: set_password
update accounts set password = :password where id = :id;

-- name: set_preferences
update accounts set language = :language, appearance = :appearance where id = :id;

-- name: set_look
update accounts set text_size = :text_size, reading = :reading where id = :id;

-- name: record
insert into staff_acts (id, act, by_whom, subject, reason, at) values (:id, :act, :by_whom, :subject, :reason, :at);

-- name: forget_acts
delete from staff_acts where at <= :before;

-- name: account_of_doctor
select id from accounts where doctor = :doctor order by id limit 1;

-- name: drop_deliveries
-- What a suspended doctor still had to say is not said any more …
update deliveries set state = 'dropped', last_code = 'suspended', settled_at = :now
where actor = :actor and state in ('waiting', 'resting', 'held')
  and activity in (select uri from activities where actor = :actor and type not in ('Delete', 'Undo'));

-- name: hold_deliveries
-- … but a withdrawal is never dropped: it waits until the doctor may sign again.
update deliveries set state = 'held' where actor = :actor and state in ('waiting', 'resting');

-- name: release_deliveries
update deliveries set state = 'waiting', due_at = :now
where actor = :actor and state = 'held'
  and origin in (select origin from siblings where policy = 'inherit');
