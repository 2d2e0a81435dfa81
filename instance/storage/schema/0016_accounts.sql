-- Addresses that are proved before they count, codes that came by mail, accounts that must be made safe; renewals.

-- What an account's owner has still to do before it opens anything: '' nothing; 'password' a new password, by a code
-- to the proved address; 'factors' to say which second factors are still hers.
alter table accounts add column unsafe text not null default '';

-- Addresses that somebody else has typed for an account, and that nobody has proved yet.
create table addresses_to_prove (
    account text not null primary key references accounts (id) on delete cascade,
    email text not null,
    at bigint not null
);

-- Codes on their way to an address, for one purpose each.
create table mailed_codes (
    -- SHA-256 of the token in the cookie.
    token bytea not null primary key,
    purpose text not null check (purpose in ('address', 'password')),
    email text not null,
    -- Whose it is; '' where nobody has this address, which is answered in the same way.
    account text not null,
    language text not null,
    -- SHA-256 of the token and the code.
    code bytea not null,
    tries bigint not null default 0,
    code_at bigint not null
);
create index mailed_codes_by_age on mailed_codes (code_at);
create index mailed_codes_by_account on mailed_codes (account);

-- Until now the address of an invitation counted as the account's own, proved or not. Whoever joined signs in with it.
insert into addresses_to_prove (account, email, at)
    select id, email, created_at from accounts where email <> '' and email <> login;
update accounts set email = '' where email <> '' and email <> login;

-- Renewals are found by the end of what is renewed.
create index doctors_by_end on doctors (valid_until, uri) where local = 1;
