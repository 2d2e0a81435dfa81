-- Files that applicants have shown: their rows. The bytes and their keys are no business of the database.

-- name: add
insert into evidence_files (id, dossier, kind, media, pages, size, hash, stored_at, destroy_at)
values (:id, :dossier, :kind, :media, :pages, :size, :hash, :now, :destroy_at);

-- name: get
select id, dossier, kind, media, pages, size, hash, stored_at, destroy_at, destroyed_at, destroyed_for
from evidence_files where id = :id;

-- name: of_dossier
select id, dossier, kind, media, pages, size, hash, stored_at, destroy_at, destroyed_at from evidence_files
where dossier = :dossier and destroyed_at is null order by id;

-- name: number_of_dossier
-- Those that are not destroyed, and those of them that are not handed in.
select count(*) as number, count(*) - count(p.file) as waiting from evidence_files f
left join (select f.file from piece_files f join evidence_pieces e on e.id = f.piece where e.place is not null) p
    on p.file = f.id
where f.dossier = :dossier and f.destroyed_at is null;

-- name: same
-- Other dossiers in which the same bytes were shown, also where they are destroyed by now.
select distinct dossier from evidence_files where hash = :hash and dossier <> :dossier order by dossier;

-- name: due
select id from evidence_files where destroyed_at is null and destroy_at <= :now order by destroy_at, id limit :most;

-- name: loose
-- Of a dossier that is there, and shows no piece of it: a cut between taking a piece out and destroying its files.
select f.id from evidence_files f join dossiers d on d.id = f.dossier
where f.destroyed_at is null and f.destroyed_for is null and f.stored_at <= :before
    and not exists (select 1 from piece_files p where p.file = f.id) order by f.id limit :most;

-- name: claim
-- From here on it is being destroyed: a reason without a time. Its day is not moved any more, so it stays due until then.
update evidence_files set destroyed_for = 'retention'
where id = :id and destroyed_at is null and destroy_at <= :now;

-- name: live
select id from evidence_files where destroyed_at is null order by id;

-- name: belonging
-- What each file belongs to, which its key is bound to; also where destroying it was begun.
select id, dossier from evidence_files where destroyed_at is null;

-- name: any_live
select id from evidence_files where destroyed_at is null limit 1;

-- name: is_live
select id from evidence_files where id = :id and destroyed_at is null;

-- name: schedule_dossier
update evidence_files set destroy_at = :destroy_at
where dossier = :dossier and destroyed_at is null and destroyed_for is null;

-- name: schedule_file
update evidence_files set destroy_at = :destroy_at where id = :id and destroyed_at is null and destroyed_for is null;

-- name: mark_destroyed
update evidence_files set destroyed_at = :now, destroyed_for = :why where id = :id and destroyed_at is null;

-- name: forget_dossier
-- Once nothing of a dossier may be known any more; what is not destroyed yet is kept back.
delete from evidence_files where dossier = :dossier and destroyed_at is not null;

-- name: forget_destroyed
-- The same for one whose key outlived the facts: it has no hash any more.
delete from evidence_files where id = :id and destroyed_at is not null and hash = :nothing;
