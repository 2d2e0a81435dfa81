-- What pages show. Each page is one query (a list on it is a second); visibility is that of visibility.sql.

-- name: post
select p.uri, p.slug, p.kind, p.title, p.content, p.source, p.language, p.specialties, p.audience, p.local,
    p.role_then, p.published_at, p.updated_at, p.author,
    a.address, a.name, a.country, a.specialties as author_specialties, {{shown_author}}, a.valid_until, a.gone_at,
    case when p.author = :reader then 1 else 0 end as own,
    (select count(*) from likes x where x.object = p.uri and {{actor_unblocked}}) as thanks,
    (select count(*) from recommendations x where x.post = p.uri and {{actor_unblocked}}) as recommendations,
    exists (select 1 from likes l where l.object = p.uri and l.actor = :reader) as thanked,
    exists (select 1 from recommendations r where r.post = p.uri and r.actor = :reader) as recommended,
    exists (select 1 from revisions v where v.object = p.uri) as edited
from posts p join doctors a on a.uri = p.author
where p.slug = :slug and {{visible}};

-- name: named
select d.name, d.address from mentions m join doctors d on d.uri = m.doctor
where m.object = :object order by d.folded;

-- name: comments
select c.uri, c.slug, c.parent, c.content, c.source, c.language, c.role_then, c.published_at, c.updated_at, c.author,
    c.local, a.address, a.name, a.country, a.specialties as author_specialties, {{shown_author}}, a.valid_until, a.gone_at,
    case when c.author = :reader then 1 else 0 end as own,
    (select count(*) from likes x where x.object = c.uri and {{actor_unblocked}}) as thanks,
    exists (select 1 from likes l where l.object = c.uri and l.actor = :reader) as thanked,
    exists (select 1 from revisions v where v.object = c.uri) as edited
from posts p cross join comments c cross join doctors a
where p.slug = :slug and c.post = p.uri and a.uri = c.author and {{visible}} and {{comment_unblocked}}
order by c.published_at, c.slug;

-- name: comment
-- One comment with the post it belongs to, for editing, reporting and its history.
select c.uri, c.slug, c.content, c.source, c.language, c.author, c.local, c.published_at, c.updated_at,
    p.slug as post, p.title as post_title, p.language as post_language, case when c.author = :reader then 1 else 0 end as own
from comments c join posts p on p.uri = c.post
where c.slug = :slug and {{visible}} and {{comment_unblocked}};

-- name: revisions
select title, content, language, at from revisions where object = :object order by id;

-- name: doctor
select d.uri, d.origin, d.local, d.address, d.handle, d.name, d.role, d.country, d.specialties, d.assurance,
    d.valid_from, d.valid_until, {{shown_doctor}}, d.summary, d.languages, d.created_at, d.gone_at,
    coalesce((select n.address from doctors n where n.uri = d.moved_to), '') as moved_address,
    coalesce((select n.name from doctors n where n.uri = d.moved_to), '') as moved_name, d.moved_at,
    case when d.uri = :reader then 1 else 0 end as own,
    coalesce((select f.state from follows f where f.follower = :reader and f.followee = d.uri), '') as following,
    coalesce((select f.state from follows f where f.follower = d.uri and f.followee = :reader), '') as follower,
    exists (select 1 from blocks b where b.doctor = :reader and b.blocked = d.uri) as blocked,
    exists (select 1 from blocks b where b.doctor = d.uri and b.blocked = :reader) as closed,
    (select s.name from siblings s where s.origin = d.origin) as home
from doctors d where d.address = :address and not {{of_hidden_doctor}};

-- name: address_of
select address from doctors where uri = :uri;

-- name: followers
-- What is shown is how the reader stands to them, as on every list; that they follow is what the list is about.
select d.folded, {{found}} from follows theirs join doctors d on d.uri = theirs.follower
where theirs.followee = :reader and theirs.state = 'accepted' and (d.folded, d.uri) > (:after_name, :after_uri)
order by d.folded, d.uri limit :count;

-- name: following
select d.uri, d.address, d.name, d.role, d.country, d.specialties, {{shown_doctor}}, d.valid_until, d.gone_at,
    f.state as state, '' as follower, d.folded
from follows f join doctors d on d.uri = f.followee
where f.follower = :reader and f.state in ('pending', 'accepted') and (d.folded, d.uri) > (:after_name, :after_uri)
order by d.folded, d.uri limit :count;

-- name: requests
-- The oldest first; when those are answered, the next come up.
select d.uri, d.address, d.name, d.role, d.country, d.specialties, {{shown_doctor}}, d.valid_until, d.gone_at,
    '' as state, 'pending' as follower
from follows f join doctors d on d.uri = f.follower
where f.followee = :reader and f.state = 'pending' order by f.asked_at, d.uri limit 50;

-- fragment: found
d.uri, d.address, d.name, d.role, d.country, d.specialties, {{shown_doctor}}, d.valid_until, d.gone_at,
coalesce((select f.state from follows f where f.follower = :reader and f.followee = d.uri), '') as state,
coalesce((select f.state from follows f where f.follower = d.uri and f.followee = :reader), '') as follower,
exists (select 1 from blocks b where b.doctor = :reader and b.blocked = d.uri) as blocked

-- fragment: findable
d.standing = 'ok' and d.valid_until > :now and d.gone_at is null and d.uri <> :reader and not {{of_hidden_doctor}}
and (d.folded, d.uri) > (:after_name, :after_uri)
and (:country = '' or d.country = :country)
and (:specialty = '' or exists (
        select 1 from doctor_specialties ds where ds.specialty = :specialty and ds.doctor = d.uri))
and not exists (select 1 from blocks b where b.doctor = d.uri and b.blocked = :reader)
and (:suggested = 0 or not exists (select 1 from follows f where f.follower = :reader and f.followee = d.uri)
    and not exists (select 1 from blocks b where b.doctor = :reader and b.blocked = d.uri))

-- name: doctors_by_word
-- The rarest work first: the longest word is looked up, the others are checked.
select d.folded, {{found}} from doctors d
where d.uri in (select w.doctor from doctor_words w where w.word >= :word and w.word < :word_end)
  and (:word2 = '' or exists (
        select 1 from doctor_words w2 where w2.doctor = d.uri and w2.word >= :word2 and w2.word < :word2_end))
  and {{findable}}
order by d.folded, d.uri limit :count;

-- name: doctors_by_country
select d.folded, {{found}} from doctors d where {{findable}} and d.country = :country
order by d.folded, d.uri limit :count;

-- name: doctors_by_specialty
select d.folded, {{found}} from doctor_specialties s join doctors d on d.uri = s.doctor
where s.specialty = :specialty and {{findable}}
order by d.folded, d.uri limit :count;

-- fragment: of_hidden_actor
exists (
    select 1 from doctors hd join sibling_farewells vh on vh.origin = hd.origin
    where hd.uri = n.actor and vh.fate in ('hidden', 'purging') and vh.returned_at is null)

-- fragment: notice_seen
-- What may be told of a notice n to :reader, in whichever way: its post is visible to them, whoever acted is neither
-- hidden, blocked (either way) nor muted, and the thread is not muted either.
(n.post = '' or exists (
    select 1 from posts p where p.slug = n.post and {{visible}}
        and (n.kind not in ('answer', 'reply', 'case_answer', 'case_update') or not exists (
            select 1 from post_marks pm where pm.doctor = :reader and pm.post = p.uri and pm.muted_at is not null))))
and not {{of_hidden_actor}}
and not exists (select 1 from blocks b where b.doctor = :reader and b.blocked = n.actor)
and not exists (select 1 from blocks b where b.doctor = n.actor and b.blocked = :reader)
and (n.kind = 'reported' or not exists (select 1 from mutes m where m.doctor = :reader and m.muted = n.actor))

-- name: notices
-- Of the next :walked rows by their order: however few of them are shown, the cost stays the same.
select n.id, n.kind, n.post, n.object, n.at, n.read_at, a.name, a.address, a.role, a.country,
    coalesce((select p.title from posts p where p.slug = n.post), '') as title,
    coalesce((select p.language from posts p where p.slug = n.post), '') as title_language,
    coalesce((select c.slug from comments c where c.uri = n.object), '') as comment
from (select * from notifications where doctor = :reader and id < :before order by id desc limit :walked) n
    left join doctors a on a.uri = n.actor
where (cast(:kinds as text) = '' or cast(:kinds as text) like '% ' || n.kind || ' %') and {{notice_seen}}
order by n.id desc;

-- name: notices_end
-- Where a walk of so many rows ends, and whether anything comes after it.
select min(w.id) as last, count(*) as number
from (select id from notifications where doctor = :reader and id < :before order by id desc limit :walked) w;

-- name: unread
-- Of the last fifty that are not read: the number is a hint, and its cost stays the same.
select count(*) as unread from (
    select * from notifications where doctor = :reader and read_at is null order by id desc limit 50) n
where {{notice_seen}};

-- name: unread_kinds
select n.kind, count(*) as number from (
    select * from notifications where doctor = :reader and read_at is null order by id desc limit 50) n
where {{notice_seen}}
group by n.kind;

-- name: siblings
select s.origin, s.name, s.country, s.policy, s.source, s.vouched_by, s.since, s.contact,
    c.last_in_at, c.last_out_at, c.last_fault_at
from siblings s left join sibling_contacts c on c.origin = s.origin
order by s.name, s.origin;

-- name: account_mail
select case when email <> '' then 1 else 0 end as reached from accounts where id = :account;

-- name: account
select login, roles, language, appearance, created_at from accounts where id = :account;

-- fragment: shown_doctor
case when d.moved_to <> '' then 'moved' else d.standing end as standing
