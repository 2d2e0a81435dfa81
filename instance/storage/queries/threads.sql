-- What the home of a post lists of its thread, and what of it is not here.

-- name: post
select uri, origin, kind, audience from posts where uri = :uri and local = 0;

-- name: here
-- The answers that are here, or were and are withdrawn.
select uri from comments where post = :post
union
select t.uri from tombstones t join missing_answers m on m.uri = t.uri where m.post = :post;

-- name: withdrawn
select uri from tombstones where uri = :uri;

-- name: drop_missing
delete from missing_answers where post = :post;

-- name: add_missing
insert into missing_answers (post, uri, closed) values (:post, :uri, :closed) on conflict do nothing;

-- name: missing
-- How many are still to come, and how many are kept out here; what has come meanwhile is neither.
select sum(1 - m.closed) as awaited, sum(m.closed) as closed from missing_answers m
where m.post = :post
  and not exists (select 1 from comments c where c.uri = m.uri)
  and not exists (select 1 from tombstones t where t.uri = m.uri);

-- name: forget
delete from missing_answers where not exists (select 1 from posts p where p.uri = missing_answers.post);
