-- What becomes of a case: polls and votes, its end, and what readers keep of it. Visibility is that of visibility.sql.

-- ── the coded summary ──

-- name: facts
select facts from posts where uri = :post;

-- name: set_facts
update posts set facts = :facts where uri = :post;

-- ── polls ──

-- name: poll
select post, uri, options, closes_at, closed_at, made_at, updated_at, totals, by_specialty, voted_at, told_at
from polls where post = :post;

-- name: poll_by_uri
select q.post, q.uri, q.options, q.closes_at, q.closed_at from polls q where q.uri = :uri;

-- name: add_poll
insert into polls (post, uri, options, closes_at, closed_at, made_at, updated_at, totals, by_specialty)
values (:post, :uri, :options, :closes_at, :closed_at, :now, :updated_at, :totals, :by_specialty)
on conflict do nothing;

-- name: change_poll
-- A sibling's, counted anew at its home; what may be answered never changes, and what has ended does not begin again.
update polls set closes_at = :closes_at, closed_at = coalesce(closed_at, cast(:closed_at as bigint)),
    updated_at = :updated_at, totals = :totals, by_specialty = :by_specialty
where post = :post and updated_at < :updated_at and options = :options;

-- name: close_poll
update polls set closed_at = :now, voted_at = coalesce(voted_at, :now) where post = :post and closed_at is null;

-- name: polls_to_close
select q.post from polls q join posts p on p.uri = q.post
where q.closed_at is null and q.closes_at is not null and q.closes_at <= :now and p.local = 1
order by q.closes_at, q.post limit :most;

-- name: polls_to_tell
-- Those whose numbers have changed, told seldom enough that one more vote does not show whose it was; the end at once.
select q.post from polls q join posts p on p.uri = q.post
where q.voted_at is not null and p.local = 1
  and (q.closed_at is not null or coalesce(q.told_at, 0) <= :before)
order by q.voted_at, q.post limit :most;

-- name: poll_told
update polls set told_at = :now, updated_at = :updated_at,
    voted_at = case when voted_at > :seen then voted_at else null end
where post = :post;

-- name: voted
update polls set voted_at = case when coalesce(voted_at, 0) < :now then :now else voted_at end where post = :post;

-- name: vote
-- One row for each doctor and poll. Of two votes the one said later counts, in whichever order they come.
insert into poll_votes (post, voter, choice, specialty, at) values (:post, :voter, :choice, :specialty, :at)
on conflict (post, voter) do update set choice = excluded.choice, specialty = excluded.specialty, at = excluded.at
where poll_votes.at < excluded.at;

-- name: vote_of
select choice, at from poll_votes where post = :post and voter = :voter;

-- name: votes
-- What was chosen, under which specialty, how often; nobody's name is in it.
select choice, specialty, count(*) as number from poll_votes where post = :post group by choice, specialty;

-- name: voters
select voter from poll_votes where post = :post order by voter;

-- name: drop_vote
delete from poll_votes where post = :post and voter = :voter;

-- name: polls_voted_in
select v.post from poll_votes v join posts p on p.uri = v.post where v.voter = :voter and p.local = 1 order by v.post;

-- name: drop_votes_by
delete from poll_votes where voter = :voter;

-- ── the end of a case ──

-- name: resolution
select post, diagnosis, outcome, language, thanked, resolved_at, updated_at from resolutions where post = :post;

-- name: resolve
-- The newer version counts, in whichever order they come.
insert into resolutions (post, diagnosis, outcome, language, thanked, resolved_at, updated_at)
values (:post, :diagnosis, :outcome, :language, :thanked, :resolved_at, :updated_at)
on conflict (post) do update set diagnosis = excluded.diagnosis, outcome = excluded.outcome,
    language = excluded.language, thanked = excluded.thanked, resolved_at = excluded.resolved_at,
    updated_at = excluded.updated_at
where resolutions.updated_at < excluded.updated_at;

-- name: set_solved
update posts set solved_at = :solved_at where uri = :post;

-- ── who hears of what happens ──

-- name: hearers
-- Our own doctors who follow a case, or have written in it; whoever muted it is not among them.
select d.uri from doctors d
where d.local = 1 and d.gone_at is null
  and d.uri in (
    select k.doctor from post_marks k where k.post = :post and k.followed_at is not null
    union select c.author from comments c where c.post = :post
    union select v.voter from poll_votes v where v.post = :post and :voters = 1
    union select p.author from posts p where p.uri = :post)
  and not exists (select 1 from post_marks k where k.post = :post and k.doctor = d.uri and k.muted_at is not null)
order by d.uri;

-- name: tell
-- Whoever may not see the post is not told of it; nobody hears of themselves, of somebody they have blocked, or twice.
insert into notifications (id, doctor, kind, actor, post, object, at)
select cast(:id as text), d.uri, cast(:kind as text), cast(:actor as text), p.slug, cast(:object as text),
    cast(:now as bigint)
from posts p join doctors d on d.uri = :reader
where p.uri = :post and d.local = 1 and d.gone_at is null and d.uri <> cast(:actor as text) and {{visible}}
  and {{heard}}
  and not exists (select 1 from blocks b where b.doctor = :reader and b.blocked = cast(:actor as text))
  and not exists (select 1 from blocks b where b.doctor = cast(:actor as text) and b.blocked = :reader)
  and not exists (select 1 from post_marks k where k.post = p.uri and k.doctor = d.uri and k.muted_at is not null)
  and not exists (
    select 1 from notifications n where n.doctor = d.uri and n.object = cast(:object as text)
        and n.kind in ('answer', 'reply', 'mention', 'case_answer', 'case_update') and n.kind <> cast(:kind as text)
        and cast(:kind as text) in ('case_answer', 'case_update', 'mention'))
on conflict do nothing;

-- name: goes_on
-- The author of the case goes on telling in this answer.
update comments set kind = 'update' where uri = :uri;

-- ── marks ──

-- name: marks
select k.followed_at, k.muted_at, k.saved_at, k.visited_at from posts p join post_marks k on k.post = p.uri
where p.slug = :slug and k.doctor = :doctor;

-- name: follow
insert into post_marks (doctor, post, followed_at) values (:doctor, :post, :now)
on conflict (doctor, post) do update set followed_at = excluded.followed_at, muted_at = null;

-- name: unfollow
update post_marks set followed_at = null where doctor = :doctor and post = :post;

-- name: mute
insert into post_marks (doctor, post, muted_at) values (:doctor, :post, :now)
on conflict (doctor, post) do update set muted_at = excluded.muted_at, followed_at = null;

-- name: unmute
update post_marks set muted_at = null where doctor = :doctor and post = :post;

-- name: save
insert into post_marks (doctor, post, saved_at) values (:doctor, :post, :now)
on conflict (doctor, post) do update set saved_at = coalesce(post_marks.saved_at, excluded.saved_at);

-- name: unsave
update post_marks set saved_at = null where doctor = :doctor and post = :post;

-- name: visit
insert into post_marks (doctor, post, visited_at) values (:doctor, :post, :at)
on conflict (doctor, post) do update set visited_at = excluded.visited_at
where coalesce(post_marks.visited_at, 0) < excluded.visited_at;

-- name: saved
-- What is gone, or is not for this reader any more, is a row without a word of it.
select k.post as uri, k.saved_at, p.slug, p.kind, p.title, p.language, p.solved_at, p.published_at,
    {{answers_seen}} as answers, a.name, a.address, a.country, a.gone_at
from post_marks k left join posts p on p.uri = k.post and {{visible}} left join doctors a on a.uri = p.author
where k.doctor = :reader and k.saved_at is not null and (k.saved_at, k.post) < (:before_at, :before_post)
order by k.saved_at desc, k.post desc limit :count;

-- name: forget_marks
-- What somebody kept goes with them.
delete from post_marks where doctor in (select doctor from accounts where id = :account);

-- ── the page of a case ──

-- name: beside
-- What stands on a post's page beside its text; whoever calls has looked whether the reader may see it.
select p.facts, p.solved_at from posts p where p.uri = :post;

-- name: mentioned
-- Whom the answers in a thread mention, and by which address their pages are here.
select distinct d.uri, d.address, d.name from comments c join mentions m on m.object = c.uri join doctors d on d.uri = m.doctor
where c.post = :post;

-- name: mentionable
select d.uri, d.origin, d.local, d.handle, d.address, d.standing, d.gone_at from doctors d where d.address = :address;

-- name: own_post
-- An own post as it is told again: to whom is the caller's question.
select {{said}}, p.slug
from posts p join doctors a on a.uri = p.author where p.uri = :post and p.local = 1;

-- name: drop_told
delete from notifications where kind = :kind and object = :post;
