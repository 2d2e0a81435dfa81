-- What administrators have laid over the profiles of countries, and every change of it.

create table country_overlays (
    country text not null primary key,
    -- verification.overlay.Overlay; one that cannot be read closes the country.
    overlay text not null,
    -- rises with every change and every proposal: whoever decided on an older one is told so.
    version bigint not null,
    changed_at bigint not null
);

-- One line for each: done at once, or proposed by one administrator and confirmed by another.
create table policy_changes (
    id text not null primary key,
    country text not null,
    -- what it is about: students, degree_alone, validity.…, proof.…
    item text not null,
    -- verification.overlay.Change
    change text not null,
    reason text not null,
    state text not null check (state in ('proposed', 'done', 'withdrawn', 'replaced')),
    proposed_by text not null,
    proposed_at bigint not null,
    decided_by text,
    decided_at bigint
);
create index policy_changes_by_country on policy_changes (country, id);
create unique index policy_changes_waiting on policy_changes (country, item) where state = 'proposed';

insert into versions (name, value) values ('policy', 0);
