-- What was shown with a dossier. The bytes lie sealed in a folder, their keys wrapped in a file of their own; when a file
-- is destroyed the row stays, so that the same file is noticed when it is shown again. `hash` is the SHA-256 of what was
-- sent, `media` the kind of what is kept, and nobody's file name is kept at all.
create table evidence_files (
    id text not null primary key,
    dossier text not null,
    kind text not null,
    media text not null check (media in ('image/jpeg', 'image/png', 'image/webp', 'application/pdf')),
    pages bigint not null check (pages > 0),
    size bigint not null,
    hash bytea not null,
    stored_at bigint not null,
    destroy_at bigint,
    destroyed_at bigint,
    destroyed_for text
);
create index evidence_files_by_dossier on evidence_files (dossier, id);
create index evidence_files_by_hash on evidence_files (hash);
create index evidence_files_due on evidence_files (destroy_at) where destroyed_at is null and destroy_at is not null;
