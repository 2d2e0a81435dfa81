-- name: deliveries
select state, count(*) as number from deliveries group by state;

-- name: inbound_waiting
select count(*) as number from inbound where state in ('waiting', 'held');
