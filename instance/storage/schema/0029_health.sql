-- What administrators see of a week at one look: of each day the highest that was counted, by figure.
create table health_days (
    day bigint not null,
    figure text not null,
    value bigint not null,
    primary key (day, figure)
);

-- What the evidence vault holds now, without looking at what was destroyed.
create index evidence_files_held on evidence_files (destroyed_at, size) where destroyed_at is null;
