-- The lists of siblings' doctors: how far each is read, and who on a page is known.

-- name: all
select origin, next_at from sibling_directories;

-- name: one
select after, next_at from sibling_directories where origin = :origin;

-- name: settle
-- Without a place the reading goes on where it was.
insert into sibling_directories (origin, after, next_at)
values (:origin, coalesce(cast(:after as text), ''), :next_at)
on conflict (origin) do update set next_at = excluded.next_at,
    after = coalesce(cast(:after as text), sibling_directories.after);

-- name: forget
delete from sibling_directories where origin = :origin;

-- name: known [sqlite]
select d.uri from json_each(:uris) u cross join doctors d where d.uri = u.value;

-- name: known [postgres]
select d.uri from doctors d where d.uri in (select json_array_elements_text(cast(:uris as json)));
