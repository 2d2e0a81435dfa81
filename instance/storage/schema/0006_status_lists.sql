-- Where our own doctors stand in our own status lists. The same place in both lists, never used again in the life of the
-- list; a bit is set or cleared with the fact that it tells.
create table status_places (
    list bigint not null,
    place bigint not null,
    doctor text not null,
    revoked bigint not null default 0,
    suspended bigint not null default 0,
    allotted_at bigint not null,
    primary key (list, place)
);
create index status_places_by_doctor on status_places (doctor, allotted_at);
create index status_places_set on status_places (list) where revoked = 1 or suspended = 1;
insert into versions (name, value) values ('status', 0);

-- The lists of siblings as they were last read and verified.
create table sibling_lists (
    uri text not null primary key,
    origin text not null,
    purpose text not null check (purpose in ('revocation', 'suspension')),
    bits bytea not null,
    fetched_at bigint not null
);
create index sibling_lists_by_origin on sibling_lists (origin);

-- Where siblings' doctors stand in them, by the credential last believed.
create table doctor_places (
    list text not null,
    place bigint not null,
    doctor text not null references doctors (uri) on delete cascade,
    primary key (list, place, doctor)
);
create index doctor_places_by_doctor on doctor_places (doctor);
