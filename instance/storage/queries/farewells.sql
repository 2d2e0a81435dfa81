-- Whoever was expelled: what is still said to them, and what becomes of theirs here.

-- name: all
-- Read with the allowlist, whenever that has changed. Whoever was admitted again is not among them, here and below.
select origin, name, country, inbox, speaks_rfc9421, expelled_at, words_until, erasures_until, ended_at, fate, fate_at,
    cause
from sibling_farewells where returned_at is null order by origin;

-- name: get
select origin, actor, name, country, inbox, speaks_rfc9421, proposed_by, confirmed_by, expelled_at, words_until,
    erasures_until, ended_at, fate, fate_at, cause
from sibling_farewells where origin = :origin and returned_at is null;

-- name: by_authority
select origin, fate from sibling_farewells
where returned_at is null and (origin = 'https://' || :authority or origin = 'http://' || :authority);

-- name: add
insert into sibling_farewells (origin, actor, name, country, inbox, speaks_rfc9421, proposed_by, confirmed_by,
    expelled_at, words_until, erasures_until, fate, fate_at, cause)
values (:origin, :actor, :name, :country, :inbox, :speaks_rfc9421, :proposed_by, :confirmed_by, :now, :words_until,
    :erasures_until, 'labelled', :now, :cause);

-- name: remove
delete from sibling_farewells where origin = :origin;

-- name: returns
-- Admitted again: the line says nothing from now on.
update sibling_farewells set returned_at = :now where origin = :origin and returned_at is null;

-- name: stands_again
-- The other side has never had that admission: all is as it was.
update sibling_farewells set returned_at = null where origin = :origin and returned_at is not null;

-- name: stands_anew
-- It leaves once more, by one hand: labelled, for thirty days from now; nothing is said.
update sibling_farewells set returned_at = null, fate = 'labelled', fate_at = :now, expelled_at = :now, ended_at = :now
where origin = :origin and returned_at is not null;

-- name: add_undos
-- Every follow of ours there, asked or accepted.
insert into sibling_last_words (origin, kind, object, actor, inbox)
select d.origin, 'undo', f.id, f.follower, d.inbox
from doctors d join follows f on f.followee = d.uri join doctors ours on ours.uri = f.follower
where d.origin = :origin and ours.local = 1 and f.state in ('pending', 'accepted');

-- name: add_rejects
-- Every follow of theirs here.
insert into sibling_last_words (origin, kind, object, actor, inbox)
select d.origin, 'reject', f.id, f.followee, d.inbox
from doctors d join follows f on f.follower = d.uri join doctors ours on ours.uri = f.followee
where d.origin = :origin and ours.local = 1 and f.state in ('pending', 'accepted');

-- name: add_deletes
-- Every object of ours that the copy ledger says they were sent, but those of which they have confirmed a Delete.
insert into sibling_last_words (origin, kind, object, actor, inbox)
select c.origin, 'delete', c.object, cast(:instance as text), cast(:inbox as text)
from copies c
where c.origin = :origin and substr(c.object, 1, length(cast(:own as text))) = cast(:own as text)
  and not exists (
    select 1 from deliveries x join activities a on a.uri = x.activity
    where x.object = c.object and x.origin = c.origin and x.state = 'done' and a.type = 'Delete');

-- name: told
-- Our doctors whose follows end.
select distinct actor from sibling_last_words where origin = :origin and kind in ('undo', 'reject') order by actor;

-- name: cut_follows
delete from follows
where follower in (select uri from doctors where origin = :origin)
   or followee in (select uri from doctors where origin = :origin);

-- name: forget_notices
-- Questions that nobody can answer any more.
delete from notifications
where kind = 'follow_asked' and actor in (select uri from doctors where origin = :origin);

-- name: unwritten
select w.origin, w.kind, w.object, w.actor, w.inbox from sibling_last_words w
    join sibling_farewells f on f.origin = w.origin
where w.activity = '' and f.ended_at is null and f.returned_at is null and (w.kind = 'delete' or f.words_until >= :now)
order by w.origin, w.kind, w.object limit :count;

-- name: written
update sibling_last_words set activity = :activity
where origin = :origin and kind = :kind and object = :object and activity = '';

-- name: drop_words
delete from sibling_last_words where origin = :origin;

-- name: progress
-- How much was said, and how much of it is acknowledged.
select w.origin, case when w.kind = 'delete' then 'copies' else 'follows' end as about, count(*) as number,
    sum(case when w.acknowledged = 1 or d.state = 'done' then 1 else 0 end) as acknowledged
from sibling_last_words w left join deliveries d on d.activity = w.activity and d.origin = w.origin
where w.origin = :origin group by 1, 2;

-- name: outstanding
-- What of ours they have not confirmed to have let go.
select w.object, d.state, d.last_code, d.attempts
from sibling_last_words w left join deliveries d on d.activity = w.activity and d.origin = w.origin
where w.origin = :origin and w.kind = 'delete' and w.acknowledged = 0 and (d.state is null or d.state <> 'done')
order by w.object limit :count;

-- name: open
-- Those to whom something is still said.
select f.origin, f.words_until, f.erasures_until,
    (select count(*) from sibling_last_words w left join deliveries d on d.activity = w.activity and d.origin = w.origin
        where w.origin = f.origin and w.kind = 'delete' and (d.state is null or d.state <> 'done')) as copies,
    (select count(*) from sibling_last_words w left join deliveries d on d.activity = w.activity and d.origin = w.origin
        where w.origin = f.origin and w.kind <> 'delete'
          and (d.state is null or d.state in ('waiting', 'resting', 'held'))) as follows
from sibling_farewells f where f.ended_at is null and f.returned_at is null order by f.origin;

-- name: note_acknowledged
update sibling_last_words set acknowledged = 1
where origin = :origin and acknowledged = 0 and activity <> '' and exists (
    select 1 from deliveries d
    where d.activity = sibling_last_words.activity and d.origin = sibling_last_words.origin and d.state = 'done');

-- name: again
-- What they refused is asked again, by whoever looks after it once a day.
update deliveries set state = 'waiting', due_at = :now, settled_at = null
where origin = :origin and state = 'dead' and priority = 0 and settled_at <= :before
  and activity in (select activity from sibling_last_words where origin = :origin and kind = 'delete');

-- name: silence_ends
-- The time in which the ends of follows are told is over.
update deliveries set state = 'dropped', last_code = 'farewell_over', settled_at = :now
where origin = :origin and state in ('waiting', 'resting', 'held') and priority > 0;

-- name: silence
update deliveries set state = 'dropped', last_code = 'farewell_over', settled_at = :now
where origin = :origin and state in ('waiting', 'resting', 'held', 'dead');

-- name: silence_words
-- What is said at last begins anew.
update deliveries set state = 'dropped', last_code = 'farewell_over', settled_at = :now
where origin = :origin and state in ('waiting', 'resting', 'held', 'dead')
  and activity in (select activity from sibling_last_words where origin = :origin and activity <> '');

-- name: end
update sibling_farewells set ended_at = :now where origin = :origin and ended_at is null;

-- name: to_hide
select origin from sibling_farewells
where fate = 'labelled' and expelled_at <= :before and returned_at is null order by origin;

-- name: set_fate
update sibling_farewells set fate = :fate, fate_at = :now
where origin = :origin and fate = :seen and returned_at is null;

-- name: count_answers
update posts set {{counted_answers}}
where uri in (select t.post from comments t where t.origin = :origin);

-- name: to_purge
select origin from sibling_farewells where fate = 'purging' order by origin;

-- fragment: some_posts
select uri from posts where origin = :origin and local = 0 order by uri limit 200

-- fragment: some_comments
select uri from comments where origin = :origin and local = 0 order by uri limit 200

-- fragment: some_objects
select uri from (select uri from posts where origin = :origin and local = 0 order by uri limit 200) p
    union all
    select uri from (select uri from comments where origin = :origin and local = 0 order by uri limit 200) c

-- name: purge_waiting
-- Nobody is told of them any more, dead letters included.
update deliveries set state = 'dropped', last_code = 'withdrawn', settled_at = :now
where object in ({{some_objects}}) and state in ('waiting', 'resting', 'held', 'dead')
  and activity in (select a.uri from activities a where a.object = deliveries.object
    and a.type in ('Create', 'Update', 'Announce'));

-- name: purge_words
-- Their words stand in what was passed on, too.
update activities set body = :empty where object in ({{some_objects}}) and type in ('Create', 'Update');

-- name: purge_received_of
-- And in what siblings passed on to us.
update received set head = '', body = :empty where object in ({{some_objects}});

-- name: purge_likes_of
delete from likes where object in ({{some_objects}});

-- name: purge_recommendations_of
delete from recommendations where post in ({{some_posts}});

-- name: purge_mentions_of
delete from mentions where object in ({{some_objects}});

-- name: purge_revisions_of
delete from revisions where object in ({{some_objects}});

-- name: purge_posts
delete from posts where uri in ({{some_posts}});

-- name: purge_comments
delete from comments where uri in ({{some_comments}});

-- name: purge_likes_by
delete from likes where actor in (select uri from doctors where origin = :origin);

-- name: purge_recommendations_by
delete from recommendations where actor in (select uri from doctors where origin = :origin);

-- name: votes_lost
-- Siblings are told anew what the votes come to without theirs.
update polls set voted_at = coalesce(voted_at, updated_at)
where post in (
    select v.post from poll_votes v join posts p on p.uri = v.post join doctors d on d.uri = v.voter
    where d.origin = :origin and p.local = 1);

-- name: purge_votes_by
delete from poll_votes where voter in (select uri from doctors where origin = :origin);

-- name: purge_notices_by
delete from notifications where actor in (select uri from doctors where origin = :origin);

-- name: purge_listed
-- Blocks and mutes stay: should one of them come back, nobody has to say it again.
delete from list_members where doctor in (select uri from doctors where origin = :origin);

-- name: purge_marks
-- What somebody here saved stays on their list, as a row that says that it is gone.
delete from post_marks
where substr(post, 1, length(cast(:origin as text)) + 1) = cast(:origin as text) || '/' and saved_at is null;

-- name: purge_kept_messages
update inbound set body = :empty where origin = :origin and state <> 'applied';

-- name: purge_received
-- What it sent itself, profiles among it; the numbers stay.
update received set head = '', body = :empty where origin = :origin and head <> '';

-- name: purge_doctors
delete from doctors where origin = :origin and local = 0
  and not exists (select 1 from posts p where p.author = doctors.uri)
  and not exists (select 1 from comments c where c.author = doctors.uri);
