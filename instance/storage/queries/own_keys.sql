-- name: of_owner
select id, owner, algorithm, private, not_before, drop_after from keys
where owner = :owner and private is not null
order by not_before, id;

-- name: public_of_owner
-- The public halves alone: no private key has to be opened to show them.
select id, owner, spki from keys
where owner = :owner and private is not null and (drop_after is null or drop_after > :now)
order by algorithm desc, not_before desc, id desc;

-- name: add
insert into keys (id, owner, origin, algorithm, spki, private, purpose, not_before, drop_after, fetched_at)
values (:id, :owner, :origin, :algorithm, :spki, :private, 'http', :not_before, null, :now);

-- name: leave
-- The overlap of an old key: still published, dropped for good when it has passed. A later rotation shortens what an
-- earlier one has promised, and never the other way round.
update keys set drop_after = :drop_after
where owner = :owner and algorithm = :algorithm and private is not null and id <> :new
  and (drop_after is null or drop_after > :drop_after);

-- name: sealed_otherwise
select id, private from keys where private is not null and substr(private, 1, 5) <> :head order by id limit :count;

-- name: reseal
update keys set private = :private where id = :id and private is not null;

-- name: seals
-- Under which key-encryption keys rows are sealed.
select substr(private, 1, 5) as head, count(*) as number from keys where private is not null
group by substr(private, 1, 5);

-- name: drop_passed
-- A doctor who has left signs until every sibling has what they took back.
delete from keys where private is not null
  and (drop_after <= :now or (
    exists (select 1 from doctors g where g.uri = keys.owner and g.local = 1 and g.gone_at is not null)
    and not exists (select 1 from deliveries d where d.state in ('waiting', 'resting', 'held', 'dead')
        and (d.actor = keys.owner or d.object = keys.owner))));
