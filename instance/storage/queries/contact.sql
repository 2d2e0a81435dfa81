-- Whom a doctor lets come near: rules, and colleagues who are muted.

-- fragment: inside_rule
-- Over r (owner, who, asker): whether who asks is inside what the owner has chosen.
(r.who = 'everybody'
 or (r.who = 'near' and (
        exists (select 1 from doctors ro join doctors ra on ra.country = ro.country
                where ro.uri = r.owner and ra.uri = r.asker)
        or exists (select 1 from doctor_specialties so join doctor_specialties sa on sa.specialty = so.specialty
                where so.doctor = r.owner and sa.doctor = r.asker)))
 or (r.who = 'followed' and exists (
        select 1 from follows rf
        where rf.follower = r.owner and rf.followee = r.asker and rf.state in ('pending', 'accepted'))))

-- fragment: heard
-- Whether an act of :actor is a notice for :doctor: not of somebody muted, and a naming only inside the rule. What is
-- reported reaches moderators whoever reports it.
(cast(:kind as text) = 'reported'
 or not exists (select 1 from mutes mu where mu.doctor = :doctor and mu.muted = cast(:actor as text)))
and (cast(:kind as text) not in ('mention', 'named') or not exists (
    select 1 from (
        select c.doctor as owner, c.name as who, cast(:actor as text) as asker
        from contact_rules c where c.doctor = :doctor) r
    where not {{inside_rule}}))

-- name: rules
select follow, name from contact_rules where doctor = :doctor;

-- name: put_rules
insert into contact_rules (doctor, follow, name, changed_at) values (:doctor, :follow, :name, :now)
on conflict (doctor) do update set follow = excluded.follow, name = excluded.name, changed_at = excluded.changed_at;

-- name: closed_to_follow
-- A row where the owner takes no follow from who asks.
select r.owner from (
    select c.doctor as owner, c.follow as who, cast(:asker as text) as asker
    from contact_rules c where c.doctor = :owner) r
where not {{inside_rule}};

-- name: closed_to_name
select r.owner from (
    select c.doctor as owner, c.name as who, cast(:asker as text) as asker
    from contact_rules c where c.doctor = :owner) r
where not {{inside_rule}};

-- name: mute
insert into mutes (doctor, muted, at) values (:doctor, :muted, :now) on conflict do nothing;

-- name: unmute
delete from mutes where doctor = :doctor and muted = :muted;

-- name: mute_too
-- Who is muted and goes on at another instance is muted there.
insert into mutes (doctor, muted, at)
select m.doctor, cast(:new as text), m.at from mutes m where m.muted = :old and m.doctor <> cast(:new as text)
on conflict do nothing;

-- name: list_too
insert into list_members (list, doctor, at)
select m.list, cast(:new as text), m.at from list_members m join lists l on l.id = m.list
where m.doctor = :old and l.doctor <> cast(:new as text)
on conflict do nothing;

-- name: forget_doctor
-- A sibling's doctor has left: nobody is muted or listed any more who is nobody.
delete from mutes where muted = :doctor;

-- name: forget_listed
delete from list_members where doctor = :doctor;

-- name: forget_rules
-- What somebody kept for themselves goes with them.
delete from contact_rules where doctor in (select doctor from accounts where id = :account);

-- name: forget_mutes
delete from mutes where doctor in (select doctor from accounts where id = :account);
