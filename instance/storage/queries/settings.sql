-- name: get
select value from settings where name = :name;

-- name: set
insert into settings (name, value) values (:name, :value)
on conflict (name) do update set value = excluded.value;

-- name: drop
delete from settings where name = :name;
