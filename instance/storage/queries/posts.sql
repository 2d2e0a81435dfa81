-- Posts as their authors and readers act on them. Visibility is that of visibility.sql.

-- name: by_slug
select uri, slug, origin, local, author, kind, title, content, source, language, specialties, audience, role_then,
    context, published_at, updated_at, answers
from posts where slug = :slug;

-- name: by_uri
select uri, slug, origin, local, author, kind, title, content, source, language, specialties, audience, role_then,
    context, published_at, updated_at, answers
from posts where uri = :uri;

-- name: visible
select p.uri, p.slug, p.origin, p.local, p.author, p.kind, p.title, p.content, p.source, p.language, p.specialties,
    p.audience, p.role_then, p.context, p.facts, p.interests, p.event_from, p.published_at, p.updated_at, p.asked_country,
    a.handle as author_handle, a.origin as author_origin, a.address as author_address, a.inbox as author_inbox,
    a.shared_inbox as author_shared_inbox, a.followers as author_followers
from posts p join doctors a on a.uri = p.author
where p.slug = :slug and {{visible}};

-- name: add
insert into posts (uri, slug, origin, local, author, kind, title, content, source, language, specialties, audience,
    role_then, context, facts, interests, event_from, published_at, received_at, sort_at)
values (:uri, :slug, :origin, 1, :author, :kind, :title, :content, :source, :language, :specialties, :audience,
    :role_then, :context, :facts, :interests, :event_from, :now, :now, :now);

-- name: change
-- Of two versions made from the same one, the second finds another and changes nothing.
update posts set kind = :kind, title = :title, content = :content, source = :source, language = :language,
    specialties = :specialties, audience = :audience, facts = :facts, interests = :interests, event_from = :event_from,
    updated_at = :now
where uri = :uri and local = 1 and audience = :audience_before and coalesce(updated_at, 0) = :seen;

-- name: remove
delete from posts where uri = :uri and local = 1;

-- name: add_specialty
insert into post_specialties (specialty, post, sort_at, bulletin) values (:specialty, :post, :sort_at, :bulletin)
on conflict do nothing;

-- name: drop_specialties
delete from post_specialties where post = :post;

-- name: add_mention
insert into mentions (object, doctor) values (:object, :doctor) on conflict do nothing;

-- name: drop_mentions
delete from mentions where object = :object;

-- name: named
select d.uri, d.origin, d.local, d.address, d.handle, d.inbox, d.shared_inbox
from mentions m join doctors d on d.uri = m.doctor where m.object = :object order by d.uri;

-- name: add_revision
insert into revisions (id, object, title, content, language, at)
values (:id, :object, :title, :content, :language, :at);

-- name: add_version
-- A post as it is before it is changed.
insert into revisions (id, object, kind, title, content, language, facts, at)
select :id, uri, kind, title, content, language, facts, coalesce(updated_at, published_at) from posts
where uri = :object;

-- name: drop_revisions
delete from revisions where object = :object;

-- name: add_tombstone
insert into tombstones (uri, origin, actor, former_type, at) values (:uri, :origin, :actor, :former_type, :now)
on conflict do nothing;

-- name: withdrawn_by
select uri, at from tombstones where uri = :uri and actor = :actor;

-- name: followers
-- The doctors abroad who follow this one.
select d.uri, d.origin, d.inbox, d.shared_inbox from follows f join doctors d on d.uri = f.follower
where f.followee = :doctor and f.state = 'accepted' and d.local = 0 and d.gone_at is null order by d.uri;

-- name: holders
select origin from copies where object = :object;

-- name: drop_waiting
-- What was to say that this exists is not said any more, dead letters included; its Delete is.
update deliveries set state = 'dropped', last_code = 'withdrawn', settled_at = :now
where object = :object and state in ('waiting', 'resting', 'held', 'dead')
  and activity in (select uri from activities where object = :object and type in ('Create', 'Update', 'Announce'));

-- name: drop_waiting_at
-- For those an edit leaves behind: their Delete must not be overtaken by what still waited.
update deliveries set state = 'dropped', last_code = 'narrowed', settled_at = :now
where object = :object and origin = :origin and state in ('waiting', 'resting', 'held', 'dead')
  and activity in (select uri from activities where object = :object and type in ('Create', 'Update', 'Announce'));

-- name: forget_words
-- The text stands in what was sent, too; the row stays, because deliveries point to it.
update activities set body = :nothing where object = :object and type in ('Create', 'Update');

-- name: foreign_comments
select uri from comments where post = :post and local = 0;

-- name: drop_foreign_comments
-- Our own doctors' words stay theirs; without the post nobody is shown them.
delete from comments where post = :post and local = 0;

-- name: drop_likes
delete from likes where object = :object;

-- name: drop_recommendations
delete from recommendations where post = :object;

-- name: submit
insert into submissions (doctor, form_key, what, result, at) values (:doctor, :form_key, :what, :result, :now)
on conflict do nothing;

-- name: submission
select result from submissions where doctor = :doctor and form_key = :form_key;

-- name: submissions_since
select count(*) as number from submissions where doctor = :doctor and what = :what and at > :since;

-- name: forget_submissions
delete from submissions where doctor = :doctor and at < :before;

-- name: like
insert into likes (actor, object, id, at) values (:actor, :object, :id, :now) on conflict do nothing;

-- name: like_of
select id from likes where actor = :actor and object = :object;

-- name: unlike
delete from likes where actor = :actor and object = :object;

-- name: recommend
insert into recommendations (actor, post, id, at) values (:actor, :post, :id, :now) on conflict do nothing;

-- name: recommendation_of
select id from recommendations where actor = :actor and post = :post;

-- name: unrecommend
delete from recommendations where actor = :actor and post = :post;

-- name: report
insert into reports (id, object, by_whom, reason, at) values (:id, :object, :by_whom, :reason, :now);

-- name: open_report
select id from reports where object = :object and by_whom = :by_whom and state = 'open';
