-- Judges a request by all of its limits together and counts it against all of them or against none: the rules of
-- `policy::limits`, with the reasons. What the lists hold is said in `store::redis`.
--
-- KEYS: for each limit the list of what counts, and the list of attempts in flight, which throttles do not use.
-- ARGV: now, and the attempt as it stands in a list; then for each limit: what it is, how many it allows, the beginning of its
-- window, until when it refuses if it is used up now, how long to keep what counts and what waits, in milliseconds, and the
-- time since which attempts are in flight, with how long to keep these; the last two are 0 where attempts hold nothing up. A
-- limit is a throttle (T), a lockout (L), or a lockout that spares known devices (S). Times are microseconds since 1970;
-- numbers up to 2^53 are exact here, which they reach in the year 2255.
-- Returns the place of the limit that refuses the request longest and the end of that, and the same of the limits that spare known
-- devices, with 1 if that one refused everything before; places are 0 where none refuses.

local now = tonumber(ARGV[1])
local KIND, COUNT, BEGIN, UNTIL, KEEP_COUNTED, KEEP_WAITING, IN_FLIGHT_SINCE, KEEP_IN_FLIGHT = 1, 2, 3, 4, 5, 6, 7, 8
local limits = #KEYS / 2

local function argument(limit, name) return ARGV[2 + (limit - 1) * 8 + name] end
local function number(limit, name) return tonumber(argument(limit, name)) end
local function counted(limit) return KEYS[limit * 2 - 1] end
local function in_flight(limit) return KEYS[limit * 2] end

local function time_of(entry) return tonumber(string.match(entry, '^%d+')) end

-- Drops the entries of a list, oldest first, that are not younger than `since`.
local function forget(key, since)
    local first = redis.call('LINDEX', key, 0)
    while first and time_of(first) <= since do
        redis.call('LPOP', key)
        first = redis.call('LINDEX', key, 0)
    end
end

local refusing, longest = 0, 0
local spared, spared_longest, spared_waited = 0, 0, 0

local function refuse(limit, until_time, waited)
    if argument(limit, KIND) == 'S' then
        if tonumber(until_time) > tonumber(spared_longest) then
            spared, spared_longest, spared_waited = limit, until_time, waited
        end
    elseif tonumber(until_time) > tonumber(longest) then
        refusing, longest = limit, until_time
    end
end

local function answer() return { refusing, longest, spared, spared_longest, spared_waited } end

local function is_used_up(limit)
    if argument(limit, KIND) == 'T' then
        local first = redis.call('LINDEX', counted(limit), -number(limit, COUNT))
        return first and time_of(first) > number(limit, BEGIN)
    elseif number(limit, IN_FLIGHT_SINCE) == 0 then
        return false
    end
    forget(in_flight(limit), number(limit, IN_FLIGHT_SINCE))
    forget(counted(limit), number(limit, BEGIN))
    return redis.call('LLEN', counted(limit)) + redis.call('LLEN', in_flight(limit)) >= number(limit, COUNT)
end

local waits = {}
for limit = 1, limits do
    local last = redis.call('LINDEX', counted(limit), -1)
    if last and string.sub(last, 1, 1) == '-' then
        local until_time = string.sub(last, 2)
        if now < tonumber(until_time) then
            waits[limit] = true
            refuse(limit, until_time, 1)
        else
            redis.call('DEL', counted(limit))
        end
    end
end
if refusing > 0 then return answer() end

for limit = 1, limits do
    if not waits[limit] and is_used_up(limit) then
        waits[limit] = true
        if argument(limit, KIND) == 'T' then
            redis.call('DEL', counted(limit))
            redis.call('RPUSH', counted(limit), '-' .. argument(limit, UNTIL))
            redis.call('PEXPIRE', counted(limit), argument(limit, KEEP_WAITING))
        end
        refuse(limit, argument(limit, UNTIL), 0)
    end
end
if refusing > 0 then return answer() end

for limit = 1, limits do
    if argument(limit, KIND) == 'T' then
        redis.call('RPUSH', counted(limit), ARGV[1])
        redis.call('LTRIM', counted(limit), -number(limit, COUNT), -1)
        redis.call('PEXPIRE', counted(limit), argument(limit, KEEP_COUNTED))
    elseif number(limit, IN_FLIGHT_SINCE) > 0 and not waits[limit] then
        redis.call('RPUSH', in_flight(limit), ARGV[2])
        redis.call('PEXPIRE', in_flight(limit), argument(limit, KEEP_IN_FLIGHT))
    end
end
return answer()
