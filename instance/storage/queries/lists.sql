-- A doctor's own lists of colleagues. Each statement asks for the owner.

-- name: mine
select l.id, l.name, l.folded,
    (select count(*) from list_members m join doctors d on d.uri = m.doctor
     where m.list = l.id and {{shown_member}}) as members
from lists l where l.doctor = :reader order by l.folded, l.id;

-- name: with
-- The reader's lists, each with whether this doctor is on it.
select l.id, l.name, exists (select 1 from list_members m where m.list = l.id and m.doctor = :doctor) as has
from lists l where l.doctor = :reader order by l.folded, l.id;

-- name: one
select id, name from lists where id = :id and doctor = :reader;

-- name: number
select count(*) as number from lists where doctor = :reader;

-- name: add
insert into lists (id, doctor, name, folded, created_at) values (:id, :reader, :name, :folded, :now)
on conflict do nothing;

-- name: rename
-- Nothing where another of the owner's lists is called so.
update lists set name = :name, folded = :folded where id = :id and doctor = :reader
  and not exists (select 1 from lists o where o.doctor = :reader and o.folded = :folded and o.id <> :id);

-- name: drop_members
delete from list_members where list in (select id from lists where id = :id and doctor = :reader);

-- name: drop
delete from lists where id = :id and doctor = :reader;

-- name: size
select count(*) as number from list_members where list = :id;

-- name: put
insert into list_members (list, doctor, at) values (:id, :doctor, :now) on conflict do nothing;

-- name: take
delete from list_members where list = :id and doctor = :doctor;

-- name: take_from_all
-- Who is blocked stands on no list of the blocker.
delete from list_members where doctor = :doctor and list in (select id from lists where doctor = :reader);

-- fragment: shown_member
-- Who has left, is hidden with their instance, or is closed to the reader by a block, is on no page of theirs.
d.gone_at is null and not {{of_hidden_doctor}}
and not exists (select 1 from blocks b where b.doctor = :reader and b.blocked = d.uri)
and not exists (select 1 from blocks b where b.doctor = d.uri and b.blocked = :reader)

-- name: members
select d.folded, {{found}} from list_members m join doctors d on d.uri = m.doctor
where m.list = :id and {{shown_member}} and (d.folded, d.uri) > (:after_name, :after_uri)
order by d.folded, d.uri limit :count;

-- name: posts [sqlite]
-- As with the feed of colleagues: the newest of each, then after each post the next one of its author.
with recursive merged (author, post, sort_at, slug) as (
    select t.author, t.uri, t.sort_at, t.slug from list_members f cross join posts t
    where f.list = :id and t.uri = (
        select p.uri from posts p
        where p.author = f.doctor and {{older}}
        order by p.sort_at desc, p.slug desc limit 1)
    union all
    select t.author, t.uri, t.sort_at, t.slug from merged m cross join posts t
    where t.uri = (
        select p.uri from posts p
        where p.author = m.author and (p.sort_at, p.slug) < (m.sort_at, m.slug) and {{in_feed}}
        order by p.sort_at desc, p.slug desc limit 1)
    order by 3 desc, 4 desc
    limit :count)
select {{listed}} from merged cross join posts p cross join doctors a
where p.uri = merged.post and a.uri = p.author
order by p.sort_at desc, p.slug desc;

-- name: posts [postgres]
with merged as (
    select t.uri as post, t.sort_at, t.slug from list_members f cross join lateral (
        select p.uri, p.sort_at, p.slug from posts p
        where p.author = f.doctor and {{older}}
        order by p.sort_at desc, p.slug desc limit :count) as t
    where f.list = :id
    order by t.sort_at desc, t.slug desc
    limit :count)
select {{listed}} from merged cross join posts p cross join doctors a
where p.uri = merged.post and a.uri = p.author
order by p.sort_at desc, p.slug desc;

-- name: forget
-- With their owner; who stands on them goes by the list.
delete from lists where doctor in (select doctor from accounts where id = :account);
