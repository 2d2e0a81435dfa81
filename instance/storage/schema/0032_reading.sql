-- What a reader keeps about posts and colleagues. None of it leaves home, and nobody but the reader is told of it.
create table post_marks (
    doctor text not null,
    -- uri of the post; the row may outlive it, and then says nothing to anybody.
    post text not null,
    -- Since when every answer is a notice, no answer is one, and the post stands in the reader's own list.
    followed_at bigint,
    muted_at bigint,
    saved_at bigint,
    -- When the thread was last looked at: answers that came later are new.
    visited_at bigint,
    primary key (doctor, post)
);
create index post_marks_by_post on post_marks (post) where followed_at is not null;
create index post_marks_saved on post_marks (doctor, saved_at desc) where saved_at is not null;

-- Colleagues whose posts stand in no list of this reader's and who give no notice; their pages and threads are as before.
create table mutes (
    doctor text not null,
    muted text not null,
    at bigint not null,
    primary key (doctor, muted)
);

-- When somebody else than the author first answered, and when the author named the final diagnosis.
alter table posts add column first_answer_at bigint;
alter table posts add column solved_at bigint;
update posts set first_answer_at = (
    select min(c.published_at) from comments c where c.post = posts.uri and c.author <> posts.author
) where answers > 0;
