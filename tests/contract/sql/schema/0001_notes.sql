-- A small schema that has one of each: text key, unique pair, reference, check, bytes.
create table notes (
    id text primary key,
    number bigint not null,
    body text not null default '',
    raw bytea,
    constraint notes_positive check (number >= -9223372036854775807 - 1)
);
create unique index notes_by_number on notes (number, body) where length(body) < 100;

create table tags (
    note text not null references notes (id),
    word text not null,
    weight bigint not null check (weight > 0),
    primary key (note, word)
);
