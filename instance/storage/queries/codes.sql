-- Codes that came by mail, the addresses they prove, and accounts that are to be made safe.

-- name: add
insert into mailed_codes (token, purpose, email, account, language, code, code_at)
values (:token, :purpose, :email, :account, :language, :code, :now);

-- name: get
select purpose, email, account, language, code, tries, code_at from mailed_codes where token = :token;

-- name: count_try
update mailed_codes set tries = tries + 1 where token = :token;

-- name: drop
delete from mailed_codes where token = :token;

-- name: drop_of
-- Whatever else is on its way to the owner of an account, for this purpose.
delete from mailed_codes where account = :account and purpose = :purpose;

-- name: drop_all_of
delete from mailed_codes where account = :account;

-- name: drop_passed
delete from mailed_codes where code_at < :since;

-- name: claim
-- An account that has an address of its own keeps it.
insert into addresses_to_prove (account, email, at)
select id, :email, :now from accounts where id = :account and email = ''
on conflict (account) do update set email = excluded.email, at = excluded.at;

-- name: claimed
select p.email, a.language from addresses_to_prove p join accounts a on a.id = p.account where p.account = :account;

-- name: drop_claim
delete from addresses_to_prove where account = :account;

-- name: owner_of
-- Who can be written to under this address: it is proved, and the account is open.
select id, language, unsafe from accounts where email = :email and disabled_at is null order by id limit 1;

-- name: to_whom
-- The owner of an account under its name, whether the address is proved or not.
select id, email, language from accounts where login = :login and disabled_at is null;

-- name: renew_password
-- The address is looked at once more: it may have gone to somebody else, or the account be closed.
update accounts set password = :password, unsafe = :unsafe
where id = :account and email = :email and disabled_at is null;

-- name: make_unsafe
update accounts set unsafe = 'password' where id = :account;

-- name: factors_are_hers
update accounts set unsafe = '' where id = :account and unsafe = 'factors';
