-- name: add
-- A comment with a :colon, and a string below with another.
insert into notes (id, number, body, raw) values (:id, :number, :body, :raw);

-- name: keep
insert into notes (id, number) values (:id, :number) on conflict (id) do nothing

-- name: by_id
select id, number, body, raw from notes where id = :id

-- name: within
select id from notes where number between :least and :most

-- name: in_order
select id, number from notes order by id limit :most

-- name: count
select count(*) as many, coalesce(sum(number), 0) as total, 'a:b' as colon from notes

-- name: raise_number
update notes set number = number + :by where id = :id or id = :other returning id, number

-- name: set_body
update notes set body = :body where id = :id

-- name: set_body_of_all
with chosen as (select id from notes where number >= :least)
update notes set body = :body where id in (select id from chosen)

-- name: remove
delete from notes where id = :id

-- name: tag
insert into tags (note, word, weight) values (:note, :word, :weight)

-- name: seen
select id from seen order by id

-- name: which [sqlite]
select 'sqlite' as engine

-- name: which [postgres]
select 'postgres' as engine

-- name: matching
select id from notes where (cast(:word as text) is null or {{spoken}}) order by id

-- name: no_such_table
select id from nowhere
