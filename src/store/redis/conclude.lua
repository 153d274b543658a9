-- Concludes an attempt: it is not in flight any more. A failure is counted, which begins a lockout if that reaches the limit; a
-- success takes back the failures with its tag, which ends a lockout if fewer are left than the limit.
--
-- KEYS: for each limit the list of failures and that of attempts in flight, and last the two of who is locked out of the operation.
-- ARGV: the attempt as it stands in a list, now, what came of it (`failed`, `succeeded` or `given_back`), and the tag, if any;
-- then for each limit: how many it allows, the beginning of its window, the end of a lockout that begins now, how long to keep
-- failures and a lockout, in milliseconds, and the name of what the attempt counts against, as in the index and sealed.
-- Returns the places of the limits that lock out from now on.

local attempt, now, conclusion, tag = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local COUNT, BEGIN, UNTIL, KEEP_COUNTED, KEEP_WAITING, NAME, SEALED = 1, 2, 3, 4, 5, 6, 7
local begun = {}
-- More than an attempt can add, so that what is over does not pile up.
local STRUCK_AT_ONCE = 100

local function time_of(entry) return tonumber(string.match(entry, '^%d+')) end

for limit = 1, #KEYS / 2 - 1 do
    local key, in_flight = KEYS[limit * 2 - 1], KEYS[limit * 2]
    local function argument(name) return ARGV[4 + (limit - 1) * 7 + name] end

    redis.call('LREM', in_flight, 0, attempt)
    local last = redis.call('LINDEX', key, -1)
    local waits = last and string.sub(last, 1, 1) == '-'
    if waits and tonumber(string.sub(last, 2)) <= now then
        redis.call('DEL', key)
        waits = false
    end
    if conclusion == 'failed' and not waits then
        local first = redis.call('LINDEX', key, 0)
        while first and time_of(first) <= tonumber(argument(BEGIN)) do
            redis.call('LPOP', key)
            first = redis.call('LINDEX', key, 0)
        end
        redis.call('RPUSH', key, ARGV[2] .. ':' .. tag)
        redis.call('PEXPIRE', key, argument(KEEP_COUNTED))
        if redis.call('LLEN', key) >= tonumber(argument(COUNT)) then
            redis.call('RPUSH', key, '-' .. argument(UNTIL))
            redis.call('PEXPIRE', key, argument(KEEP_WAITING))
            strike_over(ARGV[2], STRUCK_AT_ONCE)
            enter(argument(NAME), argument(SEALED), argument(UNTIL), argument(KEEP_WAITING))
            begun[#begun + 1] = limit
        end
    elseif conclusion == 'succeeded' then
        for _, entry in ipairs(redis.call('LRANGE', key, 0, -1)) do
            if string.match(entry, ':(.*)$') == tag then redis.call('LREM', key, 0, entry) end
        end
        if waits and redis.call('LLEN', key) - 1 < tonumber(argument(COUNT)) then
            redis.call('RPOP', key)
            strike(argument(NAME))
        end
    end
end
return begun
