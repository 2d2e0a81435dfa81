-- The specialties of a post one by one, so that what waits for an answer is found by each.
-- By the functions of text: SQLite keeps those of JSON out of schemas. What is left behind a slug is where the next begins.
alter table posts add column specialty_1 text generated always as (
    case when substr(specialties, 1, 2) = '["' then substr(specialties, 3, instr(substr(specialties, 3), '"') - 1) end
) virtual;
alter table posts add column behind_1 text generated always as (substr(specialties, 4 + length(specialty_1))) virtual;
alter table posts add column specialty_2 text generated always as (
    case when instr(behind_1, '"') > 0 then substr(behind_1, instr(behind_1, '"') + 1,
        instr(substr(behind_1, instr(behind_1, '"') + 1), '"') - 1) end
) virtual;
alter table posts add column behind_2 text generated always as (
    substr(behind_1, instr(behind_1, '"') + length(specialty_2) + 2)
) virtual;
alter table posts add column specialty_3 text generated always as (
    case when instr(behind_2, '"') > 0 then substr(behind_2, instr(behind_2, '"') + 1,
        instr(substr(behind_2, instr(behind_2, '"') + 1), '"') - 1) end
) virtual;

-- What nobody but its author has answered, newest first: small, whatever the number of posts.
create index posts_open on posts (sort_at desc, slug desc)
    where first_answer_at is null and solved_at is null and kind in ('case', 'observation', 'question');
create index posts_open_first on posts (specialty_1, sort_at desc, slug desc)
    where first_answer_at is null and solved_at is null and kind in ('case', 'observation', 'question');
create index posts_open_second on posts (specialty_2, sort_at desc, slug desc)
    where first_answer_at is null and solved_at is null and kind in ('case', 'observation', 'question');
create index posts_open_third on posts (specialty_3, sort_at desc, slug desc)
    where first_answer_at is null and solved_at is null and kind in ('case', 'observation', 'question');
create index posts_answered on posts (sort_at desc, slug desc)
    where kind = 'question' and first_answer_at is not null;
