-- Our own activities as they were sent (and what we forward for a thread's home), each once.

-- name: add
insert into activities (uri, actor, type, object, audience, body, published_at)
values (:uri, :actor, :type, :object, :audience, :body, :at)
on conflict (uri) do nothing;

-- name: body
select body from activities where uri = :uri;

-- name: get
select uri, actor, type, object, audience, body, published_at from activities where uri = :uri;
