-- Signing up.

-- name: begin
insert into sign_ups (token, email, password, said, language, code, code_at)
values (:token, :email, :password, :said, :language, :code, :now);

-- name: get
select email, password, said, language, code, tries, tried, code_at from sign_ups where token = :token;

-- name: count_try
update sign_ups set tries = tries + 1, tried = tried + 1 where token = :token;

-- name: new_code
-- Of the one before; what was tried of all of them counts on.
update sign_ups set code = :code, tries = 0, code_at = :now where token = :token;

-- name: drop
delete from sign_ups where token = :token;

-- name: drop_passed
delete from sign_ups where code_at < :since;

-- name: account_of
select id, language from accounts where login = :email or email = :email order by id limit 1;

-- name: set_address
update accounts set email = :email where id = :account and email = '';

-- name: address_of
select email from accounts where id = :account;
