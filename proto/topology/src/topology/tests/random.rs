//! Random histories: however a topology came about, its indexes are those of its resources.

use super::*;
use crate::user::AddressMode;

/// A xorshift generator: the same histories on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A change of one of few resources, with values from so few that they collide.
fn change(dice: &mut Dice) -> Change {
    let n = dice.below(4);
    match dice.below(9) {
        0 => Change::Delete(Name::proxy_list(format!("list{n}"))),
        1 => Change::Delete(Name::line(format!("line{n}"))),
        2 => Change::Delete(Name::station(format!("station{n}"))),
        3 => Change::Delete(Name::user(format!("user{n}"))),
        4 => list(&format!("list{n}"), &["10.0.0.1", "um.example.com"][..usize::from(dice.chance(90)) * 2])
            .into(),
        5 => {
            let target = dice.chance(70).then(|| format!("list{}", dice.below(4)));
            line(&format!("line{n}"), 5060 + u16::try_from(dice.below(6)).unwrap(), target.as_deref()).into()
        }
        6 => {
            let target = dice.chance(90).then(|| format!("line{}", dice.below(4)));
            let mut station =
                station(&format!("station{n}"), &format!("60{}", dice.below(2)), target.as_deref());
            station.extension = dice.chance(50).then(|| format!("{}", dice.below(8)).into());
            station.into()
        }
        7 | 8 => {
            let mut user = User::new(format!("user{n}"), &format!("{}", dice.below(8)));
            user.um.destination = dice.chance(60).then(|| format!("station{}", dice.below(4)).into());
            if dice.chance(30) {
                user.um.address_mode = Some(AddressMode::Other);
                user.um.address = Some(Box::new(format!("sip:m{}@um", dice.below(3)).parse().unwrap()));
            }
            user.aliases = (0..dice.below(3)).map(|_| format!("sip:a{}@pbx", dice.below(6)).into()).collect();
            user.into()
        }
        other => unreachable!("{other} is not below 9"),
    }
}

#[test]
fn indexes_follow_from_the_resources_whatever_happened_before() {
    let (mut applied, mut refused) = (0, 0);
    for seed in 1..=40 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let mut topology = Topology::new();
        for revision in 1..=60 {
            let changes: Vec<Change> = (0..=dice.below(4)).map(|_| change(&mut dice)).collect();
            match topology.apply(revision, &changes) {
                Ok(next) => topology = next,
                Err(violations) => {
                    assert!(!violations.is_empty());
                    refused += 1;
                    continue;
                }
            }
            applied += 1;
            let puts: Vec<Change> = topology.resources().map(Change::Put).collect();
            let fresh = Topology::new().apply(revision, &puts).unwrap();
            assert_eq!(fresh.unique, topology.unique, "seed {seed}");
            assert_eq!(fresh.referents, topology.referents, "seed {seed}");
            assert_eq!(fresh.alias_users, topology.alias_users, "seed {seed}");
            assert_eq!(fresh.pilots, topology.pilots, "seed {seed}");
            assert_eq!(fresh.um_servers, topology.um_servers, "seed {seed}");
        }
    }
    assert!(applied > 500 && refused > 500, "{applied} applied, {refused} refused");
}
