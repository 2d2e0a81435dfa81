-- One instance's rows. Times are milliseconds since the epoch, UTC; addresses are canonical texts; sets are JSON arrays.
-- Ids made here are ULIDs: they sort by time. Portable between SQLite and PostgreSQL.

create table settings (
    name text not null primary key,
    value text not null
);

-- What other processes must notice: a number that only rises.
create table versions (
    name text not null primary key,
    value bigint not null
);
insert into versions (name, value) values ('allowlist', 0), ('standing', 0);

-- ── the allowlist ──────────────────────────────────────────────────────────────────────────────────────────────────

create table siblings (
    origin text not null primary key,
    actor text not null unique,
    name text not null,
    country text not null,
    inbox text not null,
    outbox text not null default '',
    policy text not null check (policy in ('inherit', 'read-only', 'pause', 'block')),
    source text not null default 'local',
    vouched_by text not null default '',
    instance_keys text not null,
    issuer_keys text not null,
    may_issue_for text not null,
    kinds_in text not null,
    kinds_out text not null,
    speaks_rfc9421 bigint not null default 0,
    contact text not null default '',
    software text not null default '',
    since bigint not null
);

-- Apart from the allowlist row, because contact changes all the time and the allowlist seldom does.
create table sibling_contacts (
    origin text not null primary key,
    last_in_at bigint,
    last_out_at bigint,
    last_fault text not null default '',
    last_fault_at bigint
);

-- Append-only: who changed the allowlist, when, why, and what it touched.
create table sibling_changes (
    id text not null primary key,
    origin text not null,
    act text not null,
    by_whom text not null,
    reason text not null,
    before text not null,
    after text not null,
    touched text not null,
    at bigint not null
);

-- ── people ─────────────────────────────────────────────────────────────────────────────────────────────────────────

-- Every doctor we know, here (local = 1) and at siblings.
create table doctors (
    uri text not null primary key,
    origin text not null,
    local bigint not null,
    -- handle for our own, handle@authority for a sibling's: the doctor's address in pages.
    address text not null unique,
    handle text not null,
    name text not null,
    folded text not null,
    role text not null,
    country text not null,
    specialties text not null,
    assurance text not null default '',
    valid_from bigint,
    valid_until bigint,
    -- 'ok', or the credential reason for which this doctor may not speak now.
    standing text not null,
    inbox text not null,
    shared_inbox text not null default '',
    outbox text not null,
    followers text not null,
    following text not null,
    summary text not null default '',
    languages text not null default '[]',
    -- whether a follow waits for this doctor's yes (own doctors only).
    approves_followers bigint not null default 0,
    credential text not null default 'null',
    -- the actor document as its home served it (siblings' doctors only).
    document text not null default '',
    fetched_at bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    gone_at bigint
);
create index doctors_by_origin on doctors (origin, uri);
create index doctors_by_country on doctors (country, folded);

create table doctor_specialties (
    doctor text not null references doctors (uri) on delete cascade,
    specialty text not null,
    primary key (specialty, doctor)
);
create index doctor_specialties_by_doctor on doctor_specialties (doctor);

-- Folded words of names and handles, so that a colleague is found by the beginning of any of them.
create table doctor_words (
    word text not null,
    doctor text not null references doctors (uri) on delete cascade,
    primary key (word, doctor)
);
create index doctor_words_by_doctor on doctor_words (doctor);

-- Public keys of siblings' actors, and our own pairs (private part sealed by the vault).
create table keys (
    id text not null primary key,
    owner text not null,
    origin text not null,
    algorithm text not null check (algorithm in ('rsa', 'ed25519')),
    spki bytea not null,
    private bytea,
    -- what it is for: 'http' signs messages, 'proof' signs objects, 'issuer' is only ever in a file.
    purpose text not null default 'http',
    not_before bigint not null default 0,
    drop_after bigint,
    fetched_at bigint not null
);
create index keys_by_owner on keys (owner);
create index keys_by_origin on keys (origin);

create table accounts (
    id text not null primary key,
    -- what is typed at sign-in, folded to lower case.
    login text not null unique,
    password text not null,
    doctor text references doctors (uri),
    -- JSON array out of administrator, moderator, reviewer.
    roles text not null default '[]',
    language text not null default '',
    appearance text not null default '',
    created_at bigint not null,
    disabled_at bigint
);
create index accounts_by_doctor on accounts (doctor);

create table sessions (
    -- SHA-256 of the token in the cookie.
    token bytea not null primary key,
    account text not null references accounts (id) on delete cascade,
    csrf text not null,
    device text not null default '',
    created_at bigint not null,
    last_seen_at bigint not null,
    expires_at bigint not null
);
create index sessions_by_account on sessions (account);

-- Failures of sign-in by account and by address; counted over fifteen minutes.
create table sign_in_failures (
    id text not null primary key,
    subject text not null,
    at bigint not null
);
create index sign_in_failures_by_subject on sign_in_failures (subject, at);

-- Append-only: what staff did (doctors added, suspended, keys rotated …).
create table staff_acts (
    id text not null primary key,
    act text not null,
    by_whom text not null,
    subject text not null,
    reason text not null,
    at bigint not null
);

-- ── posts and threads ──────────────────────────────────────────────────────────────────────────────────────────────

create table posts (
    uri text not null primary key,
    -- the post's address in pages, and (for our own) the last part of its uri.
    slug text not null unique,
    origin text not null,
    local bigint not null,
    author text not null references doctors (uri),
    kind text not null,
    title text not null,
    content text not null,
    -- what the author typed (own posts only).
    source text not null default '',
    language text not null,
    specialties text not null,
    audience text not null check (audience in ('federation', 'colleagues', 'named', 'national')),
    -- role, specialty and country as they were when this was written.
    role_then text not null,
    context text not null default '',
    facts text not null default '{}',
    published_at bigint not null,
    updated_at bigint,
    received_at bigint not null,
    -- where it stands in feeds: published_at, never in the future of received_at.
    sort_at bigint not null,
    answers bigint not null default 0,
    last_answer_at bigint,
    document text not null default ''
);
create index posts_by_time on posts (sort_at desc, slug desc);
create index posts_by_author on posts (author, sort_at desc, slug desc);

create table post_specialties (
    specialty text not null,
    post text not null references posts (uri) on delete cascade,
    sort_at bigint not null,
    primary key (specialty, sort_at, post)
);
create index post_specialties_by_post on post_specialties (post);

create table comments (
    uri text not null primary key,
    slug text not null unique,
    origin text not null,
    local bigint not null,
    -- the post of the thread; the row may be here before its post is (then nobody sees it).
    post text not null,
    parent text not null,
    author text not null references doctors (uri),
    content text not null,
    source text not null default '',
    language text not null,
    role_then text not null,
    published_at bigint not null,
    updated_at bigint,
    received_at bigint not null,
    -- the signed activity as it came, kept where a thread's home has to forward it (object proof inside).
    document text not null default ''
);
create index comments_by_post on comments (post, published_at, slug);
create index comments_by_author on comments (author, published_at desc);

-- The doctors named by a post (audience `named`) or mentioned by a comment.
create table mentions (
    object text not null,
    doctor text not null,
    primary key (object, doctor)
);
create index mentions_by_doctor on mentions (doctor);

-- Earlier versions, oldest first.
create table revisions (
    id text not null primary key,
    object text not null,
    title text not null,
    content text not null,
    at bigint not null
);
create index revisions_by_object on revisions (object, id);

-- What was withdrawn; asked before anything with that id is kept, so a Delete before its Create wins.
create table tombstones (
    uri text not null primary key,
    origin text not null,
    actor text not null,
    former_type text not null,
    at bigint not null
);

create table follows (
    follower text not null,
    followee text not null,
    -- id of the Follow activity; an Accept must name it.
    id text not null unique,
    state text not null check (state in ('pending', 'accepted', 'rejected')),
    asked_at bigint not null,
    answered_at bigint,
    primary key (follower, followee)
);
create index follows_by_followee on follows (followee, state);

create table likes (
    actor text not null,
    object text not null,
    id text not null unique,
    at bigint not null,
    primary key (object, actor)
);

create table recommendations (
    actor text not null,
    post text not null,
    id text not null unique,
    at bigint not null,
    primary key (post, actor)
);
create index recommendations_by_actor on recommendations (actor, at desc);

-- A doctor's own blocks; they stay at home.
create table blocks (
    doctor text not null,
    blocked text not null,
    at bigint not null,
    primary key (doctor, blocked)
);
create index blocks_by_blocked on blocks (blocked);

create table notifications (
    id text not null primary key,
    doctor text not null,
    kind text not null,
    actor text not null,
    -- slug of the post it leads to, or empty.
    post text not null default '',
    object text not null default '',
    at bigint not null,
    read_at bigint,
    unique (doctor, kind, actor, object)
);
create index notifications_by_doctor on notifications (doctor, id desc);
create index notifications_by_object on notifications (object);

-- Reports of a post or comment, with a coded reason.
create table reports (
    id text not null primary key,
    object text not null,
    by_whom text not null,
    reason text not null,
    at bigint not null,
    state text not null default 'open'
);

-- ── the door in ────────────────────────────────────────────────────────────────────────────────────────────────────

create table inbound (
    id text not null primary key,
    actor text not null,
    activity text not null,
    type text not null,
    origin text not null,
    key_id text not null,
    profile text not null,
    body bytea not null,
    received_at bigint not null,
    -- waiting → applied | failed (five tries); held waits for the doctor's standing.
    state text not null check (state in ('waiting', 'held', 'applied', 'failed', 'refused')),
    held_for text not null default '',
    attempts bigint not null default 0,
    due_at bigint not null,
    applied_at bigint,
    unique (actor, activity)
);
-- What was applied, nearly every row, is in none of them.
create index inbound_due on inbound (due_at, id) where state = 'waiting';
create index inbound_held on inbound (actor, received_at) where state = 'held';
create index inbound_failed on inbound (received_at) where state = 'failed';

-- What was refused, in either direction; never a body.
create table refusals (
    id text not null primary key,
    at bigint not null,
    direction text not null,
    code text not null,
    origin text not null default '',
    key_id text not null default '',
    activity text not null default '',
    rule text not null default '',
    -- how many like it were only counted, since at most ten rows a second are kept per source.
    more bigint not null default 0
);
create index refusals_by_origin on refusals (origin, id desc);
create index refusals_by_activity on refusals (activity);

-- ── the door out ───────────────────────────────────────────────────────────────────────────────────────────────────

-- Our own activities, as sent; the outbox of their actor.
create table activities (
    uri text not null primary key,
    actor text not null,
    type text not null,
    object text not null,
    audience text not null default '',
    body bytea not null,
    published_at bigint not null
);
create index activities_by_actor on activities (actor, published_at desc, uri desc);
create index activities_by_object on activities (object);

create table deliveries (
    id text not null primary key,
    origin text not null,
    inbox text not null,
    shared bigint not null,
    activity text not null references activities (uri),
    actor text not null,
    -- the post or comment it is about; a Delete drops what still waits about it.
    object text not null default '',
    -- 0 revocation, suspension, erasure · 1 Delete, Undo · 2 named doctors · 3 the rest.
    priority bigint not null,
    -- waiting → done | dead | dropped. A resting row waits for an hour of its own (due_at), a held one for an
    -- administrator or for its signer's standing.
    state text not null check (state in ('waiting', 'resting', 'held', 'done', 'dead', 'dropped')),
    created_at bigint not null,
    due_at bigint not null,
    attempts bigint not null default 0,
    last_status bigint,
    last_code text not null default '',
    settled_at bigint,
    unique (inbox, activity)
);
create index deliveries_by_state on deliveries (state, settled_at);
create index deliveries_by_lane on deliveries (origin, state, priority, id);
create index deliveries_by_object on deliveries (object);
create index deliveries_by_activity on deliveries (activity);

-- One lane per sibling: a transport failure backs off the lane, not ten thousand rows.
create table lanes (
    origin text not null primary key,
    -- 0 when the last try reached it.
    failures bigint not null default 0,
    next_at bigint not null default 0,
    -- how many may be in flight; 1, 2, 4 … 32 after a recovery.
    width bigint not null default 32,
    failing_since bigint,
    alarm text not null default '',
    -- The process that empties this lane, and until when it is believed to live. A lane has one owner at a time, which
    -- is how one author's messages stay in order; rows need no lease of their own.
    owner text not null default '',
    lease_until bigint not null default 0
);

-- The copy ledger: which sibling was sent which object.
create table copies (
    object text not null,
    origin text not null,
    sent_at bigint not null,
    delivered_at bigint,
    primary key (object, origin)
);
