-- Doctors who go on at another instance.

-- Addresses at other instances that an own doctor says are theirs (own doctors only): a JSON array.
alter table doctors add column also_known_as text not null default '[]';
-- Where a doctor has moved to, as both homes have shown; empty for whoever has not.
alter table doctors add column moved_to text not null default '';
alter table doctors add column moved_at bigint;

-- What an applicant says of themselves: verified at a sibling already, under this address. It supports, and proves nothing.
create table dossier_elsewhere (
    dossier text not null primary key references dossiers (id) on delete cascade,
    address text not null,
    at bigint not null
);
