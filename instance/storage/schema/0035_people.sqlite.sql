-- Only functions that a file may name itself (trusted_schema is off): json_each is one, json_valid is none.
create view doctor_facets_due as
select d.uri as doctor, d.folded as folded, '' as facet from doctors d
    where d.standing = 'ok' and d.gone_at is null and d.moved_to = ''
union all
select d.uri, d.folded, 'country/' || d.country from doctors d
    where d.standing = 'ok' and d.gone_at is null and d.moved_to = ''
union all
select d.uri, d.folded, 'role/' || d.role from doctors d
    where d.standing = 'ok' and d.gone_at is null and d.moved_to = ''
union all
select d.uri, d.folded, 'specialty/' || j.value
    from doctors d, json_each(case when d.specialties like '[%]' then d.specialties else '[]' end) j
    where d.standing = 'ok' and d.gone_at is null and d.moved_to = ''
union all
select d.uri, d.folded, 'language/' || j.value
    from doctors d, json_each(case when d.languages like '[%]' then d.languages else '[]' end) j
    where d.standing = 'ok' and d.gone_at is null and d.moved_to = '';

insert into doctor_facets (facet, folded, doctor)
select f.facet, f.folded, f.doctor from doctor_facets_due f where true on conflict do nothing;

create trigger doctor_facets_of_new after insert on doctors
begin
    insert into doctor_facets (facet, folded, doctor)
    select f.facet, f.folded, f.doctor from doctor_facets_due f where f.doctor = new.uri on conflict do nothing;
end;

create trigger doctor_facets_of_changed
after update of folded, standing, gone_at, moved_to, country, role, specialties, languages on doctors
when old.folded <> new.folded or old.standing <> new.standing or old.moved_to <> new.moved_to
    or coalesce(old.gone_at, 0) <> coalesce(new.gone_at, 0) or old.country <> new.country or old.role <> new.role
    or old.specialties <> new.specialties or old.languages <> new.languages
begin
    delete from doctor_facets where doctor = new.uri;
    insert into doctor_facets (facet, folded, doctor)
    select f.facet, f.folded, f.doctor from doctor_facets_due f where f.doctor = new.uri on conflict do nothing;
end;
