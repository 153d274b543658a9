-- Tells who is locked out of an operation, in the order of their names.
--
-- KEYS: the two of who is locked out. ARGV: now, where to begin, and how many to tell at most.
-- Returns 1 if so many lockouts were over, or so many names astray, that it is to be asked again, and 0 else; then names, each with
-- its end.

-- So few that nobody else waits long for it.
local STRUCK_AT_ONCE = 1000

if strike_over(ARGV[1], STRUCK_AT_ONCE) == STRUCK_AT_ONCE then return { 1, {} } end
local told, stray = {}, 0
for _, name in ipairs(redis.call('ZRANGEBYLEX', names, ARGV[2], '+', 'LIMIT', 0, ARGV[3])) do
    local until_time = redis.call('ZSCORE', index, string.match(name, '^[^:]*:[^:]*'))
    if until_time then
        told[#told + 1] = name
        told[#told + 1] = until_time
    else
        -- Its end was struck off or evicted without it.
        redis.call('ZREM', names, name)
        stray = 1
    end
end
return { stray, told }
