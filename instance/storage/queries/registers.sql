-- Imported registers: one snapshot in force for each, another being loaded beside it.

-- name: begin
insert into register_snapshots (id, register, country, state, doctors, bad_lines, at, kind, held_until)
values (:id, :register, :country, 'loading', 0, 0, :at, :kind, :until);

-- name: at_work
-- Somebody loads this register, or compares with it, and was heard of lately.
select id from register_snapshots where register = :register and held_until > :now limit 1;

-- name: hold
-- Whoever works with a snapshot says so again and again; 0 rows: it is not there any more.
update register_snapshots set held_until = :until where id = :id and state = :state;

-- name: let_go
update register_snapshots set held_until = 0 where id = :id;

-- name: take_up
-- A comparison that nobody goes on with.
update register_snapshots set held_until = :until
where id = :id and state = 'current' and compare_from is not null and held_until <= :now;

-- name: to_compare
select id, register, country, kind, compare_from from register_snapshots
where state = 'current' and compare_from is not null and held_until <= :now order by register;

-- name: compared_up_to
-- The last dossier that was compared; null when all are.
update register_snapshots set compare_from = :place, held_until = :until where id = :id and state = 'current';

-- name: add
insert into register_entries (snapshot, kind, number, part, family, given, folded, active, other)
values (:snapshot, :kind, :number, :part, :family, :given, :folded, :active, :other);

-- name: count
select count(*) as number from (select distinct kind, number from register_entries where snapshot = :snapshot) found;

-- name: current
select id, register, country, doctors, bad_lines, at from register_snapshots
where register = :register and state = 'current';

-- name: all_current
select id, register, country, doctors, bad_lines, at from register_snapshots where state = 'current' order by register;

-- name: retire
update register_snapshots set state = 'old', held_until = 0
where register = :register and state = 'current' and id <> :but;

-- name: put_in_force
update register_snapshots set state = 'current', doctors = :doctors, bad_lines = :bad_lines, compare_from = ''
where id = :id and state = 'loading';

-- name: not_in_force
-- What an earlier import left behind: replaced, or begun and never finished.
select id from register_snapshots
where register = :register and state <> 'current' and id <> :but and held_until <= :now;

-- name: drop_entries
-- A part at a time, so that nobody waits for it.
delete from register_entries where (snapshot, kind, number, part) in (
    select snapshot, kind, number, part from register_entries where snapshot = :snapshot limit :most);

-- name: drop
delete from register_snapshots where id = :id;

-- name: entries
select e.family, e.given, e.folded, e.active, e.other, s.at from register_entries e
join register_snapshots s on s.id = e.snapshot
where s.register = :register and s.state = 'current' and e.kind = :kind and e.number = :number
order by e.part limit 200;
