-- The specialties of a post one by one, so that what waits for an answer is found by each.
alter table posts add column specialty_1 text generated always as ((specialties::jsonb) ->> 0) stored;
alter table posts add column specialty_2 text generated always as ((specialties::jsonb) ->> 1) stored;
alter table posts add column specialty_3 text generated always as ((specialties::jsonb) ->> 2) stored;

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
