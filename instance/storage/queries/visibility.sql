-- Who may see what. Every list, page, count and search of posts and comments uses these fragments and no other rule.
-- They are written over the aliases p (posts), c (comments), x (anything with an actor) and the parameter :reader.

-- fragment: of_hidden_post
-- Written by a doctor of an instance that was expelled, and hidden with everything from there.
exists (select 1 from sibling_farewells vh where vh.origin = p.origin and vh.fate in ('hidden', 'purging') and vh.returned_at is null)

-- fragment: of_hidden_comment
exists (select 1 from sibling_farewells vh where vh.origin = c.origin and vh.fate in ('hidden', 'purging') and vh.returned_at is null)

-- fragment: of_hidden_doctor
exists (select 1 from sibling_farewells vh where vh.origin = d.origin and vh.fate in ('hidden', 'purging') and vh.returned_at is null)

-- fragment: visible
-- The reader is the author, or inside the audience; nothing withdrawn or hidden; no block between the two, either way.
(
    (p.author = :reader
     or p.audience = 'federation'
     or (p.audience = 'national' and p.local = 1)
     or (p.audience = 'colleagues' and exists (
            select 1 from follows vf
            where vf.follower = :reader and vf.followee = p.author and vf.state = 'accepted'))
     or (p.audience = 'named' and exists (
            select 1 from mentions vm where vm.object = p.uri and vm.doctor = :reader)))
    and {{not_closed}}
)

-- fragment: not_closed
-- What closes a post to whoever is inside its audience.
(
    not exists (select 1 from blocks vb where vb.doctor = :reader and vb.blocked = p.author)
    and not exists (select 1 from blocks vb where vb.doctor = p.author and vb.blocked = :reader)
    and not exists (select 1 from tombstones vt where vt.uri = p.uri)
    and not {{of_hidden_post}}
)

-- fragment: comment_unblocked
-- A comment inherits the visibility of its post; its own author may be blocked all the same.
(
    not exists (select 1 from blocks vb where vb.doctor = :reader and vb.blocked = c.author)
    and not exists (select 1 from blocks vb where vb.doctor = c.author and vb.blocked = :reader)
    and not exists (select 1 from tombstones vt where vt.uri = c.uri)
    and not {{of_hidden_comment}}
)

-- fragment: actor_unblocked
(
    not exists (select 1 from blocks vb where vb.doctor = :reader and vb.blocked = x.actor)
    and not exists (select 1 from blocks vb where vb.doctor = x.actor and vb.blocked = :reader)
    and not exists (
        select 1 from doctors vd join sibling_farewells vh on vh.origin = vd.origin
        where vd.uri = x.actor and vh.fate in ('hidden', 'purging') and vh.returned_at is null)
)

-- fragment: answers_seen
-- The stored count is right for whoever has no block; only the others pay for counting.
(case
    when exists (select 1 from blocks vb where vb.doctor = :reader)
      or exists (select 1 from blocks vb where vb.blocked = :reader)
    then (select count(*) from comments c where c.post = p.uri and {{comment_unblocked}})
    else p.answers
end)

-- fragment: first_answer_seen
-- When somebody else than the author first answered, of the answers this reader sees.
(case
    when p.first_answer_at is null then null
    when exists (select 1 from blocks vb where vb.doctor = :reader)
      or exists (select 1 from blocks vb where vb.blocked = :reader)
    then (select min(c.published_at) from comments c
        where c.post = p.uri and c.author <> p.author and {{comment_unblocked}})
    else p.first_answer_at end)

-- fragment: unmuted
-- A list leaves out whom the reader has muted; their pages and threads are as before.
not exists (select 1 from mutes vu where vu.doctor = :reader and vu.muted = p.author)
