-- Second factors: passkeys, secrets of code apps, recovery codes, and what passkeys are asked to sign.

-- name: of_account
-- Whether the account has a factor, and what is left of its recovery codes.
select
    (select count(*) from passkeys p where p.account = a.id) as passkeys,
    (select count(*) from totp t where t.account = a.id and t.confirmed_at is not null) as apps,
    (select count(*) from recovery_codes r where r.account = a.id and r.used_at is null) as codes,
    a.roles, a.unsafe, a.login
from accounts a where a.id = :account;

-- name: passkeys
select id, public_key, sign_count, label, transports, created_at, last_used_at from passkeys
where account = :account order by created_at, id;

-- name: passkey
select id, account, public_key, sign_count from passkeys where id = :id;

-- name: add_passkey
insert into passkeys (id, account, public_key, sign_count, label, transports, created_at)
values (:id, :account, :public_key, :sign_count, :label, :transports, :now)
on conflict do nothing;

-- name: count_passkey
-- Of two answers that show the same count, the second changes nothing.
update passkeys set sign_count = :sign_count, last_used_at = :now where id = :id and sign_count = :seen;

-- name: drop_passkey
delete from passkeys where id = :id and account = :account;

-- name: app
select id, secret, created_at, last_step from totp where account = :account and confirmed_at is not null;

-- name: app_to_confirm
select id, secret, created_at from totp where account = :account and session = :session and confirmed_at is null;

-- name: add_app
-- For a session that lives; it is shown to that one alone.
insert into totp (id, account, secret, session, created_at)
select :id, account, :secret, token, :now from sessions where token = :session and account = :account;

-- name: drop_unconfirmed
delete from totp where account = :account and session = :session and confirmed_at is null;

-- name: confirm_app
update totp set confirmed_at = :now, last_step = :step, session = null
where id = :id and account = :account and session = :session and confirmed_at is null;

-- name: drop_other_apps
delete from totp where account = :account and id <> :id;

-- name: drop_app
delete from totp where account = :account and confirmed_at is not null;

-- name: drop_passkeys
delete from passkeys where account = :account;

-- name: drop_apps
delete from totp where account = :account;

-- name: take_step
update totp set last_step = :step where id = :id and last_step < :step;

-- name: sealed_otherwise
select id, secret from totp where substr(secret, 1, 5) <> :head order by id limit :count;

-- name: reseal
update totp set secret = :secret where id = :id;

-- name: seals
select substr(secret, 1, 5) as head, count(*) as number from totp group by substr(secret, 1, 5);

-- name: add_recovery_code
insert into recovery_codes (code, account, created_at) values (:code, :account, :now);

-- name: use_recovery_code
update recovery_codes set used_at = :now where code = :code and account = :account and used_at is null;

-- name: drop_recovery_codes
delete from recovery_codes where account = :account;

-- name: ask
insert into challenges (session, purpose, challenge, expires_at)
select token, :purpose, :challenge, :expires_at from sessions where token = :session
on conflict (session, purpose) do update set challenge = excluded.challenge, expires_at = excluded.expires_at;

-- name: asked
select challenge, expires_at from challenges where session = :session and purpose = :purpose;

-- name: answered
delete from challenges where session = :session and purpose = :purpose;

-- name: add_enrolment
insert into enrolments (token, account, created_at, expires_at) values (:token, :account, :now, :expires_at);

-- name: use_enrolment
delete from enrolments where token = :token and account = :account and expires_at > :now;

-- name: drop_enrolments
delete from enrolments where account = :account;

-- name: drop_passed_enrolments
delete from enrolments where expires_at <= :now;

-- name: drop_passed
delete from challenges where expires_at <= :now;
