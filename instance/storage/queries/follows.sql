-- name: get
select follower, followee, id, state from follows where follower = :follower and followee = :followee;

-- name: ask
insert into follows (follower, followee, id, state, asked_at, answered_at)
values (:follower, :followee, :id, :state, :now, :answered_at)
on conflict (follower, followee) do update set id = excluded.id, state = excluded.state,
    asked_at = excluded.asked_at, answered_at = excluded.answered_at
where follows.state = 'rejected';

-- name: answer
update follows set state = :state, answered_at = :now
where follower = :follower and followee = :followee and state = :before;

-- name: drop
delete from follows where follower = :follower and followee = :followee;

-- name: block
insert into blocks (doctor, blocked, at) values (:doctor, :blocked, :now) on conflict do nothing;

-- name: unblock
delete from blocks where doctor = :doctor and blocked = :blocked;

-- name: blocked_between
select doctor from blocks
where (doctor = :one and blocked = :other) or (doctor = :other and blocked = :one);
