-- What pages show. Each page is one query (a list on it is a second); visibility is that of visibility.sql.

-- name: post
select p.uri, p.slug, p.kind, p.title, p.content, p.source, p.language, p.specialties, p.audience, p.local,
    p.role_then, p.facts, p.published_at, p.updated_at, p.author, p.asked_country,
    {{first_answer_seen}} as first_answer_at, p.solved_at,
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
select c.uri, c.slug, c.parent, c.content, c.source, c.language, c.role_then, c.kind, c.published_at, c.updated_at,
    c.received_at, c.author, c.local, a.address, a.name, a.country, a.specialties as author_specialties, {{shown_author}}, a.valid_until, a.gone_at,
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
select kind, title, content, language, facts, at from revisions where object = :object order by id;

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
    exists (select 1 from mutes mu where mu.doctor = :reader and mu.muted = d.uri) as muted,
    exists (select 1 from (
        select c.doctor as owner, c.follow as who, cast(:reader as text) as asker
        from contact_rules c where c.doctor = d.uri) r where not {{inside_rule}}) as refuses,
    (select s.name from siblings s where s.origin = d.origin) as home, d.fetched_at
from doctors d where d.address = :address and not {{of_hidden_doctor}};

-- name: address_of
select address from doctors where uri = :uri;

-- fragment: called
-- A word that one of the doctor's names begins with; an empty one is everybody's.
(:word = '' or exists (
    select 1 from doctor_words w where w.doctor = d.uri and w.word >= :word and w.word < :word_end))

-- name: followers
-- What is shown is how the reader stands to them, as on every list; that they follow is what the list is about.
select d.folded, {{found}} from follows theirs join doctors d on d.uri = theirs.follower
where theirs.followee = :reader and theirs.state = 'accepted' and not {{of_hidden_doctor}} and {{called}}
  and (d.folded, d.uri) > (:after_name, :after_uri)
order by d.folded, d.uri limit :count;

-- name: following
select d.uri, d.address, d.name, d.role, d.country, d.specialties, {{shown_doctor}}, d.valid_until, d.gone_at,
    f.state as state, '' as follower, d.folded
from follows f join doctors d on d.uri = f.followee
where f.follower = :reader and f.state in ('pending', 'accepted') and not {{of_hidden_doctor}} and {{called}}
  and (d.folded, d.uri) > (:after_name, :after_uri)
order by d.folded, d.uri limit :count;

-- name: following_numbers
-- How many follow the reader, and whom the reader follows: of oneself alone, and counting whom the lists show.
select
    (select count(*) from follows f join doctors d on d.uri = f.follower
     where f.followee = :reader and f.state = 'accepted' and not {{of_hidden_doctor}}) as followers,
    (select count(*) from follows f join doctors d on d.uri = f.followee
     where f.follower = :reader and f.state = 'accepted' and not {{of_hidden_doctor}}) as following;

-- fragment: my_latest
-- Whom the reader follows, the last hundred: what is made of their follows stays bounded.
select f.followee from follows f
where f.follower = :reader and f.state = 'accepted' order by f.answered_at desc, f.followee limit 100

-- name: common
-- How many of those whom the reader follows follow this doctor.
select count(*) as number from ({{my_latest}}) mine join follows theirs
    on theirs.follower = mine.followee and theirs.followee = :doctor and theirs.state = 'accepted';

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

-- fragment: near_by
-- Who is found at all: in good standing now, of an instance that is not hidden, and nobody who has blocked the reader.
-- Whom the reader has blocked is found, and shown as such: a block is taken back from there.
d.standing = 'ok' and d.valid_until > :now and d.gone_at is null and d.moved_to = '' and d.uri <> :reader
and not {{of_hidden_doctor}}
and not exists (select 1 from blocks b where b.doctor = d.uri and b.blocked = :reader)

-- fragment: suggestible
-- Nobody the reader follows, has asked, has blocked, or has muted.
not exists (select 1 from blocks b where b.doctor = :reader and b.blocked = d.uri)
and not exists (select 1 from follows f where f.follower = :reader and f.followee = d.uri)
and not exists (select 1 from mutes mu where mu.doctor = :reader and mu.muted = d.uri)

-- fragment: findable
{{near_by}}
and (d.folded, d.uri) > (:after_name, :after_uri)
and (:suggested = 0 or ({{suggestible}}))

-- fragment: of_facets
-- Over s (doctor): every other condition is one look at the index, before a doctor is read.
(:facet0 = '' or exists (select 1 from doctor_facets f0
    where f0.doctor = s.doctor and f0.facet = :facet0))
and (:facet1 = '' or exists (select 1 from doctor_facets f1
    where f1.doctor = s.doctor and f1.facet = :facet1))
and (:facet2 = '' or exists (select 1 from doctor_facets f2
    where f2.doctor = s.doctor and f2.facet = :facet2))
and (:facet3 = '' or exists (select 1 from doctor_facets f3
    where f3.doctor = s.doctor and f3.facet = :facet3))

-- name: directory_sizes
-- How many each condition finds, as far as it matters: the rarest is walked, the others are checked.
select c.place, (select count(*) from (
    select 1 as one from doctor_facets f where f.facet = c.facet limit :most) counted) as number
from (select 0 as place, cast(:facet0 as text) as facet union all select 1, cast(:facet1 as text)
      union all select 2, cast(:facet2 as text) union all select 3, cast(:facet3 as text)) c
where c.facet <> ''
union all
select c.place, (select count(*) from (
    select 1 as one from doctor_words w where w.word >= c.word and w.word < c.word_end limit :most) counted) as number
from (select 4 as place, cast(:word as text) as word, cast(:word_end as text) as word_end
      union all select 5, cast(:word2 as text), cast(:word2_end as text)) c
where c.word <> '';

-- fragment: of_words
(:word = '' or exists (
        select 1 from doctor_words w where w.doctor = s.doctor and w.word >= :word and w.word < :word_end))
and (:word2 = '' or exists (
        select 1 from doctor_words w2 where w2.doctor = s.doctor and w2.word >= :word2 and w2.word < :word2_end))

-- name: doctors_by_word
-- For words that few doctors bear: those are looked up, narrowed by the index alone, read and sorted.
select d.folded, {{found}}
from (select s.doctor from (
        select distinct w0.doctor from doctor_words w0 where w0.word >= :word and w0.word < :word_end) s
      where {{of_words}} and {{of_facets}}) bearers cross join doctors d
where d.uri = bearers.doctor and {{findable}}
order by d.folded, d.uri limit :count;

-- name: doctors_by_facet
-- In the order of the list, from the place of the cursor, until the page is full.
select d.folded, {{found}} from doctor_facets s cross join doctors d
where s.facet = :facet and (s.folded, s.doctor) > (:after_name, :after_uri)
  and {{of_facets}} and {{of_words}} and d.uri = s.doctor and {{findable}}
order by s.folded, s.doctor limit :count;

-- name: suggested_by_colleagues
-- Followed by two colleagues of the reader at least: of one alone the number would say who.
select c.number, {{found}} from (
    select theirs.followee as doctor, count(*) as number
    from ({{my_latest}}) mine join follows theirs on theirs.follower = mine.followee and theirs.state = 'accepted'
    group by theirs.followee having count(*) > 1) c join doctors d on d.uri = c.doctor
where {{near_by}} and {{suggestible}}
order by c.number desc, d.folded, d.uri limit :count;

-- fragment: of_hidden_actor
exists (
    select 1 from doctors hd join sibling_farewells vh on vh.origin = hd.origin
    where hd.uri = n.actor and vh.fate in ('hidden', 'purging') and vh.returned_at is null)

-- fragment: asked_of_me
-- Questions to the doctors of the reader's specialties or country, since the reader has been here; whoever was asked by
-- name has a notice of their own.
askings k cross join posts p
where k.whom in (
        select 'specialty:' || ds.specialty from doctor_specialties ds where ds.doctor = :reader
        union all select 'country:' || me.country from doctors me where me.uri = :reader)
  and k.at >= (select me.created_at from doctors me where me.uri = :reader)
  and p.uri = k.post and p.author <> :reader and {{visible}} and {{unmuted}}
  and not exists (
        select 1 from notifications e
        where e.doctor = :reader and e.kind = 'asked' and e.actor = p.author and e.object = p.uri)

-- fragment: asked_as_notices
-- A question that was answered waits for nobody, and is new to nobody; nor to whoever has looked at it.
select distinct k.id, 'asked' as kind, p.author as actor, p.slug as post, p.uri as object, k.at,
    coalesce(p.first_answer_at, (
        select rp.mark_at from reading_places rp
        where rp.doctor = :reader and rp.place = 'asked' and rp.mark_at >= k.at), (
        select lm.visited_at from post_marks lm where lm.doctor = :reader and lm.post = p.uri)) as read_at
from {{asked_of_me}}

-- fragment: noticed
-- The next :walked notices by their order, own and of questions asked of many.
select * from (
    select * from (
        select o.id, o.kind, o.actor, o.post, o.object, o.at, o.read_at from notifications o
        where o.doctor = :reader and o.id < :before order by o.id desc limit :walked) as own
    union all
    select * from ({{asked_as_notices}} and k.id < :before order by k.id desc limit :walked) as asked) as both_kinds
order by id desc limit :walked

-- fragment: asked_and_waiting
-- Those of them that still wait, and are new to the reader.
{{asked_of_me}}
  and k.at > coalesce((
        select rp.mark_at from reading_places rp where rp.doctor = :reader and rp.place = 'asked'), 0)
  and p.first_answer_at is null and p.solved_at is null
  and not exists (
        select 1 from post_marks lm where lm.doctor = :reader and lm.post = p.uri
            and (lm.visited_at is not null or lm.muted_at is not null))

-- fragment: still_asked
-- Questions that still wait, since the reader has been here; fifty at most.
select distinct k.post from {{asked_and_waiting}}
limit 50

-- fragment: notice_seen
-- What may be told of a notice n to :reader, in whichever way: its post is visible to them, whoever acted is neither
-- hidden, blocked (either way) nor muted, and the thread is not muted either (of which nothing is told at all).
(n.post = '' or exists (
    select 1 from posts p where p.slug = n.post and {{visible}}
        and (n.kind = 'reported' or not exists (
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
from ({{noticed}}) n
    left join doctors a on a.uri = n.actor
where (cast(:kinds as text) = '' or cast(:kinds as text) like '% ' || n.kind || ' %') and {{notice_seen}}
order by n.id desc;

-- name: notices_end
-- Where a walk of so many rows ends, and whether anything comes after it.
select min(w.id) as last, count(*) as number
from ({{noticed}}) w;

-- name: unread
-- Of the last fifty that are not read: the number is a hint, and its cost stays the same.
select (select count(*) from (
        select * from notifications where doctor = :reader and read_at is null order by id desc limit 50) n
    where {{notice_seen}})
+ (select count(*) from ({{still_asked}}) as waiting) as unread;

-- name: unread_kinds
select n.kind, count(*) as number from (
    select * from notifications where doctor = :reader and read_at is null order by id desc limit 50) n
where {{notice_seen}}
group by n.kind
union all
select 'asked' as kind, count(*) as number from ({{still_asked}}) as waiting having count(*) > 0;

-- name: siblings
select s.origin, s.name, s.country, s.policy, s.source, s.vouched_by, s.since, s.contact,
    c.last_in_at, c.last_out_at, c.last_fault_at
from siblings s left join sibling_contacts c on c.origin = s.origin
order by s.name, s.origin;

-- name: account_mail
select case when email <> '' then 1 else 0 end as reached from accounts where id = :account;

-- name: account
select login, roles, language, appearance, text_size, reading, created_at from accounts where id = :account;

-- fragment: shown_doctor
case when d.moved_to <> '' then 'moved' else d.standing end as standing
