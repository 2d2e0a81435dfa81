-- fragment: muted
-- Whoever has muted a case hears nothing of it, whatever happens there.
exists (
    select 1 from posts mp join post_marks mk on mk.post = mp.uri
    where mp.slug = cast(:post as text) and mk.doctor = d.uri and mk.muted_at is not null)

-- fragment: to_be_told
-- Only our own doctors are told: never of themselves, and never across a block.
d.uri = :doctor and d.local = 1 and d.gone_at is null and d.uri <> cast(:actor as text)
    and not exists (select 1 from blocks b where b.doctor = :doctor and b.blocked = cast(:actor as text))
    and not exists (select 1 from blocks b where b.doctor = cast(:actor as text) and b.blocked = :doctor)

-- name: add
-- What staff are told of by office is nobody's to mute.
insert into notifications (id, doctor, kind, actor, post, object, at)
select cast(:id as text), d.uri, cast(:kind as text), cast(:actor as text), cast(:post as text),
    cast(:object as text), cast(:now as bigint)
from doctors d where {{to_be_told}} and {{heard}}
    and (cast(:kind as text) = 'reported' or not {{muted}})
on conflict do nothing;

-- name: drop
delete from notifications where doctor = :doctor and kind = :kind and actor = :actor and object = :object;

-- name: drop_about
delete from notifications where object = :object;

-- name: drop_of_post
delete from notifications where post = :post and post <> '';

-- name: drop_between
delete from notifications where (doctor = :one and actor = :other) or (doctor = :other and actor = :one);

-- name: staff
select doctor from accounts
where doctor is not null and disabled_at is null and (roles like '%"moderator"%' or roles like '%"administrator"%');

-- name: mark
-- Open pages of this doctor look again.
insert into notice_marks (doctor, version, at) values (:doctor, 1, :now)
on conflict (doctor) do update set version = notice_marks.version + 1, at = excluded.at;

-- name: mark_about
-- The same of everybody whose notice of this is about to go.
insert into notice_marks (doctor, version, at)
select distinct n.doctor, cast(1 as bigint), cast(:now as bigint) from notifications n where n.object = :object
on conflict (doctor) do update set version = notice_marks.version + 1, at = excluded.at;

-- name: mark_of_post
-- The same of everybody who has a notice that leads to this post.
insert into notice_marks (doctor, version, at)
select distinct n.doctor, cast(1 as bigint), cast(:now as bigint) from notifications n
where n.post = :post and n.post <> ''
on conflict (doctor) do update set version = notice_marks.version + 1, at = excluded.at;

-- name: queue
-- In every way that is wished of this group, unless one waits already.
insert into notice_due (doctor, way, at, since)
select w.doctor, w.way, cast(:now as bigint), cast(:now as bigint) from notice_ways w
where w.doctor = :doctor and w.grp = :grp
on conflict (doctor, way) do update set asked = notice_due.asked + 1,
    since = case when excluded.since < notice_due.since then excluded.since else notice_due.since end;

-- name: queue_asked
-- The same for a question to a specialty or to a country: there is a row for those alone who wish it. Whether they may
-- see the question is found out when they are told.
insert into notice_due (doctor, way, at, since)
select a.doctor, a.way, cast(:now as bigint), cast(:since as bigint) from (
    select w.doctor, w.way from doctor_specialties ds cross join notice_ways w
    where cast(:facet as text) = 'specialty' and ds.specialty = :value and w.doctor = ds.doctor and w.grp = :grp
    union all
    select w.doctor, w.way from notice_ways w cross join doctors d
    where cast(:facet as text) = 'country' and w.grp = :grp and d.uri = w.doctor and d.country = :value) a
where true
on conflict (doctor, way) do update set asked = notice_due.asked + 1,
    since = case when excluded.since < notice_due.since then excluded.since else notice_due.since end;

-- name: read_all
update notifications set read_at = :now where doctor = :doctor and read_at is null;

-- name: read_some
-- What stands together on the page: one kind, of one post, between the first and the last of them.
update notifications set read_at = :now
where doctor = :doctor and read_at is null and id >= :first and id <= :last and kind = :kind and post = :post;

-- name: unread_of_post
select 1 as found from notifications where doctor = :doctor and read_at is null and post = :post limit 1;

-- name: read_of_post
update notifications set read_at = :now where doctor = :doctor and read_at is null and post = :post;

-- name: due
-- The oldest first; codes and withdrawals do not wait here.
select doctor, way, at from notice_due where at <= :now order by at, doctor, way limit :most;

-- name: due_now
select since, asked from notice_due where doctor = :doctor and way = :way and at = :at;

-- name: put_off
update notice_due set at = :later where doctor = :doctor and way = :way and at = :at;

-- name: settle
-- Done with what was known then.
delete from notice_due where doctor = :doctor and way = :way and asked = :asked;

-- name: go_on
-- What came meanwhile is told by itself.
update notice_due set at = :now, since = :since where doctor = :doctor and way = :way;

-- name: whom
-- Everything about a doctor that decides whether, when and in which language they are told.
select d.uri, d.name, d.local, d.role, d.country, d.assurance, d.valid_from, d.valid_until, d.standing, d.gone_at,
    d.specialties, a.id as account, a.email, a.language, a.disabled_at,
    w.zone, w.quiet_from, w.quiet_until, w.digest_day, w.digest_hour, w.digest_at, w.digest_since, w.mailed_at,
    w.pushed_at, w.off_token
from doctors d join accounts a on a.doctor = d.uri join notice_wishes w on w.doctor = d.uri
where d.uri = :doctor and d.local = 1 and d.gone_at is null;

-- name: told
-- What is unread, and may be seen, of what came since then; of the last two hundred, and of fifty questions to many.
select n.kind, count(*) as number from (
    select * from notifications where doctor = :reader and read_at is null order by id desc limit 200) n
where n.at >= :since and {{notice_seen}}
group by n.kind
union all
select 'asked' as kind, count(*) as number from (
    select distinct k.post from {{asked_and_waiting}} and k.at >= :since limit 50) as waiting
having count(*) > 0;

-- name: ways
select grp, way from notice_ways where doctor = :doctor order by grp, way;

-- name: wishes
select zone, quiet_from, quiet_until, digest_day, digest_hour from notice_wishes where doctor = :doctor;

-- name: drop_ways
delete from notice_ways where doctor = :doctor;

-- name: add_way
insert into notice_ways (doctor, grp, way) values (:doctor, :grp, :way) on conflict do nothing;

-- name: wish
insert into notice_wishes (doctor, zone, quiet_from, quiet_until, digest_day, digest_hour, digest_at, digest_since,
    off_token)
values (:doctor, :zone, :quiet_from, :quiet_until, :digest_day, :digest_hour, :digest_at, :now, :off_token)
on conflict (doctor) do update set zone = excluded.zone, quiet_from = excluded.quiet_from,
    quiet_until = excluded.quiet_until, digest_day = excluded.digest_day, digest_hour = excluded.digest_hour,
    digest_at = excluded.digest_at,
    digest_since = case when notice_wishes.digest_at is null then excluded.digest_since else notice_wishes.digest_since end;

-- name: mailed
update notice_wishes set mailed_at = :now where doctor = :doctor;

-- name: pushed
update notice_wishes set pushed_at = :now where doctor = :doctor;

-- name: off
-- Mails alone: what is shown on pages and devices stays as it was wished.
delete from notice_ways where way in ('now', 'daily')
    and doctor in (select doctor from notice_wishes where off_token = :token);

-- name: digest_off
update notice_wishes set digest_day = null, digest_at = null where off_token = :token;

-- name: of_token
select doctor from notice_wishes where off_token = :token;

-- name: drop_due_mails
delete from notice_due where way in ('now', 'daily')
    and doctor in (select doctor from notice_wishes where off_token = :token);

-- name: drop_waiting_mails
-- Also one that is written already and has not left.
delete from mails where sent_at is null and notice in ('notices', 'digest')
    and account in (select a.id from accounts a join notice_wishes w on w.doctor = a.doctor where w.off_token = :token);

-- name: digests
select doctor, digest_at from notice_wishes where digest_at <= :now order by digest_at, doctor limit :most;

-- name: next_digest
update notice_wishes set digest_at = :later, digest_since = :since where doctor = :doctor and digest_at = :at;

-- name: digest_posts
-- What came to one specialty since then, as far as this reader may see it; of the newest five hundred. The posts
-- themselves, so that what stands in two specialties counts once.
select p.uri, p.kind, p.published_at, p.first_answer_at, p.solved_at
from post_specialties s cross join posts p
where s.specialty = :specialty and s.sort_at > :since and p.uri = s.post and p.author <> :reader and {{visible}}
    and not exists (select 1 from mutes m where m.doctor = :reader and m.muted = p.author)
order by s.sort_at desc limit 500;

-- name: add_mail
insert into mails (id, whom, account, country, notice, language, at, address, counts)
values (:id, :whom, :account, :country, :notice, :language, :now, :address, :counts);

-- name: forget_ways
delete from notice_ways where doctor in (select doctor from accounts where id = :account);

-- name: forget_due
delete from notice_due where doctor in (select doctor from accounts where id = :account);

-- name: forget_marks
delete from notice_marks where doctor in (select doctor from accounts where id = :account);

-- name: forget_wishes
delete from notice_wishes where doctor in (select doctor from accounts where id = :account);

-- name: forget_devices
delete from push_devices where doctor in (select doctor from accounts where id = :account);
