-- Sessions and the counting of failed sign-ins.

-- name: add
insert into sessions (token, account, csrf, device, created_at, last_seen_at, expires_at, password_at, owes_factor,
    enrols)
values (:token, :account, :csrf, :device, :now, :now, :expires_at, :now, :owes_factor, :enrols);

-- name: show_factor
-- A session is worth more from now on, so it goes on under another token; with a second step its life begins anew.
update sessions set token = :new, csrf = :csrf, factor_at = :factor_at, owes_factor = 0, enrols = 0, last_seen_at = :now,
    expires_at = :expires_at
where token = :token;

-- name: let_enrol
-- Somebody has just got a role, or shown the link: this session goes on, under another token, to add a factor.
update sessions set token = :new, enrols = 1, last_seen_at = :now, expires_at = :expires_at where token = :token;

-- name: show_password
update sessions set token = :new, password_at = :now, last_seen_at = :now where token = :token;

-- name: end_others
delete from sessions where account = :account and token <> :token;

-- fragment: entered
s.token, s.csrf, s.created_at, s.last_seen_at, s.expires_at, s.factor_at, s.password_at, s.owes_factor, s.enrols,
    a.id as account, a.login, a.roles, a.language, a.appearance, a.text_size, a.reading, a.disabled_at, a.unsafe,
    d.uri, d.origin, d.local, d.address, d.handle, d.name, d.role, d.country, d.specialties, d.assurance,
    d.valid_from, d.valid_until, d.standing, d.gone_at, d.approves_followers, d.languages

-- name: by_token
-- One point read for every request of somebody signed in.
select {{entered}} from sessions s join accounts a on a.id = s.account left join doctors d on d.uri = a.doctor
where s.token = :token;

-- name: of_accounts [sqlite]
-- The same of every session of these accounts, for pages that stay open: one read for all of them.
select {{entered}} from json_each(:accounts) u cross join sessions s join accounts a on a.id = s.account
    left join doctors d on d.uri = a.doctor
where s.account = u.value;

-- name: of_accounts [postgres]
select {{entered}} from sessions s join accounts a on a.id = s.account left join doctors d on d.uri = a.doctor
where s.account in (select json_array_elements_text(cast(:accounts as json)));

-- name: touch
update sessions set last_seen_at = :now where token = :token;

-- name: end
delete from sessions where token = :token;

-- name: end_one
delete from sessions where token = :token and account = :account;

-- name: end_all
delete from sessions where account = :account;

-- name: end_all_of_doctor
delete from sessions where account in (select id from accounts where doctor = :doctor);

-- name: of_account
select token, device, created_at, last_seen_at, expires_at from sessions
where account = :account and expires_at > :now order by last_seen_at desc, token limit 50;

-- name: drop_expired
delete from sessions where expires_at <= :now or last_seen_at <= :idle_since;

-- name: failures
select count(*) as number from sign_in_failures where subject = :subject and at > :since;

-- name: add_failure
insert into sign_in_failures (id, subject, at) values (:id, :subject, :at);

-- name: forget_failure
delete from sign_in_failures where id = :id;

-- name: forget_failures
delete from sign_in_failures where subject = :subject;

-- name: forget_failures_with
-- Whatever else was counted at the attempts that this subject made; an attempt's id is the first 26 characters.
delete from sign_in_failures where substr(id, 1, 26) in
    (select substr(f.id, 1, 26) from sign_in_failures f where f.subject = :subject);

-- name: drop_old_failures
delete from sign_in_failures where at <= :since;
