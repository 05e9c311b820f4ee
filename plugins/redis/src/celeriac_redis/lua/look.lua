-- What may have been abandoned.
--
-- KEYS: owners, unacked_index
-- ARGV: lease, visibility timeout
-- Returns: the time, how many claims are older than the visibility timeout, the owners that were not heard of
--          for as long as a lease

local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local silent = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now - ARGV[1]), 'LIMIT', 0, 100)
local old = redis.call('ZCOUNT', KEYS[2], '-inf', string.format('%.6f', now - ARGV[2]))
return {string.format('%.6f', now), old, unpack(silent)}
