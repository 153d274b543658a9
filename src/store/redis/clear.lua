-- Lifts a lockout and forgets the failures that led to it.
--
-- KEYS: the lists of its limit, and the two of who is locked out. ARGV: its name.

redis.call('DEL', KEYS[1], KEYS[2])
strike(ARGV[1])
