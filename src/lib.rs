//! Keyward: a gRPC authentication service. It registers users, proves their addresses, signs them in on their
//! devices, and says of every later call who is calling.
//!
//! This page is the map of the crate. What the service does for its clients is told in the README and in the comments
//! of the protos; what each part does, in its module.
//!
//! # The path of a call
//!
//! A [listener](rpc) counts its connection, and bounds how many there are, how long a handshake takes, and how old a connection
//! becomes. The call comes in through a stack of [interceptors](rpc). They look at headers alone; one of them waits for the
//! message, before anything is counted or done. Each leaves what it found out as a typed value for those behind it: the request
//! id, the client's [`Origin`](model::origin::Origin), the method's [`MethodPolicy`](rpc::methods::MethodPolicy), the
//! [`DeviceId`](model::device::DeviceId), the [`Caller`](model::caller::Caller). The stack is one list in `rpc::server`, with
//! the reason for each place in it.
//!
//! Behind the stack stands a handler. It checks the message's shape against the rules in the protos, turns the
//! protobuf into the [model], calls one [flow](flows), and turns the outcome back. The flow asks the [store], applies
//! a rule of [policy], hashes a password, seals a mail; it is a free function over [`App`](app::App), and is named
//! after its RPC. Whatever goes wrong is a variant of one enum, [`Error`](error::Error), and `rpc::status` alone
//! decides what that looks like on the wire: a canonical code, a reason, and the standard details.
//!
//! To see all of it at once, read [`flows::login`] from top to bottom, then `rpc::auth` before it and
//! [`store::pg::sessions`] behind it.
//!
//! # Who knows whom
//!
//! ```text
//! rpc (interceptors, services) -> flows -> { policy, store, token, hashing, mail } -> model
//! jobs -> flows, store          cli -> app, rpc, jobs          config: plain data, for all that need a section
//! ```
//!
//! Imports point one way, and a test reads them to keep it so. Three borders follow from that:
//!
//! * **Protobuf stops at [rpc].** Flows never see tonic, so that they can be called from the command line and from
//!   jobs, and so that a change of the API is a change of one layer.
//! * **SQL stops at [store].** Store functions take a connection and decide nothing; the flow says what is one
//!   transaction. No password is hashed and no mail is sent inside of one, since either may take longer than a lock
//!   may be held.
//! * **Decisions sit in [policy].** They are pure functions: no async, no I/O, no clock. The rules that matter most
//!   can be read and tested without a database.
//!
//! Time is an argument. [`Clock`](clock::Clock) is asked once in a call, and the answer goes down to the SQL, which
//! never says `now()`; so a test moves through ninety days in no time, and one call never sees two times.
//!
//! # Who may call what
//!
//! Every RPC declares its access in the proto, as an option: anyone, a signed-in user, or the holder of a permission;
//! with or without a device; and the throttle that it draws from. [`rpc::methods`] reads the options from the
//! embedded descriptors. A method without one stops the start, so that nobody can forget it. The option is the whole
//! truth: no flow asks again, and `keyward methods` prints it for review.
//!
//! # Tokens
//!
//! One master key is all the secret that a deployment keeps. [`token::master`] derives from it, by HKDF, a key for
//! each purpose: refresh tokens, mailed codes, page tokens, sealed columns. Several may be given while one replaces
//! another.
//!
//! An [access token](token::access) is a short-lived JWT, bound to a session and its device. Checking one costs no I/O: a
//! signature is verified once and then [remembered](token::cache), and whether its session has ended is looked up in
//! memory.
//!
//! Its [signing keys](flows::signing_keys) live in Postgres, sealed under the master key. One signs; the next one is
//! published long before it does, so that whoever keeps the public keys for a while is not surprised; those before verify
//! until the last token that they signed has expired. When it is [time](policy::signing), one replica lets them take
//! turns. A token whose key a replica has not heard of yet makes it look once, and not more often than it can bear.
//!
//! A [service key](token::service_key) is what internal services have in place of all that: random, stored as a hash, and
//! in the memory of every replica. Flows of a user's own take a [`Caller`](model::caller::Caller), and a service key never
//! is one.
//!
//! A [refresh token](token::refresh) is a session id, a generation, and a code that authenticates the two. A forged
//! one is refused before anybody asks the database, and the database holds the generation alone, so that reading it
//! yields no token. Rotation is one UPDATE that names the generation it expects: of any number of clients that
//! present the same token at once, one moves the session on. The others, within a few seconds, are given the *same*
//! successor, because replies get lost and people open two tabs. A token older than that was copied by someone, and
//! [`policy::rotation`] ends the session.
//!
//! A [reset token](token::reset) is made likewise of a reset's id, so that the same right code, sent again because its reply was
//! lost, gets the same token.
//!
//! # Revocations
//!
//! Whatever ends a session writes a row of the revocation feed in the same statement. The process that did it takes
//! the row into [memory](token::revocations) at once; every other replica tails the table several times a second (a
//! [job](jobs), reading a stretch again so that a transaction which commits late is not missed). When the feed is
//! older than its bound, checks ask Postgres: a replica that is cut off becomes slow, never trusting. A table that is
//! read, rather than LISTEN and NOTIFY, keeps connection poolers and other engines that speak Postgres possible. Services
//! that verify tokens by themselves [watch](flows::revocations::watch) the same feed.
//!
//! A change of a user's roles ends no session, and makes the tokens issued before stale all the same. It goes into the
//! same feed, with the revision of the user's row from which on tokens are good. Each token carries the revision that its
//! roles were read at, together with them in one statement; so no clock has to say which token was first.
//!
//! What the roles permit is not in the tokens. It is [copied](flows::copied) into the memory of every replica, as the
//! network rules are: a version in Postgres tells whether the copy is the latest. What a copy does not hold is looked up once,
//! ten times a second at most, and callers who wait for the same look share its outcome.
//!
//! A database that is restored, or fails over with commits lost, gives out sequence numbers a second time. A replica therefore
//! compares how far the feed goes, and which run of the server says so, with what it saw before. When the feed has gone back, the
//! replica reads all of it again, and so do the watchers.
//!
//! # The audit trail
//!
//! What changes something, or tells of an attack, goes [on record](flows::audit) in the transaction that does it: no
//! change without its event, no event of what was rolled back. The [`Act`](model::audit::Act), who does it and from
//! where, comes down from the handler or the command line. The table refuses to be changed, whoever asks.
//!
//! Since rows stay, strangers must not fill the table at will. [`policy::audit`] says which kinds of events are
//! [limited](policy::audit::Recording), how they are merged, and which ceilings hold for a minute. Each replica
//! [holds](flows::audit::HeldEvents) the counts of what it did not record, and a job writes them.
//!
//! It can be followed without a gap. Events are numbered when they are written and seen when they are committed, so one
//! may be seen before another with a lower number. A replica therefore shows only what is
//! [settled](store::pg::audit_events): it looks how far the trail goes, takes a number of a transaction, and waits until
//! every transaction with a lower one is over. Since a transaction has its number before its first event has one,
//! nothing can come in between any more.
//!
//! # Passwords
//!
//! [`hashing`] is a pool of its own: as many threads as cores, a queue with an end, and a deadline. Argon2id is made
//! to be expensive, so whoever may ask for it without a bound can stop the service. When the queue is full a call is
//! refused at once, and told when to come back. An unknown address costs the same work as a wrong password and gets
//! the same answer. Users who [came from another system](flows::transfer) bring its hashes, which are bounded in what
//! they may cost, and renewed at the first login; until then they take longer, which is all that tells them apart.
//!
//! # Limits
//!
//! Every method draws from a throttle, and what can be guessed at (a password, a code, a token) from a lockout; each counts by
//! device (on one network) and by address. An [interceptor](rpc) asks all of them in one round trip, before any signature or
//! password is looked at. Where a guess can succeed the attempt is in flight from then on and counts like a failure, until the
//! interceptor concludes it by what the flow says of it: that it failed, with a tag of account and device, or that a login is
//! complete, which takes back the failures with its tag. A lockout of the address at login is left to the flow, since it does
//! not hold for a device that the account [knows](store::pg::user_devices).
//! The rules are pure functions ([`policy::limits`]), which the [store] in memory applies and a script in Redis spells. Memory
//! counts along with Redis, so that limits hold through an absence of it; [`store::limits`] says who decides when.
//!
//! An account is locked by a tally in Postgres instead ([`policy::lockout`]): it must last, it is keyed by what only a flow
//! knows, and it is counted in the statement that reads the password. Strangers share a tally, and each device that the account
//! knows has its own. The lockout of a session, whose refresh token came back too often, is in its row.
//!
//! Codes by mail are limited by [`policy::codes`]: strangers share what an address is sent, each known device has codes of its
//! own, and wrong reset codes slow strangers down. One upsert in [`store::pg::code_quotas`] applies the rule.
//!
//! # Mail and jobs
//!
//! A mail is a row of the outbox, sealed because it may hold a code, and written in the transaction that causes it:
//! no account without its mail, no mail for what was rolled back. A job claims rows under a lease and delivers them, the
//! newest first. [Whose fault](mail::Fault) a failure is decides what follows: a mail that its recipient's server refuses is
//! given up; while no mail can leave, one at a time is tried; a mail whose code has expired is not sent. A mail may come twice but
//! is not lost in a crash.
//! [`jobs`] also follows the revocation feed and the copied tables, tells the health service whether the database
//! answers, and [deletes](flows::cleanup) what has been over for long enough. A job that panics is started again.
//!
//! # The log
//!
//! Log lines go to [standard error](stderr) through a bounded buffer and a thread of its own. When nobody reads them they are
//! dropped and counted: no call, probe or job waits for the log, and panics are told there too.
//!
//! # A database that fails
//!
//! Every statement passes one place, [`Connection`](store::pg::Connection), which bounds the wait for each answer and knows
//! whether one is outstanding. A connection without its answer is discarded. What one connection learns, a silence or a server
//! that is read-only, holds for those opened before. The health job probes the database, and readiness is its last answer.
//!
//! # Many replicas
//!
//! A replica holds nothing that it cannot rebuild from Postgres or Redis. What must happen once is one statement, or happens
//! with the user's row locked: the device limit, a code's attempts, a reset token's one use. Migrations are embedded,
//! and each is applied in a transaction that holds an advisory lock, so that replicas may start together. The cleanup goes by a
//! [lease](store::pg::leases), a row with an end, which a connection pooler cannot hand to the wrong session.
//!
//! Replicas compare times that others have stored, so their clocks must agree. Each [compares](flows::clocks) its machine's
//! with the database's: at the start, for its health, and before it deletes or rotates anything. Before there is an
//! [`App`](app::App), [`database`] waits until the database can be used and has the schema of this version.

pub mod app;
pub mod certificates;
pub mod cli;
pub mod clock;
pub mod config;
pub mod database;
pub mod error;
pub mod flows;
pub mod hashing;
pub mod jobs;
pub mod mail;
pub mod metrics;
pub mod model;
pub mod policy;
pub mod proto;
pub mod rpc;
pub mod service;
pub mod stderr;
pub mod store;
pub mod token;
