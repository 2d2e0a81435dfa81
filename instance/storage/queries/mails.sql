-- Mails on their way.

-- name: add
insert into mails (id, whom, account, country, notice, language, at, address, sealed)
values (:id, :whom, :account, :country, :notice, :language, :at, :address, :sealed);

-- name: for_the_desk
-- Those that go to a part of the desk: one for each of its people is made of each.
select id, whom, country, notice, at from mails
where sent_at is null and account = '' and address = '' order by id limit :most;

-- name: people_of_the_desk
select a.id, a.roles, a.language, s.countries from staff s join accounts a on a.id = s.account
where s.ended_at is null and a.disabled_at is null and a.email <> '' order by a.id;

-- name: who_works_at_the_desk
select a.roles, s.countries, case when a.email <> '' then 1 else 0 end as reached
from staff s join accounts a on a.id = s.account where s.ended_at is null and a.disabled_at is null;

-- name: due
-- Codes overtake everything else, also the word to one who has an account: both look alike to whoever watches.
select m.id, m.whom, m.account, m.notice, m.language, m.at, m.address, m.sealed, m.tries, m.next_at,
    m.counts, coalesce(a.email, '') as email, coalesce(a.language, '') as chosen,
    coalesce((select w.off_token from notice_wishes w where w.doctor = a.doctor), '') as off_token
from mails m left join accounts a on a.id = m.account
where m.sent_at is null and m.next_at <= :now and (m.account <> '' or m.address <> '') order by case when m.sealed is null then 1 else 0 end, m.id limit :most;

-- name: claim
update mails set tries = tries + 1, next_at = :later where id = :id and sent_at is null and next_at = :seen;

-- name: sent
update mails set sent_at = :now, address = '', sealed = null where id = :id;

-- name: drop
delete from mails where id = :id;

-- name: drop_sent
-- What was sent says to whose account, and when; nobody needs it any more.
delete from mails where sent_at <= :before;

-- name: since
-- Whether there was a mail about this of late.
select count(*) as number from mails where notice = :notice and at > :since;
