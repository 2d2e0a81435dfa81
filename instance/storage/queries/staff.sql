-- Staff and their invitations.

-- name: of_account
select s.id, s.account, s.countries, s.sites, s.invited_by, s.since, s.ended_at, a.login, a.roles, a.doctor,
    a.disabled_at
from staff s join accounts a on a.id = s.account where s.account = :account;

-- name: by_id
select s.id, s.account, s.countries, s.sites, s.invited_by, s.since, s.ended_at, a.login, a.roles, a.doctor,
    a.disabled_at
from staff s join accounts a on a.id = s.account where s.id = :id;

-- name: invited
-- Whom somebody has invited, also those who have left since.
select account from staff where invited_by = :account order by account;

-- name: list
select s.id, a.login, a.roles, s.countries, s.sites, s.since,
    case when exists (select 1 from passkeys p where p.account = a.id)
           or exists (select 1 from totp t where t.account = a.id and t.confirmed_at is not null)
         then 1 else 0 end as has_factor
from staff s join accounts a on a.id = s.account
where s.ended_at is null and a.disabled_at is null order by a.login, s.id;

-- name: appoint
insert into staff (account, id, countries, sites, invited_by, since)
values (:account, :id, :countries, :sites, :invited_by, :now)
on conflict (account) do update set countries = excluded.countries, sites = excluded.sites,
    invited_by = excluded.invited_by, since = excluded.since, ended_at = null;

-- name: end
update staff set ended_at = :now where id = :id and ended_at is null;

-- name: set_roles
update accounts set roles = :roles where id = :account;

-- name: disable
-- An account that was for nothing else: no doctor's, and nobody's who applies.
update accounts set disabled_at = :now
where id = :account and doctor is null and not exists (select 1 from dossiers d where d.account = :account);

-- name: add_invitation
insert into invitations (id, token, email, roles, countries, sites, invited_by, created_at, expires_at)
values (:id, :token, :email, :roles, :countries, :sites, :invited_by, :now, :expires_at);

-- name: invitation
select id, email, roles, countries, sites, invited_by, expires_at, used_at from invitations where token = :token;

-- name: open_invitations
select id, email, roles, countries, expires_at from invitations
where used_at is null and expires_at > :now order by id;

-- name: use_invitation
update invitations set used_at = :now, account = :account, email = ''
where id = :id and used_at is null and expires_at > :now;

-- name: withdraw_invitation
delete from invitations where id = :id and used_at is null;

-- name: withdraw_invitations_of
-- What somebody has promised who is no staff any more is promised by nobody.
delete from invitations where invited_by = :account and used_at is null;

-- name: drop_passed
delete from invitations where used_at is null and expires_at <= :now;
