-- What siblings may read here: our own objects, inside their audience, and nobody else's.

-- name: doctor
select uri, handle, gone_at, updated_at, standing from doctors where uri = :uri and local = 1;

-- fragment: reaches
-- Whether a doctor of this instance is inside the audience that the post has now. Part of the statement that finds the
-- object: a look-up of its own would take its time for what is hidden, and none for what never was (A97).
(p.audience = 'federation'
 or (p.local = 0 and p.origin = :origin)
 or (p.local = 1 and p.audience = 'colleagues' and exists (
        select 1 from follows rf join doctors rd on rd.uri = rf.follower
        where rf.followee = p.author and rf.state = 'accepted' and rd.origin = :origin and rd.gone_at is null))
 or (p.audience = 'named' and exists (
        select 1 from mentions rm left join doctors rd on rd.uri = rm.doctor
        where rm.object = p.uri and rd.gone_at is null
          -- By address: another's post may name somebody whom this instance never met.
          and substr(rm.doctor, 1, length(cast(:origin as text)) + 1) = cast(:origin as text) || '/')))

-- fragment: said
-- A post p of our doctor a, as `instance.services.serving.post_of` says it to siblings.
p.uri, p.author, p.kind, p.title, p.content, p.language, p.specialties, p.audience, p.context, p.facts,
p.published_at, p.updated_at, p.asked_country, a.followers

-- name: post
select {{said}}
from posts p join doctors a on a.uri = p.author
where p.uri = :uri and p.local = 1 and {{reaches}};

-- name: comment
-- The post may be another instance's: then its author's address is all that is needed.
select c.uri, c.author, c.content, c.language, c.kind as note_kind, c.parent, c.post, c.published_at, c.updated_at,
    p.kind, p.audience, p.origin as post_origin, p.author as post_author, p.local as post_local, a.followers
from comments c join posts p on p.uri = c.post join doctors a on a.uri = p.author
where c.uri = :uri and c.local = 1 and {{reaches}};

-- name: mentions
select d.uri, d.address, d.local from mentions m join doctors d on d.uri = m.doctor
where m.object = :object order by d.uri;

-- name: named
select m.doctor from mentions m where m.object = :object order by m.doctor;

-- name: holder
select origin, delivered_at, released_at from copies where object = :object and origin = :origin;

-- name: tombstone
select uri, former_type, at from tombstones where uri = :uri;

-- name: activity
-- One that was sent to this instance. Deliveries are tidied away in the end; the copy ledger stays.
select a.uri, a.actor, a.type, a.object, a.body, a.homes from activities a
where a.uri = :uri
  and (exists (select 1 from deliveries d
            where d.activity = a.uri and d.origin = :origin and d.state <> 'dropped')
    or exists (select 1 from copies c where c.object = a.object and c.origin = :origin));

-- name: thread
-- Everything in a thread of ours, oldest first.
select c.uri, c.parent from comments c where c.post = :post
  and not exists (select 1 from tombstones t where t.uri = c.uri)
order by c.published_at, c.slug limit 1000;

-- name: thread_mentions
-- Whom the answers in a thread of ours name.
select m.object, m.doctor from mentions m join comments c on c.uri = m.object where c.post = :post;

-- name: outbox
-- An author's newest activities that went to this instance; what it was not sent, or what is for others since it was
-- narrowed or withdrawn, does not exist for it.
select a.uri, a.homes from activities a
where a.actor = :actor
  and (exists (select 1 from deliveries d
            where d.activity = a.uri and d.origin = :origin and d.state <> 'dropped')
    or exists (select 1 from copies c where c.object = a.object and c.origin = :origin))
  and (a.type not in ('Create', 'Update') or a.object = a.actor
    or exists (select 1 from posts p where p.uri = a.object and {{reaches}})
    or exists (select 1 from comments c join posts p on p.uri = c.post where c.uri = a.object and {{reaches}}))
order by a.published_at desc, a.uri desc limit 200;

-- name: followers
-- `total`: of all, for whoever has to know whether the list is whole.
select d.uri, count(*) over () as total from follows f join doctors d on d.uri = f.follower
where f.followee = :doctor and f.state = 'accepted' and d.origin = :origin and d.gone_at is null
order by f.asked_at desc, d.uri limit 1000;

-- name: following
select d.uri, count(*) over () as total from follows f join doctors d on d.uri = f.followee
where f.follower = :doctor and f.state = 'accepted' and d.origin = :origin and d.gone_at is null
order by f.asked_at desc, d.uri limit 1000;

-- name: directory
-- Our doctors in good standing, by address.
select uri, handle from doctors
where origin = :origin and uri > :after and local = 1 and standing = 'ok' and gone_at is null and moved_to = ''
  and valid_until > :now
order by uri limit :count;
