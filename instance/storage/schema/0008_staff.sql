-- Staff: accounts with a role, and the second factors of all accounts.

-- When a second factor was last shown in this session, and when the password was; the second step is owed where the
-- password alone was shown by somebody who has a factor.
alter table sessions add column factor_at bigint;
alter table sessions add column password_at bigint not null default 0;
alter table sessions add column owes_factor bigint not null default 0;
-- 1 where this session may add a first factor to an account with a role: it began with an invitation or an enrolment link.
alter table sessions add column enrols bigint not null default 0;

-- Links that let somebody with a role, who has no factor, add one: SHA-256 of the token, gone with its use.
create table enrolments (
    token bytea not null primary key,
    account text not null references accounts (id) on delete cascade,
    created_at bigint not null,
    expires_at bigint not null
);
create index enrolments_by_account on enrolments (account);

-- Which roles somebody has stands in accounts.roles and nowhere else: a JSON array out of reviewer, lead, moderator,
-- administrator, governor, dpo. Here stands the rest; the row outlives the roles, so that a person keeps one id.
create table staff (
    account text not null primary key references accounts (id) on delete cascade,
    id text not null unique,
    countries text not null default '[]',
    sites text not null default '[]',
    -- the account that invited this person; none where the command line did.
    invited_by text,
    since bigint not null,
    ended_at bigint
);
create index staff_by_inviter on staff (invited_by);
insert into staff (account, id, countries, since)
select a.id, 'staff-' || a.id, case when d.country is null then '[]' else '["' || d.country || '"]' end, a.created_at
from accounts a left join doctors d on d.uri = a.doctor where a.roles <> '[]';

create table invitations (
    id text not null primary key,
    -- SHA-256 of the token in the link.
    token bytea not null unique,
    email text not null,
    roles text not null,
    countries text not null,
    sites text not null,
    invited_by text,
    -- the id of somebody who was staff before and comes back as the same person.
    former text not null default '',
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint,
    -- the account of whoever accepted.
    account text references accounts (id) on delete cascade
);
create index invitations_by_account on invitations (account);
create index invitations_by_inviter on invitations (invited_by);

create table passkeys (
    id bytea not null primary key,
    account text not null references accounts (id) on delete cascade,
    public_key bytea not null,
    sign_count bigint not null,
    label text not null,
    transports text not null default '[]',
    created_at bigint not null,
    last_used_at bigint
);
create index passkeys_by_account on passkeys (account);

-- Secrets of apps that show codes (RFC 6238), sealed by the vault; one not confirmed yet opens nothing.
create table totp (
    id text not null primary key,
    account text not null references accounts (id) on delete cascade,
    secret bytea not null,
    -- the session that waits to confirm it, and alone is shown it; none once it is confirmed.
    session bytea references sessions (token) on update cascade on delete cascade,
    created_at bigint not null,
    confirmed_at bigint,
    -- the newest time step whose code was taken: that one and all before it are not taken again.
    last_step bigint not null default 0
);
create index totp_by_account on totp (account);
create index totp_by_session on totp (session);

create table recovery_codes (
    -- SHA-256 of account and code.
    code bytea not null primary key,
    account text not null references accounts (id) on delete cascade,
    created_at bigint not null,
    used_at bigint
);
create index recovery_codes_by_account on recovery_codes (account);

-- What a passkey is asked to sign, once; each session has one of each purpose at a time.
create table challenges (
    session bytea not null references sessions (token) on update cascade on delete cascade,
    purpose text not null check (purpose in ('register', 'show')),
    challenge bytea not null,
    expires_at bigint not null,
    primary key (session, purpose)
);
