-- Open questions: what nobody but its author has answered, of the reader's specialties and then of the others, then the
-- questions that were answered; in each of the three the newest first. The cursor says which of the three it stands in.

-- fragment: open
p.first_answer_at is null and p.solved_at is null and p.kind in ('case', 'observation', 'question')

-- fragment: waiting
select p.uri as post, 1 as part, p.sort_at, p.slug from posts p
where {{open}} and (p.sort_at, p.slug) < (:first_at, :first_slug) and {{in_feed}} and

-- fragment: of_others
not exists (select 1 from doctor_specialties od
    where od.doctor = :reader and od.specialty in (p.specialty_1, p.specialty_2, p.specialty_3))

-- fragment: answered
p.kind = 'question' and p.first_answer_at is not null and {{first_answer_seen}} is not null

-- name: page
-- A part is looked at only where those before it do not fill the page.
with mine as (
    select * from ({{waiting}} p.specialty_1 = ({{own_specialty_after}} 0) {{newest_first}} limit :count) as first
    union all
    select * from ({{waiting}} p.specialty_2 = ({{own_specialty_after}} 0) {{newest_first}} limit :count) as second
    union all
    select * from ({{waiting}} p.specialty_3 = ({{own_specialty_after}} 0) {{newest_first}} limit :count) as third
    union all
    select * from ({{waiting}} p.specialty_1 = ({{own_specialty_after}} 1) {{newest_first}} limit :count) as first
    union all
    select * from ({{waiting}} p.specialty_2 = ({{own_specialty_after}} 1) {{newest_first}} limit :count) as second
    union all
    select * from ({{waiting}} p.specialty_3 = ({{own_specialty_after}} 1) {{newest_first}} limit :count) as third
    union all
    select * from ({{waiting}} p.specialty_1 = ({{own_specialty_after}} 2) {{newest_first}} limit :count) as first
    union all
    select * from ({{waiting}} p.specialty_2 = ({{own_specialty_after}} 2) {{newest_first}} limit :count) as second
    union all
    select * from ({{waiting}} p.specialty_3 = ({{own_specialty_after}} 2) {{newest_first}} limit :count) as third),
others as (
    select p.uri as post, 2 as part, p.sort_at, p.slug from posts p
    where {{open}} and (p.sort_at, p.slug) < (:second_at, :second_slug) and {{in_feed}} and {{of_others}}
    {{newest_first}} limit case when (select count(distinct post) from mine) < :count then :count else 0 end),
answered as (
    select p.uri as post, 3 as part, p.sort_at, p.slug from posts p
    where {{answered}} and (p.sort_at, p.slug) < (:third_at, :third_slug) and {{in_feed}}
    {{newest_first}} limit case
        when (select count(distinct post) from mine) + (select count(*) from others) < :count then :count else 0 end),
merged as (select * from mine union select * from others union select * from answered),
picked as (select post, part from merged order by part, sort_at desc, slug desc limit :count)
select {{listed}}, picked.part from picked cross join posts p cross join doctors a
where p.uri = picked.post and a.uri = p.author
order by picked.part, p.sort_at desc, p.slug desc;

-- fragment: waiting_newer
select p.uri as post, 1 as part, p.sort_at, p.slug from posts p
where {{open}} and (p.sort_at, p.slug) > (:first_at, :first_slug) and {{in_feed}} and

-- name: page_newer
with answered as (
    select p.uri as post, 3 as part, p.sort_at, p.slug from posts p
    where {{answered}} and (p.sort_at, p.slug) > (:third_at, :third_slug) and {{in_feed}}
    {{oldest_first}} limit :count),
others as (
    select p.uri as post, 2 as part, p.sort_at, p.slug from posts p
    where {{open}} and (p.sort_at, p.slug) > (:second_at, :second_slug) and {{in_feed}} and {{of_others}}
    {{oldest_first}} limit case when (select count(*) from answered) < :count then :count else 0 end),
mine as (
    select * from ({{waiting_newer}} p.specialty_1 = ({{own_specialty_after}} 0) {{oldest_first}} limit :count) as first
    union all
    select * from ({{waiting_newer}} p.specialty_2 = ({{own_specialty_after}} 0) {{oldest_first}} limit :count) as second
    union all
    select * from ({{waiting_newer}} p.specialty_3 = ({{own_specialty_after}} 0) {{oldest_first}} limit :count) as third
    union all
    select * from ({{waiting_newer}} p.specialty_1 = ({{own_specialty_after}} 1) {{oldest_first}} limit :count) as first
    union all
    select * from ({{waiting_newer}} p.specialty_2 = ({{own_specialty_after}} 1) {{oldest_first}} limit :count) as second
    union all
    select * from ({{waiting_newer}} p.specialty_3 = ({{own_specialty_after}} 1) {{oldest_first}} limit :count) as third
    union all
    select * from ({{waiting_newer}} p.specialty_1 = ({{own_specialty_after}} 2) {{oldest_first}} limit :count) as first
    union all
    select * from ({{waiting_newer}} p.specialty_2 = ({{own_specialty_after}} 2) {{oldest_first}} limit :count) as second
    union all
    select * from ({{waiting_newer}} p.specialty_3 = ({{own_specialty_after}} 2) {{oldest_first}} limit :count) as third),
merged as (select * from mine union select * from others union select * from answered),
picked as (select post, part from merged order by part desc, sort_at, slug limit :count)
select {{listed}}, picked.part from picked cross join posts p cross join doctors a
where p.uri = picked.post and a.uri = p.author
order by picked.part desc, p.sort_at, p.slug;

-- name: since
-- What has come to be answered, for the reader to be told of.
select p.slug from posts p
where {{open}} and {{newer}}
{{oldest_first}} limit :count;
