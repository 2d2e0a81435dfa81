-- What the services need beside the facts themselves.

-- Forms already carried out: a form sent twice is carried out once, and an author's hour can be counted.
create table submissions (
    doctor text not null,
    form_key text not null,
    -- post | comment
    what text not null,
    -- slug of what was made.
    result text not null,
    at bigint not null,
    primary key (doctor, form_key)
);
create index submissions_by_time on submissions (doctor, what, at);

-- When an own doctor must be verified again; no credential outlives that day.
create table reverifications (
    doctor text not null primary key references doctors (uri) on delete cascade,
    due_at bigint not null
);
create index reverifications_by_time on reverifications (due_at);
