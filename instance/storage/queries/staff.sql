-- Staff and their invitations.

-- name: of_account
select s.id, s.account, s.countries, s.sites, s.invited_by, s.since, s.ended_at, a.login, a.roles, a.doctor,
    a.disabled_at, d.standing
from staff s join accounts a on a.id = s.account left join doctors d on d.uri = a.doctor where s.account = :account;

-- name: by_id
select s.id, s.account, s.countries, s.sites, s.invited_by, s.since, s.ended_at, a.login, a.roles, a.doctor,
    a.disabled_at, d.standing
from staff s join accounts a on a.id = s.account left join doctors d on d.uri = a.doctor where s.id = :id;

-- name: invited
-- Whom somebody has ever invited, also those who have left since or were asked again by another.
select account from staff where invited_by = :account
union select account from invitations where invited_by = :account and used_at is not null and account is not null
order by account;

-- name: inviters
-- Everybody who has ever appointed this person by the page.
select invited_by as account from staff where account = :account and invited_by is not null
union select invited_by from invitations where account = :account and used_at is not null and invited_by is not null
order by account;

-- name: near
-- Everybody whom a chain of invitations by the page leads to from this person, up and down.
with recursive family (account) as (
    select id from accounts where id = :account
    union
    select case when i.account = f.account then i.invited_by else i.account end
    from family f join invitations i on i.account = f.account or i.invited_by = f.account
    where i.used_at is not null and i.invited_by is not null and i.account is not null
)
select s.id from staff s join family f on f.account = s.account where s.account <> :account order by s.id;

-- name: administrators
-- Those who could let others in: not ended, not closed, and as doctors in good standing.
select s.id, a.roles from staff s join accounts a on a.id = s.account left join doctors d on d.uri = a.doctor
where s.ended_at is null and a.disabled_at is null and (d.standing is null or d.standing = 'ok')
    and a.roles like '%"administrator"%' order by s.id;

-- name: reopen
-- Somebody comes back to the account that was closed when they left.
update accounts set disabled_at = null, password = :password where id = :account and disabled_at is not null;

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
insert into invitations (id, token, email, roles, countries, sites, invited_by, former, created_at, expires_at)
values (:id, :token, :email, :roles, :countries, :sites, :invited_by, :former, :now, :expires_at);

-- name: invitation
select id, email, roles, countries, sites, invited_by, former, expires_at, used_at from invitations where token = :token;

-- name: open_invitations
select id, email, roles, countries, sites, expires_at from invitations
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
