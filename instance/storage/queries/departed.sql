-- Accounts of people who have left.

-- fragment: departed
a.password <> '' and a.roles = '[]'
    and not exists (select 1 from mails m where m.account = a.id and m.sent_at is null)
    and not exists (
        select 1 from dossiers d where d.account = a.id
            and (d.state not in ('revoked', 'withdrawn', 'deceased', 'moved', 'closed')
                or exists (select 1 from retention r where r.dossier = d.id and r.thing = 'facts')))
    and (exists (select 1 from dossiers d where d.account = a.id)
        or (a.doctor is null and a.created_at <= :idle_since
            and not exists (select 1 from staff s where s.account = a.id)))

-- name: find
-- Those whose every dossier is over and forgotten, or who have none; no staff, and nobody whom a mail is still for.
select a.id from accounts a where {{departed}} order by a.id limit :most;

-- name: empty
update accounts set login = 'left-' || id, password = '', email = '', unsafe = '', language = '', appearance = '',
    text_size = 100, reading = '[]',
    disabled_at = coalesce(disabled_at, :now)
where id in (select a.id from accounts a where a.id = :account and {{departed}});
