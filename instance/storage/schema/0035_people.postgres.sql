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
    from doctors d cross join lateral json_array_elements_text(cast(d.specialties as json)) as j (value)
    where d.standing = 'ok' and d.gone_at is null and d.moved_to = ''
union all
select d.uri, d.folded, 'language/' || j.value
    from doctors d cross join lateral json_array_elements_text(cast(d.languages as json)) as j (value)
    where d.standing = 'ok' and d.gone_at is null and d.moved_to = '';

insert into doctor_facets (facet, folded, doctor)
select f.facet, f.folded, f.doctor from doctor_facets_due f on conflict do nothing;

create function doctor_facets_follow() returns trigger language plpgsql as $$
begin
    delete from doctor_facets where doctor = new.uri;
    insert into doctor_facets (facet, folded, doctor)
    select f.facet, f.folded, f.doctor from doctor_facets_due f where f.doctor = new.uri on conflict do nothing;
    return null;
end;
$$;

create trigger doctor_facets_of_new after insert on doctors for each row execute function doctor_facets_follow();

create trigger doctor_facets_of_changed
after update of folded, standing, gone_at, moved_to, country, role, specialties, languages on doctors for each row
when ((old.folded, old.standing, old.gone_at, old.moved_to, old.country, old.role, old.specialties, old.languages)
    is distinct from
    (new.folded, new.standing, new.gone_at, new.moved_to, new.country, new.role, new.specialties, new.languages))
execute function doctor_facets_follow();
