-- What a question asks beside its specialties: the doctors of a country (empty: of its specialties, wherever they are).
alter table posts add column asked_country text not null default '';

-- Whom a question asks, once for each: `specialty:cardiology`, `country:DE`. Who that is, and whether they may see it, is
-- asked when somebody reads their notices; nobody has a row of their own.
create table askings (
    whom text not null,
    post text not null references posts (uri) on delete cascade,
    -- stands among the ids of notices, which sort by time.
    id text not null,
    at bigint not null,
    primary key (whom, at, post)
);
create index askings_by_post on askings (post);

-- How far a reader has come in each list: when the visit before this one ended, and when the list was last looked at.
create table reading_places (
    doctor text not null,
    place text not null,
    mark_at bigint not null,
    seen_at bigint not null,
    primary key (doctor, place)
);
