-- Comments as their authors and readers act on them.

-- name: by_uri
select uri, slug, origin, local, post, parent, author, content, source, language, kind, published_at, updated_at
from comments where uri = :uri;

-- name: visible
-- A comment inherits the visibility of its post.
select c.uri, c.slug, c.origin, c.local, c.post, c.parent, c.author, c.content, c.source, c.language, c.kind,
    c.published_at, c.updated_at, p.slug as post_slug,
    a.handle as author_handle, a.origin as author_origin, a.address as author_address, a.inbox as author_inbox,
    a.shared_inbox as author_shared_inbox
from comments c join posts p on p.uri = c.post join doctors a on a.uri = c.author
where c.slug = :slug and {{visible}} and {{comment_unblocked}};

-- name: own
-- Whatever has become of the discussion: what somebody has said stays theirs to take back.
select uri, slug, origin, local, post, parent, author, content, source, language, published_at, updated_at
from comments where slug = :slug and author = :author and local = 1;

-- name: post
-- For whom an answer was, so that its withdrawal is addressed to the same; nobody is shown anything of this.
select p.uri, p.slug, p.origin, p.local, p.author, p.kind, p.audience, a.followers as author_followers
from posts p join doctors a on a.uri = p.author where p.uri = :uri;

-- name: add
insert into comments (uri, slug, origin, local, post, parent, author, content, source, language, role_then,
    published_at, received_at)
values (:uri, :slug, :origin, 1, :post, :parent, :author, :content, :source, :language, :role_then, :now, :now);

-- name: change
update comments set content = :content, source = :source, language = :language, updated_at = :now
where uri = :uri and local = 1 and coalesce(updated_at, 0) = :seen;

-- name: remove
delete from comments where uri = :uri and local = 1;

-- fragment: counted_answers
-- Of a post's answers what is shown: how many, and when the first of another came.
answers = (select count(*) from comments c where c.post = posts.uri and not {{of_hidden_comment}}),
first_answer_at = (
    select min(c.published_at) from comments c
    where c.post = posts.uri and c.author <> posts.author and not {{of_hidden_comment}})

-- name: recount
update posts set {{counted_answers}},
    last_answer_at = (select max(published_at) from comments where post = :post)
where uri = :post;
