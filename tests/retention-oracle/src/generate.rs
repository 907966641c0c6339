//! Owns random cases: the same seed makes the same case.

use crate::case::{
    Action, Case, Column, DAY, ForeignKey, HOUR, Hold, Kind, Moment, OnDelete, Rule, Table, Term, Val, at,
};
use crate::time;
use fastrand::Rng;

/// Names as nobody should have them.
const NAMES: &[&str] = &[
    "plain",
    "Mixed Case",
    "\"; drop table x; --",
    "a.b",
    "with space",
    "sel\"ect",
    "ümläut",
    "it's",
    "$1",
    "back\\slash",
    "user",
    "%s {}",
];
const STATES: &[&str] = &["new", "open", "it's", "paid", "Ä\"\\", ""];
const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Pacific/Apia",
];
const CITIES: &[&str] = &["ada@example.org", "bob@x", "", "Ö@ä", "hmac:short", "c d"];
const ADDRESSES: &[&str] = &[
    "10.1.2.3",
    "192.168.77.5",
    "203.0.113.9",
    "2001:db8:1:2::5",
    "2001:db8:aaaa::1",
];
const ADDRESS_TEXTS: &[&str] = &[
    "10.1.2.3",
    "203.0.113.9",
    "999.1.1.1",
    "nobody",
    "",
    "2001:db8:1:2::5",
    "10.1.2.3 ",
];

mod erasure;
mod parts;
mod reach;
mod rules;

struct Maker {
    rng: Rng,
    names: usize,
    /// There will be holds: they are followed from each row along all foreign keys, which is slow in large tables where
    /// everything is tied to everything.
    holds: bool,
}

fn pick<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    &of[rng.usize(..of.len())]
}

fn one_in(rng: &mut Rng, many: usize) -> bool {
    rng.usize(..many) == 0
}

/// A case.
pub(crate) fn case(seed: u64) -> Case {
    let mut maker = Maker {
        rng: Rng::with_seed(seed),
        names: 0,
        holds: false,
    };
    maker.holds = maker.rng.bool();
    // Around changes of clocks, ends of months, a leap day.
    let moments = [
        time::days(2025, 3, 30) * DAY + HOUR,
        time::days(2025, 10, 26) * DAY + HOUR,
        time::days(2024, 2, 29) * DAY + 12 * HOUR + 345_678,
        time::days(2025, 3, 31) * DAY,
        time::days(2025, 8, 1) * DAY + 1,
        time::days(2026, 1, 31) * DAY + 23 * HOUR + 59 * 60_000_000,
    ];
    let as_of = *pick(&mut maker.rng, &moments);
    let grace = if maker.rng.bool() { 0 } else { maker.rng.i64(0..200_000) };
    let zone = pick(&mut maker.rng, ZONES);
    let count = maker.rng.usize(1..=4);
    let terms: Vec<Term> = (0..count).map(|_| maker.term()).collect();
    let mut tables = Vec::new();
    for term in &terms {
        let table = maker.table(&tables, time::cutoff(as_of, grace, *term));
        tables.push(table);
    }
    let mut rules = Vec::new();
    for (position, term) in terms.iter().enumerate() {
        let many = *pick(&mut maker.rng, &[0, 1, 1, 1, 1, 2]);
        let detach = tables[position].parts.is_some() && one_in(&mut maker.rng, 3);
        if detach {
            rules.push(Rule {
                table: position,
                action: Action::Detach,
                age: Some(*term),
                conditions: Vec::new(),
                cascade: false,
                max_rows: None,
                subject: maker.rng.bool(),
            });
            continue;
        }
        for _ in 0..many {
            let rule = maker.rule(&tables, position, *term);
            // Two that change the same column undo each other's work every night: that is the policy's fault.
            let changes = |rule: &Rule| rule.table == position && matches!(rule.action, Action::Anonymise(_));
            if !changes(&rule) || !rules.iter().any(changes) {
                rules.push(rule);
            }
        }
    }
    if rules.is_empty() {
        let rule = maker.rule(&tables, 0, terms[0]);
        rules.push(rule);
    }
    maker.rng.shuffle(&mut rules);
    let holds = maker.holds(&tables);
    // A run with a rule of whose rows nobody says whose they are is refused while a subject is held.
    if holds.iter().any(|hold| matches!(hold, Hold::Subject(_))) {
        for rule in &mut rules {
            rule.subject = true;
        }
    }
    let mut case = Case {
        seed,
        as_of,
        grace,
        zone,
        tables,
        rules,
        holds,
        erasure: None,
    };
    if one_in(&mut maker.rng, 3) {
        maker.erasure(&mut case);
    }
    maker.hash(&mut case);
    maker.through_keys_only(&mut case);
    maker.above_detached(&mut case);
    case
}

impl Maker {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("{}{}", pick(&mut self.rng, NAMES), self.names)
    }

    fn term(&mut self) -> Term {
        if self.rng.bool() {
            Term::Days(self.rng.i64(1..500))
        } else {
            Term::Months(self.rng.i64(1..30))
        }
    }

    fn table(&mut self, before: &[Table], cutoff: i64) -> Table {
        let age = *pick(&mut self.rng, &[Kind::Date, Kind::Stamp, Kind::StampTz, Kind::StampTz]);
        let partitioned = one_in(&mut self.rng, 3);
        let primary_key = if partitioned {
            self.rng.bool()
        } else {
            !one_in(&mut self.rng, 5)
        };
        let kinds = [
            Kind::Int,
            Kind::Int,
            age,
            Kind::Text,
            Kind::Int,
            Kind::Text,
            Kind::Text,
            Kind::Varchar,
            Kind::Inet,
            Kind::Text,
            Kind::Date,
            if self.rng.bool() { Kind::StampTz } else { Kind::Stamp },
            Kind::Int,
        ];
        let mut columns: Vec<Column> = kinds
            .into_iter()
            .map(|kind| Column {
                name: self.name(),
                kind,
                domain: false,
                not_null: false,
                default: None,
            })
            .collect();
        for place in [at::EMAIL, at::STATE, at::BORN, at::SEEN] {
            columns[place].domain = one_in(&mut self.rng, 4);
        }
        columns[at::AGE].domain = !partitioned && one_in(&mut self.rng, 4);
        columns[at::AGE].not_null = (partitioned && primary_key) || one_in(&mut self.rng, 3);
        let schema = if one_in(&mut self.rng, 3) {
            "Odd \"schema\".x"
        } else {
            "public"
        }
        .to_owned();
        let name = self.name();
        let parts = partitioned.then(|| self.parts(&schema, &name, &columns[at::AGE], cutoff));
        let mut table = Table {
            schema,
            name,
            columns,
            physical: Vec::new(),
            primary_key,
            parts,
            keys: Vec::new(),
            age_index: self.rng.bool(),
            other_index: one_in(&mut self.rng, 3).then(|| *pick(&mut self.rng, &[at::EMAIL, at::IP, at::STATE])),
            fillfactor: one_in(&mut self.rng, 4).then_some(40),
            analyse: self.rng.bool(),
            rows: Vec::new(),
        };
        self.keys(before, &mut table);
        let mut physical: Vec<usize> = (0..table.columns.len()).collect();
        self.rng.shuffle(&mut physical);
        table.physical = physical;
        self.rows(before, &mut table, cutoff);
        table
    }

    fn keys(&mut self, before: &[Table], table: &mut Table) {
        let position = before.len();
        for _ in 0..*pick(&mut self.rng, &[0, 1, 1, 2]) {
            let parent = self.rng.usize(0..=position);
            let target = before.get(parent).unwrap_or(table);
            let theirs = if target.parts.is_some() {
                if !target.primary_key {
                    continue;
                }
                vec![at::ID, at::AGE]
            } else if one_in(&mut self.rng, 3) {
                vec![at::ID, at::KEY2]
            } else {
                vec![at::ID]
            };
            let mut on_delete = *pick(
                &mut self.rng,
                &[
                    OnDelete::NoAction,
                    OnDelete::Restrict,
                    OnDelete::Cascade,
                    OnDelete::Cascade,
                    OnDelete::SetNull,
                    OnDelete::SetDefault,
                ],
            );
            if theirs.len() > 1 && on_delete == OnDelete::SetDefault {
                on_delete = OnDelete::SetNull;
            }
            let kinds: Vec<Kind> = theirs.iter().map(|place| target.columns[*place].kind).collect();
            let not_null = one_in(&mut self.rng, 6)
                && parent != position
                && !target.rows.is_empty()
                && on_delete != OnDelete::SetDefault;
            let mut ours = Vec::new();
            for kind in kinds {
                ours.push(table.columns.len());
                let name = self.name();
                table.columns.push(Column {
                    name,
                    kind,
                    domain: false,
                    not_null,
                    default: None,
                });
            }
            table.keys.push(ForeignKey {
                parent,
                ours,
                theirs,
                on_delete,
                indexed: !one_in(&mut self.rng, 5),
            });
        }
    }

    fn age(&mut self, table: &Table, cutoff: i64) -> Val {
        let column = &table.columns[at::AGE];
        let may_be_null = !column.not_null && table.parts.as_ref().is_none_or(|parts| parts.default);
        let moment = match self.rng.usize(0..20) {
            0 if may_be_null => return Val::Null,
            1 => Moment::Before,
            2 => Moment::After,
            3 => Moment::At(cutoff),
            4 => Moment::At(cutoff - 1),
            5 => Moment::At(cutoff + 1),
            6 => Moment::At(cutoff - HOUR),
            7 => Moment::At(cutoff + HOUR),
            8 => Moment::At(cutoff - DAY),
            9 => Moment::At(cutoff.div_euclid(DAY) * DAY),
            10 => Moment::At(cutoff - self.rng.i64(0..20_000) * DAY),
            _ => Moment::At(cutoff + self.rng.i64(-400 * DAY..150 * DAY)),
        };
        Val::Time(match moment {
            Moment::At(micros) if column.kind == Kind::Date => Moment::At(micros.div_euclid(DAY) * DAY),
            other => other,
        })
    }

    fn text(&mut self, of: &[&str]) -> Val {
        if one_in(&mut self.rng, 6) {
            return Val::Null;
        }
        Val::Text((*pick(&mut self.rng, of)).to_owned())
    }

    fn time(&mut self, kind: Kind) -> Val {
        let micros = self.rng.i64(-20_000 * DAY..20_000 * DAY);
        match self.rng.usize(0..10) {
            0 => Val::Null,
            1 => Val::Time(Moment::After),
            2 => Val::Time(Moment::Before),
            _ if kind == Kind::Date => Val::Time(Moment::At(micros.div_euclid(DAY) * DAY)),
            3 => Val::Time(Moment::At(micros.div_euclid(DAY) * DAY)),
            _ => Val::Time(Moment::At(micros)),
        }
    }

    fn rows(&mut self, before: &[Table], table: &mut Table, cutoff: i64) {
        let sizes: &[usize] = if self.holds {
            &[0, 1, 3, 12, 30, 50]
        } else {
            &[0, 1, 3, 20, 60, 200, 600, 1500, 3000]
        };
        let count = *pick(&mut self.rng, sizes);
        // Few parents with many children, or many with few.
        let spread = *pick(&mut self.rng, &[3, 50, 5000]);
        let mut rows: Vec<Vec<Val>> = Vec::with_capacity(count);
        for id in 0..count {
            let amount = self.rng.i64(-3..8);
            let hmac = format!("hmac:{}", "0f".repeat(32));
            let email = if one_in(&mut self.rng, 12) {
                Val::Text(hmac)
            } else {
                self.text(CITIES)
            };
            let amount_value = if one_in(&mut self.rng, 8) {
                Val::Null
            } else {
                Val::Int(amount)
            };
            let generated = match &amount_value {
                Val::Int(amount) => Val::Int(amount * 2 + 1),
                _ => Val::Null,
            };
            let row = vec![
                Val::Int(i64::try_from(id).unwrap_or(0)),
                Val::Int(self.rng.i64(0..3)),
                self.age(table, cutoff),
                self.text(STATES),
                amount_value,
                Val::Text(format!("s{}", self.rng.usize(0..30))),
                email,
                self.text(CITIES),
                self.text(ADDRESSES),
                self.text(ADDRESS_TEXTS),
                self.time(Kind::Date),
                self.time(table.columns[at::SEEN].kind),
                generated,
            ];
            rows.push(row);
        }
        if self.rng.bool() {
            // An index in the heap's order makes a keyset likely.
            rows.sort_by_key(|row| match &row[at::AGE] {
                Val::Time(moment) => *moment,
                _ => Moment::After,
            });
        }
        for key in &table.keys {
            let own = rows.clone();
            let parents = before.get(key.parent).map_or(&own, |parent| &parent.rows);
            let not_null = table.columns[key.ours[0]].not_null;
            for row in &mut rows {
                let no_parent = parents.is_empty() || (!not_null && one_in(&mut self.rng, 3));
                if no_parent {
                    row.extend(key.ours.iter().map(|_| Val::Null));
                    if key.ours.len() > 1 && self.rng.bool() {
                        // Half a key refers to nothing (MATCH SIMPLE).
                        let last = row.len() - key.ours.len();
                        row[last] = Val::Int(1_000_000);
                    }
                    continue;
                }
                let parent = &parents[self.rng.usize(0..parents.len().min(spread))];
                row.extend(key.theirs.iter().map(|place| parent[*place].clone()));
            }
        }
        table.rows = rows;
    }
}
