-- Devices that take messages, and the pair that signs for them.

-- name: key
select private from push_keys where id = 'vapid';

-- name: add_key
insert into push_keys (id, private, created_at) values ('vapid', :private, :now) on conflict do nothing;

-- name: sealed_otherwise
select id, private from push_keys where substr(private, 1, 5) <> :head order by id limit :most;

-- name: reseal
update push_keys set private = :private where id = :id;

-- name: add
-- One for each session; a browser that says the same address again has it anew.
insert into push_devices (id, session, doctor, endpoint, public_key, secret, created_at)
values (:id, :session, :doctor, :endpoint, :public_key, :secret, :now)
on conflict do nothing;

-- name: drop_same
delete from push_devices where session = :session or endpoint = :endpoint;

-- name: of_doctor
select id, endpoint, public_key, secret, shown_at from push_devices where doctor = :doctor order by id limit 20;

-- name: shown
update push_devices set shown_at = :now where id = :id;

-- name: of_session
select id, created_at from push_devices where session = :session;

-- name: drop
delete from push_devices where id = :id;

-- name: drop_of_session
delete from push_devices where session = :session;
