-- Signing up, and mails on their way.

-- Where mails about an account go; empty where nobody said.
alter table accounts add column email text not null default '';

-- Somebody who has asked for an account and has not typed the code of the mail yet.
create table sign_ups (
    -- SHA-256 of the token in the cookie.
    token bytea not null primary key,
    email text not null,
    password text not null,
    -- JSON of name, country, role and specialties.
    said text not null,
    language text not null,
    -- SHA-256 of the token and the code.
    code bytea not null,
    tries bigint not null default 0,
    code_at bigint not null
);
create index sign_ups_by_age on sign_ups (code_at);

-- Only where a mail goes to nobody's account: the address, and the sealed code; both are wiped when it is sent.
alter table mails add column address text not null default '';
alter table mails add column sealed bytea;
alter table mails add column tries bigint not null default 0;
-- Not before this time; whoever sends it puts it off first, so that no other process sends it too.
alter table mails add column next_at bigint not null default 0;
