-- The file of the own data: everything that is kept of one account, and of its doctor, for the person it is about.
-- `owner` is the account or the doctor; nothing here is found by anything else. What is long comes in pages, after `key`.

-- name: account
select login, email, doctor, roles, language, appearance, text_size, reading, created_at from accounts where id = :owner;

-- name: address_to_prove
select email, at from addresses_to_prove where account = :owner;

-- name: sessions
select device, created_at, last_seen_at, expires_at, password_at, factor_at from sessions where account = :owner
order by created_at;

-- name: passkeys
select label, transports, created_at, last_used_at from passkeys where account = :owner order by created_at;

-- name: apps
select created_at, confirmed_at from totp where account = :owner order by created_at;

-- name: recovery_codes
select created_at, used_at from recovery_codes where account = :owner order by created_at, code;

-- name: staff
select id, countries, sites, since, ended_at from staff where account = :owner;

-- name: invitations
select id, email, roles, countries, sites, created_at, expires_at, used_at from invitations where account = :owner
order by id;

-- name: profile
select uri, address, handle, name, role, country, specialties, assurance, valid_from, valid_until, standing,
    summary_source as summary, languages, approves_followers, credential, also_known_as, moved_to, moved_at, created_at,
    updated_at, gone_at
from doctors where uri = :owner and local = 1;

-- name: keys
select id, algorithm, purpose, not_before, drop_after from keys where owner = :owner order by id;

-- name: status
select list, place, revoked, suspended, allotted_at from status_places where doctor = :owner order by allotted_at, place;

-- name: applications
select id, state, name, handle, specialties, languages, email, country, role, sites, submitted_at, approved_at,
    verified_at, reverify_on, appealed_at, training_ends, year_ends, decided_at, created_at,
    case when approved_at is null then '' else assurance end as assurance
from dossiers where account = :owner order by created_at, id;

-- name: elsewhere
select e.dossier, e.address, e.at from dossier_elsewhere e join dossiers d on d.id = e.dossier
where d.account = :owner order by e.dossier;

-- name: annexes
select x.id, x.dossier, x.kind, x.state, x.submitted_at, x.training_ends, x.year_ends, x.name, x.specialty
from annexes x join dossiers d on d.id = x.dossier where d.account = :owner order by x.dossier, x.place, x.id;

-- name: pieces
-- Its class is said once the application it belongs to was decided.
select e.id, e.dossier, e.annex, e.kind, e.claim, e.number_kind, e.number_system, s.content as number, e.at,
    case when d.approved_at is null or e.place is null then '' else e.rank end as rank
from evidence_pieces e join dossiers d on d.id = e.dossier left join sealed_values s on s.id = 'number/' || e.id
where d.account = :owner order by e.dossier, e.id;

-- name: files
select f.id, f.dossier, coalesce(p.piece, '') as piece, f.kind, f.media, f.pages, f.size, f.hash, f.stored_at,
    f.destroy_at, f.destroyed_at, f.destroyed_for
from evidence_files f join dossiers d on d.id = f.dossier left join piece_files p on p.file = f.id
where d.account = :owner order by f.dossier, f.id;

-- name: kept_until
select r.dossier, r.thing, r.at from retention r join dossiers d on d.id = r.dossier
where d.account = :owner order by r.dossier, r.thing;

-- name: told
select id as key, dossier, notice, grounds, until, at, read_at from dossier_notices
where account = :owner and whom = 'applicant' and id > :after order by id limit :most;

-- name: mails
select id as key, notice, language, address, counts, at, sent_at from mails
where account = :owner and id > :after order by id limit :most;

-- name: dossiers
-- Whose log is read: with whether somebody is looking at it now.
select d.id, d.state, (select count(*) from annexes x
    where x.dossier = d.id and x.state not in ('accepted', 'refused')) as open
from dossiers d where d.account = :owner order by d.created_at, d.id;

-- name: posts
select p.slug, p.sort_at, p.uri, p.kind, p.title, p.source, p.content, p.language, p.specialties, p.audience,
    p.role_then, p.context, p.facts, p.asked_country, p.published_at, p.updated_at
from posts p where p.author = :owner and p.local = 1 and (p.sort_at, p.slug) < (:before_at, :before_slug)
order by p.sort_at desc, p.slug desc limit :most;

-- What hangs on the posts of one page. `cross join` tells SQLite to begin with the page, and not with the other table.
-- fragment: between
p.author = :owner and p.local = 1 and (p.sort_at, p.slug) < (:before_at, :before_slug)
    and (p.sort_at, p.slug) >= (:last_at, :last_slug)

-- name: revisions_of_posts
select r.object, r.kind, r.title, r.content, r.language, r.facts, r.at from posts p cross join revisions r
where r.object = p.uri and {{between}} order by r.object, r.id;

-- name: named_in_posts
select m.object, m.doctor from posts p cross join mentions m
where m.object = p.uri and {{between}} order by m.object, m.doctor;

-- name: copies_of_posts
select y.object, y.origin, y.sent_at, y.delivered_at, y.released_at from posts p cross join copies y
where y.object = p.uri and {{between}} order by y.object, y.origin;

-- name: comments
select c.slug, c.published_at as sort_at, c.uri, c.post, c.parent, c.source, c.content, c.language, c.role_then, c.kind,
    c.published_at, c.updated_at
from comments c where c.author = :owner and c.local = 1 and (c.published_at, c.slug) < (:before_at, :before_slug)
order by c.published_at desc, c.slug desc limit :most;

-- fragment: between_comments
c.author = :owner and c.local = 1 and (c.published_at, c.slug) < (:before_at, :before_slug)
    and (c.published_at, c.slug) >= (:last_at, :last_slug)

-- name: revisions_of_comments
select r.object, r.kind, r.title, r.content, r.language, r.facts, r.at from comments c cross join revisions r
where r.object = c.uri and {{between_comments}} order by r.object, r.id;

-- name: named_in_comments
select m.object, m.doctor from comments c cross join mentions m
where m.object = c.uri and {{between_comments}} order by m.object, m.doctor;

-- name: copies_of_comments
select y.object, y.origin, y.sent_at, y.delivered_at, y.released_at from comments c cross join copies y
where y.object = c.uri and {{between_comments}} order by y.object, y.origin;

-- name: withdrawn
select uri as key, uri, former_type, at from tombstones
where actor = :owner and uri > :after order by uri limit :most;

-- name: thanks
select id as key, object, at from likes where actor = :owner and id > :after order by id limit :most;

-- name: recommendations
select post as key, post, at from recommendations where actor = :owner and post > :after order by post limit :most;

-- name: polls
select q.post as key, q.post, q.uri, q.options, q.closes_at, q.closed_at, q.made_at, q.updated_at
from posts p join polls q on q.post = p.uri
where p.author = :owner and p.local = 1 and q.post > :after order by q.post limit :most;

-- name: voted
select post as key, post, choice, specialty, at from poll_votes
where voter = :owner and post > :after order by post limit :most;

-- name: endings
select r.post as key, r.post, r.diagnosis, r.outcome, r.language, r.thanked, r.resolved_at, r.updated_at
from posts p join resolutions r on r.post = p.uri
where p.author = :owner and p.local = 1 and r.post > :after order by r.post limit :most;

-- name: kept
select post as key, post, followed_at, muted_at, saved_at, visited_at from post_marks
where doctor = :owner and post > :after order by post limit :most;

-- name: following
select followee as key, followee as doctor, state, asked_at, answered_at from follows
where follower = :owner and followee > :after order by followee limit :most;

-- name: followers
select follower as key, follower as doctor, state, asked_at, answered_at from follows
where followee = :owner and follower > :after order by follower limit :most;

-- name: blocks
select blocked as key, blocked as doctor, at from blocks
where doctor = :owner and blocked > :after order by blocked limit :most;

-- name: mutes
select muted as key, muted as doctor, at from mutes
where doctor = :owner and muted > :after order by muted limit :most;

-- name: contact_rules
select follow, name, changed_at from contact_rules where doctor = :owner;

-- name: lists
select id, name, created_at from lists where doctor = :owner order by folded, id;

-- name: list_members
select m.list || ' ' || m.doctor as key, m.list, m.doctor, m.at from lists l join list_members m on m.list = l.id
where l.doctor = :owner and m.list || ' ' || m.doctor > :after order by 1 limit :most;

-- name: named_by_others
select object as key, object from mentions where doctor = :owner and object > :after order by object limit :most;

-- name: notices
select id as key, kind, actor, post, object, at, read_at from notifications
where doctor = :owner and id > :after order by id limit :most;

-- name: places
-- What was asked has its place too: until when notices of questions count as read.
select place, mark_at, seen_at from reading_places where doctor = :owner order by place;

-- name: notice_ways
select grp as about, way from notice_ways where doctor = :owner order by grp, way;

-- name: notice_wishes
select zone, quiet_from, quiet_until, digest_day, digest_hour, digest_at as next_digest_at,
    digest_since as last_digest_at, mailed_at, pushed_at
from notice_wishes where doctor = :owner;

-- name: push_devices
select endpoint, created_at, nullif(shown_at, 0) as shown_at from push_devices where doctor = :owner order by id;

-- name: reports
select id as key, object, reason, state, at from reports
where by_whom = :owner and id > :after order by id limit :most;
