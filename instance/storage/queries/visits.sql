-- How far readers have come in each list.

-- name: place
select mark_at, seen_at from reading_places where doctor = :doctor and place = :place;

-- name: put
insert into reading_places (doctor, place, mark_at, seen_at) values (:doctor, :place, :mark_at, :seen_at)
on conflict (doctor, place) do update set mark_at = excluded.mark_at, seen_at = excluded.seen_at;

-- name: forget
-- Of whoever has left, like the other rows of this name.
delete from reading_places where doctor in (select doctor from accounts where id = :account);
