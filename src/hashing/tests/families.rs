//! Hashes that other programs made: each family is read, compared with, renewed, and bounded. Made by passlib, Django, libxcrypt
//! (`$7$`) and Python's hashlib (the last four), of "seven lamps over the canal" where nothing else is said.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{Duration, Hasher, HashingError, Verdict, config, cost, password, small, stored};
use crate::hashing::HashUnusable;

const PASSWORD: &str = "seven lamps over the canal";

const HASHES: [&str; 19] = [
    "$2b$04$JeTGP/zrj6vLpoFIoN0XDOaj//rGNuL7qS8FRkiVupILO5hMfVXIC",
    "$2a$04$E8f74M8ialGaDxVjkFjNl.cg02ssBdny1HLoBDI808TIvlJNh8w9m",
    "$2y$04$Ir1LFB73Gu1SOsV1GEkoQ.nn0kMy1cMp1arK/w3ORKt8QCbgzV5Ny",
    "$scrypt$ln=4,r=8,p=1$jXEuJSQEgHBuzVlrDYHQGg$8lKiitrEBFpwqyY3yRz79ZTly+FP2DE8TG4MZTOYt+0",
    "$scrypt$ln=5,r=4,p=3$b+1dq9UaYyyl9L4XghBCqA$s7ioSOKcXLggm9fuSIz80qGl5kK9pTAGl0ZaPKkPlUw",
    "$pbkdf2-sha256$1000$KWUMwbjX2rt37r2XUqoVwg$q7yfiJk9d1.asBvZuAa3U7z6GwEKC5a7qj8IpQD4E1s",
    "$pbkdf2-sha256$i=1000,l=32$KWUMwbjX2rt37r2XUqoVwg$q7yfiJk9d1+asBvZuAa3U7z6GwEKC5a7qj8IpQD4E1s",
    "$pbkdf2-sha512$1000$xDiHkHLuPQdA6F2L8f7/fw$90ebCZIZEyPPjWSFf4vfMIkafTZu2Ki43SHHWmk94xNfcwpNsHrJ1deoL.x3eHFfghhhZVfmFz.rZbpIw2CUZQ",
    "$pbkdf2$1000$aA3BGCNkbK3VujeGkPJeSw$lDcQe3OtuONZZb1B7XRW2pwSZU4",
    "pbkdf2_sha256$1000$saltySALT0123456789abc$UpN1m0+TnBuq1Rv6PSJJ3m2uUfsxfzcyjzPpqojXQVI=",
    "pbkdf2_sha1$1000$saltySALT0123456789abc$YVYGFGECOeBquD+VB+NHADMogqc=",
    "$argon2i$v=19$m=64,t=2,p=2$pnSO8T7HmNM6p7S2FoIQQg$z8MuNX46bHfxCs3EQUVHctRXqzA4dmeFBkzNtxvsODs",
    "$argon2id$v=19$m=64,t=2,p=2$0Zpzzvk/Z+w9h5DSWqt1Dg$tEqKjWdsrfhSJL+BQHyzQ7l3vfqy1ZtPG58tosMFqaI",
    "$7$26..../....saltySALT0123456789$rUcHW/dfrG2yYBmXz0zMaCifiqKsyx70tYhRgTJKwm7",
    "$7$32....1....another.salt$APWoYY/qGrsxM83j4/nLd35KrkyrD/zuOF6LjTj.vTC",
    "$pbkdf2-sha512$i=1000,l=32$c2l4dGVlbiBieXRlcyBvaw$77ys7kpOhBTTIKoeBUDGVEiz8GqXCLchb9hCW7BGtv4",
    "$pbkdf2-sha512$l=16,i=1000$c2l4dGVlbiBieXRlcyBvaw$77ys7kpOhBTTIKoeBUDGVA",
    "$pbkdf2-sha256$i=1000$c2l4dGVlbiBieXRlcyBvaw$VGtcgs6n9J3ivDdw7kwu2kaubLc",
    "$pbkdf2-sha1$i=1000,l=16$c2l4dGVlbiBieXRlcyBvaw$AvSXjtX0Q9kligTmoJaNDg",
];

#[tokio::test]
async fn every_family_is_compared_with_and_renewed() {
    let hasher = Hasher::new(&small()).unwrap();
    for hash in HASHES.map(stored) {
        hasher.examine(&hash).unwrap();
        let verdict = hasher.verify(password(PASSWORD), Some(&hash)).await.unwrap();
        let Verdict::Right { rehash: Some(renewed) } = verdict else { panic!("{}: {verdict:?}", hash.as_str()) };
        assert!(renewed.as_str().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        let again = hasher.verify(password(PASSWORD), Some(&renewed)).await.unwrap();
        assert_eq!(again, Verdict::Right { rehash: None });
        for wrong in ["seven lamps over the canals", "Seven lamps over the canal", ""] {
            let verdict = hasher.verify(password(wrong), Some(&hash)).await.unwrap();
            assert_eq!(verdict, Verdict::Wrong, "{}: {wrong}", hash.as_str());
        }
    }
}

#[tokio::test]
async fn what_was_typed_is_compared_as_it_was_and_as_it_is_kept() {
    let hasher = Hasher::new(&small()).unwrap();
    let verify = async |text: &str, hash: &str| hasher.verify(password(text), Some(&stored(hash))).await.unwrap();
    let (typed, composed) = ("cafe\u{301} noir\u{a0}sept", "caf\u{e9} noir sept");
    let mut output = [0; 32];
    let params = argon2::Params::new(64, 1, 1, None).unwrap();
    let argon2id = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    argon2id.hash_password_into(typed.as_bytes(), b"sixteen bytes ok", &mut output).unwrap();
    let like_ours = format!("$argon2id$v=19$m=64,t=1,p=1$c2l4dGVlbiBieXRlcyBvaw${}", STANDARD_NO_PAD.encode(output));
    // The first two are libxcrypt's.
    for (typed, kept, hash) in [
        (typed, composed, "$2b$04$et.AA57sK94kFVRK4eHs0.NnffJcwA8n7Ir3tzyX7NQpF.Y35X2mi"),
        (
            "\u{f900} seven lamps",
            "\u{8c48} seven lamps",
            "$2b$04$et.AA57sK94kFVRK4eHs0.SruGIhr5nFfsHUJ1a8hmaTGnl28cpfW",
        ),
        (typed, composed, &like_ours),
    ] {
        let Verdict::Right { rehash: Some(renewed) } = verify(typed, hash).await else { panic!("{hash} is not known") };
        assert_eq!(verify(kept, hash).await, Verdict::Wrong, "{hash} was made of another text");
        for text in [typed, kept] {
            assert_eq!(verify(text, renewed.as_str()).await, Verdict::Right { rehash: None }, "{text}");
        }
        assert_eq!(verify(&typed.to_uppercase(), hash).await, Verdict::Wrong);
    }
    // A system that normalises as we do has hashed what is kept, however it is typed.
    let accented = "$2b$04$et.AA57sK94kFVRK4eHs0.T68OPXG9ZDEJiquPMcKnwhrL0QhMxAm";
    assert!(matches!(verify(typed, accented).await, Verdict::Right { rehash: Some(_) }));
    assert_eq!(hasher.verify(password(typed), None).await.unwrap(), Verdict::Wrong);
}

#[tokio::test]
async fn bcrypt_ends_where_it_always_did() {
    let hasher = Hasher::new(&small()).unwrap();
    let verify = async |text: &str, hash: &str| hasher.verify(password(text), Some(&stored(hash))).await.unwrap();
    let long = format!("{PASSWORD} ").repeat(4);
    let hash = "$2b$04$lzwgRqIr42FfdzJVDoFjrOjtwiBHA5pXZVUtuecwS9q6CUKgsrdsa";
    assert!(matches!(verify(&long, hash).await, Verdict::Right { .. }));
    assert!(matches!(verify(&long[..72], hash).await, Verdict::Right { .. }), "72 bytes are all that it is made of");
    assert_eq!(verify(&long[..71], hash).await, Verdict::Wrong);
    // What replaces it is made of the whole password.
    let Verdict::Right { rehash: Some(renewed) } = verify(&long, hash).await else { panic!("it is not renewed") };
    assert_eq!(verify(&long[..72], renewed.as_str()).await, Verdict::Wrong);

    let accented = "$2b$04$et.AA57sK94kFVRK4eHs0.T68OPXG9ZDEJiquPMcKnwhrL0QhMxAm";
    assert!(matches!(verify("caf\u{e9} noir sept", accented).await, Verdict::Right { .. }));
    // To bcrypt the two are one, since it repeats a password with its NUL.
    assert_eq!(verify(&format!("{PASSWORD}\0{PASSWORD}"), HASHES[0]).await, Verdict::Wrong);
}

/// hashlib's output of 64 bytes under SHA-256, which is longer than the digest, as old Keycloak made it.
const KEYCLOAK: &str = "VGtcgs6n9J3ivDdw7kwu2kaubLczZGmaH3v/zDOTlUqo426bh4Evt6qvUQ4U90AKCrBnzWXugaEQlm8nk7UWxw";

#[tokio::test]
async fn a_pbkdf2_output_is_compared_as_far_as_one_block_goes_whatever_its_length() {
    let hasher = Hasher::new(&small()).unwrap();
    let shorter =
        ["VGtcgs6n9J3ivDdw7kwu2g", "VGtcgs6n9J3ivDdw7kwu2kaubLc", "VGtcgs6n9J3ivDdw7kwu2kaubLczZGmaH3v/zDOTlUo"];
    let lengths = [("i=1000,l=64", KEYCLOAK), ("i=1000", KEYCLOAK), ("1000", KEYCLOAK)].into_iter();
    for (costs, output) in lengths.chain(shorter.map(|output| ("1000", output))) {
        let hash = stored(&format!("$pbkdf2-sha256${costs}$c2l4dGVlbiBieXRlcyBvaw${output}"));
        hasher.examine(&hash).unwrap();
        let verdict = hasher.verify(password(PASSWORD), Some(&hash)).await.unwrap();
        assert!(matches!(verdict, Verdict::Right { rehash: Some(_) }), "{costs} {output}: {verdict:?}");
        let verdict = hasher.verify(password("seven lamps over the canals"), Some(&hash)).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong, "{costs} {output}");
    }
}

#[tokio::test]
async fn what_costs_more_than_the_ceilings_is_not_computed() {
    let hasher = Hasher::new(&small()).unwrap();
    for (hash, ceiling, cost) in [
        (HASHES[0].replace("$04$", "$05$"), "bcrypt_cost", 5),
        (HASHES[3].replace("ln=4", "ln=6"), "scrypt_memory_kib", 64),
        (HASHES[3].replace("ln=4", "ln=63"), "scrypt_memory_kib", u64::MAX),
        (HASHES[4].replace("p=3", "p=4"), "scrypt_memory_kib", 64),
        (HASHES[5].replace("$1000$", "$1001$"), "pbkdf2_iterations", 1001),
        (HASHES[9].replace("$1000$", "$4294967295$"), "pbkdf2_iterations", 4_294_967_295),
        (HASHES[13].replace("$26", "$46"), "scrypt_memory_kib", 64),
        (HASHES[13].replace("$26....", "$zzzzzz"), "scrypt_memory_kib", u64::MAX),
        (HASHES[14].replace("1....", "2...."), "scrypt_memory_kib", 64),
        (HASHES[15].replace("i=1000", "i=1001"), "pbkdf2_iterations", 1001),
        (HASHES[12].replace("m=64", "m=20001"), "argon2_memory_kib", 20_001),
        (HASHES[12].replace("t=2", "t=626"), "argon2_work_kib", 40_064),
    ] {
        let refused = hasher.examine(&stored(&hash)).unwrap_err();
        assert!(
            matches!(refused, HashUnusable::TooCostly { ceiling: known, asked, .. } if (known, asked) == (ceiling, cost)),
            "{hash}: {refused:?}"
        );
        let error = hasher.verify(password(PASSWORD), Some(&stored(&hash))).await.unwrap_err();
        assert!(matches!(error, HashingError::StoredHashUnusable(HashUnusable::TooCostly { .. })), "{error:?}");
    }
    // What new hashes cost is always allowed.
    let dear = config::Passwords { iterations: cost(626), deadline: Duration::from_mins(1), ..small() };
    Hasher::new(&dear).unwrap().examine(&stored(&HASHES[12].replace("t=2", "t=626"))).unwrap();
}

#[test]
fn what_is_not_whole_is_refused() {
    let hasher = Hasher::new(&small()).unwrap();
    for unknown in
        ["", "!", "secret", "md5$salt$5ebe2294ecd0e0f08eab7690d2a6ee69", &HASHES[0].replace("$2b", "$2x"), "$6$a$b"]
    {
        let refused = hasher.examine(&stored(unknown)).unwrap_err();
        assert!(matches!(refused, HashUnusable::Unknown), "{unknown}: {refused:?}");
    }
    // Django's salt is any text otherwise.
    for char in ["\0", "\n", "\u{85}"] {
        let refused = hasher.examine(&stored(&HASHES[9].replace("SALT", char))).unwrap_err();
        assert!(matches!(refused, HashUnusable::ControlCharacter), "{char:?}: {refused:?}");
    }
    let endless = format!("{}{}", HASHES[5], "A".repeat(500));
    hasher.examine(&stored(&endless)).unwrap_err();
    for hash in HASHES {
        // The output of these may have any length, where they do not say which.
        let is_open = ["$scrypt", "$argon2"].iter().any(|start| hash.starts_with(start))
            || hash.contains("pbkdf2") && !hash.contains("l=");
        let end = if is_open { hash.rfind('$').unwrap() + 1 } else { hash.trim_end_matches('=').len() };
        for cut in 1..end {
            hasher.examine(&stored(&hash[..cut])).unwrap_err();
        }
    }
    for (hash, good, bad) in [
        (HASHES[0], "$04$", "$4$"),
        (HASHES[0], "$04$", "$03$"),
        (HASHES[0], "$04$", "$32$"),
        (HASHES[0], "JeT", "J!T"),
        (HASHES[3], "r=8", "r=0"),
        (HASHES[3], "r=8,", ""),
        (HASHES[3], "p=1", "p=-1"),
        (HASHES[3], "p=1", "p=1,x=1"),
        (HASHES[3], "iitrEBFpwqyY3yRz79ZTly+FP2DE8TG4MZTOYt+0", ""),
        (HASHES[5], "$1000$", "$0$"),
        (HASHES[5], "$1000$", "$99999999999$"),
        (HASHES[6], "i=1000", "x=1000"),
        (HASHES[6], "sha256", "sha3"),
        (HASHES[9], "QVI=", "QVI=$"),
        (HASHES[5], "q7yfiJk9d1.asBvZuAa3U7z6GwEKC5a7qj8IpQD4E1s", "q7yfiJk9d1.asBvZuAa3"),
        (HASHES[13], "$26", "$.6"),
        (HASHES[13], "6....", "....."),
        (HASHES[13], "6....", "6..!."),
        (HASHES[13], "Kwm7", "Kwm"),
        (HASHES[13], "Kwm7", "Kwm77"),
        (HASHES[15], "l=32", "l=31"),
        (HASHES[15], "l=32", "l=64"),
        (HASHES[15], "l=32", "l=257"),
        (HASHES[16], "l=16", "l=15"),
        (HASHES[16], "77ys7kpOhBTTIKoeBUDGVA", "77ys7kpOhBTTIKoeBUDG"),
        (HASHES[17], "VGtcgs6n9J3ivDdw7kwu2kaubLc", "VGtcgs6n9J3ivDdw7kwu"),
        (HASHES[12], "t=2", "t="),
    ] {
        assert!(hash.contains(good), "{hash}");
        let refused = hasher.examine(&stored(&hash.replace(good, bad))).unwrap_err();
        assert!(matches!(refused, HashUnusable::Malformed { .. } | HashUnusable::Argon2(_)), "{bad}: {refused:?}");
    }
}
