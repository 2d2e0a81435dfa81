-- Dossiers: applications to be recognised as a doctor, what was shown with them, what was said of them, and the audit
-- log. Register numbers are sealed, and found again by a keyed hash; no document and no free text is in these rows.

create table dossiers (
    id text not null primary key,
    account text not null references accounts (id),
    -- the doctor, once approved.
    doctor text references doctors (uri),
    -- rises with every change: whoever decided on an older one is told so.
    version bigint not null,

    -- what the applicant says.
    name text not null,
    folded text not null,
    handle text not null,
    specialties text not null,
    languages text not null,
    email text not null,
    -- keyed hash of folded name and birth date, where one was given; the date itself is not kept.
    identity bytea,

    -- verification.dossier.Dossier, member by member.
    country text not null,
    role text not null,
    state text not null,
    changed_at bigint not null,
    sites text not null,
    round bigint not null,
    submitted_at bigint,
    approved_at bigint,
    verified_at bigint,
    reverify_on bigint,
    appealed_at bigint,
    appeal_round bigint not null,
    emergency_by text,
    emergency_at bigint,
    emergency_until bigint,
    emergency_confirmed bigint not null,
    training_ends bigint,
    year_ends bigint,
    followed bigint not null,
    open_hit bigint not null,
    campaign text,
    reminded bigint not null,

    -- what pages and chores look for.
    assurance text not null,
    taken_by text not null,
    -- since when the desk has it in hand: handed in, answered, appealed.
    handed_at bigint,
    decided_at bigint,
    due_at bigint,
    created_at bigint not null
);
create index dossiers_by_account on dossiers (account, created_at);
create index dossiers_by_doctor on dossiers (doctor);
create index dossiers_by_state on dossiers (country, state, changed_at);
create index dossiers_due on dossiers (due_at) where due_at is not null;
create index dossiers_by_identity on dossiers (identity) where identity is not null;
create index dossiers_decided on dossiers (country, decided_at) where decided_at is not null;

create table annexes (
    dossier text not null references dossiers (id) on delete cascade,
    id text not null,
    place bigint not null,
    kind text not null,
    state text not null,
    changed_at bigint not null,
    submitted_at bigint not null,
    training_ends bigint,
    year_ends bigint,
    -- the name asked for, where the annex is about that.
    name text not null default '',
    primary key (dossier, id)
);

-- One reviewer says one thing in one round, of an application (annex = '') or of an annex.
create table votes (
    dossier text not null references dossiers (id) on delete cascade,
    annex text not null,
    round bigint not null,
    reviewer text not null,
    place bigint not null,
    choice text not null,
    ground text not null,
    hit text,
    at bigint not null,
    primary key (dossier, annex, round, reviewer)
);

create table proposals (
    dossier text not null references dossiers (id) on delete cascade,
    to_state text not null,
    by_whom text not null,
    reviewer bigint not null,
    ground text not null,
    at bigint not null,
    primary key (dossier, to_state)
);

-- What was shown: the claim, and what counts of it in the dossier. Waiting (place null) until it is handed in.
create table evidence_pieces (
    id text not null primary key,
    dossier text not null references dossiers (id) on delete cascade,
    annex text not null default '',
    place bigint,
    kind text not null,
    rank text not null,
    automatic bigint not null,
    matched bigint not null,
    claim text not null,
    number_kind text not null default '',
    number_system text not null default '',
    -- keyed hash of system and number; the number itself is in sealed_values under the id of the piece.
    number_index bytea,
    at bigint not null
);
create index evidence_pieces_by_dossier on evidence_pieces (dossier, annex, place);
create index evidence_pieces_by_number on evidence_pieces (number_index) where number_index is not null;

-- What one reviewer found in one piece; each looks for themselves.
create table findings (
    piece text not null references evidence_pieces (id) on delete cascade,
    reviewer text not null,
    facts text not null,
    at bigint not null,
    primary key (piece, reviewer)
);

-- Which files of the vault belong to which piece.
create table piece_files (
    file text not null primary key,
    piece text not null references evidence_pieces (id) on delete cascade,
    at bigint not null
);
create index piece_files_by_piece on piece_files (piece);

-- Small values sealed under the key-encryption key; the id is what they are sealed with.
create table sealed_values (
    id text not null primary key,
    content bytea not null
);

-- When something of a dossier that stands in rows must be gone (verification.retention); files are the vault's.
create table retention (
    dossier text not null,
    thing text not null check (thing in ('facts', 'decision')),
    at bigint not null,
    primary key (dossier, thing)
);
create index retention_due on retention (thing, at);

-- What somebody is told: codes, and no words.
create table dossier_notices (
    id text not null primary key,
    whom text not null check (whom in ('applicant', 'reviewers', 'leads', 'administrators')),
    dossier text not null,
    account text not null,
    country text not null,
    notice text not null,
    grounds text not null,
    until bigint,
    at bigint not null,
    read_at bigint
);
create index dossier_notices_by_account on dossier_notices (account, id);
create index dossier_notices_by_dossier on dossier_notices (dossier);

-- Mail to be sent: a code and a language. Without an account it is for everybody of that part and country.
create table mails (
    id text not null primary key,
    whom text not null,
    account text not null,
    country text not null,
    notice text not null,
    language text not null,
    at bigint not null,
    sent_at bigint
);
create index mails_waiting on mails (id) where sent_at is null;

-- Looking at a cohort of doctors again. `place` says how far enrolling has come: the last dossier looked at, or null when
-- every one has been.
create table campaigns (
    id text not null primary key,
    country text not null,
    cohort text not null,
    ground text not null,
    proposed_by text not null,
    proposed_at bigint not null,
    within_days bigint not null,
    started_by text,
    started_at bigint,
    place text default ''
);
create index dossiers_by_campaign on dossiers (campaign) where campaign is not null;

-- ── the audit log ──────────────────────────────────────────────────────────────────────────────────────────────────

-- Append-only and chained (verification.audit): the entry as it was hashed, and the hash up to it.
create table audit (
    n bigint not null primary key,
    entry text not null,
    hash bytea not null,
    -- for reading the history of one dossier; what counts stands in the entry.
    dossier text not null default ''
);
create index audit_by_dossier on audit (dossier, n) where dossier <> '';

-- The newest head of each sibling's log; alarm says that one came which does not go with it.
create table audit_heads (
    issuer text not null primary key,
    sequence bigint not null,
    hash bytea not null,
    signed_at bigint not null,
    received_at bigint not null,
    alarm text not null default ''
);

-- ── imported registers ─────────────────────────────────────────────────────────────────────────────────────────────

create table register_snapshots (
    id text not null primary key,
    register text not null,
    country text not null,
    state text not null check (state in ('loading', 'current', 'old')),
    -- how many doctors, and lines that gave none.
    doctors bigint not null,
    bad_lines bigint not null,
    at bigint not null
);
create index register_snapshots_by_register on register_snapshots (register, state);

-- Rows of one doctor that lie apart in the file are parts of one entry.
create table register_entries (
    snapshot text not null,
    kind text not null,
    number text not null,
    part bigint not null,
    family text not null,
    given text not null,
    folded text not null,
    active bigint not null,
    other text not null,
    primary key (snapshot, kind, number, part)
);

-- For reviewers: an imported register no longer says of a doctor what it said.
create table register_tasks (
    id text not null primary key,
    dossier text not null references dossiers (id) on delete cascade,
    register text not null,
    -- missing | inactive | renamed
    what text not null,
    at bigint not null,
    closed_at bigint,
    closed_by text not null default ''
);
create index register_tasks_open on register_tasks (dossier) where closed_at is null;
