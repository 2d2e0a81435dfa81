-- The effects of kept activities. Each statement may run twice and changes what it says once.

-- name: tombstone
select actor, former_type from tombstones where uri = :uri;

-- name: add_tombstone
insert into tombstones (uri, origin, actor, former_type, at) values (:uri, :origin, :actor, :former_type, :now)
on conflict do nothing;

-- name: drop_tombstone
delete from tombstones where uri = :uri;

-- name: post
select uri, slug, origin, local, author, audience, kind, title, content, language, published_at, updated_at
from posts where uri = :uri;

-- name: before_post
-- One look for every new post: is it here, or was it withdrawn? No row where neither.
select author from posts where uri = :uri
union all
select cast(null as text) from tombstones where uri = :uri;

-- name: comment
select uri, slug, origin, local, author, post, parent, content, language, published_at, updated_at
from comments where uri = :uri;

-- name: visible_to_foreigner
-- Whether a sibling's doctor is inside the audience of a post we hold, as far as our own rows can tell.
select p.uri from posts p where p.uri = :post and p.audience <> 'national' and {{visible}};

-- name: add_post
-- Returns how many answers were here first; nothing where the post was.
insert into posts (uri, slug, origin, local, author, kind, title, content, language, specialties, audience, role_then,
    context, facts, interests, event_from, published_at, updated_at, received_at, sort_at, answers, last_answer_at,
    first_answer_at)
values (:uri, :slug, :origin, 0, :author, :kind, :title, :content, :language, :specialties, :audience, :role_then,
    :context, :facts, :interests, :event_from, :published_at, :updated_at, :now, :sort_at,
    (select count(*) from comments where post = :uri), (select max(published_at) from comments where post = :uri),
    (select min(published_at) from comments where post = :uri and author <> :author))
on conflict do nothing returning answers;

-- name: change_post
update posts set kind = :kind, title = :title, content = :content, language = :language, specialties = :specialties,
    audience = :audience, facts = :facts, interests = :interests, event_from = :event_from, updated_at = :updated_at
where uri = :uri and coalesce(updated_at, published_at) < :updated_at;

-- name: drop_post_specialties
delete from post_specialties where post = :post;

-- name: add_post_specialty
insert into post_specialties (specialty, post, sort_at, bulletin)
select :specialty, uri, sort_at, :bulletin from posts where uri = :post
on conflict do nothing;

-- name: drop_mentions
delete from mentions where object = :object;

-- name: add_mention
insert into mentions (object, doctor) values (:object, :doctor) on conflict do nothing;

-- name: drop_recommendations_outside
-- A post that is not for the whole federation: recommendations that came before it do not count.
delete from recommendations where post = :post;

-- name: add_revision
insert into revisions (id, object, kind, title, content, language, facts, at)
values (:id, :object, :kind, :title, :content, :language, :facts, :at);

-- name: facts
select facts from posts where uri = :uri;

-- name: add_comment
insert into comments (uri, slug, origin, local, post, parent, author, content, language, role_then, published_at,
    updated_at, received_at, document, outside)
values (:uri, :slug, :origin, 0, :post, :parent, :author, :content, :language, :role_then, :published_at,
    :updated_at, :now, :document, :outside)
on conflict do nothing;

-- name: in_circle
-- Whether a doctor belongs to the circle of a copy, as far as it is told here: everybody, or the author and the named.
select p.uri from posts p where p.uri = :post
  and (p.audience = 'federation' or p.author = :doctor
    or (p.audience = 'named' and exists (select 1 from mentions m where m.object = p.uri and m.doctor = :doctor)));

-- name: early_answers
select uri, author from comments where post = :post and outside = 1;

-- name: change_comment
update comments set content = :content, language = :language, updated_at = :updated_at, document = :document
where uri = :uri and coalesce(updated_at, published_at) < :updated_at;

-- name: answered
update posts set answers = answers + 1,
    last_answer_at = case when coalesce(last_answer_at, 0) < :at then :at else last_answer_at end,
    first_answer_at = case when author <> :author and coalesce(first_answer_at, :at) >= :at then :at
        else first_answer_at end
where uri = :post;

-- name: drop_post
delete from posts where uri = :uri;

-- name: drop_comment
delete from comments where uri = :uri;

-- name: foreign_comments_of
-- Our own doctors' words stay theirs; they are no longer shown.
select uri from comments where post = :post and local = 0;

-- name: drop_recommendations_of
delete from recommendations where post = :post;

-- name: posts_by
select uri from posts where author = :author;

-- name: comments_by
select uri, post from comments where author = :author;

-- name: drop_likes_by
delete from likes where actor = :actor;

-- name: drop_recommendations_by
delete from recommendations where actor = :actor;

-- name: drop_follows_of
delete from follows where follower = :doctor or followee = :doctor;

-- name: drop_notices_by
delete from notifications where actor = :actor;

-- name: doctor_gone
update doctors set gone_at = :now, updated_at = :now, standing = 'gone', name = '', folded = '', summary = '',
    credential = 'null', document = '', specialties = '[]', languages = '[]'
where uri = :uri and local = 0 and gone_at is null;

-- name: own_doctor
select uri, origin, followers, approves_followers from doctors where uri = :uri and local = 1 and gone_at is null;

-- name: blocked
select doctor from blocks where doctor = :doctor and blocked = :blocked;

-- name: follow_by_id
select follower, followee, id, state from follows where id = :id;

-- name: ask
insert into follows (follower, followee, id, state, asked_at, answered_at)
values (:follower, :followee, :id, :state, :now, :answered_at)
on conflict (follower, followee) do update set id = excluded.id, asked_at = excluded.asked_at,
    state = case when follows.state = 'accepted' then 'accepted' else excluded.state end,
    answered_at = case when follows.state = 'accepted' then follows.answered_at else excluded.answered_at end;

-- name: follow_state
select state from follows where follower = :follower and followee = :followee;

-- name: answer
update follows set state = :state, answered_at = :now where id = :id;

-- name: drop_follow
delete from follows where id = :id;

-- name: add_like
insert into likes (actor, object, id, at) values (:actor, :object, :id, :now) on conflict do nothing;

-- name: like_by_id
select actor, object from likes where id = :id;

-- name: drop_like
delete from likes where id = :id;

-- name: add_recommendation
insert into recommendations (actor, post, id, at) values (:actor, :post, :id, :now) on conflict do nothing;

-- name: recommendation_by_id
select actor, post from recommendations where id = :id;

-- name: drop_recommendation
delete from recommendations where id = :id;

-- name: add_report
insert into reports (id, object, by_whom, reason, at) values (:id, :object, :by_whom, :reason, :now);

-- name: moderators
select doctor from accounts
where doctor is not null and disabled_at is null and (roles like '%"moderator"%' or roles like '%"administrator"%');

-- name: drop_notice
delete from notifications where kind = :kind and actor = :actor and object = :object;
