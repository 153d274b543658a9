-- Judges a request by all of its limits together and counts it against all of them or against none: the rules of
-- `policy::limits`, which says why. What the lists hold is said in `store::redis`.
--
-- KEYS: one list for each limit.
-- ARGV: now, then for each limit: 1 if it counts failures or 0, how many it allows, the beginning of its window, until when it
-- refuses if it is used up now, and how long to keep what counts and what waits, in milliseconds. Times are microseconds
-- since 1970; numbers up to 2^53 are exact here, which they reach in the year 2255.
-- Returns 0, or the place of the limit that refuses the request longest; and the end of that.

local now = tonumber(ARGV[1])
local refusing, longest = 0, 0

local function argument(limit, name) return ARGV[1 + (limit - 1) * 6 + name] end
local LOCKS, COUNT, BEGIN, UNTIL, KEEP_COUNTED, KEEP_WAITING = 1, 2, 3, 4, 5, 6

local function refuse(limit, until_time)
    if tonumber(until_time) > tonumber(longest) then refusing, longest = limit, until_time end
end

local function is_used_up(limit)
    local first = redis.call('LINDEX', KEYS[limit], -tonumber(argument(limit, COUNT)))
    return first and tonumber(first) > tonumber(argument(limit, BEGIN))
end

for limit = 1, #KEYS do
    local last = redis.call('LINDEX', KEYS[limit], -1)
    if last and string.sub(last, 1, 1) == '-' then
        local until_time = string.sub(last, 2)
        if now < tonumber(until_time) then
            refuse(limit, until_time)
        else
            redis.call('DEL', KEYS[limit])
        end
    end
end
if refusing > 0 then return { refusing, longest } end

for limit = 1, #KEYS do
    if is_used_up(limit) then
        if argument(limit, LOCKS) == '0' then
            redis.call('DEL', KEYS[limit])
            redis.call('RPUSH', KEYS[limit], '-' .. argument(limit, UNTIL))
            redis.call('PEXPIRE', KEYS[limit], argument(limit, KEEP_WAITING))
        end
        refuse(limit, argument(limit, UNTIL))
    end
end
if refusing > 0 then return { refusing, longest } end

for limit = 1, #KEYS do
    redis.call('RPUSH', KEYS[limit], ARGV[1])
    redis.call('LTRIM', KEYS[limit], -tonumber(argument(limit, COUNT)), -1)
    redis.call('PEXPIRE', KEYS[limit], argument(limit, KEEP_COUNTED))
end
return { 0, '0' }
