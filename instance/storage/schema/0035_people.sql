-- Colleagues: whom a doctor lets come near, whom they keep together, and how they are found among eighty thousand.

-- Whom a doctor lets follow them, and whose naming is a notice. Without a row it is everybody verified.
create table contact_rules (
    doctor text not null primary key,
    follow text not null check (follow in ('everybody', 'near', 'followed', 'nobody')),
    name text not null check (name in ('everybody', 'near', 'followed', 'nobody')),
    changed_at bigint not null
);

-- A doctor's own lists of colleagues. Nobody else sees them, and nobody is told of being on one.
create table lists (
    id text not null primary key,
    doctor text not null,
    name text not null,
    -- The name as it is compared and sorted: a doctor has each once.
    folded text not null,
    created_at bigint not null,
    unique (doctor, folded)
);
create table list_members (
    list text not null references lists (id) on delete cascade,
    doctor text not null,
    at bigint not null,
    primary key (list, doctor)
);
create index list_members_by_doctor on list_members (doctor);
create index mutes_by_muted on mutes (muted);

-- By what a doctor in good standing is found: '' (everybody), country/FR, role/resident, specialty/cardiology,
-- language/de. Kept in the order in which lists show it, so that a page of any of them is a walk of thirty rows.
-- Rows follow `doctors` by triggers (the part of each engine): whatever writes a doctor, the two never differ.
create table doctor_facets (
    facet text not null,
    folded text not null,
    doctor text not null references doctors (uri) on delete cascade,
    primary key (facet, folded, doctor)
);
create index doctor_facets_of_doctor on doctor_facets (doctor, facet);

-- The words of one doctor are looked at without reading a row.
drop index doctor_words_by_doctor;
create index doctor_words_of_doctor on doctor_words (doctor, word);

-- When the list of the doctors of a sibling is read next, and how far the reading is.
create table sibling_directories (
    origin text not null primary key,
    -- The last doctor of the pages read; empty at the beginning.
    after text not null default '',
    next_at bigint not null
);
