-- Followers as both ends hold them (FEP-8fcf).

-- name: theirs
-- Of the followers of one of our doctors those who live at a sibling.
select d.uri from follows f join doctors d on d.uri = f.follower
where f.followee = :doctor and f.state = 'accepted' and d.origin = :origin and d.gone_at is null
order by d.uri;

-- name: ours
-- Of our doctors those who follow a sibling's doctor.
select d.uri from follows f join doctors d on d.uri = f.follower
where f.followee = :doctor and f.state = 'accepted' and d.local = 1 and d.gone_at is null
order by d.uri;

-- name: state
select f.id, f.state from follows f where f.follower = :follower and f.followee = :followee;

-- name: ever_asked
-- Of our doctors those who ever asked to follow a sibling's doctor.
select a.actor from activities a join doctors d on d.uri = a.actor
where a.object = :followee and a.type = 'Follow' and d.local = 1 and d.gone_at is null
union
select f.follower from follows f join doctors d on d.uri = f.follower
where f.followee = :followee and f.state = 'pending' and d.local = 1 and d.gone_at is null;

-- name: end
-- Their home does not count this doctor: whoever wants to follow asks again.
delete from follows where follower = :follower and followee = :followee and state = 'accepted';

-- name: accepted
-- Their home counts this doctor, so the answer was yes.
update follows set state = 'accepted', answered_at = :now
where follower = :follower and followee = :followee and state = 'pending';

-- name: asked
-- The newest question we ever sent for these two.
select a.uri from activities a
where a.actor = :follower and a.type = 'Follow' and a.object = :followee
order by a.published_at desc, a.uri desc limit 1;
