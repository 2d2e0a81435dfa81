-- Messages by sibling and day, counted from the rows of both doors as far as they were not counted yet.

-- name: through
select value from settings where name = :name;

-- name: set_through
insert into settings (name, value) values (:name, :value)
on conflict (name) do update set value = excluded.value;

-- name: received
-- Ids are made when a message comes and sort by that time; the last of those that are counted is where the next begins.
select origin, received_at / 86400000 as day, count(*) as number, max(id) as last from inbound
where id > :after and received_at < :before group by origin, received_at / 86400000 order by origin, day;

-- name: sent
select origin, settled_at / 86400000 as day, count(*) as number from deliveries
where state = 'done' and settled_at >= :after and settled_at < :before
group by origin, settled_at / 86400000 order by origin, day;

-- name: add
insert into sibling_days (origin, day, received, sent) values (:origin, :day, :received, :sent)
on conflict (origin, day) do update set received = sibling_days.received + excluded.received,
    sent = sibling_days.sent + excluded.sent;

-- name: tidy
delete from sibling_days where day < :before;
