-- Circles that change while messages are lost or late: what was said inside, and what was missed outside.

-- name: left
insert into ended_follows (follower, followee, origin, epoch, number, at)
values (:follower, :followee, :origin, :epoch, :number, :now)
on conflict (follower, followee) do update set origin = excluded.origin, epoch = excluded.epoch,
    number = excluded.number, at = excluded.at;

-- name: said_inside
-- Whether a message with this number was said by somebody who left the circle under a later one. A number under the mark
-- was settled before: it proves no moment. Nothing else is opened by it.
select p.uri from posts p
where p.uri = :post and p.local = 1 and p.audience = 'colleagues'
  and exists (select 1 from ended_follows ef where ef.follower = :reader and ef.followee = p.author
        and ef.origin = :origin and ef.epoch = :epoch and ef.number > :number)
  and not exists (select 1 from sibling_logs l where l.origin = :origin and l.epoch = :epoch and l.mark >= :number)
  and {{not_closed}};

-- name: passed
select mark from sibling_logs where origin = :origin and epoch = :epoch and mark >= :number;

-- name: forget
delete from ended_follows where at <= :before;

-- name: withhold
update copies set withheld = 1 where object = :object and origin = :origin and withheld = 0;

-- name: withhold_version
-- A new version that does not go where an earlier one went.
update copies set withheld = 1 where object = :object and withheld = 0
  and not exists (select 1 from deliveries d where d.activity = :activity and d.origin = copies.origin);

-- name: given
update copies set withheld = 0 where object = :object and origin = :origin and withheld = 1;

-- name: missed_posts
-- A doctor's posts for colleagues that may be missing at an instance where nobody was left to read them.
select p.uri, p.author, p.kind, '' as document from copies k join posts p on p.uri = k.object
where k.origin = :origin and k.withheld = 1 and p.author = :doctor and p.local = 1 and p.audience = 'colleagues'
  and not exists (select 1 from tombstones t where t.uri = p.uri)
order by p.published_at desc limit :count;

-- name: missed_answers
-- In the threads of those that are there: what was never sent, or may be missing. Its own doctors' words it has.
select c.uri, c.author, p.kind, c.document from posts p
join copies kp on kp.object = p.uri and kp.origin = :origin
join comments c on c.post = p.uri
left join copies k on k.object = c.uri and k.origin = :origin
where p.author = :doctor and p.local = 1 and p.audience = 'colleagues' and c.origin <> :origin
  and (k.object is null or k.withheld = 1)
  and not exists (select 1 from tombstones t where t.uri in (c.uri, p.uri)) and not {{of_hidden_comment}}
order by c.published_at desc limit :count;

-- name: newest
-- What was said last of an own post or answer, with its words.
select a.uri, a.actor, a.body from activities a
where a.object = :object and a.actor = :author and a.type in ('Create', 'Update') and a.body <> :nothing
order by a.published_at desc, a.uri desc limit 1;
