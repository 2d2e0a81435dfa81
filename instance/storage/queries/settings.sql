-- name: get
select value from settings where name = :name;

-- name: set
insert into settings (name, value) values (:name, :value)
on conflict (name) do update set value = excluded.value;

-- name: one_at_a_time [sqlite]
-- There is one writer: units of work take turns by themselves.
select :subject as held;

-- name: one_at_a_time [postgres]
-- Units of work that look before they write take turns, by what they are about; until the end of the transaction.
select 1 as held from pg_advisory_xact_lock(hashtextextended(:subject, 0));
